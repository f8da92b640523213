/**
 * Losses in bursts: how long they are, and the Gilbert–Elliott model that makes such bursts.
 *
 *                 p
 *          ┌─────────────►┐
 *     ┌────┴───┐      ┌───▼───┐      In Good a packet is lost with probability 1-k (mostly 0), in Bad with
 *     │  Good  │      │  Bad  │      1-h (1 in the simple Gilbert model). Before each packet the state changes
 *     └────▲───┘      └───┬───┘      with probability p or r. netem: `loss gemodel p r 1-h 1-k`.
 *          └◄─────────────┘
 *                 r
 *
 * Loss rate (1-k = 0): (1-h) p / (p + r). With 1-h = 1, bursts are 1/r packets long on average.
 */

import type { Estimate, RandomSource } from './bootstrap.ts'
import { clopperPearson } from './intervals.ts'
import { percentile } from './statistics.ts'

export interface LossRuns {
  sent: number
  lost: number
  /** lengths[i]: how many runs of i + 1 packets in a row were lost. (RFC 3357 calls a run a loss period.) */
  lengths: number[]
  /** Mean length of a run in packets; 0 when nothing was lost. */
  meanLength: number
}

/** Counts the runs of losses. `lost[i]`: was the i-th packet sent lost? */
export function lossRuns(lost: readonly boolean[]): LossRuns {
  const lengths: number[] = []
  let total = 0
  let run = 0
  for (let i = 0; i <= lost.length; i++) {
    if (lost[i]) {
      run++
      continue
    }
    if (run > 0) {
      while (lengths.length < run) lengths.push(0)
      lengths[run - 1]++
      total += run
    }
    run = 0
  }
  const runs = lengths.reduce((sum, count) => sum + count, 0)
  return { sent: lost.length, lost: total, lengths, meanLength: runs === 0 ? 0 : total / runs }
}

/** Estimates of the simple Gilbert model: every packet in Bad is lost (1-h = 1), none in Good (1-k = 0). */
export interface SimpleGilbertFit {
  p: Estimate
  r: Estimate
}

/**
 * In the simple model the state can be seen: lost is Bad. So p is the share of received packets after which one was
 * lost, and r the share of lost ones after which one was received; maximum likelihood, with Clopper–Pearson intervals. Undefined
 * when the packets show only one of the states.
 */
export function fitSimpleGilbert(lost: readonly boolean[], confidence = 0.95): SimpleGilbertFit | undefined {
  let good = 0
  let goodToBad = 0
  let bad = 0
  let badToGood = 0
  for (let i = 0; i + 1 < lost.length; i++) {
    if (lost[i]) {
      bad++
      if (!lost[i + 1]) badToGood++
    } else {
      good++
      if (lost[i + 1]) goodToBad++
    }
  }
  if (good === 0 || bad === 0) return undefined
  return {
    p: { estimate: goodToBad / good, ...clopperPearson(goodToBad, good, confidence) },
    r: { estimate: badToGood / bad, ...clopperPearson(badToGood, bad, confidence) },
  }
}

/** Estimates of the Gilbert model with 1-k = 0. */
export interface GilbertElliottFit {
  p: Estimate
  r: Estimate
  /** 1-h, the loss probability in Bad. */
  oneMinusH: Estimate
  lossRate: number
  /** Packets that it was estimated from. */
  n: number
}

/** From so many losses on an estimate says something at all. */
const FEWEST_LOSSES = 50

/**
 * Estimates p, r and 1-h from which packets were lost, by the moments that Gilbert himself took (E. N. Gilbert, "Capacity
 * of a burst-noise channel", Bell System Technical Journal 39, 1960). With 1 for lost and 0 for received,
 *
 *   a = P(1)     b = P(1 | 1)     c = P(111) / (P(101) + P(111))
 *
 *            ac - b²                     b              a r
 *   1-r = ─────────────       1-h  =  ─────      p = ─────────
 *         2ac - b(a + c)               1-r           (1-h) - a
 *
 * When noise puts 1-h above 1 (or the three do not fit together), the simple model is fitted instead, with 1-h = 1.
 *
 * The intervals come from a bootstrap of blocks of consecutive packets, which keeps bursts whole: `confidence` is nominal, and
 * they are wide. 1-h above all: it shows only in what comes between two losses of one burst. Some 10 000 packets with 500
 * losses are the least to bother.
 *
 * Undefined with fewer than 50 losses, or when losses do not follow on losses more often than on anything: there are no bursts.
 */
