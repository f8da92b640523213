/** The child's side of `child.ts`: does what the parent asks, and ends with it. */

import { type Call, CLOSE_TIMEOUT_MS, type FromChild, type Orders, type ToChild } from './child.ts'

/** Errors of these names nobody threw for people to read: the trace goes with them. */
const BUGS = new Set(['Error', 'TypeError', 'RangeError', 'ReferenceError', 'AssertionError'])

/** Call it once, when all is loaded. `tidyUp` runs before the process ends, whether it was closed or its parent is gone. */
export function serveParent(orders: Orders, tidyUp: () => unknown = () => {}): void {
  const running = new Map<number, AbortController>()
  let ending = false

  async function obey(id: number, name: string, given: unknown): Promise<void> {
    const stop = new AbortController()
    running.set(id, stop)
    const call: Call<unknown> = { signal: stop.signal, report: report => tell({ id, report }) }
    try {
      const order = orders[name] as unknown as (given: unknown, call: Call<unknown>) => unknown
      tell({ id, result: await order(given, call) })
    } catch (error) {
      tell({ id, error: sentence(error) })
    } finally {
      running.delete(id)
    }
  }

  async function end(): Promise<void> {
    if (ending) return
    ending = true
    for (const stop of running.values()) stop.abort(new Error('stopped'))
    setTimeout(() => process.exit(1), CLOSE_TIMEOUT_MS)
    try {
      await tidyUp()
    } finally {
      process.exit()
    }
  }

  process.on('message', (message: ToChild) => {
    if (message === 'close') void end()
    else if ('stop' in message) running.get(message.stop)?.abort(new Error('stopped'))
    else void obey(message.id, message.order, message.given)
  })
  // The parent is gone, however that came about.
  process.on('disconnect', () => void end())
  // Ctrl-C and the closing of a terminal reach every process of its group, and so does what a supervisor sends. It is for the parent to
  // say what ends, and in which order.
  for (const signal of ['SIGINT', 'SIGTERM', 'SIGHUP']) process.on(signal, () => {})
  tell('ready')
}

function tell(message: FromChild): void {
  // The channel may have closed in the meantime; then there is nobody to tell.
  if (process.connected) process.send?.(message)
}

function sentence(error: unknown): string {
  if (!(error instanceof Error)) return String(error)
  return BUGS.has(error.name) ? (error.stack ?? error.message) : error.message
}
