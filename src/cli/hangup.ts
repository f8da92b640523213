import { fstatSync, readSync } from 'node:fs'
import { basename } from 'node:path'
import { isatty } from 'node:tty'

/**
 * Was this program started with nohup, and so is to survive the end of its terminal?
 *
 * nohup says so by ignoring SIGHUP, and Node forgets that when it starts: it sets all signals back. Two other traces are left. GNU's
 * nohup gives the program an unreadable standard input in the place of a terminal; and shells put the program that they start
 * into the variable `_`.
 */
export function startedByNohup(): boolean {
  return basename(process.env._ ?? '') === 'nohup' || inputIsUnreadable()
}

function inputIsUnreadable(): boolean {
  try {
    // Only /dev/null and its like answer at once.
    if (isatty(0) || !fstatSync(0).isCharacterDevice()) return false
    readSync(0, new Uint8Array(1))
    return false
  } catch (error) {
    return (error as NodeJS.ErrnoException).code === 'EBADF'
  }
}
