/**
 * CONNECT-IP alone, with hosts in userspace: for systems without namespaces. The client here cannot notice a handover, because this machine's network does not change;
 * so it is told. It reaches the proxy by another address on each attachment of the emulator.
 */

import type { MasqueClient } from '../../src/client/client.ts'
import type { Profile } from '../../src/link/profile/profile.ts'
import { runPacedFlow } from '../../src/probes/paced-flow.ts'
import { type PingSource, pingTrain } from '../../src/probes/ping-train.ts'
import { Testbed } from '../../src/testbed/testbed.ts'
import { RECONNECT_AFTER_MS } from './connect-ip.ts'
import type { Arena } from './contender.ts'
import { stretchOf } from './events.ts'
import { type Run, written } from './run.ts'
import { ECHO_BYTES, ECHO_EVERY_MS, FLOW_BYTES, FLOW_EVERY_MS } from './traffic.ts'

const CONTENDERS = [
  {
    name: 'connect-ip-told',
    title: 'CONNECT-IP, told',
    atHandover: 'is told at that moment, and moves (RFC 9000 §9)',
  },
  {
    name: 'connect-ip-reconnect',
    title: 'CONNECT-IP, reconnect only',
    atHandover: 'after two seconds of silence the tunnel is lost, and it opens another one',
  },
] as const

const UDP_AND_IP_HEADERS = 28
const SETTLE_MS = 1500
/** What was sent at the beginning of an outage may wait for its end. */
const TIMEOUT_MS = 5000

/** `why`: what is missing for the other arena. */
export function openUserspaceArena(why: string): Arena {
  return {
    contenders: CONTENDERS,
    hasTcp: false,
    absent: [`all others, and TCP inside: ${why}`],
    about: 'CONNECT-IP between hosts in userspace',
    run: (name, profile, seed) => runInUserspace(name, profile, seed),
    async close() {},
  }
}

async function runInUserspace(name: string, profile: Profile, seed: string): Promise<Run> {
  const isTold = name === 'connect-ip-told'
  const stretch = stretchOf(profile)
  const forMs = stretch.toMs - stretch.fromMs
  const bed = await Testbed.start({
    profile,
    seed,
    startTimeline: false,
    ...(isTold ? {} : { idleTimeoutMs: RECONNECT_AFTER_MS }),
    client: { reconnect: { enabled: true, knockMs: 25 } },
  })
  try {
    let stalls = 0
    let current: MasqueClient = bed.client
    bed.link.on('stall', () => stalls++)
    bed.link.on('address-change', ({ change }) => {
      if (change !== 'handover') return
      const remote = bed.link.secondAddress
      if (isTold) void bed.client.migrate({ remote })
      else
        bed.client.once(
          'down',
          () =>
            void reconnect(bed, remote).then(
              client => (current = client),
              () => {},
            ),
        )
    })
    // Whoever has the tunnel at that moment.
    const source: PingSource = {
      clock: bed.client.host.clock,
      ping: (target, options) => current.host.ping(target, options),
    }
    const measuring = bed.whileAlive(() =>
      Promise.all([
        pingTrain(source, bed.library, {
          count: Math.ceil(forMs / ECHO_EVERY_MS),
          intervalMs: ECHO_EVERY_MS,
          size: ECHO_BYTES,
          timeoutMs: TIMEOUT_MS,
        }),
        runPacedFlow({
          host: bed.client.host,
          destination: bed.library,
          packetLength: FLOW_BYTES + UDP_AND_IP_HEADERS,
          packetsPerSecond: 1000 / FLOW_EVERY_MS,
          durationMs: forMs,
          flowId: 1,
          settleMs: SETTLE_MS,
          fetchSink: sent => bed.sink(1, sent),
        }),
      ]),
    )
    measuring.catch(() => {})
    const began = await bed.link.beginTimeline(stretch.fromMs)
    const [train, flow] = await measuring
    const echoes = train.records.map(({ sentMs, rttMs }) => ({ sentMs: train.startedMs + sentMs, rttMs }))
    // The sink counts, and keeps no times: all of it as if it had come at the beginning.
    const arrivals = [{ atMs: began, bytes: flow.sink?.payloadBytes ?? 0 }]
    return written({ contender: name, echoes, arrivals, stalls }, began, stretch)
  } finally {
    await bed.close()
  }
}

/** The way back is by another address: so it is another client. */
async function reconnect(bed: Testbed, address: MasqueClient['config']['proxy']['address']): Promise<MasqueClient> {
  await bed.client.close()
  const next = bed.addClient({ proxy: { address } })
  await bed.whileAlive(() => next.connect())
  return next
}
