import { expect } from 'chai'
import fc from 'fast-check'
import { Random } from '../../src/link/model/random.ts'
import {
  clopperPearson,
  percentileInterval,
  percentileRanks,
  percentileSampleSize,
  wilson,
} from '../../src/stats/intervals.ts'

/** Equal to four decimals. */
function expectInterval({ low, high }: { low: number; high: number }, expected: [number, number]): void {
  expect([low, high].map(end => Number(end.toFixed(4)))).to.deep.equal(expected)
}

/** P[X = k], by multiplication alone. */
function binomialExactly(k: number, n: number, p: number): number {
  let probability = 1
  for (let i = 0; i < k; i++) probability *= ((n - i) / (k - i)) * p
  return probability * (1 - p) ** (n - k)
}

describe('wilson', () => {
  // Found apart from this program, by bisection of the score test's inequality itself. On how good such intervals are:
  // R. G. Newcombe, Statistics in Medicine 17, 1998, 857–872.
  it('has the values that another computation gives', () => {
    expectInterval(wilson(81, 263), [0.2553, 0.3662])
    expectInterval(wilson(15, 148), [0.0624, 0.1605])
    expectInterval(wilson(0, 20), [0, 0.1611])
    expectInterval(wilson(1, 29), [0.0061, 0.1718])
  })

  it('says nothing when there was no trial, and refuses what is no count', () => {
    expect(wilson(0, 0)).to.deep.equal({ low: 0, high: 1 })
    for (const [k, n] of [
      [3, 2],
      [-1, 2],
      [Number.NaN, 2],
      [1, Infinity],
    ]) {
      expect(() => wilson(k, n)).to.throw(RangeError, 'expected 0 to n')
    }
    expect(() => wilson(1, 2, 95)).to.throw(RangeError, '0.95 say')
  })
})

describe('clopperPearson', () => {
  // Found apart from this program, by bisection over sums of the binomial distribution, term by term.
  it('has the values that another computation gives', () => {
    expectInterval(clopperPearson(81, 263), [0.2527, 0.3676])
    expectInterval(clopperPearson(15, 148), [0.0578, 0.1617])
    expectInterval(clopperPearson(0, 20), [0, 0.1684])
    expectInterval(clopperPearson(1, 29), [0.0009, 0.1776])
  })

  it('is the rule of three for no success: about 3/n at 95 % on one side', () => {
    expect(clopperPearson(0, 300, 0.9).high).to.be.closeTo(3 / 300, 1e-4)
  })

  it('covers every rate at least as often as it says: summed up over all counts, not simulated', () => {
    for (const confidence of [0.95, 0.9999]) {
      for (const n of [1, 5, 20, 60]) {
        const intervals = Array.from({ length: n + 1 }, (_, k) => clopperPearson(k, n, confidence))
        for (let p = 0.005; p < 1; p += 0.0237) {
          const coverage = intervals.reduce(
            (sum, { low, high }, k) => (low <= p && p <= high ? sum + binomialExactly(k, n, p) : sum),
            0,
          )
          expect(coverage, `n ${n}, p ${p}`).to.be.at.least(confidence - 1e-12)
        }
      }
    }
  })

  it('contains what was measured, lies in 0 … 1, and shrinks with less confidence', () => {
    fc.assert(
      fc.property(fc.integer({ min: 1, max: 3000 }), fc.double({ min: 0, max: 1, noNaN: true }), (n, share) => {
        const k = Math.round(share * n)
        const sure = clopperPearson(k, n, 0.9999)
        const guess = clopperPearson(k, n, 0.8)
        const ends = [0, sure.low, guess.low, k / n, guess.high, sure.high, 1]
        expect(ends).to.deep.equal([...ends].sort((a, b) => a - b))
      }),
      { numRuns: 100 },
    )
  })
})

describe('percentileInterval', () => {
  it('takes the ranks that the binomial gives: for the median of 100, the 40th and the 61st', () => {
    expect(percentileRanks(100, 0.5, 0.025)).to.deep.equal({ low: 40, high: 61 })
  })

  it('reaches to infinity when there are too few measurements', () => {
    const values = [1, 2, 3, 4, 5]
    expect(percentileInterval(values, 0.5, 0.05)).to.deep.equal({ low: 1, high: 5 })
    expect(percentileInterval(values, 0.5, 0.025)).to.deep.equal({ low: -Infinity, high: Infinity })
    expect(percentileInterval([], 0.5, 0.025)).to.deep.equal({ low: -Infinity, high: Infinity })
  })

  it('is finite from the stated number of measurements on, and not before', () => {
    for (const fraction of [0.1, 0.5, 0.95]) {
      for (const tail of [0.025, 5e-5]) {
        const low = percentileSampleSize(fraction, tail, 'low')
        const high = percentileSampleSize(fraction, tail, 'high')
        expect(percentileRanks(low, fraction, tail).low).to.equal(1)
        expect(percentileRanks(low - 1, fraction, tail).low).to.equal(0)
        expect(percentileRanks(high, fraction, tail).high).to.equal(high)
        expect(percentileRanks(high - 1, fraction, tail).high).to.equal(high)
        expect(percentileSampleSize(fraction, tail)).to.equal(Math.max(low, high))
      }
    }
  })

  it('misses the true percentile of a lopsided distribution no more often than it says (simulated, fixed seed)', () => {
    const random = new Random('coverage', 'percentile')
    const runs = 2000
    let tooHigh = 0
    let tooLow = 0
    // The percentile of an exponential distribution is known: -ln(1 - fraction).
    const truth = -Math.log(0.1)
    for (let run = 0; run < runs; run++) {
      const values = Array.from({ length: 100 }, () => -Math.log(1 - random.float())).sort((a, b) => a - b)
      const { low, high } = percentileInterval(values, 0.9, 0.025)
      if (low > truth) tooHigh++
      if (high < truth) tooLow++
    }
    // At most 50 of each expected; five standard deviations on top.
    expect(Math.max(tooHigh, tooLow)).to.be.below(85)
    expect(tooHigh + tooLow).to.be.above(25)
  })
})
