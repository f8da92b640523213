/** What a profile leads to: the flows of `netem check` once more, through a link in virtual time. */

import { LinkDirection } from '../model/link-direction.ts'
import type { Impairment } from '../profile/profile.ts'
import type { FlowRecord } from './probe.ts'

/** So many runs say what is to be expected. */
export const SIMULATED_RUNS = 40

/** What came of a flow; `sequences`: to which datagram each of the delays belongs. */
export type Simulated = Omit<FlowRecord, 'flow' | 'sentMs'> & {
  sequences: number[]
  /** Dropped by a full queue. */
  overflow: number
}

const HELLO = -1

/**
 * The same datagrams at the same moments. `beganMs`: when the direction carried its first one. `reachedMs`: when each of them
 * reached the link, where that was not when it was sent.
 */
export function simulate(
  impairment: Impairment,
  { flow, sentMs }: Pick<FlowRecord, 'flow' | 'sentMs'>,
  beganMs: number,
  seed: string,
  reachedMs: Float64Array = sentMs,
): Simulated {
  const link = new LinkDirection(impairment, { seed, purpose: 'expectation' })
  const seen = new Uint8Array(flow.packets)
  const result = {
    delays: [] as number[],
    sequences: [] as number[],
    arrivalsMs: [] as number[],
    duplicates: 0,
    corrupted: 0,
    reordered: 0,
    overflow: 0,
  }
  let newest = -1
  const deliver = (_payload: Uint8Array, sequence: number, dueMs: number): void => {
    if (sequence === HELLO) return
    result.arrivalsMs.push(dueMs)
    if (seen[sequence] === 1) {
      result.duplicates++
      return
    }
    seen[sequence] = 1
    result.delays.push(dueMs - sentMs[sequence])
    result.sequences.push(sequence)
    if (sequence < newest) result.reordered++
    else newest = sequence
  }
  link.enqueue(new Uint8Array(1), HELLO, Math.min(beganMs, sentMs[0]))
  const corruptedBefore = link.counters.corrupted
  // What is in it does not matter: one for all.
  const payload = new Uint8Array(flow.payloadBytes)
  for (let i = 0; i < flow.packets; i++) {
    link.release(reachedMs[i], deliver)
    link.enqueue(payload, i, reachedMs[i])
  }
  for (let due = link.nextDueMs(); due !== undefined; due = link.nextDueMs()) link.release(due, deliver)
  result.corrupted = link.counters.corrupted - corruptedBefore
  result.overflow = link.counters.overflow
  return result
}
