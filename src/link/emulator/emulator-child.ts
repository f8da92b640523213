/** The emulator's own process: does what emulator-process.ts asks. */

import { systemClock } from '../../hosts/clock.ts'
import type { Call } from '../../process/child.ts'
import { serveParent } from '../../process/serve-parent.ts'
import type { Profile } from '../profile/profile.ts'
import { type EmulatorEvents, type EmulatorOptions, LinkEmulator } from './emulator.ts'
import { EmulatorError } from './udp-socket.ts'

export type EmulatorEvent = {
  [N in keyof EmulatorEvents]: { name: N; detail: EmulatorEvents[N][0] }
}[keyof EmulatorEvents]

let emulator: LinkEmulator | undefined
let tell: Call<EmulatorEvent>['report'] = () => {}

const orders = {
  /** Reports what the emulator tells, from its start on; that is all that is ever said to this order. */
  events(_: null, { report }: Call<EmulatorEvent>) {
    tell = report
    return new Promise<never>(() => {})
  },
  async start(options: EmulatorOptions) {
    const started = await LinkEmulator.start(options)
    for (const name of ['address-change', 'phase', 'stall', 'fault'] as const) {
      started.on(name, (detail: unknown) => tell({ name, detail } as EmulatorEvent))
    }
    emulator = started
    return { address: started.address, secondAddress: started.secondAddress }
  },
  counters: (_: null) => running().counters(),
  beginTimeline(skipMs: number | undefined) {
    // Before, because what is skipped takes some time to do.
    const began = systemClock.now()
    running().beginTimeline(skipMs)
    return began
  },
  setProfile: (profile: Profile) => running().setProfile(profile),
  forgetTiming: (_: null) => running().forgetTiming(),
}
export type EmulatorOrders = typeof orders

function running(): LinkEmulator {
  if (emulator === undefined) throw new EmulatorError('the link emulator was not started')
  return emulator
}

serveParent(orders, () => emulator?.close())
