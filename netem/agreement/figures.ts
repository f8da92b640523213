/** What a trail says about a link, as series that two-sample tests can compare. Sans-IO. */

import { Mark, type Trail } from '../../src/link/check/probe.ts'
import { UDP_WIRE_OVERHEAD } from '../../src/link/model/link-direction.ts'

export interface Figures {
  sent: number
  /**
   * By sequence number: 1 when a UDP receiver with a checksum got nothing of that packet: it did not arrive, or only with its
   * contents changed (which the kernel's UDP does not deliver).
   */
  lost: Uint8Array
  /** Lengths of runs of lost packets, in order. */
  lossRuns: number[]
  /** Second and later copies. */
  duplicates: number
  /** One-way, in order of sending, in ms: first arrivals that were neither changed nor held up. */
  delaysMs: Float64Array
  /** Arrivals that were held up, of all first arrivals: 0 to 1. */
  heldUpShare: number
  /**
   * By order of first arrival: 1 when the arrival directly before was sent later (1-reordered, RFC 4737 §5.3). Of packets that
   * each have a delay of their own, nearly all arrive behind some later one; this share still tells one jitter from another.
   */
  reordered: Uint8Array
  /** Arrived with other contents. */
  corrupted: number
}

export function figures(trail: Trail): Figures {
  const sent = trail.sentMs.length
  const lost = new Uint8Array(sent).fill(1)
  const delay = new Float64Array(sent).fill(Number.NaN)
  const reordered: number[] = []
  let last = -1
  let corrupted = 0
  let duplicates = 0
  let heldUp = 0
  const seen = new Uint8Array(sent)
  for (let i = 0; i < trail.sequence.length; i++) {
    const sequence = trail.sequence[i]
    if (sequence >= sent) continue
    if (trail.marks[i] & Mark.corrupted) {
      corrupted++
      continue
    }
    if (seen[sequence]) {
      duplicates++
      continue
    }
    seen[sequence] = 1
    lost[sequence] = 0
    reordered.push(sequence < last ? 1 : 0)
    last = sequence
    if (trail.marks[i] & Mark.heldUp) heldUp++
    else delay[sequence] = trail.arrivedMs[i] - trail.sentMs[sequence]
  }
  return {
    sent,
    lost,
    lossRuns: runsOfLosses(lost),
    duplicates,
    delaysMs: delay.filter(value => !Number.isNaN(value)),
    heldUpShare: reordered.length === 0 ? 0 : heldUp / reordered.length,
    reordered: Uint8Array.from(reordered),
    corrupted,
  }
}

function runsOfLosses(lost: Uint8Array): number[] {
  const runs: number[] = []
  let length = 0
  for (const one of lost) {
    if (one) length++
    else if (length > 0) {
      runs.push(length)
      length = 0
    }
  }
  if (length > 0) runs.push(length)
  return runs
}

/** How many runs have length 1, 2, 3, … */
export function lengthCounts(runs: readonly number[]): number[] {
  const counts: number[] = new Array(Math.max(0, ...runs)).fill(0)
  for (const length of runs) counts[length - 1]++
  return counts
}

/** What a bottleneck does when more comes than it can carry, once its queue is full. */
export interface OverloadFigures {
  /** Of frames (payload and 42 bytes of headers), in bit/s. */
  bitsPerSecond: number
  /** Of what was sent in that time: 0 to 1. */
  dropped: number
  /** Packets a second that the probe really sent in that time. */
  sentPerSecond: number
  /** One-way delay, median, in ms: the queue and the link's own. */
  delayMs: number
  /** The 99th percentile: the full queue, and not the one packet that the machine forgot. */
  longDelayMs: number
  arrivals: number
  /** Of these, held up or spoilt by a stall: 0 to 1. */
  heldUpShare: number
}

/** A bottleneck with a full queue that lets nothing out for so long, and for the time of so many packets, stood still. */
const STALL_MS = 10
const STALL_PACKETS = 3

/**
 * Arrivals whose time a stall of the backend's own process has spoilt, which the probe does not see in its own turns. While a
 * queue is full, packets leave at even distances; if none comes for long, the machine has forgotten the backend. Late are those
 * that were in the queue then, unless one waited no longer than the last before the stall; and those that were sent meanwhile,
 * which got into the queue late. They count for the rate and the drops, so a link that stands still by itself is found there.
 */
