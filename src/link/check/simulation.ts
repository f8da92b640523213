/** What a profile leads to: the flows of `netem check` once more, through a link in virtual time. */

import { LinkDirection } from '../model/link-direction.ts'
import type { Impairment } from '../profile/profile.ts'
import { arrivals, type FlowRecord } from './flow-record.ts'

/** So many runs say what is to be expected. */
export const SIMULATED_RUNS = 40

/** What came of a flow. */
export type Simulated = Omit<FlowRecord, 'flow' | 'sentMs'> & {
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
  const sequence: number[] = []
  const arrivedMs: number[] = []
  const deliver = (_payload: Uint8Array, one: number, dueMs: number): void => {
    if (one === HELLO) return
    sequence.push(one)
    arrivedMs.push(dueMs)
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
  return {
    ...arrivals({ sentMs, sequence, arrivedMs }),
    corrupted: link.counters.corrupted - corruptedBefore,
    overflow: link.counters.overflow,
  }
}
