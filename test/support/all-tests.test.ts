import { expect } from 'chai'
import fc from 'fast-check'

describe('all tests', () => {
  it('that look for a property get inputs as long as they say', () => {
    const lengths = fc.sample(fc.uint8Array({ maxLength: 200 }), 300).map(({ length }) => length)
    expect(Math.max(...lengths)).to.be.above(150)
  })

  it('say the whole of a value that is not as expected', () => {
    const long = 'the connection '.repeat(20)
    expect(() => expect(long).to.match(/^$/)).to.throw(long)
  })
})
