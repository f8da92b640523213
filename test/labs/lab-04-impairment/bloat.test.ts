import { expect } from 'chai'
import { Seeded } from '../../../labs/kit/check/seeded.ts'
import { formulas } from '../../../labs/lab-04-impairment/checks/bloat.ts'

/** The same limit, calculated in the orders that people think in. */
const ORDERS: Readonly<Record<string, (bitsPerSecond: number, targetMs: number) => number>> = {
  'bits first': (rate, target) => Math.floor((rate * target) / 8000),
  'seconds first': (rate, target) => Math.floor((rate / 8) * (target / 1000)),
  'bits in so many seconds': (rate, target) => Math.floor((rate * (target / 1000)) / 8),
  'kbit/s': (rate, target) => Math.floor((rate / 1000) * (target / 8)),
}

describe('labs/lab-04-impairment: bloat', () => {
  for (const [order, limitFor] of Object.entries(ORDERS)) {
    it(`asks for no limit that floating point makes another one: ${order}`, () => {
      for (let student = 0; student < 300; student++) {
        const { calls } = formulas(new Seeded(`student ${student}`, 'bloat')).find(({ name }) => name === 'limitFor')!
        for (const { args, returns } of calls) {
          const [rate, target] = args as [number, number]
          expect(limitFor(rate, target), `${rate} bit/s, ${target} ms`).to.equal(returns)
        }
      }
    })
  }
})
