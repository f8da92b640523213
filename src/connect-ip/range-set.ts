import type { IpVersion } from '../ip/address.ts'
import { type AddressRange, mergeRanges } from '../ip/range.ts'

/**
 * "Is this address in one of these ranges?", asked for each packet, so answered by binary search over flat arrays and
 * without allocating. Built anew whenever the list changes, which is rare.
 *
 * Addresses are compared as 32-bit words: one for IPv4, four for IPv6.
 */
export class RangeSet {
  readonly #words: 1 | 4
  /** The first and last addresses of the ranges, word after word; ascending and disjoint. */
  readonly #starts: Uint32Array
  readonly #ends: Uint32Array
  readonly #count: number

  /** The ranges of the given IP version, in any order; they may overlap. Those of the other version are left out. */
  constructor(version: IpVersion, ranges: readonly AddressRange[]) {
    const disjoint = mergeRanges(ranges.filter(range => range.version === version))
    this.#words = version === 4 ? 1 : 4
    this.#count = disjoint.length
    this.#starts = new Uint32Array(disjoint.length * this.#words)
    this.#ends = new Uint32Array(disjoint.length * this.#words)
    for (const [i, { start, end }] of disjoint.entries()) {
      for (let w = 0; w < this.#words; w++) {
        this.#starts[i * this.#words + w] = wordAt(start.bytes, w * 4)
        this.#ends[i * this.#words + w] = wordAt(end.bytes, w * 4)
      }
    }
  }

  /** Is the address at bytes[offset…], which has the set's IP version and is all there, in one of the ranges? */
  containsBytes(bytes: Uint8Array, offset: number): boolean {
    // The last range that does not start above the address is the only one that can hold it.
    let low = 0
    let high = this.#count
    if (high === 0) return false
    if (this.#words === 1) {
      const address = wordAt(bytes, offset)
      // By far the most common set: one address or one prefix.
      if (high === 1) return address >= this.#starts[0] && address <= this.#ends[0]
      while (low < high) {
        const middle = (low + high) >> 1
        if (address < this.#starts[middle]) high = middle
        else low = middle + 1
      }
      return low > 0 && address <= this.#ends[low - 1]
    }
    while (low < high) {
      const middle = (low + high) >> 1
      if (this.#compare(bytes, offset, this.#starts, middle) < 0) high = middle
      else low = middle + 1
    }
    return low > 0 && this.#compare(bytes, offset, this.#ends, low - 1) <= 0
  }

  /** IPv6: below 0, 0 or above 0. */
  #compare(bytes: Uint8Array, offset: number, bounds: Uint32Array, index: number): number {
    for (let w = 0; w < 4; w++) {
      const difference = wordAt(bytes, offset + w * 4) - bounds[index * 4 + w]
      if (difference !== 0) return difference
    }
    return 0
  }
}

function wordAt(bytes: Uint8Array, at: number): number {
  return ((bytes[at] << 24) | (bytes[at + 1] << 16) | (bytes[at + 2] << 8) | bytes[at + 3]) >>> 0
}
