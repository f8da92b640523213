import { expect } from 'chai'
import fc from 'fast-check'
import { FEC_FIELD, fecField, readFecField } from '../../../src/connect-ip/fec/negotiation.ts'

const read = (...values: string[]) => readFecField(values.map(value => [FEC_FIELD, value]))

describe('connect-ip/fec/negotiation', () => {
  it('is an Integer with the context id as its parameter', () => {
    const agreement = { groupSize: 8, contextId: 2 }
    expect(fecField(agreement)).to.deep.equal(['masque-lab-fec', '8;context=2'])
    expect(read('8;context=2')).to.deep.equal(agreement)
    expect(read(' 32;later=?1;context=999999999999998 ')).to.deep.equal({
      groupSize: 32,
      contextId: 999_999_999_999_998,
    })
  })

  it('is as good as not there when it cannot be read, or cannot be meant', () => {
    expect(readFecField([[':status', '200']])).to.equal(undefined)
    const ids = ['8;context=0', '8;context=3', '8;context=-2', '8;context=2.5', '8;context="2"', '8;context', '8']
    const sizes = ['1;context=2', '33;context=2', '0;context=2', '-8;context=2', '2.5;context=2', '"8";context=2']
    for (const value of [...ids, ...sizes, '', '8, 8', '(8);context=2', '8;context=9999999999999999', '☃']) {
      expect(read(value), value).to.equal(undefined)
    }
    expect(read('8;context=2', '8;context=2')).to.equal(undefined)
  })

  it('never throws', () => {
    fc.assert(fc.property(fc.string({ maxLength: 50 }), value => void read(value)))
  })
})
