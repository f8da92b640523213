import { expect } from 'chai'
import type { Context, Runnable } from 'mocha'
import type { Verdict } from './case-program.ts'

const faults = new WeakMap<Runnable, string>()

/**
 * Marks the running test as a fault of the peer: it must have failed. It counts as skipped, and the matrix shows it with `note`
 * as a footnote. When it passes, the fault is gone, and the test says so by failing.
 */
export function knownFault(context: Context, note: string, verdict: Verdict): void {
  if (verdict.ok) expect.fail(`this passes now: the peer's fault is gone (${note}); take the mark off`)
  faults.set(context.test as Runnable, note)
  context.skip()
}

/** The note that `knownFault` left on a test. */
export function faultOf(test: Runnable): string | undefined {
  return faults.get(test)
}

export function forgetFault(test: Runnable): void {
  faults.delete(test)
}
