/** Measures the emulator: in a process of its own, on the loopback interface. */
import type { Socket } from 'node:dgram'
import { type EmulatorHandle, startEmulatorProcess } from '../../src/link/emulator/emulator-process.ts'
import { kernelDrops } from '../../src/link/emulator/socket-drops.ts'
import { steppedProfile } from '../../src/link/kernel/tc.ts'
import type { Profile } from '../../src/link/profile/profile.ts'
import { bindUdp, LOOPBACK } from '../../src/net/udp.ts'
import { type Backend, type Measurement, measure, type Plan } from './measurement.ts'

/** Longer than any run. */
const LONGEST_RUN_MS = 30_000
/** Leaves most of a core to the emulator's process. */
const NAP_MS = 0.15

/** `progress` gets a line for each step. */
export async function measureEmulator(
  plan: Plan,
  seed: string,
  progress: (line: string) => void,
  signal?: AbortSignal,
): Promise<Measurement> {
  const sockets: Socket[] = []
  let emulator: EmulatorHandle | undefined
  try {
    const server = await openSocket(sockets)
    const client = await openSocket(sockets)
    // A profile with a second attachment, so that the emulator has one for those that need it.
    const first = plan.timelines.find(({ second }) => second) ?? plan.cases[0].link
    const handle = await startEmulatorProcess({
      profile: { ...first, timeline: [] },
      seed,
      to: { host: '127.0.0.1', port: server.address().port },
      startTimeline: false,
    })
    emulator = handle
    let target = handle.address
    let deliveredBefore = 0
    let stalledMs = 0
    handle.on('stall', ({ lateMs }) => {
      stalledMs += lateMs
    })
    const worst = { p50: 0, p99: 0 }
    // A client that changes its network sends over the other attachment from then on.
    handle.on('address-change', ({ change, to }) => {
      if (change === 'handover') target = (to === 1 ? handle.secondAddress : handle.address) ?? handle.address
    })
    const backend: Backend = {
      sockets: { client, server, target: () => target, napMs: NAP_MS },
      oneProcessor: false,
      async set(link, kind) {
        target = handle.address
        const likeTheKernel = kind === 'steady' && (link.up.trace ?? link.down.trace) !== undefined
        await handle.setProfile(likeTheKernel ? steppedProfile(link, LONGEST_RUN_MS) : link)
        if (likeTheKernel) await handle.beginTimeline()
      },
      async play(profile: Profile) {
        await handle.setProfile(profile)
        await handle.beginTimeline()
      },
      async counters() {
        const { timing, outside, up, down } = await handle.counters()
        await handle.forgetTiming()
        const delivered = [...up, ...down].reduce((sum, one) => sum + one.delivered, 0)
        const lateShare = timing.late / Math.max(1, delivered - deliveredBefore)
        deliveredBefore = delivered
        const stalled = stalledMs
        stalledMs = 0
        for (const key of ['p50', 'p99'] as const) worst[key] = Math.max(worst[key], timing[key])
        const ours = kernelDrops([client, server].map(socket => ({ host: '127.0.0.1', port: socket.address().port })))
        const theirs = outside.kernelDrops
        const machineLosses =
          ours === undefined || theirs === undefined
            ? undefined
            : ours + theirs + outside.unsent + outside.unclaimed + outside.refused
        // The probe sees by itself what was changed.
        return { corrupted: {}, machineLosses, timing: { lateMs: timing.p99, lateShare, stalledMs: stalled } }
      },
    }
    const result = await measure(backend, plan, progress, signal)
    const { machineLosses } = await backend.counters()
    const notes = [
      `emulator: in the worst run packets left late by ${worst.p50.toFixed(2)} ms (median), ${worst.p99.toFixed(2)} ms (p99); ` +
        `dropped outside of the link: ${machineLosses ?? 'unknown'}`,
    ]
    return { backend: 'emulator', ...result, notes }
  } finally {
    await emulator?.close()
    for (const socket of sockets) socket.close()
  }
}

async function openSocket(all: Socket[]): Promise<Socket> {
  const socket = await bindUdp(LOOPBACK)
  all.push(socket)
  return socket
}
