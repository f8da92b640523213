/**
 * Prefixed integers, RFC 9204 §4.1.1, as RFC 7541 §5.1 defines them.
 *
 *     0   1   2   3   4   5   6   7
 *   +---+---+---+---+---+---+---+---+
 *   | ? | ? | ? | 1   1   1   1   1 |   the prefix is full (5 bits here): more bytes follow
 *   +---+---+---+-------------------+
 *   | 1 |    Value-(2^N-1) LSB      |
 *   +---+---------------------------+
 *                  ...
 *   +---+---------------------------+
 *   | 0 |    Value-(2^N-1) MSB      |
 *   +---+---------------------------+
 *
 * A value below 2^N - 1 fits into the N bits of the prefix. The bits before the prefix belong to whoever uses the
 * integer: they say which representation it is.
 */
import { DecodeError } from '../../bytes/errors.ts'
import type { Reader } from '../../bytes/reader.ts'
import type { Writer } from '../../bytes/writer.ts'

/** RFC 9204 §4.1.1 wants 62 bits: (62 - 0) / 7 rounded up. */
const MAX_CONTINUATION_BYTES = 9

/** Writes `value` with an N-bit prefix; `firstBits` are the bits before the prefix, in place (e.g. 0xc0). */
export function encodeInteger(writer: Writer, prefixBits: number, firstBits: number, value: number): void {
  const full = (1 << prefixBits) - 1
  if (value < full) {
    writer.u8(firstBits | value)
    return
  }
  writer.u8(firstBits | full)
  let rest = value - full
  while (rest >= 0x80) {
    writer.u8(0x80 | (rest % 0x80))
    rest = Math.floor(rest / 0x80)
  }
  writer.u8(rest)
}

/**
 * Reads the rest of an integer whose first byte, `firstByte`, was read already.
 *
 * Values above 2^53-1 come back as Infinity: larger than any length or index that could be meant. Throws
 * TruncatedError when the input ends inside the integer, DecodeError when it has more than 62 bits.
 */
export function decodeInteger(reader: Reader, prefixBits: number, firstByte: number): number {
  const full = (1 << prefixBits) - 1
  const prefix = firstByte & full
  if (prefix < full) return prefix
  let value = full
  let scale = 1
  for (let i = 0; i < MAX_CONTINUATION_BYTES; i++) {
    const byte = reader.u8()
    value += (byte & 0x7f) * scale
    scale *= 0x80
    if (byte < 0x80) {
      // `>`, not `>=`: as a double, 2^62 - 1 is 2^62.
      if (value > 2 ** 62) break
      return value > Number.MAX_SAFE_INTEGER ? Number.POSITIVE_INFINITY : value
    }
  }
  throw new DecodeError('a QPACK integer has more than 62 bits')
}
