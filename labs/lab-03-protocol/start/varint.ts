/**
 * Task 1: variable-length integers, RFC 9000 §16.
 *
 * Nearly every number in QUIC, HTTP/3 and the Capsule Protocol is written like this. The two upper bits of the first byte
 * say how many bytes there are; the other bits are the number, in network byte order (most significant byte first).
 *
 *   first byte   bytes   bits for the number   largest number
 *   00xxxxxx       1             6             63
 *   01xxxxxx       2            14             16383
 *   10xxxxxx       4            30             1073741823
 *   11xxxxxx       8            62             4611686018427387903
 *
 * 62 bits do not fit a JavaScript number, which is exact up to 53 bits: so all varints are bigints here (`25n`).
 */
import { MalformedError } from './errors.ts'

/** The largest number that can be written: 2^62 - 1. */
export const MAX_VARINT = (1n << 62n) - 1n

/** How many bytes the shortest form of `value` takes. Throws MalformedError when it is negative or above MAX_VARINT. */
export function varintLength(value: bigint): 1 | 2 | 4 | 8 {
  // TODO: compare with the largest numbers in the table above.
  throw new Error('TODO: varintLength')
}

/** The shortest form of `value`. Throws MalformedError when it is negative or above MAX_VARINT. */
export function encodeVarint(value: bigint): Uint8Array {
  // TODO: the bytes from the last to the first; then the two upper bits of the first.
  throw new Error('TODO: encodeVarint')
}

/**
 * Reads the varint that begins at `bytes[offset]`: its value, and how many bytes it took. Forms that are longer than
 * needed are allowed.
 *
 * Returns undefined when `bytes` ends before the varint does: that is not an error, the rest may still be on its way.
 */
export function decodeVarint(bytes: Uint8Array, offset: number): { value: bigint; length: number } | undefined {
  // TODO: the length from the first byte; are there so many bytes? Then put the number together.
  throw new Error('TODO: decodeVarint')
}
