import { expect } from 'chai'
import {
  binomialAtLeast,
  binomialAtMost,
  chiSquareTail,
  logChoose,
  normalQuantile,
  normalTail,
  studentQuantile,
  studentTail,
} from '../../src/stats/distributions.ts'

/** To 8 digits at least, however small it is. */
const relative = (value: number, expected: number, tolerance = 1e-8) =>
  expect(Math.abs(value / expected - 1), `${value} for ${expected}`).to.be.below(tolerance)

// The long values come from mpmath at 40 digits: erfc, the incomplete beta and gamma functions, sums of the binomial distribution.
describe('distributions', () => {
  describe('normal', () => {
    it('has the tails of the tables, and those far beyond the tables', () => {
      expect(normalTail(0)).to.equal(0.5)
      for (const [z, tail] of [
        [-1, 0.841344746068543],
        [0.5, 0.3085375387259869],
        [1, 0.158655253931457],
        [1.959963984540054, 0.025],
        [2.9, 0.0018658133003840384],
        [3.1, 0.0009676032132183566],
        [3.5, 2.32629079035525e-4],
        [5, 2.866515718791939e-7],
        [6, 9.86587645037698e-10],
        [8, 6.220960574271784e-16],
        [20, 2.7536241186062337e-89],
      ]) {
        relative(normalTail(z), tail, 1e-11)
      }
    })

    it('has the quantiles of the tables', () => {
      for (const [tail, z] of [
        [0.025, 1.959963984540054],
        [0.975, -1.959963984540054],
        [0.005, 2.5758293035489],
        [1e-4, 3.719016485455709],
        [5e-5, 3.890591886413094],
        [1e-7, 5.1993375821928165],
        [1e-9, 5.997807015008182],
        [1e-15, 7.941345326170997],
      ]) {
        relative(normalQuantile(tail), z, 1e-11)
      }
      expect(normalQuantile(0.5)).to.be.closeTo(0, 1e-12)
      for (const tail of [0, 1, -1, Number.NaN]) expect(() => normalQuantile(tail)).to.throw(RangeError)
    })

    it('has a quantile that is the inverse of the tail, and no step where formulas change', () => {
      expect(normalTail(3)).to.be.closeTo(normalTail(3 - 1e-9), 1e-11)
      for (const tail of [1e-12, 1e-6, 0.01, 0.3]) relative(normalTail(normalQuantile(tail)), tail, 1e-9)
    })
  })

  describe('binomial', () => {
    it('sums up to its tails', () => {
      for (const n of [1, 2, 7, 30]) {
        for (const p of [0.01, 0.3, 0.5, 0.99]) {
          let atMost = 0
          for (let k = 0; k <= n; k++) {
            expect(binomialAtLeast(k, n, p)).to.be.closeTo(1 - atMost, 1e-12)
            atMost += Math.exp(logChoose(n, k)) * p ** k * (1 - p) ** (n - k)
            expect(binomialAtMost(k, n, p)).to.be.closeTo(atMost, 1e-12)
          }
        }
      }
    })

    it('is right far out in either tail', () => {
      relative(binomialAtLeast(15, 100, 0.05), 1.358542389922911e-4)
      relative(binomialAtLeast(100, 3000, 0.02), 1.124716592830151e-6)
      relative(binomialAtLeast(200, 3000, 0.04), 5.307934056807018e-12)
      relative(binomialAtLeast(50, 3000, 0.001), 8.68418915087633e-43)
      relative(binomialAtMost(20, 3000, 0.02), 1.483487873449953e-9)
      relative(binomialAtMost(0, 5000, 0.002), 4.494759270793597e-5)
      relative(binomialAtMost(2900, 3000, 0.99), 3.217973834261908e-24)
    })

    it('is p for one of one trial, and certain or impossible at the ends', () => {
      for (const p of [0, 0.2, 0.7, 1]) expect(binomialAtLeast(1, 1, p)).to.be.closeTo(p, 1e-14)
      expect(binomialAtLeast(0, 5, 0.1)).to.equal(1)
      expect(binomialAtLeast(6, 5, 0.1)).to.equal(0)
      expect(binomialAtMost(5, 5, 0.1)).to.equal(1)
      expect(binomialAtMost(-1, 5, 0.1)).to.equal(0)
    })

    it('copes with a million trials', () => {
      expect(binomialAtLeast(500_000, 1_000_000, 0.5)).to.be.closeTo(0.5 + 0.5 * 7.978843e-4, 1e-7)
    })
  })

  describe('Student', () => {
    it('has the quantiles of the tables, and those of thin tails', () => {
      for (const [tail, degreesOfFreedom, t] of [
        [0.025, 1, 12.706204736174707],
        [0.025, 10, 2.228138851986275],
        [0.025, 30, 2.042272456301238],
        [0.0005, 30, 3.645958635042022],
        [0.001, 2, 22.327124770119877],
        [5e-5, 1, 6366.197671315936],
        [5e-5, 31, 4.460989140783943],
        [1e-7, 3, 222.57159094719873],
        [1e-7, 39, 6.297597789009745],
        [2.5e-5, 1000, 4.073386327283172],
      ]) {
        relative(studentQuantile(tail, degreesOfFreedom), t)
        relative(studentTail(t, degreesOfFreedom), tail)
      }
      for (const tail of [0, 0.5, Number.NaN]) expect(() => studentQuantile(tail, 10)).to.throw(RangeError)
    })

    it('becomes the normal distribution with many degrees of freedom', () => {
      for (const tail of [0.4, 0.025, 5e-5, 1e-8]) relative(studentQuantile(tail, 1e6), normalQuantile(tail), 1e-5)
    })
  })

  describe('chi-square', () => {
    it('has the tails of the tables, and those far beyond the tables', () => {
      for (const [x, degreesOfFreedom, tail] of [
        [3.841458820694124, 1, 0.05],
        [18.307038053275146, 10, 0.05],
        [2, 2, Math.exp(-1)],
        [60, 2, Math.exp(-30)],
        [1, 1, 2 * normalTail(1)],
        [10, 3, 0.018566135463043233],
        [15, 30, 0.9897395720876574],
        [50, 10, 2.6690834249044957e-7],
        [150, 30, 6.706952523937961e-18],
        [200, 100, 1.1784500720979422e-8],
      ]) {
        relative(chiSquareTail(x, degreesOfFreedom), tail, 1e-10)
      }
      expect(chiSquareTail(0, 3)).to.equal(1)
      expect(() => chiSquareTail(1, 0)).to.throw(RangeError)
    })
  })
})
