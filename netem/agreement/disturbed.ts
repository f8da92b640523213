/**
 * What a machine that was busy does to the figures of a run, as far as it was measured in that very run. Sans-IO.
 *
 * A difference that is not larger than what the disturbance may have made of none is no difference of the backends; nor is it agreement.
 * Nothing in here looks at the differences themselves: on an idle machine all of it comes to nothing.
 */

import { type Load, Mark, type Trail } from '../../src/link/check/probe.ts'
import { LinkDirection } from '../../src/link/model/link-direction.ts'
import type { Impairment } from '../../src/link/profile/profile.ts'
import { percentile } from '../../src/stats/statistics.ts'
import type { CaseRun } from './cases.ts'
import type { Disturbance } from './measurement.ts'

/** A turn of the probe that takes longer than sending and receiving do, also inside User Mode Linux. */
const LONG_TURN_MS = 1

/** How long the probe's processor, and with User Mode Linux the kernel behind it, was away between two moments. */
export function takenMs({ turns }: Disturbance, fromMs: number, toMs: number): number {
  let taken = 0
  for (let i = 0; i < turns.length; i += 2) {
    if (turns[i + 1] - turns[i] <= LONG_TURN_MS) continue
    taken += Math.max(0, Math.min(toMs, turns[i + 1]) - Math.max(fromMs, turns[i]))
  }
  return taken
}

/** The most that was taken within any stretch of time of this length. */
function mostTakenMs(disturbance: Disturbance, stretchMs: number, fromMs: number, toMs: number): number {
  const { turns } = disturbance
  let most = 0
  let taken = 0
  let oldest = 0
  const long = (i: number) => (turns[i + 1] - turns[i] > LONG_TURN_MS ? turns[i + 1] - turns[i] : 0)
  for (let i = 0; i < turns.length; i += 2) {
    if (turns[i + 1] < fromMs || turns[i] > toMs) {
      oldest = i + 2
      continue
    }
    taken += long(i)
    while (turns[oldest + 1] < turns[i + 1] - stretchMs) {
      taken -= long(oldest)
      oldest += 2
    }
    most = Math.max(most, taken)
  }
  return most
}

export interface Span {
  fromMs: number
  toMs: number
}

export function spanOf({ sentMs }: Trail, afterMs: number): Span {
  const startMs = sentMs[0] ?? 0
  return { fromMs: startMs + afterMs, toMs: sentMs[sentMs.length - 1] ?? startMs + afterMs }
}

/** The share of a run in which the backend's own process stood still. */
export function stalledShare({ stalledMs }: Disturbance, { durationMs }: CaseRun): number {
  return stalledMs / durationMs
}

/** The share of that time for which what was let through may be too little, or too much. */
export function awayShare(disturbance: Disturbance, span: Span): number {
  return Math.min(1, mostAwayMs(disturbance, Number.POSITIVE_INFINITY, span) / Math.max(1, span.toMs - span.fromMs))
}

/**
 * The longest time, within a stretch of that time, in which a bottleneck may have let nothing through because it had no processor. A token
 * bucket whose timer is late does not catch up. An emulator with a processor of its own does, but for a queue that is empty when it takes in
 * what came during a long stall; and what it or the probe is late by once may be missing at the end of any stretch.
 */
export function mostAwayMs(disturbance: Disturbance, stretchMs: number, { fromMs, toMs }: Span): number {
  if (disturbance.oneProcessor) return mostTakenMs(disturbance, stretchMs, fromMs, toMs)
  return mostTakenMs(disturbance, 0, fromMs, toMs) + disturbance.lateMs + disturbance.stalledMs
}

/**
 * How late the times of arrivals are that were not held up: of those packets, all but a share of `beyond` arrived in turns of at most
 * this length.
 */
export function turnMs({ arrivedMs, marks }: Trail, { turns }: Disturbance, beyond: number): number {
  const lengths: number[] = []
  let turn = 0
  for (let i = 0; i < arrivedMs.length; i++) {
    if (marks[i] & Mark.heldUp) continue
    while (turn < turns.length && turns[turn + 1] < arrivedMs[i]) turn += 2
    lengths.push(turn < turns.length && turns[turn] <= arrivedMs[i] ? turns[turn + 1] - turns[turn] : 0)
  }
  if (lengths.length === 0) return 0
  return percentile(
    lengths.sort((a, b) => a - b),
    1 - beyond,
  )
}

/**
 * What the moments of sending change by themselves: the same link and the same chances in virtual time, with packets at the even
 * distances that were wanted, and at those at which a sender that was held up sent them.
 */
export function bySending(impairment: Impairment, load: Load, trail: Trail): { even: Trail; sent: Trail } {
  const { sentMs } = trail
  const evenMs = sentMs.map((_, i) => sentMs[0] + (i * 1000) / load.packetsPerSecond)
  return { even: throughModel(impairment, trail, evenMs), sent: throughModel(impairment, trail, sentMs) }
}

function throughModel(impairment: Impairment, { payloadBytes }: Trail, sentMs: Float64Array): Trail {
  const link = new LinkDirection(impairment, { seed: 'what sending changes', purpose: 'agreement' })
  const sequence: number[] = []
  const arrivedMs: number[] = []
  const deliver = (_payload: Uint8Array, tag: number, dueMs: number) => {
    sequence.push(tag)
    arrivedMs.push(dueMs)
  }
  const payload = new Uint8Array(payloadBytes)
  sentMs.forEach((atMs, i) => {
    link.release(atMs, deliver)
    link.enqueue(payload, i, atMs)
  })
  for (let due = link.nextDueMs(); due !== undefined; due = link.nextDueMs()) link.release(due, deliver)
  return {
    payloadBytes,
    sentMs,
    sequence: Uint32Array.from(sequence),
    arrivedMs: Float64Array.from(arrivedMs),
    marks: new Uint8Array(sequence.length),
    sources: [],
  }
}

/** Runs of losses, less `packets` of them: a machine's own losses come at a stretch, so they are taken off the longest. */
export function withoutLosses(runs: readonly number[], packets: number): number[] {
  const left = runs.toSorted((a, b) => a - b)
  while (packets > 0 && left.length > 0) {
    const longest = left.pop() as number
    if (longest > packets) left.push(longest - packets)
    packets -= longest
  }
  return left
}
