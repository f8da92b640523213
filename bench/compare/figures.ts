/** What a run comes down to. Pure functions of what the probes have written down; all times in ms, on one clock. */

import { percentileOf } from '../../src/stats/statistics.ts'
import { AFTERMATH_MS, type LinkEvent } from './events.ts'

/** One request of the echo train. */
export interface Echo {
  readonly sentMs: number
  /** Undefined: no reply. */
  readonly rttMs: number | undefined
}

/** One packet of the paced flow that has arrived. */
export interface Arrival {
  readonly atMs: number
  readonly bytes: number
}

/** Of the requests that were sent within a part of the run. */
export interface PartFigures {
  readonly sent: number
  readonly lost: number
  /** Of the round trips; NaN when there was no reply. */
  readonly p50Ms: number
  readonly p95Ms: number
  readonly jitterMs: number
}

export interface RunFigures {
  /** After each event; Infinity: not within the run. */
  readonly recoveryMs: readonly number[]
  readonly whole: PartFigures
  /** Undefined where the profile has no event. */
  readonly before: PartFigures | undefined
  readonly during: PartFigures | undefined
  readonly after: PartFigures | undefined
  /** Of the paced flow, over the whole run. */
  readonly goodputKbit: number
}

/** What became of one TCP flow. */
export interface TcpFigures {
  /** Before, during and after what happens; undefined where the profile has no event. */
  readonly goodputKbit: { readonly before: number; readonly during: number; readonly after: number } | undefined
  /** After each event, how long nothing arrived. */
  readonly standstillMs: readonly number[]
  /** The connection was open to the end of the run, and something arrived on it in the part after all that happened. */
  readonly hasSurvived: boolean
}

export function figuresOf(run: {
  echoes: readonly Echo[]
  arrivals: readonly Arrival[]
  fromMs: number
  toMs: number
  events: readonly LinkEvent[]
}): RunFigures {
  const { echoes, arrivals, fromMs, toMs, events } = run
  const isDuring = duringOf(events)
  const first = events[0]?.atMs
  const part = (belongs: (sentMs: number) => boolean): PartFigures | undefined =>
    first === undefined ? undefined : partFigures(echoes.filter(({ sentMs }) => belongs(sentMs)))
  return {
    recoveryMs: events.map(event => recovery(echoes, event) ?? Number.POSITIVE_INFINITY),
    whole: partFigures(echoes),
    before: part(ms => ms < first),
    during: part(isDuring),
    after: part(ms => ms >= first && !isDuring(ms)),
    goodputKbit: goodputKbit(arrivals, fromMs, toMs),
  }
}

/**
 * From the end of the event to the first reply to a request that was sent after its beginning. A request that waits somewhere during an outage and is
 * answered afterwards counts; one that was on its way when the event began does not. Undefined: none of them was answered.
 */
export function recovery(echoes: readonly Echo[], { atMs, endMs }: LinkEvent): number | undefined {
  const replies = echoes.flatMap(({ sentMs, rttMs }) =>
    sentMs < atMs || rttMs === undefined || sentMs + rttMs < endMs ? [] : [sentMs + rttMs],
  )
  return replies.length === 0 ? undefined : Math.min(...replies) - endMs
}

export function partFigures(echoes: readonly Echo[]): PartFigures {
  const rtts = echoes.flatMap(({ rttMs }) => rttMs ?? [])
  return {
    sent: echoes.length,
    lost: echoes.length - rtts.length,
    p50Ms: percentileOf(rtts, 0.5),
    p95Ms: percentileOf(rtts, 0.95),
    jitterMs: jitter(rtts),
  }
}

/**
 * The mean change of the round trip from one reply to the next, in order of sending. RFC 3550's jitter is the same, smoothed over the last sixteen: the jitter
 * at the end of a run, where this is that of a part of it. NaN for fewer than two.
 */
export function jitter(rtts: readonly number[]): number {
  const changes = rtts.slice(1).map((rtt, i) => Math.abs(rtt - rtts[i]))
  return changes.length === 0 ? Number.NaN : changes.reduce((sum, change) => sum + change, 0) / changes.length
}

/**
 * Of a TCP flow: the longest time without an arrival that begins during an event or in the second after it. What was on its way when the event began still
 * arrives, so that this is counted from the last arrival and not from the event.
 */
export function standstill(arrivals: readonly Arrival[], event: LinkEvent, toMs: number): number {
  const times = [...arrivals.map(({ atMs }) => atMs), toMs]
  const gaps = times.slice(1).flatMap((atMs, i) => {
    const begins = times[i]
    const isDuring = atMs > event.atMs && begins < event.endMs + AFTERMATH_MS
    return isDuring ? [atMs - begins] : []
  })
  return Math.max(0, ...gaps)
}

/** `isOpen`: whether the connection still was when the run was over. */
export function tcpFigures(run: {
  arrivals: readonly Arrival[]
  toMs: number
  events: readonly LinkEvent[]
  isOpen: boolean
}): TcpFigures {
  const { arrivals, toMs, events, isOpen } = run
  // What was on its way at a handover arrives a moment later, whatever becomes of the connection.
  const afterMs = Math.max(0, ...events.map(({ endMs }) => endMs + AFTERMATH_MS))
  return {
    goodputKbit: events.length === 0 ? undefined : goodputOfParts(arrivals, toMs, events),
    standstillMs: events.map(event => standstill(arrivals, event, toMs)),
    hasSurvived: isOpen && arrivals.some(({ atMs }) => atMs >= afterMs),
  }
}

/** The parts are those of the echo train: "during" lasts until a second after the end of an event, or until the run is over. */
function goodputOfParts(
  arrivals: readonly Arrival[],
  toMs: number,
  events: readonly LinkEvent[],
): { before: number; during: number; after: number } {
  const isDuring = duringOf(events)
  const first = events[0].atMs
  const partOf = (ms: number) => (ms < first ? 'before' : isDuring(ms) ? 'during' : 'after')
  const ms = { before: 0, during: 0, after: 0 }
  // From one change of the part to the next: events may overlap.
  const changes = [0, toMs, ...events.flatMap(({ atMs, endMs }) => [atMs, endMs + AFTERMATH_MS])]
  const inRun = changes.filter(at => at >= 0 && at <= toMs).sort((a, b) => a - b)
  for (const [i, from] of inRun.slice(0, -1).entries()) ms[partOf(from)] += inRun[i + 1] - from
  const bytes = { before: 0, during: 0, after: 0 }
  for (const { atMs, bytes: length } of arrivals) if (atMs >= 0 && atMs < toMs) bytes[partOf(atMs)] += length
  const rate = (part: keyof typeof ms): number => (8 * bytes[part]) / ms[part]
  return { before: rate('before'), during: rate('during'), after: rate('after') }
}

function duringOf(events: readonly LinkEvent[]): (ms: number) => boolean {
  return ms => events.some(({ atMs, endMs }) => ms >= atMs && ms < Math.max(endMs, atMs) + AFTERMATH_MS)
}

export function goodputKbit(arrivals: readonly Arrival[], fromMs: number, toMs: number): number {
  const bytes = arrivals.reduce((sum, { atMs, bytes }) => (atMs >= fromMs && atMs < toMs ? sum + bytes : sum), 0)
  return (8 * bytes) / (toMs - fromMs)
}
