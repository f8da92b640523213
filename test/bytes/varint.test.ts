import { expect } from 'chai'
import fc from 'fast-check'
import { DecodeError, TruncatedError } from '../../src/bytes/errors.ts'
import {
  decodeSmallVarint,
  decodeVarint,
  encodeVarint,
  MAX_VARINT,
  varintLength,
  varintLengthFromFirstByte,
} from '../../src/bytes/varint.ts'

const anyValue = fc.oneof(
  fc.bigInt(0n, MAX_VARINT),
  fc.constantFrom(0n, 63n, 64n, 16383n, 16384n, (1n << 30n) - 1n, 1n << 30n, (1n << 53n) - 1n, 1n << 53n, MAX_VARINT),
)

function encode(value: number | bigint): Uint8Array {
  const out = new Uint8Array(varintLength(value))
  expect(encodeVarint(value, out, 0)).to.equal(out.length)
  return out
}

describe('varint', () => {
  it('decodes the examples of RFC 9000 appendix A.1', () => {
    const examples: [string, bigint][] = [
      ['c2197c5eff14e88c', 151288809941952652n],
      ['9d7f3e7d', 494878333n],
      ['7bbd', 15293n],
      ['25', 37n],
    ]
    for (const [hex, value] of examples) {
      const bytes = Uint8Array.from(hex.match(/../g) ?? [], byte => Number.parseInt(byte, 16))
      expect(decodeVarint(bytes)).to.equal(value)
      expect(encode(value)).to.deep.equal(bytes)
    }
    expect(decodeVarint(Uint8Array.of(0x40, 0x25)), 'a longer encoding than needed').to.equal(37n)
  })

  it('brings every value back, in the fewest bytes', () => {
    fc.assert(
      fc.property(anyValue, value => {
        const bytes = encode(value)
        expect(decodeVarint(bytes)).to.equal(value)
        expect(varintLengthFromFirstByte(bytes[0])).to.equal(bytes.length)
        expect(bytes.length).to.equal(value < 64n ? 1 : value < 16384n ? 2 : value < 1n << 30n ? 4 : 8)
      }),
    )
  })

  it('encodes a number as it encodes the same bigint', () => {
    fc.assert(
      fc.property(fc.maxSafeNat(), value => {
        expect(encode(value)).to.deep.equal(encode(BigInt(value)))
      }),
    )
  })

  it('writes at an offset and leaves the bytes around it alone', () => {
    fc.assert(
      fc.property(anyValue, value => {
        const length = varintLength(value)
        const out = new Uint8Array(length + 6).fill(0xee)
        expect(encodeVarint(value, out.subarray(1), 2)).to.equal(length + 2)
        expect([...out.subarray(0, 3), ...out.subarray(length + 3)]).to.deep.equal(Array(6).fill(0xee))
        expect(decodeVarint(out, 3)).to.equal(value)
      }),
    )
  })

  it('decodes small values as numbers and says when a value is not small', () => {
    fc.assert(
      fc.property(anyValue, value => {
        const expected = value <= BigInt(Number.MAX_SAFE_INTEGER) ? Number(value) : Number.POSITIVE_INFINITY
        expect(decodeSmallVarint(encode(value))).to.equal(expected)
      }),
    )
  })

  it('says that the input is cut short, at every byte', () => {
    fc.assert(
      fc.property(anyValue, value => {
        const bytes = encode(value)
        for (let length = 0; length < bytes.length; length++) {
          expect(() => decodeVarint(bytes.subarray(0, length))).to.throw(TruncatedError)
          expect(decodeSmallVarint(bytes.subarray(0, length))).to.equal(-1)
        }
      }),
    )
  })

  it('gives a value or a DecodeError for any bytes and any offset', () => {
    fc.assert(
      fc.property(fc.uint8Array({ maxLength: 12 }), fc.nat(14), (bytes, offset) => {
        try {
          const value = decodeVarint(bytes, offset)
          expect(decodeSmallVarint(bytes, offset)).to.equal(
            value > Number.MAX_SAFE_INTEGER ? Number.POSITIVE_INFINITY : Number(value),
          )
        } catch (error) {
          expect(error).to.be.instanceOf(DecodeError)
          expect(decodeSmallVarint(bytes, offset)).to.equal(-1)
        }
      }),
    )
  })

  it('refuses to encode what a varint cannot hold', () => {
    const out = new Uint8Array(8)
    for (const value of [-1, -1n, MAX_VARINT + 1n, Number.POSITIVE_INFINITY]) {
      expect(() => encodeVarint(value, out, 0)).to.throw(RangeError)
    }
  })

  it('refuses to encode where there is no room', () => {
    fc.assert(
      fc.property(anyValue, fc.nat(8), (value, room) => {
        fc.pre(room < varintLength(value))
        expect(() => encodeVarint(value, new Uint8Array(room + 3), 3)).to.throw(RangeError)
      }),
    )
  })
})
