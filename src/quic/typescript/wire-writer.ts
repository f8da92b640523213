import { varintNumberLength, writeVarint } from './varint-number.ts'

/** Writes fields one after the other into a buffer that is there already. Who calls it has seen to the room: RangeError is a bug. */
export class WireWriter {
  bytes: Uint8Array
  offset: number
  /** Nothing is written from here on. */
  end: number

  constructor(bytes: Uint8Array, offset = 0, end = bytes.length) {
    this.bytes = bytes
    this.offset = offset
    this.end = end
  }

  /** Begins anew with this buffer. */
  reset(bytes: Uint8Array, offset = 0, end = bytes.length): void {
    this.bytes = bytes
    this.offset = offset
    this.end = end
  }

  get remaining(): number {
    return this.end - this.offset
  }

  u8(value: number): void {
    this.#reserve(1)
    this.bytes[this.offset++] = value
  }

  u16(value: number): void {
    this.#reserve(2)
    this.bytes[this.offset++] = value >> 8
    this.bytes[this.offset++] = value
  }

  u32(value: number): void {
    this.u16(value >>> 16)
    this.u16(value)
  }

  varint(value: number): void {
    this.#reserve(varintNumberLength(value))
    this.offset = writeVarint(value, this.bytes, this.offset)
  }

  /** A varint of two bytes whatever its value, for a length that is filled in later (RFC 9000 §16 allows it). Below 16384. */
  varint2(value: number): void {
    this.u16(0x4000 | value)
  }

  write(data: Uint8Array): void {
    this.#reserve(data.length)
    this.bytes.set(data, this.offset)
    this.offset += data.length
  }

  zeros(count: number): void {
    this.#reserve(count)
    this.bytes.fill(0, this.offset, this.offset + count)
    this.offset += count
  }

  #reserve(length: number): void {
    if (!(length <= this.end - this.offset)) throw new RangeError(`${length} bytes do not fit into ${this.remaining}`)
  }
}