function spoiltByStalls({ sentMs, sequence, arrivedMs }: Trail, within: readonly number[]): Set<number> {
  const spanMs = within.length < 2 ? 0 : arrivedMs[within.at(-1)!] - arrivedMs[within[0]]
  const longestMs = Math.max(STALL_MS, (STALL_PACKETS * spanMs) / Math.max(1, within.length - 1))
  const spoilt = new Set<number>()
  const stalls: { fromMs: number; toMs: number; usualMs: number }[] = []
  const delayMs = (i: number) => arrivedMs[i] - sentMs[sequence[i]]
  // Also those before the ones that count: what was sent in a stall arrives a whole queue later.
  for (let i = 1; i <= (within.at(-1) ?? 0); i++) {
    if (arrivedMs[i] - arrivedMs[i - 1] > longestMs) {
      stalls.push({ fromMs: arrivedMs[i - 1], toMs: arrivedMs[i], usualMs: delayMs(i - 1) })
    }
    const sent = sentMs[sequence[i]]
    const isSpoilt = stalls.some(
      ({ fromMs, toMs, usualMs }) => sent <= toMs && arrivedMs[i] >= toMs && (sent >= fromMs || delayMs(i) > usualMs),
    )
    if (isSpoilt) spoilt.add(i)
  }
  return spoilt
}

/** `fromMs`: when the queue is certainly full, counted from the first packet; everything before is left out. */
export function overloadFigures(trail: Trail, fromMs: number): OverloadFigures {
  const { sentMs, sequence, arrivedMs, marks } = trail
  const startMs = (sentMs[0] ?? 0) + fromMs
  // While packets keep coming: behind the end of sending the queue runs empty.
  const endMs = sentMs[sentMs.length - 1] ?? 0
  const within: number[] = []
  for (let i = 0; i < sequence.length; i++) if (arrivedMs[i] >= startMs && arrivedMs[i] <= endMs) within.push(i)
  const spoilt = spoiltByStalls(trail, within)
  const delays = within
    .filter(i => !spoilt.has(i) && !(marks[i] & Mark.heldUp))
    .map(i => arrivedMs[i] - sentMs[sequence[i]])
  delays.sort((a, b) => a - b)
  const arrived = new Set(sequence)
  let offered = 0
  let dropped = 0
  for (let i = 0; i < sentMs.length; i++) {
    if (sentMs[i] < startMs) continue
    offered++
    if (!arrived.has(i)) dropped++
  }
  const frameBits = (trail.payloadBytes + UDP_WIRE_OVERHEAD) * 8
  const spanMs = within.length < 2 ? 0 : arrivedMs[within.at(-1)!] - arrivedMs[within[0]]
  return {
    bitsPerSecond: spanMs > 0 ? ((within.length - 1) * frameBits * 1000) / spanMs : 0,
    dropped: offered === 0 ? 0 : dropped / offered,
    sentPerSecond: (offered * 1000) / (endMs - startMs),
    delayMs: delays[Math.floor(delays.length / 2)] ?? Number.NaN,
    longDelayMs: delays[Math.floor(delays.length * 0.99)] ?? Number.NaN,
    arrivals: within.length,
    heldUpShare: within.length === 0 ? 1 : 1 - delays.length / within.length,
  }
}

/** Bits of frames that arrived in each window of time, per second, from the first sending on. */
export function windowRates(trail: Trail, windowMs: number): number[] {
  const startMs = trail.sentMs[0] ?? 0
  const endMs = trail.sentMs[trail.sentMs.length - 1] ?? 0
  const rates: number[] = new Array(Math.floor((endMs - startMs) / windowMs)).fill(0)
  const frameBits = (trail.payloadBytes + UDP_WIRE_OVERHEAD) * 8
  for (const atMs of trail.arrivedMs) {
    const window = Math.floor((atMs - startMs) / windowMs)
    if (window >= 0 && window < rates.length) rates[window] += (frameBits * 1000) / windowMs
  }
  return rates
}

/** Of all arrivals: 0 to 1. */
export function heldUpShare({ marks }: Trail): number {
  if (marks.length === 0) return 1
  return marks.reduce((count, mark) => count + (mark & Mark.heldUp ? 1 : 0), 0) / marks.length
}
