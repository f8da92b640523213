/**
 * How far a measured rate or percentile can be from the true one.
 *
 * A loss of 2 in 100 packets does not mean a loss rate of 2 %: rates from 0.24 % to 7.0 % give such a count often enough. Every
 * function here turns a count into the interval of true values that it is compatible with. docs/measurement.md tells which to
 * use when.
 */

import { gammaln } from 'simple-statistics'

/** All values from `low` to `high`. With too little evidence, `low` may be -Infinity and `high` Infinity. */
export interface Interval {
  low: number
  high: number
}

/**
 * The probability that a standard normal variable exceeds `z`. To 12 digits also far out in the tail, where 1 minus
 * the usual approximations of the error function has no digit left.
 */
export function normalTail(z: number): number {
  if (z < 0) return 1 - normalTail(-z)
  const density = Math.exp((-z * z) / 2) / Math.sqrt(2 * Math.PI)
  if (z < 3) {
    // Φ(z) - 1/2 = φ(z) · (z + z³/3 + z⁵/(3·5) + …)   (Abramowitz and Stegun, 26.2.11)
    let term = z
    let sum = z
    for (let k = 3; term > sum * 1e-17; k += 2) {
      term *= (z * z) / k
      sum += term
    }
    return 0.5 - density * sum
  }
  // φ(z) / (z + 1/(z + 2/(z + 3/(z + …))))   (26.2.14), from the inside out
  let fraction = z
  for (let k = 120; k >= 1; k--) fraction = z + k / fraction
  return density / fraction
}

/** The z that a standard normal variable exceeds with probability `tail`: 1.96 for 0.025, 3.72 for 1e-4. 0 < tail < 1. */
export function normalQuantile(tail: number): number {
  if (!(tail > 0 && tail < 1)) throw new RangeError(`normal quantile for a tail of ${tail}; expected between 0 and 1`)
  if (tail > 0.5) return -normalQuantile(1 - tail)
  return bisect(0, 40, z => normalTail(z) > tail)
}

/**
 * The regularised incomplete beta function I_x(a, b), by its continued fraction (Abramowitz and Stegun, 26.5.8),
 * evaluated as Lentz does. Tails of the binomial and of Student's distribution are special cases. a, b > 0.
 */
export function regularisedBeta(x: number, a: number, b: number): number {
  if (x <= 0) return 0
  if (x >= 1) return 1
  // The fraction converges fast on this side of the mean; on the other, the symmetry I_x(a,b) = 1 - I_{1-x}(b,a) helps.
  if (x > (a + 1) / (a + b + 2)) return 1 - regularisedBeta(1 - x, b, a)
  const front = Math.exp(gammaln(a + b) - gammaln(a) - gammaln(b) + a * Math.log(x) + b * Math.log1p(-x)) / a
  let c = 1
  let d = 1 / notZero(1 - ((a + b) * x) / (a + 1))
  let fraction = d
  for (let m = 1; m <= 100_000; m++) {
    const even = (m * (b - m) * x) / ((a + 2 * m - 1) * (a + 2 * m))
    d = 1 / notZero(1 + even * d)
    c = notZero(1 + even / c)
    fraction *= c * d
    const odd = (-(a + m) * (a + b + m) * x) / ((a + 2 * m) * (a + 2 * m + 1))
    d = 1 / notZero(1 + odd * d)
    c = notZero(1 + odd / c)
    const step = c * d
    fraction *= step
    if (Math.abs(step - 1) < 1e-15) break
  }
  return Math.min(1, front * fraction)
}

/** P[X ≥ k] for X ~ Binomial(n, p). k and n need not be whole (see `effectiveSampleSize` in acceptance.ts). */
export function binomialAtLeast(k: number, n: number, p: number): number {
  if (k <= 0) return 1
  if (k > n) return 0
  return regularisedBeta(p, k, n - k + 1)
}

/** P[X ≤ k] for X ~ Binomial(n, p). */
export function binomialAtMost(k: number, n: number, p: number): number {
  if (k < 0) return 0
  if (k >= n) return 1
  return regularisedBeta(1 - p, n - k, k + 1)
}

/** P[|T| > t] for Student's t with this many degrees of freedom. */
export function studentTwoTails(t: number, degreesOfFreedom: number): number {
  return regularisedBeta(degreesOfFreedom / (degreesOfFreedom + t * t), degreesOfFreedom / 2, 0.5)
}

/** The t that Student's t exceeds with probability `tail`, 0 < tail < 0.5. */
export function studentQuantile(tail: number, degreesOfFreedom: number): number {
  if (!(tail > 0 && tail < 0.5)) throw new RangeError(`Student quantile for a tail of ${tail}; expected 0 to 0.5`)
  return bisect(0, 1e6, t => studentTwoTails(t, degreesOfFreedom) / 2 > tail)
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
export function percentileInterval(sorted: readonly number[], fraction: number, tail: number): Interval {
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

/** Where `isBelow` turns from true to false, to the last bit that matters. */
function bisect(low: number, high: number, isBelow: (x: number) => boolean): number {
  for (let i = 0; i < 100; i++) {
    const middle = (low + high) / 2
    if (middle === low || middle === high) break
    if (isBelow(middle)) low = middle
    else high = middle
  }
  return (low + high) / 2
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

/** Lentz's method divides by what may happen to be 0. */
function notZero(value: number): number {
  return Math.abs(value) < 1e-300 ? 1e-300 : value
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
