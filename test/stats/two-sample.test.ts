import { expect } from 'chai'
import { Random } from '../../src/link/model/random.ts'
import {
  batchMeans,
  chiSquareTwoSample,
  compareDistributions,
  compareMeans,
  compareProportions,
  effectiveSize,
  fisherExact,
  ksCritical,
  ksDistance,
} from '../../src/stats/two-sample.ts'

const relative = (value: number, expected: number, tolerance: number) =>
  expect(Math.abs(value / expected - 1), `${value} for ${expected}`).to.be.below(tolerance)

describe('tests of two samples', () => {
  it('finds the lady who tastes tea no better than chance would (Fisher 1935)', () => {
    // 3 of 4 against 1 of 4: (16 + 1) / 70 in one tail.
    relative(fisherExact(3, 4, 1, 4), (2 * 17) / 70, 1e-10)
    relative(fisherExact(4, 4, 0, 4), 2 / 70, 1e-10)
    expect(fisherExact(5, 100, 5, 100)).to.equal(1)
    relative(fisherExact(0, 10_000, 20, 10_000), 2 * 2 ** -20, 0.02)
    expect(() => fisherExact(5, 4, 0, 1)).to.throw(RangeError)
  })

  it('accepts proportions within the bound and refuses those far out of it', () => {
    expect(compareProportions(200, 10_000, 215, 10_000, 1e-6).agrees).to.equal(true)
    const apart = compareProportions(200, 10_000, 330, 10_000, 1e-6)
    expect(apart.agrees).to.equal(false)
    expect(apart.difference).to.be.closeTo(0.013, 1e-12)
    expect(apart.bound).to.be.closeTo(4.8916 * Math.sqrt(0.0265 * 0.9735 * 2e-4), 1e-5)
  })

  it('compares means as Welch does, with a tolerance on top', () => {
    const a = [27.5, 21.0, 19.0, 23.6, 17.0, 17.9, 16.9, 20.1, 21.9, 22.6, 23.1, 19.6, 19.0, 21.7, 21.4]
    const b = [27.1, 22.0, 20.8, 23.4, 23.4, 23.5, 25.8, 22.0, 24.8, 20.2, 21.9, 22.1, 22.9, 30.5, 22.8]
    // Welch's t for these is -2.7 or so: told apart at 5 %, not at 1 in 10 000.
    expect(compareMeans(a, b, 0.05).agrees).to.equal(false)
    expect(compareMeans(a, b, 1e-4).agrees).to.equal(true)
    expect(compareMeans(a, b, 0.05, 1).agrees).to.equal(true)
    expect(compareMeans([1, 1, 1], [1, 1, 1], 1e-6)).to.deep.equal({ agrees: true, difference: 0, bound: 0 })
    expect(() => compareMeans([1], [1, 2], 0.1)).to.throw(RangeError)
  })

  it('takes the means of batches and leaves the rest out', () => {
    expect(batchMeans([1, 3, 5, 7, 100], 2)).to.deep.equal([2, 6])
    expect(() => batchMeans([1], 2)).to.throw(RangeError)
  })

  it('knows that a series in which each value comes ten times is worth a tenth of its length', () => {
    const random = new Random('effective size')
    const independent = Float64Array.from({ length: 20_000 }, () => random.float())
    const repeated = Float64Array.from({ length: 20_000 }, (_, i) => independent[Math.floor(i / 10)])
    // The variance of 40 batch means has a relative error of 0.23 (one sigma).
    expect(effectiveSize(independent)).to.be.above(8000)
    expect(effectiveSize(repeated)).to.be.within(700, 5500)
    expect(effectiveSize(new Float64Array(1000).fill(0.1))).to.equal(1000)
  })

  it('measures the Kolmogorov–Smirnov distance, ties and tolerance included', () => {
    expect(ksDistance([1, 2, 3, 4], [1, 2, 3, 4])).to.equal(0)
    expect(ksDistance([1, 2, 3, 4], [5, 6, 7, 8])).to.equal(1)
    expect(ksDistance([1, 2, 3, 4], [3, 4, 5, 6])).to.equal(0.5)
    expect(ksDistance([1, 1, 1, 2], [1, 2, 2, 2])).to.equal(0.5)
    expect(ksDistance([1, 2, 3, 4], [2, 3, 4, 5], 1)).to.equal(0)
    expect(ksDistance([1, 2, 3, 4], [3, 4, 5, 6], 1)).to.equal(0.25)
    relative(ksCritical(100, 100, 0.05), 0.19206, 1e-3)
  })

  it('tells a uniform from a normal distribution of the same mean and deviation, and not one uniform from another', () => {
    const random = new Random('ks')
    const uniform = () => Float64Array.from({ length: 3000 }, () => (random.float() - 0.5) * Math.sqrt(12)).sort()
    const normal = Float64Array.from({ length: 3000 }, () => {
      const radius = Math.sqrt(-2 * Math.log(1 - random.float()))
      return radius * Math.cos(2 * Math.PI * random.float())
    }).sort()
    expect(compareDistributions(uniform(), uniform(), 1e-6).agrees).to.equal(true)
    expect(compareDistributions(uniform(), normal, 1e-6).agrees).to.equal(false)
    expect(compareDistributions(uniform(), normal, 1e-6, { allowance: 0.05 }).agrees).to.equal(true)
    expect(compareDistributions(uniform(), normal, 1e-6, { sizes: [50, 50] }).agrees).to.equal(true)
  })

  it('compares rows of counts, taking rare categories together', () => {
    const same = chiSquareTwoSample([100, 50, 25, 12, 6, 3], [200, 100, 50, 24, 12, 6])
    expect(same.statistic).to.be.closeTo(0, 1e-12)
    expect(same.degreesOfFreedom).to.equal(3)
    const apart = chiSquareTwoSample([60, 40], [40, 60])
    relative(apart.statistic, 8, 1e-12)
    relative(apart.probability, 0.00467773, 1e-5)
    expect(chiSquareTwoSample([5], [7]).probability).to.equal(1)
  })
})
