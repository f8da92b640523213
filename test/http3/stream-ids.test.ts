import { expect } from 'chai'
import fc from 'fast-check'
import { SeenStreams } from '../../src/http3/stream-ids.ts'

describe('Streams that were seen (RFC 9000 §2.1)', () => {
  it('H3-03 are new once, in whatever order they come', () => {
    const order = fc.uniqueArray(fc.nat(30), { maxLength: 20 })
    fc.assert(
      fc.property(order, indexes => {
        const seen = new SeenStreams(2, 40)
        for (const index of indexes) {
          expect(seen.isNew(2 + 4 * index)).to.equal(true)
          expect(seen.see(2 + 4 * index)).to.equal(true)
          expect(seen.isNew(2 + 4 * index)).to.equal(false)
        }
        for (let index = 0; index < 31; index++) {
          expect(seen.isNew(2 + 4 * index)).to.equal(!indexes.includes(index))
        }
      }),
    )
  })

  it('H3-03 may not be skipped without limit', () => {
    const seen = new SeenStreams(0, 10)
    expect(seen.see(4 * 10)).to.equal(true)
    expect(seen.see(4 * 12)).to.equal(false)
    expect(seen.see(4 * 3)).to.equal(true)
    expect(seen.see(4 * 12)).to.equal(true)
    expect(seen.see(2 ** 60)).to.equal(false)
  })
})
