/**
 * Hidden inputs of checks: random, and the same on every run with the same seed.
 *
 * A check makes its inputs with `new Seeded(context.seed)`, so that each student meets inputs of their own, and meets
 * them again after every attempt to mend what is wrong with them.
 */
import { Random } from '../../../src/link/model/random.ts'

export class Seeded extends Random {
  /** `lowest` to `highest`, both included. At most 2^32 different ones. */
  int(lowest: number, highest: number): number {
    const count = highest - lowest + 1
    if (!(count >= 1 && count <= 2 ** 32)) throw new RangeError(`no integer range: ${lowest} to ${highest}`)
    // The bias of a multiplication is at most 2^-32 a value: nothing that a test input could notice.
    return lowest + Math.floor((this.uint32() / 2 ** 32) * count)
  }

  /** 0 to 2^bits - 1. */
  bigint(bits: number): bigint {
    let value = 0n
    for (let left = bits; left > 0; left -= 32) value = (value << 32n) | BigInt(this.uint32())
    return BigInt.asUintN(bits, value)
  }

  /** `lowest` to `highest`, both included. */
  bigintBetween(lowest: bigint, highest: bigint): bigint {
    const count = highest - lowest + 1n
    return lowest + (this.bigint(count.toString(2).length + 32) % count)
  }

  boolean(): boolean {
    return (this.uint32() & 1) === 1
  }

  pick<T>(from: readonly T[]): T {
    if (from.length === 0) throw new RangeError('nothing to pick from')
    return from[this.int(0, from.length - 1)]
  }

  /** All of them, in another order. */
  shuffle<T>(items: readonly T[]): T[] {
    const result = [...items]
    for (let i = result.length - 1; i > 0; i--) {
      const j = this.int(0, i)
      ;[result[i], result[j]] = [result[j], result[i]]
    }
    return result
  }

  /** As many as asked for, each made by `make`. */
  list<T>(count: number, make: (index: number) => T): T[] {
    return Array.from({ length: count }, (_, index) => make(index))
  }

  bytes(length: number): Uint8Array {
    return Uint8Array.from({ length }, () => this.uint32() & 0xff)
  }

  /** A lower-case word, for names and paths. */
  word(length: number): string {
    return this.list(length, () => this.pick([...'abcdefghijklmnopqrstuvwxyz'])).join('')
  }

  /** A unicast address as its bytes: 10.0.0.0/8 or fd00::/8, so that nothing here looks like a machine somewhere. */
  address(version: 4 | 6): Uint8Array {
    const bytes = this.bytes(version === 4 ? 4 : 16)
    bytes[0] = version === 4 ? 10 : 0xfd
    return bytes
  }

  /** A prefix with no bit set beyond its length; neither shorter than 8 bits nor longer than an address. */
  prefix(version: 4 | 6): { address: Uint8Array; length: number } {
    const address = this.address(version)
    const length = this.int(8, address.length * 8)
    for (let bit = length; bit < address.length * 8; bit++) address[bit >> 3] &= ~(0x80 >> (bit & 7))
    return { address, length }
  }

  /** Cuts into pieces of 1 to `longest` bytes. Together they are `bytes`. */
  split(bytes: Uint8Array, longest: number): Uint8Array[] {
    const pieces: Uint8Array[] = []
    for (let at = 0; at < bytes.length; ) {
      const end = Math.min(bytes.length, at + this.int(1, longest))
      pieces.push(bytes.slice(at, end))
      at = end
    }
    return pieces
  }
}
