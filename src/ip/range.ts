import { DecodeError } from '../bytes/errors.ts'
import { compareBytes, type IpAddress, type IpVersion } from './address.ts'

/**
 * All addresses from `start` to `end`, both included. Routes are advertised in this form (RFC 9484 §4.7.3): unlike
 * a prefix, a range needs not be a power of two in size, so "all but one address" is two entries, not dozens.
 */
export class AddressRange {
  readonly start: IpAddress
  readonly end: IpAddress

  /** Throws DecodeError when the versions differ or `start` is above `end`. */
  constructor(start: IpAddress, end: IpAddress) {
    if (start.version !== end.version) {
      throw new DecodeError(`range from ${start} to ${end}; expected both ends in the same IP version`)
    }
    if (start.compare(end) > 0) {
      throw new DecodeError(`range from ${start} to ${end}; expected the start not to be above the end`)
    }
    this.start = start
    this.end = end
  }

  get version(): IpVersion {
    return this.start.version
  }

  contains(address: IpAddress): boolean {
    return address.version === this.version && this.containsBytes(address.bytes, 0)
  }

  /**
   * Is the address at `bytes[offset…]` inside? For addresses inside a packet: allocates nothing.
   * The caller knows that the packet's IP version is the range's, and that the bytes are there.
   */
  containsBytes(bytes: Uint8Array, offset: number): boolean {
    const length = this.start.bytes.length
    return (
      compareBytes(bytes, offset, this.start.bytes, 0, length) >= 0 &&
      compareBytes(bytes, offset, this.end.bytes, 0, length) <= 0
    )
  }

  overlaps(other: AddressRange): boolean {
    return this.version === other.version && this.start.compare(other.end) <= 0 && other.start.compare(this.end) <= 0
  }

  /** The addresses that are in both, or undefined when there are none. */
  intersect(other: AddressRange): AddressRange | undefined {
    if (!this.overlaps(other)) return undefined
    const start = this.start.compare(other.start) >= 0 ? this.start : other.start
    const end = this.end.compare(other.end) <= 0 ? this.end : other.end
    return new AddressRange(start, end)
  }

  equals(other: AddressRange): boolean {
    return this.start.equals(other.start) && this.end.equals(other.end)
  }

  /** "10.89.0.1-10.89.0.9", or just the address when there is only one. */
  toString(): string {
    return this.start.equals(this.end) ? this.start.toString() : `${this.start}-${this.end}`
  }
}

/** The same addresses in the fewest ranges: IPv4 before IPv6, ascending; what overlaps or touches is one range. */
export function mergeRanges(ranges: readonly AddressRange[]): AddressRange[] {
  const merged: AddressRange[] = []
  for (const range of [...ranges].sort((a, b) => a.version - b.version || a.start.compare(b.start))) {
    const last = merged.at(-1)
    if (last?.version !== range.version || last.end.toBigInt() + 1n < range.start.toBigInt()) merged.push(range)
    else if (last.end.compare(range.end) < 0) merged[merged.length - 1] = new AddressRange(last.start, range.end)
  }
  return merged
}

/** What `range` has in common with each of the others, which are in the order of `mergeRanges`. */
export function intersections(others: readonly AddressRange[], range: AddressRange): AddressRange[] {
  const isBefore = (other: AddressRange): boolean =>
    other.version < range.version || (other.version === range.version && other.end.compare(range.start) < 0)
  let low = 0
  let high = others.length
  while (low < high) {
    const middle = (low + high) >> 1
    if (isBefore(others[middle])) low = middle + 1
    else high = middle
  }
  const common: AddressRange[] = []
  for (let i = low; i < others.length; i++) {
    const part = others[i].intersect(range)
    if (part === undefined) break
    common.push(part)
  }
  return common
}
