import { expect } from 'chai'
import { Random } from '../../src/link/model/random.ts'
import {
  acceptMean,
  acceptPercentile,
  acceptRate,
  acceptRatio,
  type Expected,
  sampleSizeForRate,
} from '../../src/stats/acceptance.ts'
import { binomialAtLeast, binomialAtMost } from '../../src/stats/distributions.ts'
import { clopperPearson } from '../../src/stats/intervals.ts'

const count = (n: number, make: (i: number) => number) => Array.from({ length: n }, (_, i) => make(i))
const exponential = (random: Random, mean: number) => -mean * Math.log(1 - random.float())

describe('acceptRate', () => {
  it('shows the Clopper-Pearson interval of its false-alarm rate', () => {
    const { interval } = acceptRate({ successes: 23, n: 1000, expected: { min: 0.01, max: 0.03 } })
    const { low, high } = clopperPearson(23, 1000, 1 - 1e-4)
    expect(interval.low).to.be.closeTo(low, 1e-12)
    expect(interval.high).to.be.closeTo(high, 1e-12)
  })

  it('refuses what should be accepted no more often than it says: summed up over all counts, not simulated', () => {
    for (const falseAlarm of [0.05, 1e-4]) {
      for (const [expected, truth] of [
        [{ max: 0.02 }, 0.02],
        [{ min: 0.02 }, 0.02],
        [{ min: 0.1, max: 0.1 }, 0.1],
      ] as [Expected, number][]) {
        const n = 1000
        const isRefused = (k: number) => !acceptRate({ successes: k, n, expected, falseAlarm }).accepted
        // Away from the expectation, in both directions, to the first count that is refused.
        let low = n * truth
        while (low >= 0 && !isRefused(low)) low--
        let high = n * truth
        while (high <= 2 * n * truth && !isRefused(high)) high++
        if (!isRefused(high)) high = n + 1
        const probability = binomialAtMost(low, n, truth) + (high <= n ? binomialAtLeast(high, n, truth) : 0)
        expect(probability).to.be.within(falseAlarm / 50, falseAlarm)
      }
    }
  })

  it('accepts every rate within the bounds, and refuses what is clearly outside', () => {
    const verdict = (successes: number) =>
      acceptRate({ successes, n: 5000, expected: { min: 0.01, max: 0.03 } }).verdict
    expect([50, 100, 150].map(verdict)).to.deep.equal(['accepted', 'accepted', 'accepted'])
    expect([0, 10, 300, 5000].map(verdict)).to.deep.equal(['refused', 'refused', 'refused', 'refused'])
  })

  it('says that there are too few when nothing that could have come would have been refused', () => {
    const least = acceptRate({ successes: 0, n: 1, expected: { min: 0.03 } }).leastSampleSize
    expect(least).to.equal(303)
    expect(acceptRate({ successes: 0, n: least - 1, expected: { min: 0.03 } }).verdict).to.equal('too-few')
    expect(acceptRate({ successes: 0, n: least, expected: { min: 0.03 } }).verdict).to.equal('refused')
    const nothing = acceptRate({ successes: 0, n: 0, expected: { max: 0.5 } })
    expect(nothing).to.include({ verdict: 'too-few', accepted: false })
  })

  it('refuses by one bound where there are too few for the other', () => {
    expect(acceptRate({ successes: 80, n: 100, expected: { min: 0.01, max: 0.03 } }).verdict).to.equal('refused')
  })

  it('counts trials that hang together for less', () => {
    const check = { successes: 300, n: 10_000, expected: { max: 0.02 } }
    expect(acceptRate(check).verdict).to.equal('refused')
    expect(acceptRate({ ...check, designEffect: 20 }).verdict).to.equal('accepted')
    expect(() => acceptRate({ ...check, designEffect: 0.5 })).to.throw(RangeError, '1 or more')
  })

  it('explains itself', () => {
    expect(acceptRate({ successes: 23, n: 1000, expected: { min: 0.01, max: 0.03 }, name: 'loss' }).text).to.equal(
      'loss 23 of 1000 = 2.3 %, so the true value is 0.888 % to 4.73 % (wrong at most once in 10000 runs); ' +
        'agrees with the expected 1 % to 3 %',
    )
    expect(acceptRate({ successes: 123, n: 1000, expected: { max: 0.03 }, name: 'loss' }).text).to.equal(
      'loss 123 of 1000 = 12.3 %, so the true value is 8.76 % or more (wrong at most once in 10000 runs); ' +
        'but 3 % or less was expected',
    )
    expect(acceptRate({ successes: 0, n: 10, expected: { min: 0.03 }, name: 'loss' }).text).to.equal(
      'loss: only 10 measurements; at least 303 are needed to check for 3 % or more',
    )
  })

  it('refuses a check that makes no sense', () => {
    const rate = { successes: 1, n: 2 }
    expect(() => acceptRate({ ...rate, expected: {} })).to.throw(RangeError, 'expects nothing')
    expect(() => acceptRate({ ...rate, expected: { min: 0.5, max: 0.4 } })).to.throw(RangeError, 'must not exceed')
    expect(() => acceptRate({ ...rate, expected: { max: 0.5 }, falseAlarm: 0 })).to.throw(RangeError, '1e-4 say')
    expect(() => acceptRate({ successes: 3, n: 2, expected: { max: 0.5 } })).to.throw(RangeError)
  })
})

