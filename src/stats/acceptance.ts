/**
 * Decisions on measurements, each with a stated false-alarm rate.
 *
 * A check that says "loss must be below 3 %" and looks at 200 packets fails now and then for a link that loses 2 %. Here a
 * check states what it expects of the *true* value, and how often, at most, it may refuse when that holds: its
 * false-alarm rate, 1e-4 unless told otherwise. From that follows an interval around what was measured, and it refuses
 * when nothing of the interval is as expected. How small a deviation it can see is a matter of the sample size.
 */

import { mean, sampleSkewness, sampleStandardDeviation } from 'simple-statistics'
import { binomialAtLeast, binomialAtMost, normalQuantile, studentQuantile } from './distributions.ts'
import { type Interval, percentileInterval, percentileSampleSize, rateAtLeast, rateAtMost } from './intervals.ts'
import { ascending, percentile } from './statistics.ts'

/** How often a check refuses what is as it should be, at most: once in 10 000 runs. */
export const DEFAULT_FALSE_ALARM = 1e-4

/** What the true value should be: both ends are still right; a missing end is no demand. */
export interface Expected {
  min?: number
  max?: number
}

export interface Acceptance {
  /** True only for the verdict 'accepted'. */
  accepted: boolean
  /** 'too-few': not refused, but with so few measurements it could not have been, so that nothing was checked. */
  verdict: 'accepted' | 'refused' | 'too-few'
  /** What was measured; NaN when nothing was. */
  measured: number
  /**
   * The true values that the measurements are compatible with, at this false-alarm rate. Where only a `min` or only a `max` is
   * expected, all of the false-alarm rate is spent on that side, and the interval is open on the other.
   */
  interval: Interval
  expected: Expected
  falseAlarm: number
  /** Measurements that went into it. */
  sampleSize: number
  /** The fewest measurements with which this check can refuse anything. */
  leastSampleSize: number
  /** One sentence for a student. */
  text: string
}

interface Common {
  expected: Expected
  /** Default 1e-4. */
  falseAlarm?: number
  /** Of what, for the text: "loss". */
  name?: string
}

/** How a number is written in the text. */
type Format = (value: number) => string

export interface RateCheck extends Common {
  /** How often it happened … */
  successes: number
  /** … in how many trials. */
  n: number
  /**
   * How many times less than n independent trials these are worth, because they hang together; default 1. Losses in
   * bursts do: see `gilbertElliottDesignEffect`.
   */
  designEffect?: number
}

/**
 * Is a rate (of losses, duplicates, …) as expected? By Clopper–Pearson: exact for independent trials, whatever n.
 * With a design effect above 1 the counts are divided by it, which is an approximation.
 */
export function acceptRate(check: RateCheck): Acceptance {
  const { successes, designEffect = 1 } = check
  if (!(designEffect >= 1)) throw new RangeError(`design effect of ${designEffect}; expected 1 or more`)
  const { min = 0, max = 1 } = check.expected
  const { tail, falseAlarm } = tailOf({ min: min > 0 ? min : undefined, max: max < 1 ? max : undefined }, check)
  const n = check.n / designEffect
  const k = successes / designEffect
  // Refused if need be: no success at all where there should be `min`, or nothing else where there should be `max`.
  const forMin = min > 0 ? Math.log(tail) / Math.log1p(-min) : 0
  const forMax = max < 1 ? Math.log(tail) / Math.log(max) : 0
  return judge({
    name: check.name ?? 'rate',
    measured: successes / check.n,
    measuredText: `${successes} of ${check.n} = ${percent(successes / check.n)}`,
    interval: { low: max < 1 ? rateAtLeast(k, n, tail) : 0, high: min > 0 ? rateAtMost(k, n, tail) : 1 },
    expected: check.expected,
    falseAlarm,
    sampleSize: check.n,
    leastSampleSize: Math.ceil(Math.max(forMin, forMax, 1) * designEffect - 1e-9),
    format: percent,
  })
}

