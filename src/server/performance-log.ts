/**
 * How the proxy performs over time: its counters once a second, for an hour, and what they say about a window of that.
 *
 * Counters are read and never reset, so that nobody who looks disturbs anybody else who does.
 */
import { countRtts, type RttCounts, rttQuantiles } from './rtt-counts.ts'
import type { PerformanceStats, ServerStatus } from './status.ts'

/** By what they are called; in seconds. */
export const STATS_WINDOWS = { '10s': 10, '1m': 60, '5m': 300, '1h': 3600 } as const
export type StatsWindow = keyof typeof STATS_WINDOWS

/** One sample a second, for the longest window. About 200 bytes each, and as many of round trips: less than 2 MB after an hour. */
export const STATS_SAMPLES = 3600
const SAMPLE_MS = 1_000

interface Sample {
  /** ms that never go back. */
  readonly at: number
  readonly packetsFrom: number
  readonly packetsTo: number
  readonly bytesFrom: number
  readonly bytesTo: number
  readonly dropped: Readonly<Record<string, number>>
  readonly tunnels: number
  readonly tunnelsTotal: number
  readonly connections: number
  readonly handshakes: number
}

/** Who is asked each second. */
export interface PerformanceSource {
  status(): ServerStatus
  /** In ms, of connections that carry tunnels, as they are now; of many, some in turns. */
  rtts(): Promise<readonly number[]>
}

interface TakenSample extends Sample {
  /** Since the sample before. Undefined: none was measured, or it is not there yet. */
  rtts?: RttCounts | undefined
}

export class PerformanceLog {
  readonly #source: PerformanceSource
  readonly #now: () => number
  /** The oldest first. */
  readonly #samples: TakenSample[] = []
  #asking = false
  #timer: NodeJS.Timeout | undefined

  constructor(source: PerformanceSource, now: () => number = () => performance.now()) {
    this.#source = source
    this.#now = now
    this.#remember()
  }

  /** `onError`: a bug of ours. */
  start(onError: (error: unknown) => void): void {
    this.#timer ??= setInterval(() => void this.sample().catch(onError), SAMPLE_MS).unref()
  }

  stop(): void {
    clearInterval(this.#timer)
    this.#timer = undefined
  }

  /** Remembers how things are now; the round trips when engines have been asked for them, between packets. */
  async sample(): Promise<void> {
    const sample = this.#remember()
    // On a machine where that takes a second, a second is left out.
    if (this.#asking) return
    this.#asking = true
    try {
      sample.rtts = countRtts(await this.#source.rtts())
    } finally {
      this.#asking = false
    }
  }

  #remember(): TakenSample {
    const sample = this.#take()
    const last = this.#samples.at(-1)
    // Most of the time nothing new is dropped.
    const dropped = last !== undefined && isSame(last.dropped, sample.dropped) ? last.dropped : sample.dropped
    const remembered: TakenSample = { ...sample, dropped }
    this.#samples.push(remembered)
    if (this.#samples.length > STATS_SAMPLES) this.#samples.shift()
    return remembered
  }

  /** From the last sample before the window began, or the first that there is, until now. */
  window(name: StatsWindow): PerformanceStats {
    const last = this.#take()
    const began = last.at - STATS_WINDOWS[name] * 1000
    const before = this.#samples.findLastIndex(({ at }) => at <= began)
    const samples: TakenSample[] = [...this.#samples.slice(Math.max(0, before)), last]
    const [first] = samples
    const seconds = (last.at - first.at) / 1000
    const rate = (key: NumberOf<Sample>): number => (seconds === 0 ? 0 : (last[key] - first[key]) / seconds)
    const bits = (key: NumberOf<Sample>): number => rate(key) * 8
    const tunnels = samples.map(sample => sample.tunnels)
    return {
      window: name,
      seconds: rounded(seconds),
      throughput: {
        fromClients: { bitsPerSecond: rounded(bits('bytesFrom')), packetsPerSecond: rounded(rate('packetsFrom')) },
        toClients: { bitsPerSecond: rounded(bits('bytesTo')), packetsPerSecond: rounded(rate('packetsTo')) },
        peakBitsPerSecond: rounded(peak(samples)),
      },
      packets: { fromClients: last.packetsFrom - first.packetsFrom, toClients: last.packetsTo - first.packetsTo },
      bytes: { fromClients: last.bytesFrom - first.bytesFrom, toClients: last.bytesTo - first.bytesTo },
      dropped: difference(last.dropped, first.dropped),
      tunnels: {
        now: last.tunnels,
        least: tunnels.reduce((a, b) => Math.min(a, b)),
        most: tunnels.reduce((a, b) => Math.max(a, b)),
        opened: last.tunnelsTotal - first.tunnelsTotal,
      },
      connections: { now: last.connections, handshakes: last.handshakes - first.handshakes },
      rtt: roundTrips(samples),
    }
  }

  #take(): Sample {
    const { packets, bytes, tunnels, tunnelsTotal, connections, handshakes } = this.#source.status()
    return {
      at: this.#now(),
      packetsFrom: packets.fromClients,
      packetsTo: packets.toClients,
      bytesFrom: bytes.fromClients,
      bytesTo: bytes.toClients,
      dropped: packets.dropped,
      tunnels,
      tunnelsTotal,
      connections,
      handshakes: handshakes.accepted,
    }
  }
}

type NumberOf<T> = { [K in keyof T]: T[K] extends number ? K : never }[keyof T]

/** The highest rate between two samples, in both directions together. A pair that is close together says nothing. */
function peak(samples: readonly Sample[]): number {
  let most = 0
  for (let i = 1; i < samples.length; i++) {
    const [a, b] = [samples[i - 1], samples[i]]
    const ms = b.at - a.at
    if (ms < SAMPLE_MS / 2) continue
    most = Math.max(most, ((b.bytesFrom + b.bytesTo - a.bytesFrom - a.bytesTo) * 8000) / ms)
  }
  return most
}

/** The first sample is how things were when the window began. */
function roundTrips([, ...samples]: readonly TakenSample[]): PerformanceStats['rtt'] {
  const { p50Ms, p95Ms, readings } = rttQuantiles(samples.map(({ rtts }) => rtts))
  return { p50Ms: p50Ms && rounded(p50Ms), p95Ms: p95Ms && rounded(p95Ms), readings }
}

function difference(now: Readonly<Record<string, number>>, before: Readonly<Record<string, number>>) {
  const more = Object.entries(now).map(([reason, count]): [string, number] => [reason, count - (before[reason] ?? 0)])
  return Object.fromEntries(more.filter(([, count]) => count > 0))
}

function isSame(a: Readonly<Record<string, number>>, b: Readonly<Record<string, number>>): boolean {
  const keys = Object.keys(a)
  return keys.length === Object.keys(b).length && keys.every(key => a[key] === b[key])
}

function rounded(value: number): number {
  return Math.round(value * 100) / 100
}