describe('acceptPercentile', () => {
  it('compares the order-statistics interval with what is expected', () => {
    const values = count(200, i => i)
    const check = (expected: Expected) => acceptPercentile({ values, fraction: 0.5, expected })
    expect(check({ min: 95, max: 105 }).verdict).to.equal('accepted')
    expect(check({ min: 150 }).verdict).to.equal('refused')
    expect(check({ max: 50 }).verdict).to.equal('refused')
    expect(check({ min: 150 }).interval.low).to.equal(-Infinity)
  })

  it('needs 15 measurements for a median at 1e-4 on two sides', () => {
    const check = (n: number) =>
      acceptPercentile({ values: count(n, () => 5), fraction: 0.5, expected: { min: 6, max: 7 } })
    expect(check(14)).to.include({ verdict: 'too-few', leastSampleSize: 15 })
    expect(check(15).verdict).to.equal('refused')
    expect(check(0)).to.include({ verdict: 'too-few', accepted: false })
  })

  it('is not moved by a few measurements that a busy machine held up', () => {
    const values = count(100, i => (i % 3 === 0 ? 500 : 30 + i / 100))
    expect(acceptPercentile({ values, fraction: 0.25, expected: { min: 29, max: 32 } }).accepted).to.equal(true)
  })

  it('says which percentile of what', () => {
    const { text } = acceptPercentile({ values: count(200, i => i), fraction: 0.1, expected: { max: 30 }, unit: 'ms' })
    expect(text).to.equal(
      'p10 19 ms (200 measurements), so the true value is 5 ms or more (wrong at most once in 10000 runs); ' +
        'agrees with the expected 30 ms or less',
    )
  })
})

describe('acceptMean', () => {
  it('accepts and refuses around the mean', () => {
    const values = count(100, i => 50 + (i % 11))
    expect(acceptMean({ values, expected: { min: 54, max: 56 } }).verdict).to.equal('accepted')
    expect(acceptMean({ values, expected: { min: 60 } }).verdict).to.equal('refused')
    expect(acceptMean({ values, expected: { max: 50 } }).verdict).to.equal('refused')
  })

  it('wants more measurements of what is lopsided', () => {
    const random = new Random('mean')
    expect(acceptMean({ values: count(20, () => random.float()), expected: { max: -1 } }).verdict).to.equal('too-few')
    const lopsided = count(60, () => exponential(random, 1))
    expect(acceptMean({ values: lopsided, expected: { max: 0.1 } }).verdict).to.equal('too-few')
  })

  it('refuses a lopsided mean that is as expected no more often than it says (simulated, fixed seed)', () => {
    const random = new Random('mean', 'coverage')
    const runs = 1000
    let refused = 0
    for (let run = 0; run < runs; run++) {
      const values = count(250, () => exponential(random, 1))
      if (acceptMean({ values, expected: { min: 1, max: 1 }, falseAlarm: 0.01 }).verdict === 'refused') refused++
    }
    // At most 10 expected; five standard deviations on top.
    expect(refused).to.be.below(26)
  })
})

