import { expect } from 'chai'
import fc from 'fast-check'
import { DecodeError } from '../../../src/bytes/errors.ts'
import { huffmanDecode, huffmanEncode, huffmanLength, StringTooLong } from '../../../src/http3/qpack/huffman.ts'
import { hex, toHex } from '../conversation.ts'

const ascii = (text: string) => Uint8Array.from(text, character => character.charCodeAt(0))

/** RFC 7541 Appendix C.4 and C.6. */
const EXAMPLES: [text: string, code: string][] = [
  ['www.example.com', 'f1e3c2e5f23a6ba0ab90f4ff'],
  ['no-cache', 'a8eb10649cbf'],
  ['custom-key', '25a849e95ba97d7f'],
  ['custom-value', '25a849e95bb8e8b4bf'],
  ['302', '6402'],
  ['307', '640eff'],
  ['private', 'aec3771a4b'],
  ['Mon, 21 Oct 2013 20:13:21 GMT', 'd07abe941054d444a8200595040b8166e082a62d1bff'],
  ['https://www.example.com', '9d29ad171863c78f0b97c8e9ae82ae43d3'],
  ['gzip', '9bd9ab'],
  [
    'foo=ASDJKHQKBZXOQWEOPIUAXQWEOIU; max-age=3600; version=1',
    '94e7821dd7f2e6c7b335dfdfcd5b3960d5af27087f3672c1ab270fb5291f9587316065c003ed4ee5b1063d5007',
  ],
]

describe('The Huffman code (RFC 7541 Appendix B)', () => {
  for (const [text, code] of EXAMPLES) {
    it(`H3-04 codes '${text.slice(0, 32)}' as RFC 7541 Appendix C shows`, () => {
      expect(toHex(huffmanEncode(ascii(text)))).to.equal(code)
      expect(huffmanDecode(hex(code))).to.deep.equal(ascii(text))
    })
  }

  it('H3-04 has the code lengths of RFC 7541 Appendix B at the edges of the table', () => {
    // '0' and 't': 5 bits; NUL: 13; 0x01: 23; LF: 30; 0xff: 26.
    const eight = (symbol: number) => huffmanLength(new Uint8Array(8).fill(symbol))
    expect([0x30, 0x74, 0x00, 0x01, 0x0a, 0xff].map(eight)).to.deep.equal([5, 5, 13, 23, 30, 26])
    expect(toHex(huffmanEncode(hex('ff')))).to.equal('fffffbbf')
    expect(toHex(huffmanEncode(hex('0a')))).to.equal('fffffff3')
    expect(toHex(huffmanEncode(hex('f9')))).to.equal('ffffffef')
  })

  it('H3-04 brings back every byte string', () => {
    fc.assert(
      fc.property(fc.uint8Array({ maxLength: 200 }), bytes => {
        const coded = huffmanEncode(bytes)
        expect(coded.length).to.equal(huffmanLength(bytes))
        expect(huffmanDecode(coded)).to.deep.equal(bytes)
      }),
      { numRuns: 300 },
    )
  })

  it('H3-04 has one coding only: what decodes is what encoding gives', () => {
    fc.assert(
      fc.property(fc.uint8Array({ maxLength: 64 }), coded => {
        let text: Uint8Array
        try {
          text = huffmanDecode(coded)
        } catch (error) {
          expect(error).to.be.instanceOf(DecodeError)
          return
        }
        expect(huffmanEncode(text)).to.deep.equal(coded)
      }),
      { numRuns: 500 },
    )
  })

  it('H3-04 refuses EOS, padding of zeros, and padding of a whole byte', () => {
    expect(() => huffmanDecode(hex('ffffffff'))).to.throw(DecodeError, 'EOS')
    expect(() => huffmanDecode(hex('00'))).to.throw(DecodeError, 'all ones')
    expect(() => huffmanDecode(hex('9bd9abff'))).to.throw(DecodeError, 'inside a code')
  })

  it('H3-04 is decoded up to the length that is taken, and no further', () => {
    // Ten times '0', whose code is 00000, and padding.
    const coded = hex('0000000000003f')
    expect(huffmanDecode(coded, 10)).to.have.length(10)
    expect(() => huffmanDecode(coded, 9)).to.throw(StringTooLong)
    expect(() => huffmanDecode(hex('00'.repeat(1000)), 0)).to.throw(StringTooLong)
    expect(huffmanDecode(new Uint8Array(0), 0)).to.have.length(0)
  })
})
