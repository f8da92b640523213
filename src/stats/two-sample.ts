/**
 * Two samples of the same quantity, measured in two ways: do they agree?
 *
 * Every test here takes the false-alarm rate that is allowed (how often two samples that do agree may be told apart by
 * chance) and answers with the difference, the bound that it had to keep, and whether it kept it. Bounds come from exact
 * or distribution-free results where there are any, because false-alarm rates of 1e-7 are far out in the tails, where the
 * usual approximations are at their worst.
 */

import { chiSquareTail, logChoose, normalQuantile, studentQuantile } from './distributions.ts'

/** The outcome of a comparison. `difference` and `bound` have the unit of what was compared. */
export interface Agreement {
  agrees: boolean
  difference: number
  /** The largest difference that still counts as agreement. */
  bound: number
}

/**
 * Fisher's exact test: `successesA` of `a` tries against `successesB` of `b` tries, each try independent of the others.
 *
 * The probability, if both had the same chance of success, of counts at least this far apart (twice the smaller tail of
 * the hypergeometric distribution, at most 1). Exact for any counts, also for a handful. A Gilbert–Elliott link's losses
 * are not independent of each other: for them `compareMeans` of batches.
 */
export function fisherExact(successesA: number, a: number, successesB: number, b: number): number {
  for (const [successes, tries] of [
    [successesA, a],
    [successesB, b],
  ]) {
    if (!(successes >= 0 && successes <= tries)) throw new RangeError(`${successes} successes in ${tries} tries`)
  }
  const successes = successesA + successesB
  const lowest = Math.max(0, successes - b)
  const highest = Math.min(successes, a)
  const logTotal = logChoose(a + b, successes)
  const chance = (k: number) => Math.exp(logChoose(a, k) + logChoose(b, successes - k) - logTotal)
  let below = 0
  for (let k = lowest; k <= successesA; k++) below += chance(k)
  let above = 0
  for (let k = successesA; k <= highest; k++) above += chance(k)
  return Math.min(1, 2 * Math.min(below, above))
}

/**
 * Are two proportions the same? Independent tries. The difference is that of the proportions; the bound is the smallest
 * difference that Fisher's exact test would have refused, with the pooled proportion held where it is (normal
 * approximation, for the reader: the verdict itself is the exact one).
 */
export function compareProportions(
  successesA: number,
  a: number,
  successesB: number,
  b: number,
  falseAlarm: number,
): Agreement {
  if (a === 0 || b === 0) throw new RangeError('a proportion of no tries')
  const pooled = (successesA + successesB) / (a + b)
  const bound = normalQuantile(falseAlarm / 2) * Math.sqrt(pooled * (1 - pooled) * (1 / a + 1 / b))
  const agrees = fisherExact(successesA, a, successesB, b) >= falseAlarm
  return { agrees, difference: Math.abs(successesA / a - successesB / b), bound }
}

/**
 * Are two means the same (Welch's t-test)? The values must be independent: for a series whose neighbours depend on each
 * other, give the means of batches long enough to forget (`batchMeans`). `tolerance` is a difference that does not count.
 */
export function compareMeans(a: readonly number[], b: readonly number[], falseAlarm: number, tolerance = 0): Agreement {
  const [meanA, errorA] = meanAndSquaredError(a)
  const [meanB, errorB] = meanAndSquaredError(b)
  const squared = errorA + errorB
  const difference = Math.abs(meanA - meanB)
  if (squared === 0) return { agrees: difference <= tolerance, difference, bound: tolerance }
  // Welch–Satterthwaite
  const freedom = squared ** 2 / (errorA ** 2 / (a.length - 1) + errorB ** 2 / (b.length - 1))
  const bound = tolerance + studentQuantile(falseAlarm / 2, freedom) * Math.sqrt(squared)
  return { agrees: difference <= bound, difference, bound }
}

/** The means of `batches` runs of neighbours of equal length; what is left over at the end is left out. */
export function batchMeans(values: ArrayLike<number>, batches: number): number[] {
  const length = Math.floor(values.length / batches)
  if (length < 1) throw new RangeError(`${values.length} values in ${batches} batches; expected at least one a batch`)
  return Array.from({ length: batches }, (_, batch) => {
    let total = 0
    for (let i = batch * length; i < (batch + 1) * length; i++) total += values[i]
    return total / length
  })
}

/**
 * How many independent values a series is worth of which neighbours depend on each other: n times the ratio of the
 * variance that a batch's mean would have, were its values independent, to the one that it has. At most n.
 */
export function effectiveSize(values: ArrayLike<number>, batches = 40): number {
  const n = values.length
  if (n < 4 * batches) return n
  let total = 0
  let squares = 0
  for (let i = 0; i < n; i++) {
    total += values[i]
    squares += values[i] ** 2
  }
  const variance = squares / n - (total / n) ** 2
  // All the same, but for the rounding of the sums.
  if (variance <= 1e-12 * (squares / n)) return n
  const [, squaredError] = meanAndSquaredError(batchMeans(values, batches))
  return Math.max(1, Math.min(n, variance / squaredError))
}

