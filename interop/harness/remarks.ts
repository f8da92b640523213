import type { Context, Runnable } from 'mocha'

const remarks = new WeakMap<Runnable, string>()

/** Leaves the running test out, and says why in the table of cases. */
export function leaveOut(context: Context, why: string): never {
  remarks.set(context.test as Runnable, why)
  return context.skip()
}

/** What the running test has measured, for the table of cases. */
export function figure(context: Context, text: string): void {
  remarks.set(context.test as Runnable, text)
}

export const remarkOf = (test: Runnable): string | undefined => remarks.get(test)

export function forgetRemark(test: Runnable): void {
  remarks.delete(test)
}
