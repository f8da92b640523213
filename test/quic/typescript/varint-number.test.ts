import { expect } from 'chai'
import fc from 'fast-check'
import { decodeVarint, encodeVarint, MAX_VARINT } from '../../../src/bytes/varint.ts'
import {
  joinVarint,
  LARGEST_VARINT,
  varintNumberLength,
  writeVarint,
} from '../../../src/quic/typescript/varint-number.ts'
import { WireReader } from '../../../src/quic/typescript/wire-reader.ts'

const EDGES = [0, 63, 64, 16383, 16384, 2 ** 30 - 1, 2 ** 30, 2 ** 31, 2 ** 32 - 1, 2 ** 32, Number.MAX_SAFE_INTEGER]

describe('varints as numbers', () => {
  it('are encoded as the general codec does, up to 2^53-1', () => {
    fc.assert(
      fc.property(fc.oneof(fc.maxSafeNat(), fc.constantFrom(...EDGES)), fc.nat(3), (value, offset) => {
        const ours = new Uint8Array(12)
        const theirs = new Uint8Array(12)
        expect(writeVarint(value, ours, offset)).to.equal(encodeVarint(value, theirs, offset))
        expect(ours).to.deep.equal(theirs)
        expect(varintNumberLength(value)).to.equal(writeVarint(value, ours, 0))
      }),
    )
  })

  it('stay on the side of a bound on which they are, where they are not exact', () => {
    const large = fc.bigInt(1n << 53n, MAX_VARINT)
    const near = fc.tuple(fc.integer({ min: 53, max: 61 }), fc.integer({ min: -2, max: 2 }))
    const value = fc.oneof(
      large,
      near.map(([power, delta]) => (1n << BigInt(power)) + BigInt(delta)),
    )
    fc.assert(
      fc.property(value, fc.integer({ min: 53, max: 61 }), (value, power) => {
        const bytes = new Uint8Array(8)
        encodeVarint(value, bytes, 0)
        const read = new WireReader(bytes).varint()
        expect(read > 2 ** power).to.equal(value > 1n << BigInt(power))
        expect(read).to.be.at.least(Number(value))
        expect(read).to.be.at.most(LARGEST_VARINT)
      }),
    )
  })

  it('end with 2^62-1, both ways', () => {
    const bytes = new Uint8Array(8).fill(0xff)
    expect(new WireReader(bytes).varint()).to.equal(LARGEST_VARINT)
    expect(joinVarint(0x3fffffff, 0xffffffff)).to.equal(LARGEST_VARINT)
    const back = new Uint8Array(8)
    writeVarint(LARGEST_VARINT, back, 0)
    expect(decodeVarint(back)).to.equal(MAX_VARINT)
  })
})
