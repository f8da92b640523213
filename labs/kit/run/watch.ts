/**
 * Notices that exercise files have been saved. It looks at them four times a second: editors save in many ways (in place, by
 * renaming, on network drives), and all of them end in a file with other bytes in it.
 */
import { readFileSync, statSync } from 'node:fs'
import { join } from 'node:path'
import { MEASURED_FILE } from '../check/own-runs.ts'

const EVERY_MS = 250

export interface Watcher {
  /** What is there now is known: for files that the program itself has written. */
  acknowledge(): void
  stop(): void
}

/**
 * Calls `onSave` with the names of the files whose content has changed, once it has stayed the same for one look. The file that checks write
 * into is none of them: a check would be the reason for the next one.
 */
export function watchFiles(
  folder: string,
  named: readonly string[],
  onSave: (changed: string[]) => void,
  everyMs: number = EVERY_MS,
): Watcher {
  const files = named.filter(file => file !== MEASURED_FILE)
  const known = new Map<string, { stamp: string; content: string }>()
  const look = (file: string) => known.set(file, { stamp: stampOf(join(folder, file)), content: read(folder, file) })
  for (const file of files) look(file)
  const unsettled = new Set<string>()

  const timer = setInterval(() => {
    const changed: string[] = []
    for (const file of files) {
      const before = known.get(file)!
      const stamp = stampOf(join(folder, file))
      if (stamp === before.stamp) {
        // The second look at the same bytes: whoever writes has finished.
        if (unsettled.delete(file)) changed.push(file)
        continue
      }
      const content = read(folder, file)
      known.set(file, { stamp, content })
      if (content !== before.content) unsettled.add(file)
    }
    if (changed.length > 0) onSave(changed)
  }, everyMs)

  return {
    acknowledge() {
      unsettled.clear()
      for (const file of files) look(file)
    },
    stop: () => clearInterval(timer),
  }
}

function stampOf(path: string): string {
  try {
    const { mtimeMs, size, ino } = statSync(path)
    return `${mtimeMs}:${size}:${ino}`
  } catch {
    return 'missing'
  }
}

/** A file that is not there, or cannot be read, counts as empty. */
function read(folder: string, file: string): string {
  try {
    return readFileSync(join(folder, file), 'latin1')
  } catch {
    return ''
  }
}
