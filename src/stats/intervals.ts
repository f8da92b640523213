/**
 * How far a measured rate or percentile can be from the true one.
 *
 * A loss of 2 in 100 packets does not mean a loss rate of 2 %: rates from 0.24 % to 7.0 % give such a count often enough. Every
 * function here turns a count into the interval of true values that it is compatible with. docs/measurement.md tells which to
 * use when.
 */

import { binomialAtLeast, binomialAtMost, bisect, normalQuantile } from './distributions.ts'

/** All values from `low` to `high`. With too little evidence, `low` may be -Infinity and `high` Infinity. */
export interface Interval {
  low: number
  high: number
}

/**
 * Wilson's score interval for a rate (E. B. Wilson, JASA 22, 1927), two-sided. Close to its nominal confidence on
 * average, and never empty or beyond 0 … 1, unlike rate ± 1.96 standard errors. To report with.
 *
 *          k + z²/2         z√n
 *  centre = ────────  ±  ──────── √( k/n·(1 - k/n) + z²/4n )
 *            n + z²        n + z²
 *
 * `successes` of `n` trials; `confidence` between 0 and 1. n = 0: anything from 0 to 1.
 */
export function wilson(successes: number, n: number, confidence = 0.95): Interval {
  checkCounts(successes, n)
  checkConfidence(confidence)
  if (n === 0) return { low: 0, high: 1 }
  const z = normalQuantile((1 - confidence) / 2)
  const rate = successes / n
  const centre = (successes + (z * z) / 2) / (n + z * z)
  const half = ((z * Math.sqrt(n)) / (n + z * z)) * Math.sqrt(rate * (1 - rate) + (z * z) / (4 * n))
  return {
    low: successes === 0 ? 0 : Math.max(0, centre - half),
    high: successes === n ? 1 : Math.min(1, centre + half),
  }
}

/**
 * The "exact" interval for a rate (C. J. Clopper and E. S. Pearson, Biometrika 26, 1934), two-sided: the rates under which
 * neither so few nor so many successes are less probable than (1 - confidence)/2. Its confidence is *at least* the
 * nominal one for every n and every rate: to decide with.
 */
export function clopperPearson(successes: number, n: number, confidence = 0.95): Interval {
  checkConfidence(confidence)
  const tail = (1 - confidence) / 2
  return { low: rateAtLeast(successes, n, tail), high: rateAtMost(successes, n, tail) }
}

/** One-sided Clopper–Pearson: the lowest rate under which `successes` or more have a probability of at least `tail`. */
export function rateAtLeast(successes: number, n: number, tail: number): number {
  checkCounts(successes, n)
  if (successes === 0) return 0
  return bisect(0, 1, p => binomialAtLeast(successes, n, p) < tail)
}

/** One-sided Clopper–Pearson: the highest rate under which `successes` or fewer have a probability of at least `tail`. */
export function rateAtMost(successes: number, n: number, tail: number): number {
  checkCounts(successes, n)
  if (successes === n) return 1
  return bisect(0, 1, p => binomialAtMost(successes, n, p) > tail)
}

/**
 * An interval for a percentile, from order statistics: between which two of the sorted measurements the true one lies.
 * Holds for every distribution. `tail`: the probability, at most, that the true one lies below `low`; the same above
 * `high`.
 *
 * How many of n measurements lie below the true percentile is Binomial(n, fraction). So the l-th smallest lies above it with
 * probability P[X ≤ l-1], and the u-th smallest below it with P[X ≥ u].
 *
 * `sorted` ascending; `fraction` between 0 and 1, both excluded. With too few measurements an end is infinite.
 */
export function percentileInterval(sorted: ArrayLike<number>, fraction: number, tail: number): Interval {
  const ranks = percentileRanks(sorted.length, fraction, tail)
  return {
    low: ranks.low === 0 ? -Infinity : sorted[ranks.low - 1],
    high: ranks.high > sorted.length ? Infinity : sorted[ranks.high - 1],
  }
}

/** The ranks, from 1, of the measurements that `percentileInterval` takes; 0 and n + 1 where n is too small. */
export function percentileRanks(n: number, fraction: number, tail: number): { low: number; high: number } {
  if (!(fraction > 0 && fraction < 1)) throw new RangeError(`percentile at ${fraction}; expected between 0 and 1`)
  if (!(tail > 0 && tail < 0.5)) throw new RangeError(`tail of ${tail}; expected between 0 and 0.5`)
  // The greatest l with P[X ≤ l-1] ≤ tail, and the smallest u with P[X ≥ u] ≤ tail.
  const low = firstWhole(0, n, l => binomialAtMost(l, n, fraction) > tail)
  const high = firstWhole(0, n + 1, u => binomialAtLeast(u, n, fraction) <= tail)
  return { low, high }
}

/** The smallest number of measurements with which `percentileInterval` is finite on that side (or on both). */
export function percentileSampleSize(fraction: number, tail: number, side: 'low' | 'high' | 'both' = 'both'): number {
  // Everything above the percentile: (1 - fraction)^n ≤ tail. Everything below it: fraction^n ≤ tail.
  const forLow = Math.ceil(Math.log(tail) / Math.log(1 - fraction) - 1e-9)
  const forHigh = Math.ceil(Math.log(tail) / Math.log(fraction) - 1e-9)
  return side === 'low' ? forLow : side === 'high' ? forHigh : Math.max(forLow, forHigh)
}

/** The first whole number from `low` to `high` for which `holds` (false … false true … true); `high` when there is none. */
export function firstWhole(low: number, high: number, holds: (x: number) => boolean): number {
  while (low < high) {
    const middle = Math.floor((low + high) / 2)
    if (holds(middle)) high = middle
    else low = middle + 1
  }
  return low
}

function checkCounts(successes: number, n: number): void {
  if (!(n >= 0 && successes >= 0 && successes <= n && Number.isFinite(n))) {
    throw new RangeError(`${successes} successes of ${n} trials; expected 0 to n of them`)
  }
}

function checkConfidence(confidence: number): void {
  if (!(confidence > 0 && confidence < 1)) {
    throw new RangeError(`confidence of ${confidence}; expected between 0 and 1, 0.95 say`)
  }
}
