/**
 * Variable-length integers (RFC 9000 §16) as numbers, for the packet path. bytes/varint.ts has the format.
 *
 * A value above 2^53-1 is rounded up, so that what is above a bound stays above it. Every bound of ours is far below: such a value
 * is refused by whichever applies, or, as a limit that the peer grants, is as good as none.
 */

/** 2^62-1, rounded as all such values are. */
export const LARGEST_VARINT = 2 ** 62

const TWO_TO_32 = 2 ** 32

export function varintNumberLength(value: number): 1 | 2 | 4 | 8 {
  if (value < 0x40) return 1
  if (value < 0x4000) return 2
  if (value < 0x40000000) return 4
  return 8
}

/** The two halves of an 8-byte varint; `high` without the two bits of its length. */
export function joinVarint(high: number, low: number): number {
  const value = high * TWO_TO_32 + low
  const roundedDown = value - high * TWO_TO_32 < low
  return roundedDown ? value + value * Number.EPSILON : value
}

/** Writes the shortest encoding at `offset`, where there is room for it; returns the offset behind it. */
export function writeVarint(value: number, out: Uint8Array, offset: number): number {
  if (value < 0x40) {
    out[offset] = value
    return offset + 1
  }
  if (value < 0x4000) {
    out[offset] = 0x40 | (value >> 8)
    out[offset + 1] = value
    return offset + 2
  }
  if (value < 0x40000000) {
    out[offset] = 0x80 | (value >> 24)
    out[offset + 1] = value >> 16
    out[offset + 2] = value >> 8
    out[offset + 3] = value
    return offset + 4
  }
  const high = value < LARGEST_VARINT ? Math.floor(value / TWO_TO_32) : 0x3fffffff
  const low = value < LARGEST_VARINT ? value - high * TWO_TO_32 : 0xffffffff
  out[offset] = 0xc0 | (high >>> 24)
  out[offset + 1] = high >>> 16
  out[offset + 2] = high >>> 8
  out[offset + 3] = high
  out[offset + 4] = low >>> 24
  out[offset + 5] = low >>> 16
  out[offset + 6] = low >>> 8
  out[offset + 7] = low
  return offset + 8
}
