/**
 * What stands in a row, and how it comes to its verdict. What exceeds its bound differs, unless the disturbance that was measured in the
 * same run may have made it (disturbed.ts): then it was not measured. Without a disturbance the bound is all there is.
 */

import type { Direction, Impairment } from '../../src/link/profile/profile.ts'
import { percentile } from '../../src/stats/statistics.ts'
import type { Agreement } from '../../src/stats/two-sample.ts'
import type { CaseRun } from './cases.ts'
import type { RunResult } from './measurement.ts'

export type Verdict = 'agree' | 'differ' | 'not measured'

export interface Row {
  profile: string
  state: string
  direction: Direction
  property: string
  /** For people. */
  kernel: string
  emulator: string
  difference: string
  bound: string
  verdict: Verdict
}

/**
 * With more arrivals held up than this the machine was too busy: a token bucket whose timer is late loses what its small
 * bucket cannot hold, and a change of address takes seconds.
 */
export const MOST_HELD_UP = 0.2

/** What both backends did to the packets of one direction, for which there are trails of both. */
export interface Compared {
  run: CaseRun
  direction: Direction
  impairment: Impairment
  kernel: RunResult
  emulator: RunResult
}

export type MakeRow = (property: string, part: Partial<Row> & { verdict: Verdict }) => Row

export type Pair<T> = readonly [kernel: T, emulator: T]

/**
 * A row's verdict. `without`: the same comparison if the disturbance had been as large as it may have been, and what it was, for people;
 * asked for only where there is a difference.
 */
export function judged(
  agreement: Agreement,
  format: (value: number) => string,
  without: () => { agrees: boolean; why: string },
): Pick<Row, 'difference' | 'bound' | 'verdict'> {
  const row = shown(agreement, format)
  if (agreement.agrees) return row
  const { agrees, why } = without()
  return agrees ? { ...row, bound: `${row.bound}; disturbed: ${why}`, verdict: 'not measured' } : row
}

function shown(agreement: Agreement, format: (value: number) => string): Pick<Row, 'difference' | 'bound' | 'verdict'> {
  const { agrees, difference, bound } = agreement
  return { difference: format(difference), bound: format(bound), verdict: agrees ? 'agree' : 'differ' }
}

export const slack = ({ difference, bound }: Agreement, more: number): boolean => more > 0 && difference <= bound + more

export function upTo(difference: number, bound: number): Agreement {
  return { agrees: difference <= bound, difference, bound }
}

export interface MachineLosses {
  /** Datagrams that the machine lost, in both directions together; undefined: it does not tell. */
  losses: Pair<number | undefined>
  /** Packets that the backend's own process took in at once, after a stall. */
  burst: Pair<number>
}

/** Where one side has more of something than the other, so many of the losses as that side's machine may have made. */
export function machineLosses({ losses, burst }: MachineLosses): { most: Pair<number>; why: string } {
  const most = losses.map((one, i) => (one ?? Number.POSITIVE_INFINITY) + burst[i]) as unknown as Pair<number>
  const bursts = burst[0] + burst[1]
  const of = (one: number | undefined) => (one === undefined ? 'an unknown number' : String(one))
  const taken = bursts > 0 ? `; ${Math.round(bursts)} taken in at once by the emulator` : ''
  return { most, why: `${of(losses[0])} and ${of(losses[1])} lost by the machine${taken}` }
}

export function once<T>(compute: () => T): () => T {
  let value: { of: T } | undefined
  return () => {
    value ??= { of: compute() }
    return value.of
  }
}

export function count(flags: Uint8Array): number {
  let total = 0
  for (const flag of flags) total += flag
  return total
}

export function quantile(sorted: Float64Array, fraction: number): number {
  return percentile(sorted, Math.min(1, Math.max(0, fraction)))
}

export function ms(value: number): string {
  return `${value.toFixed(value < 10 ? 2 : 1)} ms`
}

export function percent(value: number): string {
  return `${(100 * value).toFixed(2)} %`
}
