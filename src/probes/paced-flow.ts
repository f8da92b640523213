import type { Clock } from '../hosts/clock.ts'
import { FlowSource, type FlowSummary } from '../hosts/userspace/flow.ts'
import type { UserspaceHost } from '../hosts/userspace/userspace-host.ts'
import type { IpAddress } from '../ip/address.ts'
import { type Summary, summarise } from '../stats/statistics.ts'
import { ClockWatch } from './clock-watch.ts'
import { lossOf, type ProbeOutcome, type ProbeReport, sleep, sourceFor } from './report.ts'

export interface PacedFlowOptions {
  host: UserspaceHost
  /** A host that takes flows (port 5001): any UserspaceHost. */
  destination: IpAddress
  /** Whole IP packets, in bytes; default 1200. */
  packetLength?: number
  packetsPerSecond: number
  durationMs: number
  /** Any number that no other flow to the destination uses: 0 … 2^32-1. */
  flowId: number
  /** How long to wait after the last packet for those under way, in ms; default 1000. More than the link's delay. */
  settleMs?: number
  signal?: AbortSignal
  /** About ten times a second. */
  onProgress?: (progress: { elapsedMs: number; sent: number }) => void
  /**
   * What the destination's sink has seen: `host.flowSink(flowId).summary(sent)` where the host lives. May ask another process.
   * Called once, at the end; `sent` is undefined after an abort, when packets may still be under way. When it fails, what was
   * sent is reported nevertheless, with the error.
   */
  fetchSink: (sent?: number) => Promise<FlowSummary>
}

export interface PacedFlowResult extends ProbeReport {
  probe: 'paced-flow'
  /** Undefined when it could not be had; then `received` is 0 and says nothing, and `sinkError` says why. */
  sink: FlowSummary | undefined
  sinkError: string | undefined
  /** UDP payload sent, bit/s. */
  offeredBitsPerSecond: number
  /** UDP payload received, bit/s, from the first to the last arrival. */
  goodputBitsPerSecond: number
  /** From this host's clock to the sink's: one clock if both are on one machine (see systemClock). */
  oneWayDelayMs: FlowSummary['delayMs']
  /** RFC 3550 §6.4.1, over the one-way delays. */
  jitterMs: number
  /** How late packets were sent, against their schedule, ms: how well this machine kept the pace. */
  lateMs: Summary | undefined
}

/** After so many packets in one turn the event loop gets one, for what arrives. */
const PACKETS_A_TURN = 64

/** A process that has died may never answer. */
const FETCH_MS = 10_000

/** Lateness is noted for one packet in so many, when there would be more than this number of notes. */
const LATENESS_NOTES = 10_000

/**
 * Sends packets at a steady rate, whatever becomes of them, and reports what the sink at the other end saw. The n-th packet is
 * due at start + n / rate: a turn that comes late sends all that is due, so that the rate holds on average and `lateMs` tells
 * how evenly. After a jump of the clock the schedule moves on, without a burst.
 */
export async function runPacedFlow(options: PacedFlowOptions): Promise<PacedFlowResult> {
  const { host, destination, packetLength = 1200, packetsPerSecond, durationMs, flowId } = options
  const { settleMs = 1000, signal, onProgress, fetchSink } = options
  if (!(packetsPerSecond > 0 && packetsPerSecond <= 1e6)) {
    throw new RangeError(`paced flow of ${packetsPerSecond} packets/s; expected more than 0, up to 1000000`)
  }
  if (!(durationMs > 0 && Number.isFinite(durationMs))) {
    throw new RangeError(`paced flow for ${durationMs} ms; expected more than 0`)
  }
  const { clock } = host
  const source = new FlowSource({ source: sourceFor(host, destination), destination, flowId, packetLength })
  const total = Math.max(1, Math.round((packetsPerSecond * durationMs) / 1000))
  const noteEvery = Math.ceil(total / LATENESS_NOTES)
  const lateness: number[] = []
  const startedMs = clock.now()
  const watch = new ClockWatch(clock)
  let progressAtMs = startedMs

  let lastSentMs = startedMs
  try {
    while (source.sent < total && !signal?.aborted) {
      watch.look()
      const scheduleMs = startedMs + watch.shiftMs
      let nowMs = clock.now()
      for (let i = 0; i < PACKETS_A_TURN && source.sent < total; i++, nowMs = clock.now()) {
        const dueMs = scheduleMs + (source.sent * 1000) / packetsPerSecond
        if (dueMs > nowMs) break
        if (source.sent % noteEvery === 0) lateness.push(nowMs - dueMs)
        // A copy: the source reuses its buffer, and a router on the way lowers the hop count in place.
        host.send(source.next(nowMs * 1000).slice())
        lastSentMs = nowMs
      }
      if (onProgress !== undefined && nowMs - progressAtMs >= 100) {
        progressAtMs = nowMs
        onProgress({ elapsedMs: nowMs - startedMs, sent: source.sent })
      }
      const nextMs = scheduleMs + (source.sent * 1000) / packetsPerSecond - clock.now()
      if (source.sent < total) await sleep(clock, Math.max(0, nextMs), signal)
    }
    await sleep(clock, settleMs, signal)
  } finally {
    watch.stop()
  }

  let sink: FlowSummary | undefined
  let sinkError: string | undefined
  try {
    sink = await within(clock, FETCH_MS, fetchSink(signal?.aborted ? undefined : source.sent))
  } catch (error) {
    sinkError = `the sink at ${destination} could not be asked: ${error instanceof Error ? error.message : error}`
  }
  const outcome: ProbeOutcome = signal?.aborted ? 'aborted' : sink === undefined ? 'silent' : 'complete'
  const received = sink?.received ?? 0
  // What an aborted flow did not wait for may still be under way: only gaps that the sink itself sees count as lost.
  const sent = outcome === 'aborted' && sink !== undefined ? received + sink.lost : source.sent
  const payloadBits = (packetLength - (destination.version === 4 ? 28 : 48)) * 8
  const sendingMs = lastSentMs - startedMs + 1000 / packetsPerSecond
  return {
    probe: 'paced-flow',
    outcome,
    startedMs,
    durationMs: clock.now() - startedMs,
    sent,
    received,
    ...lossOf(sink === undefined ? 0 : sent, received),
    clockJumps: watch.jumps,
    // The sink keeps no single samples, so that none can be marked: with a jump, all of them are doubtful.
    suspect: watch.jumps.length > 0 ? received : 0,
    sink,
    sinkError,
    offeredBitsPerSecond: (source.sent * payloadBits * 1000) / sendingMs,
    goodputBitsPerSecond: sink?.bitsPerSecond ?? 0,
    oneWayDelayMs: sink?.delayMs,
    jitterMs: sink?.jitterMs ?? 0,
    lateMs: summarise(lateness),
  }
}

/** What the promise gives, or an error when that takes too long. */
function within<T>(clock: Clock, ms: number, promise: Promise<T>): Promise<T> {
  return new Promise((resolve, reject) => {
    const timer = clock.setTimeout(() => reject(new Error(`no answer within ${ms} ms`)), ms)
    promise.then(resolve, reject).finally(() => clock.clearTimeout(timer))
  })
}
