import { expect } from 'chai'
import fc from 'fast-check'
import {
  FRAME_ENCODING_ERROR,
  PROTOCOL_VIOLATION,
  TransportError,
} from '../../../src/quic/typescript/transport-error.ts'
import { WireReader } from '../../../src/quic/typescript/wire-reader.ts'
import { WireWriter } from '../../../src/quic/typescript/wire-writer.ts'

describe('WireReader and WireWriter', () => {
  it('bring fields back', () => {
    fc.assert(
      fc.property(
        fc.integer({ min: 0, max: 255 }),
        fc.integer({ min: 0, max: 65535 }),
        fc.maxSafeNat(),
        fc.uint8Array({ maxLength: 50 }),
        fc.nat(9),
        (u8, u16, varint, bytes, offset) => {
          const to = new WireWriter(new Uint8Array(100), offset)
          to.u8(u8)
          to.u16(u16)
          to.varint(varint)
          to.write(bytes)
          to.zeros(2)
          const from = new WireReader(to.bytes, offset, to.offset)
          expect(from.u8()).to.equal(u8)
          expect(from.u16()).to.equal(u16)
          expect(from.varint()).to.equal(varint)
          expect(from.take(bytes.length)).to.deep.equal(bytes)
          expect([...from.rest()]).to.deep.equal([0, 0])
        },
      ),
    )
  })

  it('read any bytes to a value or a TransportError, and not beyond the end', () => {
    const operation = fc.constantFrom('u8' as const, 'u16' as const, 'varint' as const, 'rest' as const)
    fc.assert(
      fc.property(fc.uint8Array({ maxLength: 30 }), fc.nat(30), fc.array(operation), (bytes, end, operations) => {
        const from = new WireReader(bytes, 0, Math.min(end, bytes.length))
        for (const each of operations) {
          try {
            from[each]()
          } catch (error) {
            expect(error).to.be.instanceOf(TransportError)
            expect((error as TransportError).code).to.equal(FRAME_ENCODING_ERROR)
          }
          expect(from.offset).to.be.at.most(from.end)
        }
      }),
    )
  })

  it('say which frame was cut short, with the code that is theirs', () => {
    const from = new WireReader(Uint8Array.of(0xc0, 1, 2))
    from.frameType = 6
    expect(() => from.varint())
      .to.throw(TransportError)
      .with.property('frameType', 6)
    from.errorCode = PROTOCOL_VIOLATION
    expect(() => from.take(4))
      .to.throw(TransportError)
      .with.property('code', PROTOCOL_VIOLATION)
    for (const length of [Number.NaN, -1, Number.POSITIVE_INFINITY])
      expect(() => from.take(length)).to.throw(TransportError)
    expect(from.offset).to.equal(0)
  })

  it('do not write beyond their end', () => {
    const to = new WireWriter(new Uint8Array(20), 0, 3)
    to.u16(1)
    expect(() => to.u16(1)).to.throw(RangeError)
    expect(() => to.varint(64)).to.throw(RangeError)
    expect(() => to.write(new Uint8Array(2))).to.throw(RangeError)
    expect(() => to.zeros(2)).to.throw(RangeError)
    to.varint(63)
    expect(to.remaining).to.equal(0)
    expect([...to.bytes.subarray(0, 4)]).to.deep.equal([0, 1, 63, 0])
  })

  it('can be pointed at other bytes', () => {
    const from = new WireReader(new Uint8Array(1))
    from.frameType = 3
    from.reset(Uint8Array.of(7, 8, 9), 1, 2)
    expect([from.u8(), from.remaining, from.frameType]).to.deep.equal([8, 0, undefined])
    const to = new WireWriter(new Uint8Array(1))
    to.reset(from.bytes, 2)
    to.u8(5)
    expect([...from.bytes]).to.deep.equal([7, 8, 5])
  })
})
