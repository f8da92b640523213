/**
 * Ranges of offsets, in rising order, with a gap between any two. `end` is the first offset that does not belong to a range.
 *
 *     [ start, end,  start, end,  … ]
 */
export class RangeSet {
  readonly #bounds: number[] = []

  get isEmpty(): boolean {
    return this.#bounds.length === 0
  }

  /** How many ranges. */
  get size(): number {
    return this.#bounds.length / 2
  }

  /** Of the i-th range. */
  startAt(i: number): number {
    return this.#bounds[2 * i]
  }

  endAt(i: number): number {
    return this.#bounds[2 * i + 1]
  }

  /** Index of the first range that ends after `offset`; `size` when there is none. */
  firstBeyond(offset: number): number {
    return this.#firstEndingAtOrAfter(offset + 1)
  }

  add(start: number, end: number): void {
    if (start >= end) return
    const bounds = this.#bounds
    // Those that touch [start, end] become one with it.
    const from = this.#firstEndingAtOrAfter(start)
    let to = from
    let newStart = start
    let newEnd = end
    for (; 2 * to < bounds.length && bounds[2 * to] <= end; to++) {
      newStart = Math.min(newStart, bounds[2 * to])
      newEnd = Math.max(newEnd, bounds[2 * to + 1])
    }
    if (to === from + 1) {
      bounds[2 * from] = newStart
      bounds[2 * from + 1] = newEnd
    } else bounds.splice(2 * from, 2 * (to - from), newStart, newEnd)
  }

  remove(start: number, end: number): void {
    if (start >= end) return
    const bounds = this.#bounds
    const from = this.#firstEndingAtOrAfter(start + 1)
    let to = from
    const left: number[] = []
    for (; 2 * to < bounds.length && bounds[2 * to] < end; to++) {
      if (bounds[2 * to] < start) left.push(bounds[2 * to], start)
      if (bounds[2 * to + 1] > end) left.push(end, bounds[2 * to + 1])
    }
    if (to > from) bounds.splice(2 * from, 2 * (to - from), ...left)
  }

  clear(): void {
    this.#bounds.length = 0
  }

  /** Index of the first range whose end is not before `offset`. */
  #firstEndingAtOrAfter(offset: number): number {
    let low = 0
    let high = this.size
    while (low < high) {
      const middle = (low + high) >>> 1
      if (this.#bounds[2 * middle + 1] < offset) low = middle + 1
      else high = middle
    }
    return low
  }
}
