import { expect } from 'chai'
import { countDistribution, likelyCounts, sumDistribution } from '../../src/stats/count-distribution.ts'
import { binomialAtLeast } from '../../src/stats/distributions.ts'

const moments = (distribution: Float64Array) => {
  const mean = distribution.reduce((sum, p, k) => sum + p * k, 0)
  return { mean, variance: distribution.reduce((sum, p, k) => sum + p * (k - mean) ** 2, 0) }
}

describe('the distribution of a count of which mean and variance are known', () => {
  for (const [mean, variance] of [
    [0.2, 0.5],
    [3, 3],
    [20, 10],
    [200, 1500],
    [3000, 9000],
  ]) {
    it(`has the mean ${mean} and the variance ${variance} that were asked for`, () => {
      const distribution = countDistribution(mean, variance, 100_000)
      expect(distribution.reduce((sum, p) => sum + p, 0)).to.be.closeTo(1, 1e-9)
      const found = moments(distribution)
      expect(found.mean / mean).to.be.closeTo(1, 1e-6)
      expect(found.variance / variance).to.be.closeTo(1, 1e-6)
    })
  }

  it('is binomial where the variance is that of a binomial count', () => {
    const [n, p] = [40, 0.3]
    const distribution = countDistribution(n * p, n * p * (1 - p), 1000)
    const tail = distribution.slice(20).reduce((sum, each) => sum + each, 0)
    expect(tail).to.be.closeTo(binomialAtLeast(20, n, p), 1e-9)
    expect(distribution.length).to.be.at.most(n + 1)
  })

  it('is one value where there is no variance', () => {
    expect([...countDistribution(2, 0, 10)]).to.deep.equal([0, 0, 1])
    expect([...countDistribution(0, 0, 10)]).to.deep.equal([1])
  })

  it('of a sum has the sums of the means and variances, and its tails are what was asked for', () => {
    const one = countDistribution(5, 8, 1000)
    const other = countDistribution(7, 6, 1000)
    const sum = sumDistribution(one, other)
    expect(moments(sum).mean).to.be.closeTo(12, 1e-6)
    expect(moments(sum).variance).to.be.closeTo(14, 1e-6)
    const { low, high } = likelyCounts(sum, 1e-3)
    const below = sum.slice(0, low).reduce((total, p) => total + p, 0)
    const above = sum.slice(high + 1).reduce((total, p) => total + p, 0)
    expect(below).to.be.at.most(1e-3)
    expect(below + sum[low]).to.be.above(1e-3)
    expect(above).to.be.at.most(1e-3)
    expect(above + sum[high]).to.be.above(1e-3)
  })
})