export interface PercentileCheck extends Common {
  values: readonly number[]
  /** Which percentile: 0.5 is the median. Between 0 and 1, both excluded. */
  fraction: number
  /** Of the values, for the text: "ms". */
  unit?: string
}

/**
 * Is a percentile of independent measurements as expected? By order statistics: exact for every distribution.
 *
 * On a busy machine the slow measurements say more about the machine than about the link. So for a delay ask for a low percentile
 * (0.1 or 0.25): it hardly moves before the machine is late for most packets.
 */
export function acceptPercentile(check: PercentileCheck): Acceptance {
  const { values, fraction, expected } = check
  const { tail, falseAlarm } = tailOf(expected, check)
  const sorted = ascending(values)
  const interval = percentileInterval(sorted, fraction, tail)
  return judge({
    name: check.name ?? `p${trim(fraction * 100)}`,
    measured: sorted.length === 0 ? Number.NaN : percentile(sorted, fraction),
    interval: openWhereNotAsked(interval, expected),
    expected,
    falseAlarm,
    sampleSize: values.length,
    leastSampleSize: percentileSampleSize(fraction, tail, sideOf(expected)),
    format: withUnit(check.unit),
  })
}

export interface MeanCheck extends Common {
  values: readonly number[]
  unit?: string
}

/**
 * Is the mean of independent measurements as expected? By Student's t, which is exact for normal measurements and
 * approximate for others. The more lopsided they are, the more it takes: the leading error of the tail (Edgeworth) is
 * by a factor of about exp(skewness · z³ / 6√n), so n is demanded to be large enough for that factor to stay below 2,
 * and half of the false-alarm rate is kept for it. (With rare huge values not even the skewness is known: ask for a
 * percentile instead.)
 */
export function acceptMean(check: MeanCheck): Acceptance {
  const { values, expected } = check
  const { tail, falseAlarm } = tailOf(expected, check)
  const n = values.length
  const spread = n >= 2 ? sampleStandardDeviation(values as number[]) : 0
  const skewness = n >= 3 && spread > 0 ? Math.abs(sampleSkewness(values as number[])) : 0
  const least = Math.max(30, Math.ceil(((skewness * normalQuantile(tail / 2) ** 3) / (6 * Math.LN2)) ** 2))
  const centre = n === 0 ? Number.NaN : mean(values as number[])
  const half = n < least ? Infinity : (studentQuantile(tail / 2, n - 1) * spread) / Math.sqrt(n)
  return judge({
    name: check.name ?? 'mean',
    measured: centre,
    interval: openWhereNotAsked({ low: centre - half, high: centre + half }, expected),
    expected,
    falseAlarm,
    sampleSize: n,
    leastSampleSize: least,
    format: withUnit(check.unit),
  })
}

export interface RatioCheck extends Common {
  /** Independent, positive measurements of the one … */
  numerator: readonly number[]
  /** … and of the other, in the same unit. */
  denominator: readonly number[]
  /** Which percentile of the two is compared; default the median. */
  fraction?: number
}

/**
 * "A is at least twice B": is the ratio of two percentiles as expected? Each gets an exact interval (see
 * `acceptPercentile`) with half of the false-alarm rate; the lowest and the highest ratio that these allow bound the
 * ratio. On the careful side: it refuses less often than it might. Not negative, or RangeError.
 */
export function acceptRatio(check: RatioCheck): Acceptance {
  const { expected, fraction = 0.5 } = check
  const { tail, falseAlarm } = tailOf(expected, check)
  const above = ascending(check.numerator)
  const below = ascending(check.denominator)
  if (above[0] < 0 || below[0] < 0) throw new RangeError('ratio of negative measurements; expected 0 or more')
  const top = percentileInterval(above, fraction, tail / 2)
  const bottom = percentileInterval(below, fraction, tail / 2)
  const sampleSize = Math.min(above.length, below.length)
  return judge({
    name: check.name ?? 'ratio',
    measured: sampleSize === 0 ? Number.NaN : quotient(percentile(above, fraction), percentile(below, fraction)),
    interval: openWhereNotAsked(
      { low: quotient(Math.max(0, top.low), bottom.high), high: quotient(top.high, Math.max(0, bottom.low)) },
      expected,
    ),
    expected,
    falseAlarm,
    sampleSize,
    leastSampleSize: percentileSampleSize(fraction, tail / 2, 'both'),
    format: value => `${trim(value)}×`,
  })
}

