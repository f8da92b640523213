import { mean } from 'simple-statistics'
import type { Interval } from './intervals.ts'
import { ascending, percentile } from './statistics.ts'

/** Where random numbers come from, each from 0 (included) to 1 (excluded): src/link/model/random.ts, with a seed. */
export interface RandomSource {
  float(): number
}

export interface Estimate extends Interval {
  estimate: number
}

/**
 * The percentile bootstrap (B. Efron, Annals of Statistics 7, 1979), two-sided. Draw as many measurements from the measurements
 * as there are, with replacement; take the statistic; repeat. The middle `confidence` of what comes out is the interval.
 *
 * Works for any statistic, but only approximately, with 30 independent measurements or more; it knows nothing of values
 * that were never measured, so it is too narrow for a p99 of 100 measurements. To report and to draw with. Not to decide
 * with at small false-alarm rates: there, use `percentileInterval` (intervals.ts), which is exact.
 *
 * The same measurements and seed give the same interval. Throws RangeError when there are no measurements.
 */
export function bootstrap(
  values: readonly number[],
  statistic: (sample: Float64Array) => number,
  confidence: number,
  random: RandomSource,
  resamples = 2000,
): Estimate {
  if (values.length === 0) throw new RangeError('bootstrap of no measurements; expected at least one')
  if (!(confidence > 0 && confidence < 1)) throw new RangeError(`confidence of ${confidence}; expected between 0 and 1`)
  if (!(resamples >= 1)) throw new RangeError(`${resamples} resamples; expected 1 or more, some 2000`)
  const sample = new Float64Array(values.length)
  const results = new Float64Array(resamples)
  for (let i = 0; i < resamples; i++) {
    for (let j = 0; j < sample.length; j++) sample[j] = values[Math.floor(random.float() * values.length)]
    results[i] = statistic(sample)
  }
  const sorted = results.sort()
  return {
    estimate: statistic(Float64Array.from(values)),
    low: percentile(sorted, (1 - confidence) / 2),
    high: percentile(sorted, (1 + confidence) / 2),
  }
}

/** `bootstrap` of a nearest-rank percentile; `fraction` from 0 to 1. */
export function bootstrapPercentile(
  values: readonly number[],
  fraction: number,
  confidence: number,
  random: RandomSource,
  resamples = 2000,
): Estimate {
  if (values.length === 0) throw new RangeError('bootstrap of no measurements; expected at least one')
  // Sorted first, a resample is known by how often each rank was drawn: no sorting a resample.
  const sorted = ascending(values)
  const counts = new Uint32Array(sorted.length)
  const rank = Math.max(1, Math.ceil(fraction * sorted.length - 1e-9))
  const ranks = Array.from({ length: sorted.length }, (_, i) => i)
  const { low, high } = bootstrap(
    ranks,
    sample => {
      counts.fill(0)
      for (const i of sample) counts[i]++
      let seen = 0
      let i = 0
      while ((seen += counts[i]) < rank) i++
      return sorted[i]
    },
    confidence,
    random,
    resamples,
  )
  return { estimate: percentile(sorted, fraction), low, high }
}

/** `bootstrap` of the mean. */
export function bootstrapMean(
  values: readonly number[],
  confidence: number,
  random: RandomSource,
  resamples = 2000,
): Estimate {
  return bootstrap(values, sample => mean(sample as unknown as number[]), confidence, random, resamples)
}
