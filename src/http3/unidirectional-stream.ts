/**
 * The beginning of a unidirectional stream, RFC 9114 §6.2.
 *
 *   Unidirectional Stream Header {
 *     Stream Type (i),
 *   }
 */
import { decodeSmallVarint, varintLengthFromFirstByte } from '../bytes/varint.ts'

export const StreamType = {
  /** RFC 9114 §6.2.1 */
  CONTROL: 0x00,
  /** RFC 9114 §6.2.2 */
  PUSH: 0x01,
  /** RFC 9204 §4.2 */
  QPACK_ENCODER: 0x02,
  QPACK_DECODER: 0x03,
} as const

/** Reads the type of a stream, which may come in pieces. */
export class StreamTypeReader {
  /** The stream's type once it is known, else undefined. Types above 2^53 are Infinity: certainly unknown ones. */
  type: number | undefined
  #partial: Uint8Array | undefined
  #length = 0

  /** Takes bytes until the type is known; returns how many of them belong to the type. */
  push(bytes: Uint8Array): number {
    const type = this.#length === 0 ? decodeSmallVarint(bytes) : -1
    if (type >= 0) {
      this.type = type
      return varintLengthFromFirstByte(bytes[0])
    }
    this.#partial ??= new Uint8Array(8)
    for (let i = 0; i < bytes.length; i++) {
      this.#partial[this.#length++] = bytes[i]
      const value = decodeSmallVarint(this.#partial.subarray(0, this.#length))
      if (value >= 0) {
        this.type = value
        return i + 1
      }
    }
    return bytes.length
  }
}
