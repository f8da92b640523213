import { closeSync, fstatSync, openSync, rmSync, statSync } from 'node:fs'
import { dirname, join } from 'node:path'

/** Bits of a file's mode. */
export const GROUP_AND_OTHERS = 0o077
export const OTHERS = 0o007

export interface PrivateFile {
  /** The bits of the mode that must not be set. */
  readonly forbidden: number
  /** What is in the file: "key". */
  readonly what: string
  /** The configuration that accepts it as it is: "tls.allow_exposed_key". */
  readonly accept: string
  /** For tests: does the file system of this folder keep modes? */
  readonly keepsModes?: (folder: string) => boolean
}

/**
 * Who may read or change this file, and what to do, as one sentence without the file's name in front; undefined when it is private.
 * On Windows, modes say little about who may read a file: nothing is found there.
 */
export function describeExposure(file: string, options: PrivateFile): string | undefined {
  if (process.platform === 'win32') return undefined
  const mode = statSync(file).mode & 0o777
  if ((mode & options.forbidden) === 0) return undefined
  const { what, accept, keepsModes = folderKeepsModes } = options
  const whose = options.forbidden === OTHERS ? 'everybody on this machine' : 'others'
  const found = `${whose} may read or change this ${what} (mode ${mode.toString(8).padStart(4, '0')})`
  if (keepsModes(dirname(file))) return `${found}; run: chmod 600 ${file}`
  return (
    `${found}, and chmod cannot change that: this file system keeps no modes (a Windows drive under WSL, exFAT, FAT). Move it to a folder on ` +
    `a Linux file system, such as one in your home folder, and name it here; or, where nobody else uses this machine, set ${accept} = true`
  )
}

/** Tried out with a new file; where none can be made, it is taken for granted. */
export function folderKeepsModes(folder: string): boolean {
  const path = join(folder, `.masque-lab-mode-${process.pid}`)
  try {
    const descriptor = openSync(path, 'wx', 0o600)
    try {
      return (fstatSync(descriptor).mode & GROUP_AND_OTHERS) === 0
    } finally {
      closeSync(descriptor)
      rmSync(path, { force: true })
    }
  } catch {
    return true
  }
}
