/**
 * The packets that are on a link: a fixed place (slot) for each, in arrays that are used again and again, so that a packet
 * costs no allocation. A slot is a number; the queues hold slots.
 */

const FIRST_CAPACITY = 256
const NOTHING = new Uint8Array(0)

export class PacketSlots {
  readonly #most: number
  #free: Int32Array
  #freeCount: number
  payload: Uint8Array[]
  tag: Float64Array
  /** When the packet leaves the stage that it is in; of a packet in the bottleneck's queue, when it came in. */
  timeMs: Float64Array
  /** The order of arrival, which decides between equal times. */
  order: Float64Array
  #orders = 0

  constructor(most: number) {
    this.#most = most
    const capacity = Math.min(FIRST_CAPACITY, most)
    this.payload = new Array<Uint8Array>(capacity).fill(NOTHING)
    this.tag = new Float64Array(capacity)
    this.timeMs = new Float64Array(capacity)
    this.order = new Float64Array(capacity)
    this.#free = Int32Array.from({ length: capacity }, (_, i) => capacity - 1 - i)
    this.#freeCount = capacity
  }

  get used(): number {
    return this.payload.length - this.#freeCount
  }

  /** A slot that now holds the packet; -1 when all are taken. */
  take(payload: Uint8Array, tag: number, timeMs: number): number {
    if (this.#freeCount === 0 && !this.#grow()) return -1
    const slot = this.#free[--this.#freeCount]
    this.payload[slot] = payload
    this.tag[slot] = tag
    this.timeMs[slot] = timeMs
    this.order[slot] = this.#orders++
    return slot
  }

  free(slot: number): void {
    this.payload[slot] = NOTHING
    this.#free[this.#freeCount++] = slot
  }

  #grow(): boolean {
    const before = this.payload.length
    const capacity = Math.min(2 * before, this.#most)
    if (capacity === before) return false
    for (let i = before; i < capacity; i++) this.payload.push(NOTHING)
    this.tag = grown(this.tag, capacity)
    this.timeMs = grown(this.timeMs, capacity)
    this.order = grown(this.order, capacity)
    this.#free = new Int32Array(capacity)
    for (let slot = capacity - 1; slot >= before; slot--) this.#free[this.#freeCount++] = slot
    return true
  }
}

function grown(array: Float64Array, length: number): Float64Array {
  const result = new Float64Array(length)
  result.set(array)
  return result
}

/** Slots in the order of their times, equal times in the order of arrival (netem's `tfifo`): a binary heap. */
export class DueHeap {
  readonly #slots: PacketSlots
  #heap = new Int32Array(FIRST_CAPACITY)
  #length = 0

  constructor(slots: PacketSlots) {
    this.#slots = slots
  }

  get length(): number {
    return this.#length
  }

  /** The slot with the earliest time; only when there is one. */
  get first(): number {
    return this.#heap[0]
  }

  push(slot: number): void {
    if (this.#length === this.#heap.length) {
      const heap = new Int32Array(2 * this.#length)
      heap.set(this.#heap)
      this.#heap = heap
    }
    let at = this.#length++
    while (at > 0) {
      const parent = (at - 1) >> 1
      if (this.#before(this.#heap[parent], slot)) break
      this.#heap[at] = this.#heap[parent]
      at = parent
    }
    this.#heap[at] = slot
  }

  pop(): number {
    const heap = this.#heap
    const result = heap[0]
    const slot = heap[--this.#length]
    let at = 0
    for (;;) {
      let child = 2 * at + 1
      if (child >= this.#length) break
      if (child + 1 < this.#length && this.#before(heap[child + 1], heap[child])) child++
      if (this.#before(slot, heap[child])) break
      heap[at] = heap[child]
      at = child
    }
    heap[at] = slot
    return result
  }

  #before(a: number, b: number): boolean {
    const { timeMs, order } = this.#slots
    return timeMs[a] < timeMs[b] || (timeMs[a] === timeMs[b] && order[a] < order[b])
  }
}

/** First in, first out. */
export class SlotQueue {
  #ring = new Int32Array(FIRST_CAPACITY)
  #head = 0
  #length = 0

  get length(): number {
    return this.#length
  }

  /** Only when there is one. */
  get first(): number {
    return this.#ring[this.#head]
  }

  push(slot: number): void {
    const size = this.#ring.length
    if (this.#length === size) {
      const ring = new Int32Array(2 * size)
      for (let i = 0; i < size; i++) ring[i] = this.#ring[(this.#head + i) & (size - 1)]
      this.#ring = ring
      this.#head = 0
    }
    this.#ring[(this.#head + this.#length++) & (this.#ring.length - 1)] = slot
  }

  shift(): number {
    const slot = this.#ring[this.#head]
    this.#head = (this.#head + 1) & (this.#ring.length - 1)
    this.#length--
    return slot
  }
}
