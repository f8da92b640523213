/** Files and folders that somebody names to be written: nothing here waits for ever, whatever is at that place. */
import { closeSync, constants, mkdirSync, openSync, statSync, writeFileSync } from 'node:fs'
import { dirname } from 'node:path'

/**
 * Writes a file, or what else takes bytes, such as /dev/stdout. `replace`: false throws EEXIST where something is already. Throws what the
 * system says; ENXIO where it is a pipe (FIFO) that nobody reads, which would otherwise keep us waiting for somebody who does.
 */
export function writeNamedFile(file: string, content: string, { replace = true } = {}): void {
  const { O_WRONLY, O_CREAT, O_EXCL, O_NONBLOCK = 0 } = constants
  const descriptor = openSync(file, O_WRONLY | O_CREAT | O_NONBLOCK | (replace ? 0 : O_EXCL), 0o666)
  try {
    // Waits for a reader that is slow: there is one. Ours stays open until then, or that one would find the end.
    writeFileSync(file, content)
  } finally {
    closeSync(descriptor)
  }
}

/**
 * Makes a folder and those above it. Throws what the system says. Node's own `recursive` tries for ever where a folder is there in which
 * nothing can be made and that answers ENOENT, as /proc does.
 */
export function makeFolder(folder: string): void {
  try {
    mkdirSync(folder)
  } catch (error) {
    const { code } = error as NodeJS.ErrnoException
    if (code === 'EEXIST' && statSync(folder).isDirectory()) return
    if (code !== 'ENOENT' || dirname(folder) === folder) throw error
    makeFolder(dirname(folder))
    mkdirSync(folder)
  }
}
