/**
 * Variable-length integers, RFC 9000 §16.
 *
 *   2MSB   Length   Usable Bits   Range
 *   00     1        6             0 - 63
 *   01     2        14            0 - 16383
 *   10     4        30            0 - 1073741823
 *   11     8        62            0 - 4611686018427387903
 *
 * Most varints on the wire are small. The few that may use all 62 bits (frame, capsule and setting types,
 * request ids, context ids) do not fit a JavaScript number, so the general decoder returns a bigint;
 * `decodeSmallVarint` is for the packet path, where a bigint a packet would be too slow.
 */

import { TruncatedError } from './errors.ts'

/** The largest value a varint can hold: 2^62 - 1. */
export const MAX_VARINT = (1n << 62n) - 1n

/** How many bytes the shortest encoding of `value` takes. Throws RangeError outside 0 … 2^62-1. */
export function varintLength(value: number | bigint): 1 | 2 | 4 | 8 {
  if (value < 0 || value > MAX_VARINT) throw new RangeError(`varint out of range: ${value}`)
  if (value < 0x40) return 1
  if (value < 0x4000) return 2
  if (value < 0x40000000) return 4
  return 8
}

/**
 * Writes the shortest encoding of `value` into `out` at `offset`; returns the offset after it. Throws RangeError when
 * it does not fit there: typed arrays would drop the bytes beyond their end in silence.
 */
export function encodeVarint(value: number | bigint, out: Uint8Array, offset: number): number {
  const length = varintLength(value)
  if (offset + length > out.length) throw new RangeError(`no room for a varint of ${length} bytes at offset ${offset}`)
  if (length === 8) {
    const view = new DataView(out.buffer, out.byteOffset + offset, 8)
    view.setBigUint64(0, BigInt(value) | (3n << 62n))
    return offset + 8
  }
  const small = Number(value)
  switch (length) {
    case 1:
      out[offset] = small
      break
    case 2:
      out[offset] = 0x40 | (small >> 8)
      out[offset + 1] = small
      break
    case 4:
      out[offset] = 0x80 | (small >> 24)
      out[offset + 1] = small >> 16
      out[offset + 2] = small >> 8
      out[offset + 3] = small
      break
  }
  return offset + length
}

/** How long the varint is that starts with this byte: 1, 2, 4 or 8 bytes. */
export function varintLengthFromFirstByte(firstByte: number): 1 | 2 | 4 | 8 {
  return (1 << (firstByte >> 6)) as 1 | 2 | 4 | 8
}

/** Decodes the varint at `offset`. Throws TruncatedError when the input ends inside it. */
export function decodeVarint(bytes: Uint8Array, offset = 0): bigint {
  if (offset >= bytes.length) throw new TruncatedError('the input ends before a varint')
  const length = varintLengthFromFirstByte(bytes[offset])
  if (offset + length > bytes.length) {
    throw new TruncatedError(`the input ends inside a varint: ${bytes.length - offset} of ${length} bytes`)
  }
  let value = BigInt(bytes[offset] & 0x3f)
  for (let i = 1; i < length; i++) value = (value << 8n) | BigInt(bytes[offset + i])
  return value
}

/**
 * Decodes the varint at `offset` as a number, without allocating.
 *
 * Returns -1 when the input ends inside it, and Infinity when the value is above 2^53-1, which no stream,
 * length or context that this program ever creates reaches.
 */
export function decodeSmallVarint(bytes: Uint8Array, offset = 0): number {
  if (offset >= bytes.length) return -1
  const first = bytes[offset]
  const length = 1 << (first >> 6)
  if (offset + length > bytes.length) return -1
  let value = first & 0x3f
  // Multiplication, not a shift: JavaScript shifts are 32 bits wide.
  for (let i = 1; i < length; i++) value = value * 256 + bytes[offset + i]
  return value > Number.MAX_SAFE_INTEGER ? Number.POSITIVE_INFINITY : value
}
