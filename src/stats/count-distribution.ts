/**
 * The distribution of a count of which only mean and variance are known, such as packets that a full queue drops: binomial where the
 * variance is below the mean, Poisson where they are equal, negative binomial where it is above (events in clumps).
 *
 * All three follow from one recursion (Panjer's class): p(k) = p(k-1) × (a + b/k), with the mean (a + b) / (1 - a) and the
 * variance (a + b) / (1 - a)².
 */

/** What is less likely than this is left away, and nothing of what is kept is far from it. */
const NEGLIGIBLE = Math.log(1e-18)

/** Probabilities of 0, 1, 2, …; of counts from `most` on, none. */
export function countDistribution(mean: number, variance: number, most: number): Float64Array {
  if (mean <= 0 || variance <= 0) {
    const certain = new Float64Array(Math.min(most, Math.round(Math.max(0, mean))) + 1)
    certain[certain.length - 1] = 1
    return certain
  }
  const a = 1 - mean / variance
  const b = (mean * mean) / variance - a
  // Logarithms, because the first of them may be smaller than a number can be.
  const logs: number[] = [0]
  let highest = 0
  for (let k = 1; k <= most; k++) {
    const factor = a + b / k
    if (factor <= 0) break // a binomial has an end
    const log = logs[k - 1] + Math.log(factor)
    highest = Math.max(highest, log)
    if (log < highest + NEGLIGIBLE && k > mean) break
    logs.push(log)
  }
  const weights = Float64Array.from(logs, log => Math.exp(log - highest))
  const sum = weights.reduce((total, weight) => total + weight, 0)
  return weights.map(weight => weight / sum)
}

/** Of the sum of two counts that do not depend on one another. */
export function sumDistribution(one: Float64Array, other: Float64Array): Float64Array {
  const sum = new Float64Array(one.length + other.length - 1)
  for (let i = 0; i < one.length; i++) {
    if (one[i] === 0) continue
    for (let j = 0; j < other.length; j++) sum[i + j] += one[i] * other[j]
  }
  return sum
}

/** The counts that are no surprise: below `low`, and above `high`, the count is with a probability of at most `tail` each. */
export function likelyCounts(distribution: Float64Array, tail: number): { low: number; high: number } {
  const last = distribution.length - 1
  let low = 0
  for (let below = distribution[0]; below <= tail && low < last; below += distribution[low]) low++
  let high = last
  for (let above = distribution[last]; above <= tail && high > 0; above += distribution[high]) high--
  return { low, high }
}
