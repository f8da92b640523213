/** What all commands have in common: how they end. */

import { ConfigError } from '../config/config-error.ts'
import { startedByNohup } from './hangup.ts'

/**
 * Runs a command to its end. A failure that the user can do something about is one clear sentence on standard error and
 * exit status 1; a bug of ours keeps its stack trace.
 */
export async function runCommand(command: () => Promise<void>): Promise<void> {
  try {
    await command()
  } catch (error) {
    process.exitCode = 1
    console.error(explain(error))
  }
}

export function explain(error: unknown): string {
  if (!(error instanceof Error)) return String(error)
  if (isSystemError(error)) return describeSystemError(error)
  // Our own error classes have names of their own and messages for people; anything else is unexpected.
  const known =
    error instanceof ConfigError || !['Error', 'TypeError', 'RangeError', 'ReferenceError'].includes(error.name)
  return known ? error.message : (error.stack ?? error.message)
}

/** Is this what the operating system said to something that we asked for, and so nothing that a stack would explain? */
function isSystemError(error: NodeJS.ErrnoException): boolean {
  return typeof error.code === 'string' && typeof error.syscall === 'string'
}

const ADVICE: Record<string, string> = {
  EACCES: 'choose a place that you may write to, or change its rights',
  EPERM: 'choose a place that you may write to, or change its rights',
  EROFS: 'choose a place that can be written to',
  EEXIST: 'something of that name is there already: move it away, or choose another name',
  ENOTDIR: 'a file stands where a folder is expected: move it away, or choose another name',
  EISDIR: 'a folder stands where a file is expected: move it away, or choose another name',
  ENOENT: 'check the path',
  ENXIO: 'this is a pipe that nobody reads, or a socket: name an ordinary file',
  ENOSPC: 'make room on that disk and run the command again',
  EDQUOT: 'make room (your quota is used up) and run the command again',
  EMFILE: 'too many files are open: raise the limit with ulimit -n',
}

/** "cannot mkdir /srv/results: permission denied (EACCES); choose ..." */
function describeSystemError(error: NodeJS.ErrnoException): string {
  const { code = '', syscall, path } = error
  // Node's own form is "EACCES: permission denied, mkdir '/srv/results'".
  const reason = /^[A-Z0-9_]+: (.*?)(, |$)/.exec(error.message)?.[1]
  if (reason === undefined) return error.message
  const what = path === undefined ? `cannot ${syscall}` : `cannot ${syscall} ${path}`
  const advice = ADVICE[code]
  return `${what}: ${reason} (${code})${advice === undefined ? '' : `; ${advice}`}`
}

/** For programs whose work is not what they print: they go on when nobody reads that any more, or when it cannot be written. */
export function goOnWithoutReader(): void {
  process.stdout.removeAllListeners('error').on('error', () => {})
}

/** Aborts when nobody reads what is printed any more, as after `| head`. */
export function readerGone(): AbortSignal {
  const gone = new AbortController()
  process.stdout.on('error', () => gone.abort())
  return gone.signal
}

/**
 * Resolves at the first Ctrl-C, SIGTERM or SIGHUP (the terminal was closed). At the second, the process ends at once, as people
 * expect. A program that nohup has started outlives its terminal.
 */
export function interrupted(): Promise<NodeJS.Signals> {
  const signals: NodeJS.Signals[] = ['SIGINT', 'SIGTERM']
  if (startedByNohup()) process.on('SIGHUP', () => {})
  else signals.push('SIGHUP')
  return new Promise(resolve => {
    const onSignal = (signal: NodeJS.Signals): void => {
      for (const each of signals) {
        process.off(each, onSignal)
        process.once(each, () => process.exit(130))
      }
      resolve(signal)
    }
    for (const each of signals) process.once(each, onSignal)
  })
}
