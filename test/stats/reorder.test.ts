import { expect } from 'chai'
import fc from 'fast-check'
import { LARGEST_N, ReorderMeter, reordering } from '../../src/stats/reorder.ts'
import { SequenceWindow } from '../../src/stats/sequence-window.ts'

describe('RFC 4737 reordering', () => {
  it('is nothing for what arrives in order, with losses too', () => {
    expect(reordering([0, 1, 2, 5, 9])).to.deep.include({ received: 5, reordered: 0, ratio: 0, extent: undefined })
    expect(reordering([])).to.deep.include({ received: 0, ratio: 0, ratioInterval: { low: 0, high: 1 } })
  })

  it('has extent 4 and 4-reordering for 1 2 3 5 6 7 8 4 9', () => {
    const result = reordering([1, 2, 3, 5, 6, 7, 8, 4, 9])
    expect(result).to.deep.include({ received: 9, reordered: 1, ratio: 1 / 9, nReordered: [0, 1, 1, 1, 1] })
    expect(result.extent).to.deep.include({ count: 1, min: 4, max: 4 })
  })

  it('counts two late packets in a row as reordered, but only the first as n-reordered', () => {
    const result = reordering([1, 2, 5, 6, 7, 3, 4, 8])
    expect(result.reordered).to.equal(2)
    // 3 came three after 5, and 4 four after it; but right before 4 came 3, which is lower.
    expect(result.extent).to.deep.include({ min: 3, max: 4 })
    expect(result.nReordered).to.deep.equal([0, 1, 1, 1])
  })

  it('measures how late in time', () => {
    const meter = new ReorderMeter()
    expect(meter.arrive(0, 10)).to.equal('in-order')
    expect(meter.arrive(2, 20)).to.equal('in-order')
    expect(meter.arrive(3, 30)).to.equal('in-order')
    expect(meter.arrive(1, 45)).to.equal('reordered')
    expect(meter.summary().lateMs).to.deep.include({ min: 25, max: 25 })
  })

  it('takes the first copy and counts the others as duplicates', () => {
    expect(reordering([0, 1, 3, 2, 2, 3, 0])).to.deep.include({ received: 4, reordered: 1, duplicates: 3 })
  })

  it('does not judge what is too far behind', () => {
    expect(reordering([0, 1_000_000, 1])).to.deep.include({ received: 2, tooLate: 1, reordered: 0 })
  })

  it('agrees with the letter of the definitions, whatever the order', () => {
    fc.assert(
      fc.property(fc.uniqueArray(fc.integer({ min: 0, max: 300 }), { maxLength: 120 }), arrived => {
        const extents = arrived.flatMap((s, i) => {
          const j = arrived.findIndex(other => other > s)
          return j !== -1 && j < i ? [i - j] : []
        })
        const nReordered = (n: number) =>
          arrived.filter((s, i) => i >= n && arrived.slice(i - n, i).every(other => other > s)).length
        const result = reordering(arrived)
        expect(result.reordered).to.equal(extents.length)
        expect(result.extent?.max).to.equal(extents.length === 0 ? undefined : Math.max(...extents))
        for (let n = 1; n <= LARGEST_N; n++) expect(result.nReordered[n] ?? 0).to.equal(nReordered(n))
      }),
      { numRuns: 300 },
    )
  })
})

describe('SequenceWindow', () => {
  it('knows the numbers within the window, whatever comes', () => {
    fc.assert(
      fc.property(fc.array(fc.integer({ min: 0, max: 200 }), { maxLength: 200 }), sequences => {
        const window = new SequenceWindow(32)
        const seen = new Set<number>()
        let next = 0
        for (const sequence of sequences) {
          const expected =
            sequence >= next
              ? 'in-order'
              : sequence < next - 32
                ? 'too-late'
                : seen.has(sequence)
                  ? 'duplicate'
                  : 'late'
          expect(window.note(sequence)).to.equal(expected)
          if (expected !== 'too-late') seen.add(sequence)
          next = Math.max(next, sequence + 1)
          expect(window.nextExpected).to.equal(next)
          for (let s = Math.max(0, next - 32); s < next + 2; s++) expect(window.has(s)).to.equal(seen.has(s))
        }
      }),
      { numRuns: 200 },
    )
  })

  it('refuses a size that is no power of two', () => {
    for (const size of [0, 16, 33, 100]) expect(() => new SequenceWindow(size)).to.throw(RangeError)
  })
})