export function fitGilbertElliott(
  lost: readonly boolean[],
  random: RandomSource,
  options: { confidence?: number; resamples?: number } = {},
): GilbertElliottFit | undefined {
  const { confidence = 0.95, resamples = 1000 } = options
  const patterns = countPatterns(lost)
  const whole = patterns.between(0, lost.length)
  if (whole.ones < FEWEST_LOSSES) return undefined
  const fit = solve(whole)
  if (fit === undefined) return undefined

  // Long enough for many bursts and gaps not to be cut, short enough for there to be many blocks.
  const blockLength = Math.max(1, Math.min(Math.ceil(lost.length / 20), Math.ceil(10 / fit.r)))
  const blocks = Math.ceil(lost.length / blockLength)
  const samples: Solution[] = []
  for (let i = 0; i < resamples; i++) {
    const sum: Patterns = { n: 0, ones: 0, pairs: 0, oneOneOne: 0, oneZeroOne: 0 }
    for (let block = 0; block < blocks; block++) {
      const at = Math.floor(random.float() * (lost.length - blockLength + 1))
      patterns.addTo(sum, at, at + blockLength)
    }
    const sample = solve(sum)
    if (sample !== undefined) samples.push(sample)
  }
  const estimate = (key: keyof Solution): Estimate => {
    const sorted = samples.map(sample => sample[key]).sort((x, y) => x - y)
    if (sorted.length === 0) return { estimate: fit[key], low: 0, high: 1 }
    return {
      estimate: fit[key],
      low: Math.min(fit[key], percentile(sorted, (1 - confidence) / 2)),
      high: Math.max(fit[key], percentile(sorted, (1 + confidence) / 2)),
    }
  }
  return {
    p: estimate('p'),
    r: estimate('r'),
    oneMinusH: estimate('oneMinusH'),
    lossRate: whole.ones / whole.n,
    n: lost.length,
  }
}

/**
 * How many times less than independent ones n packets say about the loss rate, when their losses come in bursts: the variance of
 * the number lost, over that of independent losses, for large n. For acceptRate and sampleSizeForRate (acceptance.ts).
 *
 * With λ = 1-p-r, the correlation of the state from one packet to the next:
 *
 *   1 + 2 · (p/(p+r)) (r/(p+r)) ((1-h) - (1-k))² / (loss (1 - loss)) · λ / (1 - λ)
 *
 * Losses of 2 % in bursts of 5: 9 times. 1 when losses are independent.
 */
export function gilbertElliottDesignEffect(model: {
  p: number
  r: number
  oneMinusH?: number
  oneMinusK?: number
}): number {
  const { p, r, oneMinusH = 1, oneMinusK = 0 } = model
  if (!(p >= 0 && p <= 1 && r >= 0 && r <= 1 && p + r > 0)) {
    throw new RangeError(`Gilbert–Elliott p ${p}, r ${r}; expected probabilities, not both 0`)
  }
  const bad = p / (p + r)
  const good = r / (p + r)
  const loss = bad * oneMinusH + good * oneMinusK
  if (loss <= 0 || loss >= 1) return 1
  const lambda = 1 - p - r
  const shared = (bad * good * (oneMinusH - oneMinusK) ** 2) / (loss * (1 - loss))
  return Math.max(1, 1 + (2 * shared * lambda) / (1 - lambda))
}

interface Patterns {
  n: number
  /** How often 1, 11, 111 and 101 occur. */
  ones: number
  pairs: number
  oneOneOne: number
  oneZeroOne: number
}

interface Solution {
  p: number
  r: number
  oneMinusH: number
}

function solve({ n, ones, pairs, oneOneOne, oneZeroOne }: Patterns): Solution | undefined {
  if (ones === 0 || ones === n) return undefined
  const a = ones / n
  const b = pairs / ones
  if (b <= a) return undefined
  const c = oneOneOne / (oneZeroOne + oneOneOne)
  const stay = (a * c - b * b) / (2 * a * c - b * (a + c))
  const oneMinusH = b / stay
  const p = (a * (1 - stay)) / (oneMinusH - a)
  if (stay > 0 && stay < 1 && oneMinusH <= 1 && p > 0 && p <= 1) return { p, r: 1 - stay, oneMinusH }
  return { p: (a * (1 - b)) / (1 - a), r: 1 - b, oneMinusH: 1 }
}

/** Running totals of the patterns by where they begin, so that any block is counted by two look-ups. */
function countPatterns(lost: readonly boolean[]) {
  const size = lost.length + 1
  const ones = new Uint32Array(size)
  const pairs = new Uint32Array(size)
  const oneOneOne = new Uint32Array(size)
  const oneZeroOne = new Uint32Array(size)
  for (let i = 0; i < lost.length; i++) {
    const [first, second, third] = [lost[i], lost[i + 1], lost[i + 2]]
    ones[i + 1] = ones[i] + (first ? 1 : 0)
    pairs[i + 1] = pairs[i] + (first && second ? 1 : 0)
    oneOneOne[i + 1] = oneOneOne[i] + (first && second && third ? 1 : 0)
    oneZeroOne[i + 1] = oneZeroOne[i] + (first && second === false && third ? 1 : 0)
  }
  const addTo = (sum: Patterns, from: number, to: number): void => {
    sum.n += to - from
    sum.ones += ones[to] - ones[from]
    sum.pairs += pairs[to] - pairs[from]
    sum.oneOneOne += oneOneOne[to] - oneOneOne[from]
    sum.oneZeroOne += oneZeroOne[to] - oneZeroOne[from]
  }
  const between = (from: number, to: number): Patterns => {
    const sum: Patterns = { n: 0, ones: 0, pairs: 0, oneOneOne: 0, oneZeroOne: 0 }
    addTo(sum, from, to)
    return sum
  }
  return { addTo, between }
}
