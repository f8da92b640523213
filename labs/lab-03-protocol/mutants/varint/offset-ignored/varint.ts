// mutant: reads the first byte of the array for the length; expect: begins at bytes[offset]
/**
 * Task 1: variable-length integers, RFC 9000 §16.
 *
 *   first byte   bytes   bits for the number   largest number
 *   00xxxxxx       1             6             63
 *   01xxxxxx       2            14             16383
 *   10xxxxxx       4            30             1073741823
 *   11xxxxxx       8            62             4611686018427387903
 */
import { MalformedError } from './errors.ts'

/** The largest number that can be written: 2^62 - 1. */
export const MAX_VARINT = (1n << 62n) - 1n

/** How many bytes the shortest form of `value` takes. Throws MalformedError when it is negative or above MAX_VARINT. */
export function varintLength(value: bigint): 1 | 2 | 4 | 8 {
  if (value < 0n || value > MAX_VARINT) throw new MalformedError(`${value} cannot be written as a varint`)
  if (value < 1n << 6n) return 1
  if (value < 1n << 14n) return 2
  if (value < 1n << 30n) return 4
  return 8
}

/** The upper bits of the first byte, by length. */
const PREFIX = { 1: 0x00, 2: 0x40, 4: 0x80, 8: 0xc0 } as const

/** The shortest form of `value`. Throws MalformedError when it is negative or above MAX_VARINT. */
export function encodeVarint(value: bigint): Uint8Array {
  const length = varintLength(value)
  const bytes = new Uint8Array(length)
  let rest = value
  for (let at = length - 1; at >= 0; at--) {
    bytes[at] = Number(rest & 0xffn)
    rest >>= 8n
  }
  bytes[0] |= PREFIX[length]
  return bytes
}

/** Reads the varint that begins at `bytes[offset]`. Returns undefined when `bytes` ends before the varint does. */
export function decodeVarint(bytes: Uint8Array, offset: number): { value: bigint; length: number } | undefined {
  if (offset >= bytes.length) return undefined
  return decodeAt(bytes)
}

function decodeAt(bytes: Uint8Array): { value: bigint; length: number } | undefined {
  const offset = 0
  const length = 1 << (bytes[offset] >> 6)
  if (offset + length > bytes.length) return undefined
  let value = BigInt(bytes[offset] & 0x3f)
  for (let at = offset + 1; at < offset + length; at++) value = (value << 8n) | BigInt(bytes[at])
  return { value, length }
}
