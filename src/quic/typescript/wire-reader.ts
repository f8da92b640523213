import { FRAME_ENCODING_ERROR, TransportError } from './transport-error.ts'
import { joinVarint } from './varint-number.ts'

/**
 * Reads the fields of frames one after the other. What is cut short is a TransportError: the packet was authenticated, so the peer
 * has written it so. Made once and pointed at one payload after the other.
 */
export class WireReader {
  bytes: Uint8Array
  offset: number
  end: number
  /** What errors say: the code, and which frame is being read. */
  errorCode = FRAME_ENCODING_ERROR
  frameType: number | undefined

  constructor(bytes: Uint8Array, offset = 0, end = bytes.length) {
    this.bytes = bytes
    this.offset = offset
    this.end = end
  }

  /** Begins anew with these bytes. */
  reset(bytes: Uint8Array, offset = 0, end = bytes.length): void {
    this.bytes = bytes
    this.offset = offset
    this.end = end
    this.frameType = undefined
  }

  get remaining(): number {
    return this.end - this.offset
  }

  u8(): number {
    return this.bytes[this.#take(1)]
  }

  u16(): number {
    const at = this.#take(2)
    return (this.bytes[at] << 8) | this.bytes[at + 1]
  }

  u32(): number {
    return this.u16() * 0x10000 + this.u16()
  }

  varint(): number {
    if (this.offset >= this.end) throw this.error('ends before an integer')
    const b = this.bytes
    const first = b[this.offset]
    const at = this.#take(1 << (first >> 6))
    const head = first & 0x3f
    switch (first >> 6) {
      case 0:
        return head
      case 1:
        return (head << 8) | b[at + 1]
      case 2:
        return (head << 24) | (b[at + 1] << 16) | (b[at + 2] << 8) | b[at + 3]
      default: {
        const high = (head << 24) | (b[at + 1] << 16) | (b[at + 2] << 8) | b[at + 3]
        const low = ((b[at + 4] << 24) | (b[at + 5] << 16) | (b[at + 6] << 8) | b[at + 7]) >>> 0
        return joinVarint(high, low)
      }
    }
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

  error(what: string): TransportError {
    return new TransportError(this.errorCode, what, this.frameType)
  }

  #take(length: number): number {
    const at = this.offset
    // Written so that a negative length or NaN is refused as well.
    if (!(length >= 0 && length <= this.end - at)) throw this.error(`${length} bytes expected, ${this.end - at} left`)
    this.offset = at + length
    return at
  }
}
