/**
 * Task 6: quantiles from a Prometheus histogram, as PromQL's histogram_quantile() computes them.
 *
 *   masque_vpn_packet_processing_duration_seconds_bucket{le="1e-05"}  120        at most 10 µs
 *   masque_vpn_packet_processing_duration_seconds_bucket{le="2.5e-05"} 180       at most 25 µs, these 120 included
 *   masque_vpn_packet_processing_duration_seconds_bucket{le="+Inf"}   200        all
 *
 * The 0.75-quantile: rank 0.75 * 200 = 150. It lies in the second bucket, as the 30th of its 60. Where between 10 and 25 µs
 * these 60 are, the histogram does not know. It is assumed that they are spread evenly: 10 + 15 * 30 / 60 = 17.5 µs.
 */

export interface Bucket {
  /** Upper bound, inclusive ("less or equal"). That of the last bucket is Infinity. */
  le: number
  /** How many observations were at most `le`: cumulative. */
  count: number
}

/**
 * The value below which the fraction `q` of all observations lies, estimated. The buckets come in any order, and stay
 * as they are: they belong to the caller.
 *
 * - The bucket is the first one (by `le`) whose count is at least q times the count of the last bucket.
 * - Within it, linear interpolation. The first bucket begins at 0, if it ends above 0.
 * - If it ends at 0 or below, nobody knows where it begins: the result is its upper bound.
 * - If it is the last bucket (Infinity), nobody knows where it ends: the result is the upper bound of the one before.
 * - NaN: fewer than two buckets, or the last one is not Infinity, or there are no observations, or q is NaN.
 * - q below 0 is -Infinity, q above 1 is Infinity. That is decided before anything is looked at but NaN.
 * - Counts that go down are impossible; they happen when buckets are not read all at once. A count that is below one before
 *   it is taken to be as high as that one.
 *
 * https://prometheus.io/docs/prometheus/latest/querying/functions/#histogram_quantile
 */
export function histogramQuantile(q: number, buckets: readonly Bucket[]): number {
  throw new Error('TODO: histogramQuantile')
}

/**
 * What was observed between two scrapes of the same histogram: one bucket for each in `after`, in its order. A bucket that is
 * not in `before` had the count 0. A counter never goes down by itself: a count below the earlier one means that the server was
 * started anew, and began at 0 again.
 */
export function increase(before: readonly Bucket[], after: readonly Bucket[]): Bucket[] {
  throw new Error('TODO: increase')
}
