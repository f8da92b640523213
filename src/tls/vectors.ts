/**
 * Variable-length vectors, RFC 8446 §3.4: `opaque x<0..2^16-1>` is two bytes of length, then so many bytes. Lengths are of one, two or
 * three bytes.
 */
import { DecodeError } from '../bytes/errors.ts'
import { Reader } from '../bytes/reader.ts'
import { Writer } from '../bytes/writer.ts'

/** A vector whose length has `lengthBytes`, and is in `min` … `max`. */
export function takeVector(
  reader: Reader,
  lengthBytes: 1 | 2 | 3,
  min = 0,
  max = Number.POSITIVE_INFINITY,
): Uint8Array {
  let length = 0
  for (let i = 0; i < lengthBytes; i++) length = (length << 8) | reader.u8()
  if (length < min || length > max) throw new DecodeError(`a vector of ${length} bytes, not ${min} to ${max}`)
  return reader.take(length)
}

/** The same, which is all that there is in `bytes`. */
export function onlyVector(bytes: Uint8Array, lengthBytes: 1 | 2 | 3, min?: number, max?: number): Uint8Array {
  const reader = new Reader(bytes)
  const vector = takeVector(reader, lengthBytes, min, max)
  expectEnd(reader)
  return vector
}

/** Nothing may follow (RFC 8446 §6.2, decode_error: the length of the message was incorrect). */
export function expectEnd(reader: Reader): void {
  if (reader.remaining > 0) throw new DecodeError(`${reader.remaining} bytes too many`)
}

export function appendVector(writer: Writer, lengthBytes: 1 | 2 | 3, content: Uint8Array): Writer {
  for (let i = lengthBytes - 1; i >= 0; i--) writer.u8((content.length >> (8 * i)) & 0xff)
  return writer.bytes(content)
}

export function vector(lengthBytes: 1 | 2 | 3, content: Uint8Array): Uint8Array {
  return appendVector(new Writer(lengthBytes + content.length), lengthBytes, content).finish()
}

/** A vector of numbers of two bytes: cipher suites, groups, signature schemes. */
export function decodeNumbers(bytes: Uint8Array): number[] {
  if (bytes.length % 2 !== 0) throw new DecodeError(`${bytes.length} bytes of two-byte numbers`)
  const reader = new Reader(bytes)
  const numbers: number[] = []
  while (reader.remaining > 0) numbers.push(reader.u16())
  return numbers
}

export function encodeNumbers(numbers: readonly number[]): Uint8Array {
  const writer = new Writer(2 * numbers.length)
  for (const number of numbers) writer.u16(number)
  return writer.finish()
}
