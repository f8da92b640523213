/** What became of the datagrams of one flow: what is measured of it, and what a simulation leads to, in the same form. */

import type { Direction } from '../profile/profile.ts'
import { Mark, type Trail } from './probe.ts'

/** Datagrams of one flow through one direction. */
export interface Flow {
  direction: Direction
  packets: number
  spacingMs: number
  payloadBytes: number
}

/** Times are those of one clock, in ms. */
export interface FlowRecord extends Arrivals {
  flow: Flow
  /** When each datagram was sent. */
  sentMs: Float64Array
  corrupted: number
}

export interface Arrivals {
  /** One-way, of the first copy of each datagram that arrived, in order of arrival, in ms. */
  delays: number[]
  /** To which datagram each of the delays belongs. */
  sequences: number[]
  /** Of every copy. */
  arrivalsMs: number[]
  duplicates: number
  /** Later than one that was sent after it (RFC 4737). */
  reordered: number
}

/** Copies in order of arrival: of which datagram each is, and when it came. */
export function arrivals({
  sentMs,
  sequence,
  arrivedMs,
}: Pick<Trail, 'sentMs'> & {
  sequence: ArrayLike<number>
  arrivedMs: ArrayLike<number>
}): Arrivals {
  const record: Arrivals = { delays: [], sequences: [], arrivalsMs: [], duplicates: 0, reordered: 0 }
  const seen = new Uint8Array(sentMs.length)
  let newest = -1
  for (let i = 0; i < sequence.length; i++) {
    const one = sequence[i]
    if (one >= seen.length) continue
    record.arrivalsMs.push(arrivedMs[i])
    if (seen[one] === 1) {
      record.duplicates++
      continue
    }
    seen[one] = 1
    record.delays.push(arrivedMs[i] - sentMs[one])
    record.sequences.push(one)
    if (one < newest) record.reordered++
    else newest = one
  }
  return record
}

export function flowRecord(flow: Flow, trail: Trail): FlowRecord {
  const corrupted = trail.marks.filter(mark => mark & Mark.corrupted).length
  return { flow, sentMs: trail.sentMs, corrupted, ...arrivals(trail) }
}
