import { existsSync, writeFileSync } from 'node:fs'
import type { Call } from '../../src/process/child.ts'
import { serveParent } from '../../src/process/serve-parent.ts'

class SampleError extends Error {
  override name = 'SampleError'
}

let counted = 0

const orders = {
  count: (_: null) => ++counted,
  double: (given: number) => given * 2,
  same: (given: unknown) => given,
  where: () => ({ pid: process.pid, argument: process.argv[2], environment: process.env.MASQUE_SAMPLE }),
  refuse() {
    throw new SampleError('it will not do that')
  },
  fail() {
    throw new TypeError('a bug')
  },
  async countUntilStopped(_: null, { report, signal }: Call<number>) {
    for (let count = 1; !signal.aborted; count++) {
      report(count)
      await new Promise(resolve => setTimeout(resolve, 5))
    }
    return 'stopped'
  },
  die(status: number) {
    console.error('first line\nfamous last words')
    process.exit(status)
  },
  hangUp(): Promise<void> {
    process.removeAllListeners('disconnect')
    // Not while its own message is being read, which Node does not bear.
    setImmediate(() => process.disconnect())
    setInterval(() => {}, 1000)
    return new Promise(() => {})
  },
  never: () => new Promise<void>(() => {}),
  stuck() {
    for (;;) if (existsSync('/nowhere')) break
  },
}
export type SampleOrders = typeof orders

const [, , , note] = process.argv
serveParent(orders, () => note !== undefined && writeFileSync(note, 'tidied up'))
