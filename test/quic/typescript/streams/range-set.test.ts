import { expect } from 'chai'
import fc from 'fast-check'
import { RangeSet } from '../../../../src/quic/typescript/streams/range-set.ts'

const MOST = 60

describe('range set', () => {
  it('has what was added and not removed, in as few ranges as possible', () => {
    const step = fc.record({ add: fc.boolean(), start: fc.nat({ max: MOST }), length: fc.nat({ max: 12 }) })
    fc.assert(
      fc.property(fc.array(step, { maxLength: 60 }), steps => {
        const set = new RangeSet()
        const model = new Set<number>()
        for (const { add, start, length } of steps) {
          if (add) set.add(start, start + length)
          else set.remove(start, start + length)
          for (let i = start; i < start + length; i++) add ? model.add(i) : model.delete(i)
        }
        const expected: number[][] = []
        for (let i = 0; i <= MOST + 12; i++) {
          if (!model.has(i)) continue
          const start = i
          while (model.has(i)) i++
          expected.push([start, i])
        }
        expect(Array.from({ length: set.size }, (_, i) => [set.startAt(i), set.endAt(i)])).to.deep.equal(expected)
        expect(set.isEmpty).to.equal(model.size === 0)
      }),
    )
  })
})
