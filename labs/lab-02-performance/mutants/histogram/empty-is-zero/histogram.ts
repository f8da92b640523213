// mutant: no observations give 0; expect: NaN, not 0
/**
 * Task 6: quantiles from a Prometheus histogram, as PromQL's histogram_quantile() computes them.
 */

export interface Bucket {
  /** Upper bound, inclusive ("less or equal"). That of the last bucket is Infinity. */
  le: number
  /** How many observations were at most `le`: cumulative. */
  count: number
}

/** The value below which the fraction `q` of all observations lies, estimated. */
export function histogramQuantile(q: number, buckets: readonly Bucket[]): number {
  if (Number.isNaN(q)) return Number.NaN
  if (q < 0) return -Infinity
  if (q > 1) return Infinity
  const sorted = monotonic([...buckets].sort((a, b) => a.le - b.le))
  const last = sorted.length - 1
  if (last < 1 || sorted[last].le !== Infinity) return Number.NaN
  const observations = sorted[last].count
  if (!(observations > 0)) return 0

  const rank = q * observations
  const index = sorted.findIndex(bucket => bucket.count >= rank)
  // Nothing is known about what lies beyond the last bound that is a number.
  if (index === last) return sorted[last - 1].le
  const end = sorted[index].le
  // A first bucket that ends at or below 0 has no beginning that could be guessed.
  if (index === 0 && end <= 0) return end
  const start = index === 0 ? 0 : sorted[index - 1].le
  const below = index === 0 ? 0 : sorted[index - 1].count
  return start + (end - start) * ((rank - below) / (sorted[index].count - below))
}

/** Counts that go down cannot be; they come from buckets that were read at different times. */
function monotonic(buckets: readonly Bucket[]): Bucket[] {
  let highest = 0
  return buckets.map(({ le, count }) => {
    highest = Math.max(highest, count)
    return { le, count: highest }
  })
}

/** What was observed between two scrapes of the same histogram. */
export function increase(before: readonly Bucket[], after: readonly Bucket[]): Bucket[] {
  const earlier = new Map(before.map(({ le, count }) => [le, count]))
  return after.map(({ le, count }) => {
    const then = earlier.get(le) ?? 0
    // A counter never goes down by itself: the server was started anew, and began at 0.
    return { le, count: count < then ? count : count - then }
  })
}