export interface SampleSize {
  n: number
  /** Refuse from this many successes on (when `rejected` is the higher rate), or down from it (when it is the lower). */
  threshold: number
  /** What the test really has: the false-alarm rate is below the one asked for, the power above. */
  falseAlarm: number
  power: number
  text: string
}

/**
 * How many trials it takes to tell a rate of `accepted` from one of `rejected`: such that the former is refused with a
 * probability of at most `falseAlarm`, and the latter with one of at least `power` (0.99: one wrong solution in a hundred gets
 * through).
 *
 * The test is the exact one of `acceptRate` with one bound. Because counts are whole, its quality goes up and down a little from one n
 * to the next; `n` is one from which it suffices, at most a few per cent more than the very smallest.
 *
 * `designEffect`: see `acceptRate`; trials that hang together are that many times less worth.
 */
export function sampleSizeForRate(options: {
  accepted: number
  rejected: number
  falseAlarm?: number
  power?: number
  designEffect?: number
}): SampleSize {
  const { accepted: p0, rejected: p1, falseAlarm = DEFAULT_FALSE_ALARM, power = 0.99, designEffect = 1 } = options
  checkFalseAlarm(falseAlarm)
  if (!(power > 0 && power < 1)) throw new RangeError(`power of ${power}; expected between 0 and 1`)
  if (!(p0 >= 0 && p0 <= 1 && p1 >= 0 && p1 <= 1) || p0 === p1) {
    throw new RangeError(`telling a rate of ${p0} from one of ${p1}; expected two different rates, 0 to 1`)
  }
  const at = (n: number) => testOfRate(n, p0, p1, falseAlarm)
  let high = 1
  while (at(high).power < power) {
    high *= 2
    if (high > 1e9) throw new RangeError(`telling a rate of ${p0} from one of ${p1} takes more than 1e9 trials`)
  }
  let low = Math.floor(high / 2)
  while (high - low > 1) {
    const middle = Math.floor((low + high) / 2)
    if (at(middle).power >= power) high = middle
    else low = middle
  }
  const test = at(high)
  const n = Math.ceil(high * designEffect)
  const threshold = Math.round(test.threshold * designEffect)
  const side = p1 > p0 ? 'or more' : 'or fewer'
  return {
    n,
    threshold,
    falseAlarm: test.falseAlarm,
    power: test.power,
    text:
      `${n} packets tell ${percent(p0)} from ${percent(p1)}: ${threshold} ${side} refuse; ` +
      `a false alarm at most once in ${oneIn(falseAlarm)} runs, a miss once in ${oneIn(1 - power)}`,
  }
}

/** The exact one-sided test of n trials: the threshold that keeps the false-alarm rate, and what it achieves. */
function testOfRate(n: number, p0: number, p1: number, falseAlarm: number) {
  const isHigher = p1 > p0
  const refused = (k: number, p: number) => (isHigher ? binomialAtLeast(k, n, p) : binomialAtMost(k, n, p))
  // From "refuse nothing" (n + 1 or more, -1 or fewer) towards the mean, as far as the false-alarm rate allows.
  let never = isHigher ? n + 1 : -1
  let always = isHigher ? 0 : n
  while (Math.abs(never - always) > 1) {
    const middle = Math.floor((never + always) / 2)
    if (refused(middle, p0) <= falseAlarm) never = middle
    else always = middle
  }
  return { threshold: never, falseAlarm: refused(never, p0), power: refused(never, p1) }
}

interface Judgement extends Omit<Acceptance, 'accepted' | 'verdict' | 'text'> {
  name: string
  measuredText?: string
  format: Format
}

