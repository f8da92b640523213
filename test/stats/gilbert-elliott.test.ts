import { expect } from 'chai'
import fc from 'fast-check'
import { Random } from '../../src/link/model/random.ts'
import {
  fitGilbertElliott,
  fitSimpleGilbert,
  gilbertElliottDesignEffect,
  lossRuns,
} from '../../src/stats/gilbert-elliott.ts'

interface Model {
  p: number
  r: number
  oneMinusH?: number
}

/** As netem does it: first the state changes, then the packet is lost or not. */
function simulate({ p, r, oneMinusH = 1 }: Model, n: number, random: Random): boolean[] {
  let isBad = random.float() < p / (p + r)
  return Array.from({ length: n }, () => {
    if (random.float() < (isBad ? r : p)) isBad = !isBad
    return isBad && random.float() < oneMinusH
  })
}

describe('lossRuns', () => {
  it('counts runs by their length, also the one at the end', () => {
    const lost = [...'0110100111'].map(bit => bit === '1')
    expect(lossRuns(lost)).to.deep.equal({ sent: 10, lost: 6, lengths: [1, 1, 1], meanLength: 2 })
    expect(lossRuns([])).to.deep.equal({ sent: 0, lost: 0, lengths: [], meanLength: 0 })
  })

  it('loses no loss', () => {
    fc.assert(
      fc.property(fc.array(fc.boolean()), lost => {
        const { lengths, lost: total } = lossRuns(lost)
        expect(total).to.equal(lost.filter(Boolean).length)
        expect(lengths.reduce((sum, count, i) => sum + count * (i + 1), 0)).to.equal(total)
      }),
      { numRuns: 200 },
    )
  })
})

describe('fitSimpleGilbert', () => {
  it('counts transitions', () => {
    const fit = fitSimpleGilbert([...'00110001'].map(bit => bit === '1'))!
    expect(fit.p.estimate).to.equal(2 / 5)
    expect(fit.r.estimate).to.equal(1 / 2)
  })

  it('has p and r in its intervals about as often as it says (simulated, fixed seed)', () => {
    const random = new Random('gilbert', 'simple')
    let covered = 0
    for (let run = 0; run < 100; run++) {
      const fit = fitSimpleGilbert(simulate({ p: 0.02, r: 0.3 }, 3000, random))!
      if (fit.p.low <= 0.02 && 0.02 <= fit.p.high) covered++
      if (fit.r.low <= 0.3 && 0.3 <= fit.r.high) covered++
    }
    expect(covered / 200).to.be.within(0.92, 0.995)
  })

  it('knows nothing when only one state shows', () => {
    expect(fitSimpleGilbert([])).to.equal(undefined)
    expect(fitSimpleGilbert([false, false, false])).to.equal(undefined)
    expect(fitSimpleGilbert([true, true, true])).to.equal(undefined)
  })
})

describe('fitGilbertElliott', () => {
  it('finds the parameters again, given enough packets', () => {
    const random = new Random('gilbert', 'large')
    for (const model of [
      { p: 0.01, r: 0.1, oneMinusH: 0.5 },
      { p: 0.03, r: 0.25, oneMinusH: 0.8 },
    ]) {
      const fit = fitGilbertElliott(simulate(model, 200_000, random), random, { resamples: 20 })!
      expect(fit.p.estimate / model.p).to.be.within(0.8, 1.25)
      expect(fit.r.estimate / model.r).to.be.within(0.8, 1.25)
      expect(fit.oneMinusH.estimate / model.oneMinusH).to.be.within(0.9, 1.1)
    }
  })

  it('has them in its intervals mostly (simulated, fixed seed)', () => {
    const random = new Random('gilbert', 'coverage')
    const model = { p: 0.02, r: 0.2, oneMinusH: 0.7 }
    let covered = 0
    const runs = 30
    for (let run = 0; run < runs; run++) {
      const fit = fitGilbertElliott(simulate(model, 20_000, random), random, { resamples: 150 })!
      for (const key of ['p', 'r', 'oneMinusH'] as const) {
        if (fit[key].low <= model[key] && model[key] <= fit[key].high) covered++
      }
    }
    expect(covered / (3 * runs)).to.be.above(0.8)
  })

  it('falls back on the simple model at its edge', () => {
    const random = new Random('gilbert', 'edge')
    const fit = fitGilbertElliott(simulate({ p: 0.02, r: 0.3 }, 50_000, random), random, { resamples: 200 })!
    expect(fit.oneMinusH.estimate).to.be.within(0.95, 1)
    expect(fit.oneMinusH.high).to.be.closeTo(1, 1e-9)
    expect(fit.p.estimate).to.be.within(0.017, 0.024)
  })

  it('finds no bursts where there are none, and nothing in too little', () => {
    const random = new Random('gilbert', 'none')
    // Losses that repel each other: every tenth packet.
    const regular = Array.from({ length: 5000 }, (_, i) => i % 10 === 0)
    expect(fitGilbertElliott(regular, random)).to.equal(undefined)
    expect(fitGilbertElliott(simulate({ p: 0.01, r: 0.5 }, 500, random), random)).to.equal(undefined)
  })

  it('gives probabilities whatever it is given', () => {
    fc.assert(
      fc.property(fc.array(fc.boolean(), { minLength: 150, maxLength: 400 }), fc.string(), (lost, seed) => {
        const fit = fitGilbertElliott(lost, new Random(seed), { resamples: 20 })
        if (fit === undefined) return
        for (const { estimate, low, high } of [fit.p, fit.r, fit.oneMinusH]) {
          expect([0, low, estimate, high, 1]).to.deep.equal([0, low, estimate, high, 1].sort((a, b) => a - b))
        }
      }),
      { numRuns: 100 },
    )
  })
})

describe('gilbertElliottDesignEffect', () => {
  it('is 1 for independent losses and (2-p-r)/(p+r) for the simple model', () => {
    expect(gilbertElliottDesignEffect({ p: 0.1, r: 0.9 })).to.be.closeTo(1, 1e-9)
    expect(gilbertElliottDesignEffect({ p: 0.02, r: 0.2 })).to.be.closeTo(1.78 / 0.22, 1e-9)
    expect(gilbertElliottDesignEffect({ p: 0.02, r: 0.2, oneMinusH: 0 })).to.equal(1)
    expect(() => gilbertElliottDesignEffect({ p: 0, r: 0 })).to.throw(RangeError, 'not both 0')
  })

  it('is how much more the number of losses varies (simulated, fixed seed)', () => {
    const random = new Random('gilbert', 'design')
    const model = { p: 0.02, r: 0.2, oneMinusH: 0.7 }
    const n = 1000
    const counts = Array.from({ length: 600 }, () => simulate(model, n, random).filter(Boolean).length)
    const mean = counts.reduce((sum, count) => sum + count, 0) / counts.length
    const variance = counts.reduce((sum, count) => sum + (count - mean) ** 2, 0) / (counts.length - 1)
    const independent = n * (mean / n) * (1 - mean / n)
    expect(variance / independent / gilbertElliottDesignEffect(model)).to.be.within(0.8, 1.25)
  })
})
