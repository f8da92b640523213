import { expect } from 'chai'
import fc from 'fast-check'
import { WindowedMaximum } from '../../../../../src/quic/typescript/recovery/congestion/windowed-maximum.ts'

describe('windowed maximum', () => {
  it('is the largest of the values of the last rounds', () => {
    const step = fc.record({ value: fc.integer({ min: 1, max: 50 }), rounds: fc.nat({ max: 4 }) })
    fc.assert(
      fc.property(fc.array(step, { maxLength: 80 }), steps => {
        const maximum = new WindowedMaximum(10)
        const all: { value: number; round: number }[] = []
        let round = 0
        expect(maximum.value).to.equal(0)
        for (const { value, rounds } of steps) {
          round += rounds
          maximum.add(value, round)
          all.push({ value, round })
          const recent = all.filter(each => round - each.round < 10).map(each => each.value)
          expect(maximum.value).to.equal(Math.max(...recent))
        }
      }),
    )
  })
})
