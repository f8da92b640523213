/**
 * What is asked of a controller for the tunnel, and how it is decided.
 *
 * A controller has to meet each criterion in nine of ten networks. It is tried on some that are drawn at random, so one that does so may be unlucky: how
 * often it is refused all the same is the false-alarm rate. Counts of networks are binomial, whatever the controller does, so that rate is exact.
 *
 *   false alarm    P(met in `refusedAt` of NETWORKS or fewer | met in nine of ten)  ≤  FALSE_ALARM / 3       for each of the three criteria
 */
import { acceptRate } from '../../src/stats/acceptance.ts'
import type { Alone, Duel } from './networks.ts'
import { jain } from './networks.ts'

export const NETWORKS = 12

/** In so large a part of all networks like these it has to hold. */
export const LEAST_SHARE = 0.9

/** Of all criteria together. */
export const FALSE_ALARM = 1e-3

/** Of NewReno's p95. */
export const MOST_DELAY = 0.5
/** Of NewReno's goodput. */
export const LEAST_GOODPUT = 0.9
export const LEAST_JAIN = 0.8

/** What has come out on one network. */
export interface Trial {
  newReno: Pick<Alone, 'goodput' | 'p95'>
  alone: Pick<Alone, 'goodput' | 'p95'>
  duel: Duel
}

export const CRITERIA = {
  delay: ({ alone, newReno }: Trial) => alone.p95 <= MOST_DELAY * newReno.p95,
  goodput: ({ alone, newReno }: Trial) => alone.goodput >= LEAST_GOODPUT * newReno.goodput,
  fairness: ({ duel }: Trial) => jain([duel.own, duel.cubic]) >= LEAST_JAIN,
} as const
export type Criterion = keyof typeof CRITERIA

const COUNT = Object.keys(CRITERIA).length

/** The most networks with which a criterion is refused when it was met in no more of them. */
export const REFUSED_AT = Math.max(...Array.from({ length: NETWORKS }, (_, met) => met).filter(isRefused))

function isRefused(met: number): boolean {
  const { verdict } = acceptRate({
    successes: met,
    n: NETWORKS,
    expected: { min: LEAST_SHARE },
    falseAlarm: FALSE_ALARM / COUNT,
  })
  return verdict === 'refused'
}

export function met(trials: readonly Trial[], criterion: Criterion): number {
  return trials.filter(CRITERIA[criterion]).length
}

/** The first criterion that is refused. */
export function refused(trials: readonly Trial[]): Criterion | undefined {
  return (Object.keys(CRITERIA) as Criterion[]).find(criterion => met(trials, criterion) <= REFUSED_AT)
}
