/**
 * What `netem check` sends: in each direction a trickle, from which loss and delay are to be seen, and where the link has a
 * bottleneck a flood, from which its rate is. judge.ts says what they show.
 */

import { DEFAULT_FALSE_ALARM } from '../../stats/acceptance.ts'
import { UDP_WIRE_OVERHEAD } from '../model/link-direction.ts'
import { fewestPacketsToSeeLoss } from '../model/loss-count.ts'
import type { Direction, Impairment } from '../profile/profile.ts'
import { traceRate } from '../profile/trace.ts'
import type { Flow } from './flow-record.ts'

/** Half of the false-alarm rate for either side. */
export const TAIL = DEFAULT_FALSE_ALARM / 2

const TRICKLE_PAYLOAD_BYTES = 100
const FLOOD_PAYLOAD_BYTES = 1200
/** Of what the link's rate carries: so little that its queue stays nearly empty. */
const TRICKLE_LOAD = 0.4
/** The rate of a trace swings. */
const TRICKLE_LOAD_TRACE = 0.25
const LEAST_SPACING_MS = 1
const LEAST_PACKETS = 3_000
const LONGEST_TRICKLE_MS = 25_000
const FLOOD_LOAD = 1.3
const FLOOD_LOAD_TRACE = 2
const FLOOD_MS = 4_000
const LONGEST_FLOOD_MS = 20_000
/** Before the queue is filled and the token bucket empty; not judged. */
export const FLOOD_SKIP_MS = 1_000
/** Faster than this a flow through node:dgram says more about this machine. */
const FASTEST_FLOOD = 100e6
/** The flood is judged in so many batches of packets. */
export const BATCHES = 32

/** So slow that delay and loss show, and so many that each line can be judged, as far as there is time. */
export function trickleFlow(direction: Direction, impairment: Impairment, spacingMs: number, packets?: number): Flow {
  const needed = Math.max(LEAST_PACKETS, fewestPacketsToSeeLoss(impairment.loss, TAIL) ?? 0)
  return {
    direction,
    spacingMs,
    packets: packets ?? Math.max(1, Math.min(needed, Math.floor(LONGEST_TRICKLE_MS / spacingMs))),
    payloadBytes: TRICKLE_PAYLOAD_BYTES,
  }
}

export function trickleSpacingMs(impairment: Impairment): number {
  const rate = meanRate(impairment) ?? Number.POSITIVE_INFINITY
  const load = impairment.trace === undefined ? TRICKLE_LOAD : TRICKLE_LOAD_TRACE
  return Math.max(LEAST_SPACING_MS, ((TRICKLE_PAYLOAD_BYTES + UDP_WIRE_OVERHEAD) * 8000) / (rate * load))
}

/** More than the link's rate carries; undefined where it has none. A text: why not. */
export function floodFlow(direction: Direction, impairment: Impairment): Flow | string | undefined {
  const rate = meanRate(impairment)
  if (rate === undefined) return undefined
  if (rate > FASTEST_FLOOD) return 'above 100 Mbit/s this program is too slow to tell'
  const load = impairment.trace === undefined ? FLOOD_LOAD : FLOOD_LOAD_TRACE
  const frameMs = ((FLOOD_PAYLOAD_BYTES + UDP_WIRE_OVERHEAD) * 8000) / rate
  const durationMs = Math.min(LONGEST_FLOOD_MS, Math.max(FLOOD_MS, FLOOD_SKIP_MS + 3 * BATCHES * frameMs))
  const spacingMs = frameMs / load
  return { direction, spacingMs, packets: Math.ceil(durationMs / spacingMs), payloadBytes: FLOOD_PAYLOAD_BYTES }
}

/** What the bottleneck carries, in bit/s; undefined: there is none. */
export function meanRate({ rate, trace }: Impairment): number | undefined {
  return trace === undefined ? rate?.bitsPerSecond : traceRate(trace, 0, trace.periodMs)
}
