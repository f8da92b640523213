import type { IpVersion } from '../ip/address.ts'
import { type AddressRange, mergeRanges } from '../ip/range.ts'

/** Most sets of most tunnels are empty, and there are many tunnels. */
const NO_BOUNDS = new Uint32Array(0)

/**
 * "Is this address in one of these ranges?", asked for each packet, so answered by binary search over a flat array and
 * without allocating. Built anew whenever the list changes, which is rare.
 *
 * Addresses are compared as 32-bit words: one for IPv4, four for IPv6.
 */
export class RangeSet {
  readonly #words: 1 | 4
  /** The first and the last address of each range, word after word; ascending and disjoint. */
  readonly #bounds: Uint32Array
  readonly #count: number

  /** The ranges of the given IP version, in any order; they may overlap. Those of the other version are left out. */
  constructor(version: IpVersion, ranges: readonly AddressRange[]) {
    const disjoint = mergeRanges(ranges.filter(range => range.version === version))
    this.#words = version === 4 ? 1 : 4
    this.#count = disjoint.length
    this.#bounds = disjoint.length === 0 ? NO_BOUNDS : new Uint32Array(disjoint.length * 2 * this.#words)
    let at = 0
    for (const { start, end } of disjoint) {
      for (const { bytes } of [start, end]) {
        for (let w = 0; w < this.#words; w++) this.#bounds[at++] = wordAt(bytes, w * 4)
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
      const bounds = this.#bounds
      const address = wordAt(bytes, offset)
      // By far the most common set: one address or one prefix.
      if (high === 1) return address >= bounds[0] && address <= bounds[1]
      while (low < high) {
        const middle = (low + high) >> 1
        if (address < bounds[2 * middle]) high = middle
        else low = middle + 1
      }
      return low > 0 && address <= bounds[2 * low - 1]
    }
    while (low < high) {
      const middle = (low + high) >> 1
      if (this.#compare(bytes, offset, 2 * middle) < 0) high = middle
      else low = middle + 1
    }
    return low > 0 && this.#compare(bytes, offset, 2 * low - 1) <= 0
  }

  /** IPv6, with the i-th bound: below 0, 0 or above 0. */
  #compare(bytes: Uint8Array, offset: number, i: number): number {
    for (let w = 0; w < 4; w++) {
      const difference = wordAt(bytes, offset + w * 4) - this.#bounds[i * 4 + w]
      if (difference !== 0) return difference
    }
    return 0
  }
}

function wordAt(bytes: Uint8Array, at: number): number {
  return ((bytes[at] << 24) | (bytes[at + 1] << 16) | (bytes[at + 2] << 8) | bytes[at + 3]) >>> 0
}
