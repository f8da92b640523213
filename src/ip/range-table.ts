import { compareBytes, IpAddress, type IpVersion } from './address.ts'
import { AddressRange, intersections, mergeRanges } from './range.ts'

interface Held<T> {
  readonly range: AddressRange
  readonly holder: T
}

/**
 * Which addresses belong to whom: disjoint ranges, each with one holder, in order, and so found by binary search.
 *
 *     10.1.0.0 ──── A ──── 10.1.0.99   10.1.0.100 ── B ── 10.1.0.199      fd00:7:: ── A ── fd00:7::ffff
 *
 * Nobody takes away what another holds: whoever claims a range gets the parts of it that are free. An entry is a range as
 * it was claimed, however odd: one from ::1 to ffff::fffe is one entry here, and 238 prefixes in a table of prefixes.
 */
export class RangeTable<T> {
  readonly #held: Record<IpVersion, Held<T>[]> = { 4: [], 6: [] }
  readonly #counts = new Map<T, number>()

  /** How many entries there are, of both IP versions. */
  get size(): number {
    return this.#held[4].length + this.#held[6].length
  }

  /** How many of them are this holder's. */
  countOf(holder: T): number {
    return this.#counts.get(holder) ?? 0
  }

  /** What this holder has: IPv4 before IPv6, ascending. */
  rangesOf(holder: T): AddressRange[] {
    return [...this.#held[4], ...this.#held[6]].filter(entry => entry.holder === holder).map(({ range }) => range)
  }

  /** Gives the holder every part of the range that is free, as long as that makes at most `room` new entries. */
  claim(range: AddressRange, holder: T, room = Number.POSITIVE_INFINITY): void {
    const before = this.countOf(holder)
    for (const part of this.freePartsOf(range)) {
      if (this.countOf(holder) - before >= room) return
      this.#insert(part, holder)
    }
  }

  /** Takes from the holder all that is not inside one of the ranges to `keep`. Returns what is free now, in order. */
  release(holder: T, keep: readonly AddressRange[] = []): AddressRange[] {
    const released: AddressRange[] = []
    if (this.countOf(holder) === 0) return released
    const kept = mergeRanges(keep)
    for (const version of [4, 6] as const) {
      this.#held[version] = this.#held[version].flatMap(entry => {
        if (entry.holder !== holder) return [entry]
        const parts = intersections(kept, entry.range)
        released.push(...gaps(entry.range, parts))
        this.#count(holder, parts.length - 1)
        return parts.map(range => ({ range, holder }))
      })
    }
    return released
  }

  /** Who holds the address at bytes[offset…], inside a packet say. Allocates nothing. */
  lookupBytes(version: IpVersion, bytes: Uint8Array, offset: number): T | undefined {
    const held = this.#held[version]
    const entry = held[firstEndingAtOrAfter(held, bytes, offset)]
    if (entry === undefined) return undefined
    const start = entry.range.start.bytes
    return compareBytes(start, 0, bytes, offset, start.length) <= 0 ? entry.holder : undefined
  }

  /** What of the range nobody holds, in order. */
  freePartsOf(range: AddressRange): AddressRange[] {
    const held = this.#held[range.version]
    const taken: AddressRange[] = []
    for (let i = firstEndingAtOrAfter(held, range.start.bytes, 0); i < held.length; i++) {
      const part = held[i].range.intersect(range)
      if (part === undefined) break
      taken.push(part)
    }
    return gaps(range, taken)
  }

  /** Entries of one holder that touch become one. */
  #insert(range: AddressRange, holder: T): void {
    const held = this.#held[range.version]
    const at = firstEndingAtOrAfter(held, range.start.bytes, 0)
    const before = held[at - 1]
    const after = held[at]
    const joinsBefore = before?.holder === holder && before.range.end.toBigInt() + 1n === range.start.toBigInt()
    const joinsAfter = after?.holder === holder && range.end.toBigInt() + 1n === after.range.start.toBigInt()
    const joined = new AddressRange(
      joinsBefore ? before.range.start : range.start,
      joinsAfter ? after.range.end : range.end,
    )
    const replaced = Number(joinsBefore) + Number(joinsAfter)
    held.splice(joinsBefore ? at - 1 : at, replaced, { range: joined, holder })
    this.#count(holder, 1 - replaced)
  }

  #count(holder: T, by: number): void {
    const count = this.countOf(holder) + by
    if (count > 0) this.#counts.set(holder, count)
    else this.#counts.delete(holder)
  }
}

/** The index of the first entry that does not end before the address; behind the last one when there is none. */
function firstEndingAtOrAfter<T>(held: readonly Held<T>[], bytes: Uint8Array, offset: number): number {
  let low = 0
  let high = held.length
  while (low < high) {
    const middle = (low + high) >> 1
    const end = held[middle].range.end.bytes
    if (compareBytes(end, 0, bytes, offset, end.length) < 0) low = middle + 1
    else high = middle
  }
  return low
}

/** What is left of `range` without the parts of it that are given, in order. */
function gaps(range: AddressRange, parts: readonly AddressRange[]): AddressRange[] {
  if (parts.length === 0) return [range]
  const { version } = range
  const between = (start: bigint, end: bigint) =>
    new AddressRange(IpAddress.fromBigInt(version, start), IpAddress.fromBigInt(version, end))
  const left: AddressRange[] = []
  let next = range.start.toBigInt()
  for (const part of parts) {
    const start = part.start.toBigInt()
    if (start > next) left.push(between(next, start - 1n))
    next = part.end.toBigInt() + 1n
  }
  const end = range.end.toBigInt()
  if (next <= end) left.push(between(next, end))
  return left
}
