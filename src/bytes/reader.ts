import { TruncatedError } from './errors.ts'
import { decodeVarint, varintLengthFromFirstByte } from './varint.ts'

/** Reads big-endian fields one after the other. Every method throws TruncatedError when the input is too short. */
export class Reader {
  readonly bytes: Uint8Array
  offset: number

  constructor(bytes: Uint8Array, offset = 0) {
    this.bytes = bytes
    this.offset = offset
  }

  get remaining(): number {
    return this.bytes.length - this.offset
  }

  u8(): number {
    return this.bytes[this.#take(1)]
  }

  u16(): number {
    const at = this.#take(2)
    return (this.bytes[at] << 8) | this.bytes[at + 1]
  }

  u32(): number {
    const at = this.#take(4)
    const b = this.bytes
    return ((b[at] << 24) | (b[at + 1] << 16) | (b[at + 2] << 8) | b[at + 3]) >>> 0
  }

  varint(): bigint {
    const value = decodeVarint(this.bytes, this.offset)
    this.offset += varintLengthFromFirstByte(this.bytes[this.offset])
    return value
  }

  /** The next `length` bytes, as a view (not a copy) of the input. */
  take(length: number): Uint8Array {
    const at = this.#take(length)
    return this.bytes.subarray(at, at + length)
  }

  /** Everything that is left, as a view of the input. */
  rest(): Uint8Array {
    return this.take(this.remaining)
  }

  #take(length: number): number {
    // Written so that a negative length or NaN, from arithmetic on hostile input, is refused as well.
    if (!(length >= 0 && length <= this.remaining)) {
      throw new TruncatedError(`${length} bytes expected at offset ${this.offset}, ${this.remaining} left`)
    }
    const at = this.offset
    this.offset += length
    return at
  }
}
