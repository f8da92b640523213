import { expect } from 'chai'
import { expectedLoss, lossProcess } from '../../../src/link/model/loss.ts'
import { fewestPacketsToSeeLoss, lossCountDistribution, lossCountRange } from '../../../src/link/model/loss-count.ts'
import { Random } from '../../../src/link/model/random.ts'
import type { LossModel } from '../../../src/link/profile/profile.ts'
import { binomialAtLeast, binomialAtMost } from '../../../src/stats/distributions.ts'

const models: LossModel[] = [
  { model: 'random', rate: 0.03, correlation: 0 },
  { model: 'gemodel', p: 0.02, r: 0.25, oneMinusH: 0.8, oneMinusK: 0.01 },
  { model: 'state', p13: 0.01, p31: 0.5, p32: 0.2, p23: 0.6, p14: 0.005 },
]

describe('the number of packets that a loss model loses', () => {
  for (const model of models) {
    it(`${model.model}: its probabilities add up to 1, and its mean is the expected loss`, () => {
      const packets = 2000
      const distribution = lossCountDistribution(model, packets) as Float64Array
      expect(distribution.reduce((sum, p) => sum + p, 0)).to.be.closeTo(1, 1e-9)
      const mean = distribution.reduce((sum, p, lost) => sum + p * lost, 0) / packets
      // The first packets come from the good state: a little less than in the long run.
      expect(mean).to.be.closeTo(expectedLoss(model) as number, 2e-4)
    })

    it(`${model.model}: the mean and the spread are those of the emulator's decisions`, () => {
      const [packets, runs] = [300, 600]
      const distribution = lossCountDistribution(model, packets) as Float64Array
      const moment = (power: number, centre: number) =>
        distribution.reduce((sum, p, lost) => sum + p * (lost - centre) ** power, 0)
      const mean = moment(1, 0)
      const variance = moment(2, mean)
      const counts = Array.from({ length: runs }, (_, run) => {
        const process = lossProcess(model, new Random('loss-count', `${run}`))
        return Array.from({ length: packets }, () => process.lost()).filter(Boolean).length
      })
      const measured = counts.reduce((sum, each) => sum + each, 0) / runs
      const spread = counts.reduce((sum, each) => sum + (each - measured) ** 2, 0) / (runs - 1)
      // The seeds are fixed: this is a comparison, not a game of chance. Five standard errors, and a third.
      expect(Math.abs(measured - mean)).to.be.below(5 * Math.sqrt(variance / runs))
      expect(spread / variance).to.be.within(0.67, 1.5)
    })
  }

  it('is binomial when losses are independent', () => {
    const [n, p, tail] = [1000, 0.02, 5e-5]
    const { low, high } = lossCountRange({ model: 'random', rate: p, correlation: 0 }, n, tail) as {
      low: number
      high: number
    }
    expect(binomialAtMost(low, n, p)).to.be.above(tail)
    expect(binomialAtMost(low - 1, n, p)).to.be.at.most(tail)
    expect(binomialAtLeast(high, n, p)).to.be.above(tail)
    expect(binomialAtLeast(high + 1, n, p)).to.be.at.most(tail)
  })

  it('is wider when losses come in bursts, and none where none are expected', () => {
    const bursts: LossModel = { model: 'gemodel', p: 0.0051, r: 0.25, oneMinusH: 1, oneMinusK: 0 }
    const independent: LossModel = { model: 'random', rate: 0.02, correlation: 0 }
    const [wide, narrow] = [bursts, independent].map(model => lossCountRange(model, 3000, 5e-5))
    expect(wide?.high).to.be.above(1.5 * (narrow?.high as number))
    expect(lossCountRange({ model: 'none' }, 3000, 5e-5)).to.deep.equal({ low: 0, high: 0 })
  })

  it('needs ln(tail) / ln(1 - loss) packets for no loss to be a surprise', () => {
    const needed = fewestPacketsToSeeLoss({ model: 'random', rate: 0.001, correlation: 0 }, 5e-5) as number
    expect(needed).to.equal(Math.ceil(Math.log(5e-5) / Math.log(0.999)))
    expect(fewestPacketsToSeeLoss({ model: 'none' }, 5e-5)).to.equal(1)
    expect(fewestPacketsToSeeLoss({ model: 'random', rate: 0.1, correlation: 0.5 }, 5e-5)).to.equal(undefined)
  })
})
