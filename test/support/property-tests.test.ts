import { expect } from 'chai'
import fc from 'fast-check'

describe('property tests', () => {
  it('get inputs as long as they say', () => {
    const lengths = fc.sample(fc.uint8Array({ maxLength: 200 }), 300).map(({ length }) => length)
    expect(Math.max(...lengths)).to.be.above(150)
  })
})
