import { expect } from 'chai'
import fc from 'fast-check'
import { makeJoinCode, parseJoinCode } from '../../../../labs/kit/run/join-code.ts'

describe('the code of a class', () => {
  const port = fc.integer({ min: 1, max: 65_535 })
  const secret = fc.uint8Array({ minLength: 3, maxLength: 3 })

  it('says the port, and is the same however it is typed', () => {
    fc.assert(
      fc.property(port, secret, fc.boolean(), (port, secret, isSpaced) => {
        const text = makeJoinCode(port, secret)
        expect(text).to.match(/^[0-9A-HJKMNP-TV-Z]{4}-[0-9A-HJKMNP-TV-Z]{4}$/)
        const typed = text.toLowerCase().replace('-', isSpaced ? ' ' : '')
        expect(parseJoinCode(typed)).to.deep.equal({ port, text })
        expect(parseJoinCode(typed.replaceAll('0', 'o').replaceAll('1', 'l'))).to.deep.equal({ port, text })
      }),
    )
  })

  it('is another one for every port and all three bytes', () => {
    expect(makeJoinCode(8088, Uint8Array.of(0, 0, 0))).to.equal('3YC0-0000')
    expect(makeJoinCode(8088, Uint8Array.of(255, 255, 255))).to.equal('3YCF-ZZZZ')
    expect(makeJoinCode(65_535, Uint8Array.of(0, 1, 0))).to.equal('ZZZG-0080')
    expect(() => makeJoinCode(8088, Uint8Array.of(1, 2))).to.throw(RangeError)
  })

  it('is none where something else was typed, and nothing is too long to say so', () => {
    fc.assert(
      fc.property(fc.string({ unit: 'binary' }), text => {
        const code = parseJoinCode(text)
        if (code) expect(parseJoinCode(code.text)).to.deep.equal(code)
      }),
    )
    for (const text of ['', '1', '3YC0-000', '3YC0-00000', '3YC0_0000', 'UUUU-UUUU', '0000-0000', '-'.repeat(1e7)])
      expect(parseJoinCode(text), text.slice(0, 20)).to.equal(undefined)
  })
})
