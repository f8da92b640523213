/**
 * The same pings at the same moments over three carriers, on links that lose nothing and on links that lose some of what the client sends. What the
 * questions of `carriers` are about.
 *
 *     h3 datagrams       link of UDP, 0 % and 2 % loss
 *     h3 single stream   link of UDP, 0 % and 2 % loss
 *     h2                 link of TCP, 0 % loss: see slow-tcp.ts
 *
 * All five run at once. A machine that stands still makes all of them late: so a ping is late by as much as the one of the same moment, in datagrams over the
 * link that loses nothing, was there earlier.
 */
import type { PingRecord } from '../../src/probes/ping-train.ts'
import { pingTrain } from '../../src/probes/ping-train.ts'
import { percentileOf } from '../../src/stats/statistics.ts'
import { watchTunnel } from '../kit/check/window-recorder.ts'
import type { CheckContext } from '../kit/lab/types.ts'
import { linkProfile, startLink } from './link.ts'
import { startSlowTcp } from './slow-tcp.ts'
import { type LabServer, startServer } from './tunnel.ts'

export const TASK = 'carriers'
export const RTT_MS = 200
export const INTERVAL_MS = 20
export const LOSS = 0.02
/** So much later than the others, a ping has waited for one that was lost. */
export const LATE_MS = 50
const SECONDS = 12
/** Before they count: both sides know the round trip then, and the machine has compiled what it runs. */
const WARM_UP = 75
/** A datagram that has not come by then is lost. What is on a stream comes: on a machine that is busy with others, late. */
const TIMEOUT_MS = { datagram: 5000, 'single-stream': 60_000 }

interface Run {
  name: RunName
  carrier: 'h3' | 'h2'
  encapsulation: 'datagram' | 'single-stream'
  loss: number
}

/** As the figures of measured.toml begin. */
export type RunName = 'datagrams' | 'datagrams_lossy' | 'stream' | 'stream_lossy' | 'h2'

const RUNS: readonly Run[] = [
  { name: 'datagrams', carrier: 'h3', encapsulation: 'datagram', loss: 0 },
  { name: 'datagrams_lossy', carrier: 'h3', encapsulation: 'datagram', loss: LOSS },
  { name: 'stream', carrier: 'h3', encapsulation: 'single-stream', loss: 0 },
  { name: 'stream_lossy', carrier: 'h3', encapsulation: 'single-stream', loss: LOSS },
  { name: 'h2', carrier: 'h2', encapsulation: 'single-stream', loss: 0 },
]

export const RUN_NAMES: readonly RunName[] = RUNS.map(({ name }) => name)

interface CarrierFigures {
  p50Ms: number
  p99Ms: number
  /** Pings without a reply. */
  missing: number
  /** Replies that came more than LATE_MS later than that of the same moment over the clean link, in datagrams. */
  late: number
  /** UDP datagrams of the client that the link has lost. */
  lost: number
}

type CarriersMeasured = Readonly<Record<RunName, CarrierFigures>> & { readonly pings: number }

type Scope = Pick<CheckContext, 'scratch' | 'defer' | 'signal' | 'seed' | 'progress'> &
  Partial<Pick<CheckContext, 'mode' | 'show'>>

/** Takes a quarter of a minute. Everything is closed with the scope. */
export async function measureCarriers(scope: Scope): Promise<CarriersMeasured> {
  const server = await startServer(scope)
  const starters = await Promise.all(RUNS.map(run => open(scope, server, run)))
  const pings = (SECONDS * 1000) / INTERVAL_MS
  let done = 0
  const runs = await Promise.all(
    starters.map(start => start(pings, () => scope.progress(++done, pings * RUNS.length, 'pings over five tunnels'))),
  )
  scope.signal.throwIfAborted()
  const [clean] = runs
  const figures = RUNS.map(({ name }, i) => [name, figuresOf(runs[i]!, clean!)])
  return { pings, ...(Object.fromEntries(figures) as Record<RunName, CarrierFigures>) }
}

/** By the names that measured.toml has. */
export function flat({ pings, ...runs }: CarriersMeasured): Record<string, number> {
  const names = { p50Ms: 'p50_ms', p99Ms: 'p99_ms', missing: 'missing', late: 'late', lost: 'lost' }
  const figures = RUNS.flatMap(({ name }) =>
    Object.entries(names).map(([key, text]) => [`${name}_${text}`, runs[name][key as keyof typeof names]] as const),
  )
  return { rtt_ms: RTT_MS, interval_ms: INTERVAL_MS, pings, ...Object.fromEntries(figures) }
}

interface Trace {
  records: readonly PingRecord[]
  lost: number
}

/** A tunnel that has been warmed up; what is returned sends the pings that count. */
async function open(scope: Scope, server: LabServer, { name, carrier, encapsulation, loss }: Run) {
  const seed = `${scope.seed} ${name}`
  const link = await startLink(scope, { to: server.address, seed, link: { rttMs: RTT_MS } })
  const by = carrier === 'h2' ? await startSlowTcp(scope, server.address, RTT_MS / 2) : link.address
  const client = await server.connect({ tunnel: { carrier, encapsulation } }, by)
  const { signal } = scope
  if (carrier === 'h3') watchTunnel(scope, title(encapsulation, loss), client)
  const ping = (count: number, onProgress: () => void) =>
    pingTrain(client.host, server.library, {
      count,
      intervalMs: INTERVAL_MS,
      timeoutMs: TIMEOUT_MS[encapsulation],
      signal,
      onProgress,
    })
  await ping(WARM_UP, () => {})
  return async (count: number, onProgress: () => void): Promise<Trace> => {
    link.setProfile(linkProfile({ rttMs: RTT_MS, lossUp: loss }))
    const before = link.counters().up[0]!.lost
    const { records } = await ping(count, onProgress)
    return { records, lost: link.counters().up[0]!.lost - before }
  }
}

function title(encapsulation: Run['encapsulation'], loss: number): string {
  return `${encapsulation === 'datagram' ? 'datagrams' : 'one stream'}, ${loss * 100} % loss`
}

function figuresOf({ records, lost }: Trace, clean: Trace): CarrierFigures {
  const at = new Map(clean.records.map(({ sequence, rttMs }) => [sequence, rttMs]))
  const rtts = records.flatMap(({ rttMs }) => rttMs ?? [])
  const isLate = ({ sequence, rttMs }: PingRecord) =>
    rttMs !== undefined && rttMs - (at.get(sequence) ?? rttMs) > LATE_MS
  return {
    p50Ms: percentileOf(rtts, 0.5),
    p99Ms: percentileOf(rtts, 0.99),
    missing: records.length - rtts.length,
    late: records.filter(isLate).length,
    lost,
  }
}
