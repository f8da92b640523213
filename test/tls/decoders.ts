import { expect } from 'chai'
import fc from 'fast-check'
import { DecodeError } from '../../src/bytes/errors.ts'
import { TlsAlert } from '../../src/tls/alert.ts'

/** Numbers of two and of four bytes, and bytes as they are compared. */
export const u16 = fc.nat(0xffff)
export const u32 = fc.nat(0xffff_ffff)
export const bytes = (minLength: number, maxLength: number): fc.Arbitrary<Uint8Array> =>
  fc.uint8Array({ minLength, maxLength })

/** Buffers are Uint8Arrays, too, and chai takes them for others. */
export function plain(value: unknown): unknown {
  if (value instanceof Uint8Array) return Uint8Array.from(value)
  if (Array.isArray(value)) return value.map(plain)
  if (value instanceof Map) return new Map([...value].map(([key, item]) => [key, plain(item)]))
  if (typeof value !== 'object' || value === null) return value
  return Object.fromEntries(Object.entries(value).map(([key, item]) => [key, plain(item)]))
}

/** `decode` brings back what `encode` has written. */
export function bringsBack<T>(
  values: fc.Arbitrary<T>,
  encode: (value: T) => Uint8Array,
  decode: (b: Uint8Array) => unknown,
): void {
  fc.assert(
    fc.property(values, value => {
      expect(plain(decode(encode(value)))).to.deep.equal(plain(value))
    }),
  )
}

/**
 * Whatever it is given, `decode` returns, or throws what becomes an alert; a good encoding that was cut, or goes on, is none. `uncut`: of
 * these, some are good in themselves.
 */
export function refusesTheRest(decode: (bytes: Uint8Array) => unknown, good: Uint8Array, uncut = false): void {
  const decodes = (bytes: Uint8Array): boolean => {
    try {
      decode(bytes)
      return true
    } catch (error) {
      if (error instanceof DecodeError || error instanceof TlsAlert) return false
      throw error
    }
  }
  expect(decodes(good)).to.equal(true)
  for (let length = 0; length < good.length; length++) {
    if (!uncut) expect(decodes(good.subarray(0, length)), `cut to ${length} bytes`).to.equal(false)
  }
  if (!uncut) expect(decodes(Uint8Array.of(...good, 0)), 'with one byte more').to.equal(false)
  const change = fc.tuple(fc.nat(good.length - 1), fc.nat(255)).map(([at, by]) => {
    const changed = Uint8Array.from(good)
    changed[at] ^= by
    return changed
  })
  fc.assert(
    fc.property(fc.oneof(fc.uint8Array({ maxLength: 100 }), change), bytes => void decodes(bytes)),
    { numRuns: 300 },
  )
}
