import { expect } from 'chai'
import fc from 'fast-check'
import { DecodeError, TruncatedError } from '../../../src/bytes/errors.ts'
import { Reader } from '../../../src/bytes/reader.ts'
import { Writer } from '../../../src/bytes/writer.ts'
import { decodeInteger, encodeInteger } from '../../../src/http3/qpack/integer.ts'
import { hex, toHex } from '../conversation.ts'

function encode(prefixBits: number, firstBits: number, value: number): Uint8Array {
  const writer = new Writer()
  encodeInteger(writer, prefixBits, firstBits, value)
  return writer.finish()
}

function decode(prefixBits: number, bytes: Uint8Array): number {
  const reader = new Reader(bytes)
  return decodeInteger(reader, prefixBits, reader.u8())
}

describe('QPACK prefixed integers (RFC 9204 §4.1.1)', () => {
  it('H3-04 encode and decode the examples of RFC 7541 Appendix C.1', () => {
    for (const [prefixBits, value, bytes] of [
      [5, 10, '0a'],
      [5, 1337, '1f9a0a'],
      [8, 42, '2a'],
    ] as const) {
      expect(toHex(encode(prefixBits, 0, value))).to.equal(bytes)
      expect(decode(prefixBits, hex(bytes))).to.equal(value)
    }
  })

  it('H3-04 survive a round trip with every prefix, and keep the bits before the prefix', () => {
    const values = fc.oneof(fc.nat(300), fc.maxSafeNat())
    fc.assert(
      fc.property(fc.integer({ min: 3, max: 8 }), fc.nat(255), values, (prefixBits, bits, value) => {
        const firstBits = (bits >> prefixBits) << prefixBits
        const bytes = encode(prefixBits, firstBits, value)
        expect(bytes[0] >> prefixBits).to.equal(firstBits >> prefixBits)
        expect(decode(prefixBits, bytes)).to.equal(value)
        for (let end = 1; end < bytes.length; end++) {
          expect(() => decode(prefixBits, bytes.subarray(0, end))).to.throw(TruncatedError)
        }
      }),
    )
  })

  it('H3-04 of up to 62 bits are read, larger ones are refused', () => {
    // 2^62 - 1 with an 8-bit prefix: 255 + the rest in nine groups of seven bits.
    expect(decode(8, hex('ff 80 fe ff ff ff ff ff ff 3f'))).to.equal(Number.POSITIVE_INFINITY)
    expect(() => decode(8, hex('ff ff ff ff ff ff ff ff ff 7f'))).to.throw(DecodeError, '62 bits')
    expect(() => decode(8, hex('ff ff ff ff ff ff ff ff ff ff ff ff ff ff 01'))).to.throw(DecodeError, '62 bits')
  })
})
