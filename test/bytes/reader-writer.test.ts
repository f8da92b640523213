import { expect } from 'chai'
import fc from 'fast-check'
import { DecodeError, TruncatedError } from '../../src/bytes/errors.ts'
import { Reader } from '../../src/bytes/reader.ts'
import { MAX_VARINT } from '../../src/bytes/varint.ts'
import { Writer } from '../../src/bytes/writer.ts'

type Field =
  | { kind: 'u8' | 'u16' | 'u32'; value: number }
  | { kind: 'varint'; value: bigint }
  | { kind: 'bytes'; value: Uint8Array }

const field: fc.Arbitrary<Field> = fc.oneof(
  fc.record({ kind: fc.constant('u8' as const), value: fc.integer({ min: 0, max: 0xff }) }),
  fc.record({ kind: fc.constant('u16' as const), value: fc.integer({ min: 0, max: 0xffff }) }),
  fc.record({ kind: fc.constant('u32' as const), value: fc.integer({ min: 0, max: 0xffffffff }) }),
  fc.record({ kind: fc.constant('varint' as const), value: fc.bigInt(0n, MAX_VARINT) }),
  fc.record({ kind: fc.constant('bytes' as const), value: fc.uint8Array({ maxLength: 200 }) }),
)

function write(writer: Writer, field: Field): void {
  switch (field.kind) {
    case 'varint':
      writer.varint(field.value)
      break
    case 'bytes':
      writer.bytes(field.value)
      break
    default:
      writer[field.kind](field.value)
  }
}

function read(reader: Reader, field: Field): number | bigint | Uint8Array {
  return field.kind === 'bytes' ? reader.take(field.value.length) : reader[field.kind]()
}

describe('Reader and Writer', () => {
  it('bring any row of fields back', () => {
    fc.assert(
      fc.property(fc.array(field), fc.nat(20), (fields, capacity) => {
        const writer = new Writer(capacity)
        for (const one of fields) write(writer, one)
        const bytes = writer.finish()
        expect(writer.length).to.equal(bytes.length)
        const reader = new Reader(bytes)
        for (const one of fields) expect(read(reader, one)).to.deep.equal(one.value)
        expect(reader.remaining).to.equal(0)
      }),
    )
  })

  it('are big-endian', () => {
    const bytes = new Writer().u8(1).u16(0x0203).u32(0x84050607).finish()
    expect([...bytes]).to.deep.equal([1, 2, 3, 0x84, 5, 6, 7])
    expect(new Reader(bytes, 3).u32()).to.equal(0x84050607)
  })

  it('say that the input is cut short, at every byte', () => {
    fc.assert(
      fc.property(field, one => {
        const writer = new Writer()
        write(writer, one)
        const bytes = writer.finish()
        for (let length = 0; length < bytes.length; length++) {
          const reader = new Reader(bytes.subarray(0, length))
          expect(() => read(reader, one)).to.throw(TruncatedError)
          expect(reader.offset, 'the offset after a failed read').to.equal(0)
        }
      }),
    )
  })

  it('read any bytes in any order to a value or a DecodeError', () => {
    const operation = fc.constantFrom('u8' as const, 'u16' as const, 'u32' as const, 'varint' as const, 'rest' as const)
    fc.assert(
      fc.property(fc.uint8Array({ maxLength: 40 }), fc.nat(50), fc.array(operation), (bytes, offset, operations) => {
        const reader = new Reader(bytes, offset)
        for (const operation of operations) {
          try {
            reader[operation]()
          } catch (error) {
            expect(error).to.be.instanceOf(DecodeError)
          }
        }
      }),
    )
  })

  it('refuse a length that is too long, negative or not a number, and do not move', () => {
    const reader = new Reader(new Uint8Array(10), 5)
    for (const length of [6, 2 ** 53, Number.POSITIVE_INFINITY, -1, Number.NaN]) {
      expect(() => reader.take(length)).to.throw(TruncatedError)
      expect(reader.offset).to.equal(5)
    }
  })

  it('hand out views, not copies', () => {
    const bytes = Uint8Array.of(1, 2, 3)
    const view = new Reader(bytes, 1).rest()
    bytes[1] = 9
    expect([...view]).to.deep.equal([9, 3])
  })
})