describe('acceptRatio', () => {
  const around = (centre: number, n = 60) => count(n, i => centre * (1 + (i - n / 2) / 1000))

  it('accepts a factor that is there, and refuses one that is not', () => {
    const check = (expected: Expected) => acceptRatio({ numerator: around(20), denominator: around(10), expected })
    expect(check({ min: 2 }).verdict).to.equal('accepted')
    expect(check({ min: 1.9, max: 2.1 }).verdict).to.equal('accepted')
    expect(check({ min: 2.2 }).verdict).to.equal('refused')
    expect(check({ max: 1.8 }).verdict).to.equal('refused')
    expect(check({ min: 2 }).measured).to.be.closeTo(2, 1e-9)
  })

  it('has too few when either has too few', () => {
    const check = { numerator: around(20), denominator: around(10, 10), expected: { min: 5 } }
    expect(acceptRatio(check).verdict).to.equal('too-few')
  })

  it('takes nothing below zero', () => {
    expect(() => acceptRatio({ numerator: [-1], denominator: [1], expected: { min: 1 } })).to.throw(RangeError)
  })
})

describe('sampleSizeForRate', () => {
  it('keeps what it promises, upwards and downwards', () => {
    for (const [accepted, rejected] of [
      [0.01, 0.02],
      [0.02, 0.01],
      [0, 0.01],
      [0.5, 0.6],
    ]) {
      const { n, threshold, falseAlarm, power } = sampleSizeForRate({ accepted, rejected })
      const refused = (p: number) =>
        rejected > accepted ? binomialAtLeast(threshold, n, p) : binomialAtMost(threshold, n, p)
      expect(refused(accepted)).to.equal(falseAlarm).and.to.be.at.most(1e-4)
      expect(refused(rejected)).to.equal(power).and.to.be.at.least(0.99)
    }
  })

  it('agrees with the usual normal approximation to a few per cent', () => {
    // ((1.6449 √(.5·.5) + 1.2816 √(.4·.6)) / .1)² = 210 for 5 % and 90 %.
    expect(sampleSizeForRate({ accepted: 0.5, rejected: 0.4, falseAlarm: 0.05, power: 0.9 }).n).to.be.within(205, 225)
  })

  it('agrees with acceptRate about the threshold', () => {
    const { n, threshold } = sampleSizeForRate({ accepted: 0.01, rejected: 0.02 })
    const verdict = (successes: number) => acceptRate({ successes, n, expected: { max: 0.01 } }).verdict
    expect([threshold - 1, threshold].map(verdict)).to.deep.equal(['accepted', 'refused'])
  })

  it('asks for more where trials hang together', () => {
    const { n } = sampleSizeForRate({ accepted: 0.01, rejected: 0.02 })
    expect(sampleSizeForRate({ accepted: 0.01, rejected: 0.02, designEffect: 3 }).n).to.equal(3 * n)
  })

  it('explains itself', () => {
    expect(sampleSizeForRate({ accepted: 0.01, rejected: 0.02 }).text).to.equal(
      '5158 packets tell 1 % from 2 %: 81 or more refuse; ' +
        'a false alarm at most once in 10000 runs, a miss once in 100',
    )
  })

  it('refuses what cannot be told apart', () => {
    expect(() => sampleSizeForRate({ accepted: 0.1, rejected: 0.1 })).to.throw(RangeError, 'two different rates')
    expect(() => sampleSizeForRate({ accepted: 0.1, rejected: 0.100001 })).to.throw(RangeError, 'more than 1e9')
    expect(() => sampleSizeForRate({ accepted: 0.1, rejected: 0.2, power: 1 })).to.throw(RangeError, 'power')
  })
})
