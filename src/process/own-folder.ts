/** Folders for what only this process is to see, such as keys, among the system's temporary files. */

import { lstatSync, mkdtempSync, readdirSync, readlinkSync, rmSync } from 'node:fs'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { isRunning } from './is-running.ts'

/** Makes one. It is this process's to remove. */
export function makeOwnFolder(kind: string): string {
  return mkdtempSync(join(tmpdir(), `${prefixOf(kind, process.pid)}-`))
}

/** Removes those of this kind that processes have left behind that were killed. Secrets should not lie about. */
export function removeLeftFolders(kind: string): void {
  const ours = new RegExp(`^${prefixOf(kind, '(\\d+)')}-[^/]+$`)
  try {
    for (const name of readdirSync(tmpdir())) {
      const pid = ours.exec(name)?.[1]
      const path = join(tmpdir(), name)
      if (pid === undefined || isRunning(Number(pid)) || !isOurFolder(path)) continue
      rmSync(path, { recursive: true, force: true })
    }
  } catch {
    // Something else removed it at the same time, or nobody may look there.
  }
}

/**
 * Whose a folder is can be told from its name. A process id alone is not enough where containers share a folder for temporary files, each with process
 * ids of its own.
 */
function prefixOf(kind: string, pid: number | string): string {
  let namespace = '0'
  try {
    namespace = /\d+/.exec(readlinkSync('/proc/self/ns/pid'))?.[0] ?? '0'
  } catch {
    // Not Linux: there is one for all.
  }
  return `masque-${kind}-${namespace}-${pid}`
}

function isOurFolder(path: string): boolean {
  const stat = lstatSync(path)
  return stat.isDirectory() && (process.getuid === undefined || stat.uid === process.getuid())
}
