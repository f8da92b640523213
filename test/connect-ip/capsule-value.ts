import { Reader } from '../../src/bytes/reader.ts'

/** The value of an encoded capsule, without type and length. */
export function capsuleValue(capsule: Uint8Array): Uint8Array {
  const reader = new Reader(capsule)
  reader.varint()
  return reader.take(Number(reader.varint()))
}