/**
 * The Kolmogorov–Smirnov distance of two samples, with a tolerance along the axis of the values: how far (in probability)
 * the two distribution functions are apart when each may be moved by up to `tolerance`:
 *
 *     max over x of  A(x) - B(x + tolerance)  and  B(x) - A(x + tolerance)
 *
 * 0: the usual distance. Both ascending. With ties (values that are integers) the test errs on the safe side.
 */
export function ksDistance(a: ArrayLike<number>, b: ArrayLike<number>, tolerance = 0): number {
  return Math.max(oneSided(a, b, tolerance), oneSided(b, a, tolerance))
}

// The largest A(x) - B(x + tolerance): attained at one of A's own values.
function oneSided(a: ArrayLike<number>, b: ArrayLike<number>, tolerance: number): number {
  let furthest = 0
  let j = 0
  for (let i = 0; i < a.length; i++) {
    if (i + 1 < a.length && a[i + 1] === a[i]) continue
    while (j < b.length && b[j] <= a[i] + tolerance) j++
    furthest = Math.max(furthest, (i + 1) / a.length - j / b.length)
  }
  return furthest
}

/**
 * The distance that two samples of `a` and `b` independent values from one distribution exceed with at most this
 * probability, whatever the distribution: c(α) √((a + b) / (a b)), c(α) = √(-ln(α / 2) / 2).
 */
export function ksCritical(a: number, b: number, falseAlarm: number): number {
  return Math.sqrt((-Math.log(falseAlarm / 2) / 2) * ((a + b) / (a * b)))
}

/**
 * Do two samples come from the same distribution (Kolmogorov–Smirnov)? `tolerance` as in `ksDistance`; `allowance` is
 * added to the bound: the share of values that a known disturbance may have moved further than the tolerance.
 * `sizes`: how many independent values each sample is worth, where that is fewer than it has.
 */
export function compareDistributions(
  a: ArrayLike<number>,
  b: ArrayLike<number>,
  falseAlarm: number,
  options: { tolerance?: number; allowance?: number; sizes?: readonly [number, number] } = {},
): Agreement {
  const [sizeA, sizeB] = options.sizes ?? [a.length, b.length]
  const difference = ksDistance(a, b, options.tolerance)
  const bound = ksCritical(sizeA, sizeB, falseAlarm) + (options.allowance ?? 0)
  return { agrees: difference <= bound, difference, bound }
}

// With fewer than this expected in a cell, the chi-square approximation is of no use far out in the tail.
const LEAST_EXPECTED = 20

/**
 * Do two rows of counts (of the same categories, in order) have the same proportions? Chi-square test of homogeneity.
 * Neighbouring categories are taken together until each is expected at least 20 times in both rows. The probability of
 * a difference at least this large; 1 when a single category is left, because then there is nothing to compare.
 */
export function chiSquareTwoSample(
  a: readonly number[],
  b: readonly number[],
): { statistic: number; degreesOfFreedom: number; probability: number } {
  const totalA = a.reduce((sum, count) => sum + count, 0)
  const totalB = b.reduce((sum, count) => sum + count, 0)
  const smallerShare = Math.min(totalA, totalB) / (totalA + totalB)
  const cells: [number, number][] = [[0, 0]]
  for (let i = 0; i < Math.max(a.length, b.length); i++) {
    const last = cells[cells.length - 1]
    if ((last[0] + last[1]) * smallerShare >= LEAST_EXPECTED) cells.push([a[i] ?? 0, b[i] ?? 0])
    else cells[cells.length - 1] = [last[0] + (a[i] ?? 0), last[1] + (b[i] ?? 0)]
  }
  // What is left at the end may be too little for a cell of its own.
  const last = cells[cells.length - 1]
  if (cells.length > 1 && (last[0] + last[1]) * smallerShare < LEAST_EXPECTED) {
    cells.pop()
    const before = cells[cells.length - 1]
    cells[cells.length - 1] = [before[0] + last[0], before[1] + last[1]]
  }
  const degreesOfFreedom = cells.length - 1
  if (degreesOfFreedom === 0) return { statistic: 0, degreesOfFreedom, probability: 1 }
  let statistic = 0
  for (const [countA, countB] of cells) {
    const expectedA = ((countA + countB) * totalA) / (totalA + totalB)
    const expectedB = ((countA + countB) * totalB) / (totalA + totalB)
    statistic += (countA - expectedA) ** 2 / expectedA + (countB - expectedB) ** 2 / expectedB
  }
  return { statistic, degreesOfFreedom, probability: chiSquareTail(statistic, degreesOfFreedom) }
}

// The mean, and the square of its standard error.
function meanAndSquaredError(values: readonly number[]): [number, number] {
  if (values.length < 2) throw new RangeError(`the error of the mean of ${values.length} values; expected two or more`)
  const mean = values.reduce((sum, value) => sum + value, 0) / values.length
  const squares = values.reduce((sum, value) => sum + (value - mean) ** 2, 0)
  return [mean, squares / (values.length - 1) / values.length]
}