function judge(judgement: Judgement): Acceptance {
  const { name, format, measuredText, ...result } = judgement
  const { measured, interval, expected, falseAlarm, sampleSize, leastSampleSize } = result
  const { min = -Infinity, max = Infinity } = expected
  // Refused comes first: also where the check of one bound takes more measurements, the other may be clear already.
  const isRefused = interval.high < min || interval.low > max
  const verdict = isRefused ? 'refused' : sampleSize < leastSampleSize ? 'too-few' : 'accepted'
  const wanted = rangeText(expected, format)
  if (verdict === 'too-few') {
    const text = `${name}: only ${sampleSize} measurements; at least ${leastSampleSize} are needed to check for ${wanted}`
    return { ...result, accepted: false, verdict, text }
  }
  const found = `${name} ${measuredText ?? `${format(measured)} (${sampleSize} measurements)`}`
  const truth = `so the true value is ${rangeText(bounded(interval, expected), format)}`
  const sure = `wrong at most once in ${oneIn(falseAlarm)} runs`
  const outcome = verdict === 'accepted' ? `agrees with the expected ${wanted}` : `but ${wanted} was expected`
  return {
    ...result,
    accepted: verdict === 'accepted',
    verdict,
    text: `${found}, ${truth} (${sure}); ${outcome}`,
  }
}

/** How much of the false-alarm rate there is for each end of the interval. */
function tailOf({ min, max }: Expected, check: Common): { tail: number; falseAlarm: number } {
  const { falseAlarm = DEFAULT_FALSE_ALARM } = check
  checkFalseAlarm(falseAlarm)
  const { expected } = check
  if (expected.min === undefined && expected.max === undefined) {
    throw new RangeError('a check that expects nothing; expected a min, a max, or both')
  }
  if (!((expected.min ?? -Infinity) <= (expected.max ?? Infinity))) {
    throw new RangeError(`expected from ${expected.min} to ${expected.max}; the min must not exceed the max`)
  }
  return { tail: min !== undefined && max !== undefined ? falseAlarm / 2 : falseAlarm, falseAlarm }
}

function checkFalseAlarm(falseAlarm: number): void {
  if (!(falseAlarm > 0 && falseAlarm < 0.5)) {
    throw new RangeError(`false-alarm rate of ${falseAlarm}; expected between 0 and 0.5, 1e-4 say`)
  }
}

/** An upper bound is refused by what the low end of the interval says, and the other way round. */
function sideOf({ min, max }: Expected): 'low' | 'high' | 'both' {
  return min === undefined ? 'low' : max === undefined ? 'high' : 'both'
}

function openWhereNotAsked(interval: Interval, { min, max }: Expected): Interval {
  return { low: max === undefined ? -Infinity : interval.low, high: min === undefined ? Infinity : interval.high }
}

/** The ends of the interval that say something. */
function bounded({ low, high }: Interval, { min, max }: Expected): Expected {
  return {
    min: max !== undefined && Number.isFinite(low) ? low : undefined,
    max: min !== undefined && Number.isFinite(high) ? high : undefined,
  }
}

/** Nothing over nothing says nothing. */
function quotient(above: number, below: number): number {
  return below === 0 ? Infinity : above / below
}

function rangeText({ min, max }: Expected, format: Format): string {
  if (min === max && min !== undefined) return format(min)
  if (min === undefined && max === undefined) return 'anything'
  if (min === undefined) return `${format(max!)} or less`
  if (max === undefined) return `${format(min)} or more`
  return `${format(min)} to ${format(max)}`
}

function percent(rate: number): string {
  return `${trim(rate * 100)} %`
}

function withUnit(unit: string | undefined): Format {
  return value => (unit ? `${trim(value)} ${unit}` : trim(value))
}

/** Three digits that mean something, and no zeros behind them. */
function trim(value: number): string {
  if (!Number.isFinite(value)) return String(value)
  if (Math.abs(value) >= 1000) return String(Math.round(value))
  return String(Number(value.toPrecision(3)))
}

function oneIn(rate: number): string {
  return String(Math.round(1 / rate))
}
