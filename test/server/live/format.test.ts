import { expect } from 'chai'
import { module } from './modules.ts'

const { bitRate, milliseconds, nameOf, percent, roundUp } = await module('format.mjs')

describe('numbers in the live view', () => {
  it('have three digits and a unit', () => {
    const texts = [null, 0, 999, 999.6, 1234, 12_345, 123_456, 999_600, 98_765_432, 5e9, 5e12].map(rate =>
      bitRate(rate).join(' '),
    )
    expect(texts).to.deep.equal([
      '– Mbit/s',
      '0 bit/s',
      '999 bit/s',
      '1.00 kbit/s',
      '1.23 kbit/s',
      '12.3 kbit/s',
      '123 kbit/s',
      '1.00 Mbit/s',
      '98.8 Mbit/s',
      '5.00 Gbit/s',
      '5000 Gbit/s',
    ])
    expect([null, 0, 1, 2.5, 119].map(ms => milliseconds(ms).join(' '))).to.deep.equal([
      '– ms',
      '<1 ms',
      '1 ms',
      '2.5 ms',
      '119 ms',
    ])
    expect([null, 0, 0.00001, 0.0123, 1].map(share => percent(share)[0])).to.deep.equal([
      '–',
      '0',
      '<0.01',
      '1.23',
      '100',
    ])
  })

  it('end an axis at 1, 2 or 5 times a power of ten', () => {
    expect([0, 0.3, 1, 1.01, 3, 7, 1e6, 1_000_001].map(roundUp)).to.deep.equal([1, 0.5, 1, 2, 5, 10, 1e6, 2e6])
    expect(roundUp(Number.NaN)).to.equal(1)
  })

  it('stand beside names in which nothing hides, turns the text around or breaks the line', () => {
    expect(nameOf({ identity: 'a\u202eb\u200bc\nd', addresses: [] })).to.equal('a·b·c·d')
    expect(nameOf({ addresses: ['10.89.0.2'], remote: '127.0.0.1:9' })).to.equal('10.89.0.2')
    expect(nameOf({ addresses: [], remote: '127.0.0.1:9' })).to.equal('127.0.0.1:9')
    expect(nameOf({ identity: 'a-very-long-name', addresses: [] }, 8)).to.equal('a-very-…')
  })
})
