/** Waiting until a program that goes on says that it is ready. */

import type { ChildProcess } from 'node:child_process'

/** Of what a program says, this much is looked at, and kept for the error message. */
const OUTPUT_LENGTH = 20_000

export interface ReadyOptions {
  /** What it says on standard output or standard error when it is. */
  ready: RegExp
  timeoutMs: number
  /** Makes the error: `how` it went wrong, as the end of a sentence, and what the program had said. */
  failure(how: string, said: string): Error
}

/** Resolves when the program is ready; rejects when it ends before, cannot be started, or takes too long, and leaves ending it to the caller. */
export function untilReady(child: ChildProcess, { ready, timeoutMs, failure }: ReadyOptions): Promise<void> {
  return new Promise((resolve, reject) => {
    let said = ''
    let isReady = false
    const fail = (how: string): void => {
      clearTimeout(timer)
      reject(failure(how, said))
    }
    const timer = setTimeout(() => fail(`was not ready after ${timeoutMs / 1000} s`), timeoutMs)
    // It is read on afterwards, and forgotten: a full pipe would stop the program.
    const hear = (text: string): void => {
      if (isReady) return
      const heard = said + text
      said = heard.slice(-OUTPUT_LENGTH)
      // In all of it: what is said behind may come in the same piece, and be much.
      if (!ready.test(heard)) return
      isReady = true
      clearTimeout(timer)
      resolve()
    }
    child.stdout?.setEncoding('utf8').on('data', hear)
    child.stderr?.setEncoding('utf8').on('data', hear)
    child.on('error', error => fail(`cannot be started (${error.message})`))
    child.once('close', status => fail(`ended with status ${status}`))
  })
}
