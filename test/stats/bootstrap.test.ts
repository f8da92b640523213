import { expect } from 'chai'
import { Random } from '../../src/link/model/random.ts'
import { bootstrap, bootstrapMean, bootstrapPercentile } from '../../src/stats/bootstrap.ts'
import { percentile } from '../../src/stats/statistics.ts'

const HUNDRED = Array.from({ length: 100 }, (_, i) => i + 1)

describe('bootstrapPercentile', () => {
  it('gives the same interval for the same seed, and another for another', () => {
    const run = (seed: string) => bootstrapPercentile(HUNDRED, 0.9, 0.99, new Random(seed), 200)
    expect(run('a')).to.deep.equal(run('a'))
    expect(run('a')).to.not.deep.equal(run('b'))
  })

  it('is the plain bootstrap of the nearest-rank percentile, only faster', () => {
    const plain = bootstrap(
      HUNDRED,
      sample =>
        percentile(
          [...sample].sort((x, y) => x - y),
          0.9,
        ),
      0.95,
      new Random('s'),
      300,
    )
    expect(bootstrapPercentile(HUNDRED, 0.9, 0.95, new Random('s'), 300)).to.deep.equal(plain)
  })

  it('contains the estimate, and is a point for equal measurements', () => {
    const { estimate, low, high } = bootstrapPercentile(HUNDRED, 0.5, 0.95, new Random('s'))
    expect(estimate).to.equal(50)
    expect(low).to.be.within(35, 45)
    expect(high).to.be.within(55, 65)
    expect(bootstrapPercentile([7, 7, 7], 0.5, 0.95, new Random('s'))).to.deep.equal({ estimate: 7, low: 7, high: 7 })
  })

  it('covers the true median about as often as it says (simulated, fixed seed)', () => {
    const random = new Random('coverage', 'bootstrap')
    const runs = 200
    let covered = 0
    for (let run = 0; run < runs; run++) {
      const values = Array.from({ length: 60 }, () => -Math.log(1 - random.float()))
      const { low, high } = bootstrapPercentile(values, 0.5, 0.9, random, 200)
      if (low <= Math.LN2 && Math.LN2 <= high) covered++
    }
    expect(covered / runs).to.be.within(0.83, 0.97)
  })

  it('refuses what cannot be', () => {
    expect(() => bootstrapPercentile([], 0.5, 0.95, new Random('s'))).to.throw(RangeError, 'at least one')
    expect(() => bootstrapPercentile([1], 0.5, 95, new Random('s'))).to.throw(RangeError, 'between 0 and 1')
    expect(() => bootstrapPercentile([1], 0.5, 0.95, new Random('s'), 0)).to.throw(RangeError, '1 or more')
  })
})

describe('bootstrapMean', () => {
  it('is about as wide as the standard error says', () => {
    const { estimate, low, high } = bootstrapMean(HUNDRED, 0.95, new Random('s'))
    expect(estimate).to.equal(50.5)
    // 1.96 × 28.87 / √100 on either side.
    expect(low).to.be.closeTo(50.5 - 5.66, 0.6)
    expect(high).to.be.closeTo(50.5 + 5.66, 0.6)
  })
})
