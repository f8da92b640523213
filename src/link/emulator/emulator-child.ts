/** The emulator's own process: does what emulator-process.ts asks, and ends with the process that asks. */

import { LinkEmulator } from './emulator.ts'
import type { ChildAnswer, ChildOrder } from './emulator-process.ts'

// Ctrl-C in a terminal goes to every process, as does what a supervisor sends to a whole group; the parent decides, because it
// still wants the counters.
for (const signal of ['SIGINT', 'SIGTERM', 'SIGHUP']) process.on(signal, () => {})
// The parent has gone, however that came about: nothing may stay behind.
process.on('disconnect', () => process.exit(0))

let emulator: LinkEmulator | undefined

process.on('message', (order: ChildOrder) => {
  obey(order).then(
    result => answer({ kind: 'result', id: order.id, result }, () => order.method === 'close' && process.disconnect()),
    (error: Error) => answer({ kind: 'error', id: order.id, name: error.name, message: error.message }),
  )
})

async function obey(order: ChildOrder): Promise<unknown> {
  if (order.method === 'start') {
    emulator = await LinkEmulator.start(order.options)
    for (const event of ['address-change', 'phase', 'stall', 'fault'] as const) {
      emulator.on(event, (detail: unknown) => answer({ kind: 'event', event, detail }))
    }
    return { address: emulator.address, secondAddress: emulator.secondAddress }
  }
  switch (order.method) {
    case 'counters':
      return emulator?.counters()
    case 'beginTimeline':
      return emulator?.beginTimeline()
    case 'setProfile':
      return emulator?.setProfile(order.profile)
    case 'forgetTiming':
      return emulator?.forgetTiming()
    case 'close':
      return emulator?.close()
  }
}

function answer(message: ChildAnswer, sent: () => void = () => {}): void {
  // The channel may have closed in the meantime; then there is nobody to tell.
  if (process.connected) process.send?.(message, undefined, undefined, sent)
}
