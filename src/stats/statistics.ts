import { max, mean, min, median as sampleMedian, sampleStandardDeviation } from 'simple-statistics'

/** What a row of measurements comes down to. Every figure has the unit of the measurements. */
export interface Summary {
  count: number
  min: number
  p50: number
  p95: number
  p99: number
  max: number
  mean: number
  /** Sample standard deviation (n - 1 in the denominator); 0 for a single measurement. */
  stddev: number
}

/**
 * The nearest-rank percentile: the smallest measurement that at least this fraction of all measurements does not exceed.
 *
 * Nearest rank and not interpolation, because the answer is then a value that really was measured, which matters when
 * measurements come in clusters (a fast path and a slow one) with nothing in between. The price: with few measurements
 * the high percentiles are all the maximum. A p99 says something from 100 measurements on.
 *
 * `sorted` ascending and not empty, `fraction` from 0 (the minimum) to 1 (the maximum); otherwise RangeError.
 */
export function percentile(sorted: ArrayLike<number>, fraction: number): number {
  if (sorted.length === 0) throw new RangeError('percentile of no measurements; expected at least one')
  if (!(fraction >= 0 && fraction <= 1)) throw new RangeError(`percentile at fraction ${fraction}; expected 0 to 1`)
  // Floating point makes 0.07 × 100 slightly more than 7; without the tolerance that would be rank 8.
  const rank = Math.ceil(fraction * sorted.length - 1e-9)
  return sorted[Math.max(rank, 1) - 1]
}

/** The same of measurements in any order; NaN when there are none. */
export function percentileOf(values: readonly number[], fraction: number): number {
  return values.length === 0 ? Number.NaN : percentile(ascending(values), fraction)
}

/** The ordinary median: of an even number of values, half-way between the two in the middle. NaN when there are none. */
export function median(values: readonly number[]): number {
  return values.length === 0 ? Number.NaN : sampleMedian(values as number[])
}

/** A sorted copy. */
export function ascending(values: ArrayLike<number>): Float64Array {
  return Float64Array.from(values).sort()
}

/** Minimum, percentiles, maximum, mean and deviation; undefined when there is nothing to summarise. */
export function summarise(values: readonly number[]): Summary | undefined {
  if (values.length === 0) return undefined
  const sorted = ascending(values)
  return {
    count: values.length,
    min: sorted[0],
    p50: percentile(sorted, 0.5),
    p95: percentile(sorted, 0.95),
    p99: percentile(sorted, 0.99),
    max: sorted[sorted.length - 1],
    mean: mean(values as number[]),
    stddev: values.length === 1 ? 0 : sampleStandardDeviation(values as number[]),
  }
}

/** One bar of a histogram: how many measurements are ≥ `from` and < `to` (the last bar includes its `to`). */
export interface HistogramBin {
  from: number
  to: number
  count: number
}

/** `bins` bars of equal width from the smallest to the largest measurement; no bars when there are no measurements. */
export function histogram(values: readonly number[], bins: number): HistogramBin[] {
  if (!Number.isInteger(bins) || bins < 1) throw new RangeError(`histogram with ${bins} bins; expected 1 or more`)
  if (values.length === 0) return []
  const lowest = min(values as number[])
  const highest = max(values as number[])
  const width = (highest - lowest) / bins
  // All measurements the same (or too close for floating point to tell apart): one bar is all there is to see.
  if (width === 0) return [{ from: lowest, to: highest, count: values.length }]
  const result = Array.from({ length: bins }, (_, i) => ({
    from: lowest + i * width,
    to: i === bins - 1 ? highest : lowest + (i + 1) * width,
    count: 0,
  }))
  for (const value of values) result[Math.min(Math.floor((value - lowest) / width), bins - 1)].count++
  return result
}

/**
 * Interarrival jitter, RFC 3550 §6.4.1: the change of the transit time from one packet to the next, smoothed with
 * a gain of 1/16. `transitTimes` in order of arrival; round-trip times may stand in for transit times, because a
 * constant part cancels out. 0 when there are fewer than two.
 *
 *   D(i-1,i) = (Ri - Si) - (Ri-1 - Si-1)        J = J + (|D| - J) / 16
 */
export function interarrivalJitter(transitTimes: readonly number[]): number {
  let jitter = 0
  for (let i = 1; i < transitTimes.length; i++) {
    jitter += (Math.abs(transitTimes[i] - transitTimes[i - 1]) - jitter) / 16
  }
  return jitter
}
