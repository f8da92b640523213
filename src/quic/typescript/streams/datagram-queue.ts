/**
 * A queue of datagrams in one piece of memory, each behind its length, so that none costs an object.
 *
 *           head                                   tail
 *     ───────┼───────┬───────┬───────┬───────┬───────┼───────────
 *      taken │length │ bytes │length │ bytes │ …     │ free
 *
 * What is empty has no memory: an idle connection keeps none, and a busy one gets back what it had.
 */

const LENGTH_BYTES = 4
const FIRST_ROOM = 16 << 10

/** Rooms that are kept for the next queue that has something; larger ones are given back to the system. */
const MOST_SPARE_ROOMS = 4
const LARGEST_SPARE_ROOM = 4 << 20

const spareRooms: Uint8Array[] = []
const NO_ROOM = new Uint8Array(0)

export class DatagramQueue {
  readonly #limit: number
  #room: Uint8Array = NO_ROOM
  #head = 0
  #tail = 0
  #size = 0

  /** `limit`: in datagrams. */
  constructor(limit: number) {
    this.#limit = limit
  }

  get size(): number {
    return this.#size
  }

  get isFull(): boolean {
    return this.#size >= this.#limit
  }

  /** Copies it. There is one more than the limit, when it is full. */
  push(data: Uint8Array): void {
    this.#reserve(LENGTH_BYTES + data.length)
    const { length } = data
    const room = this.#room
    room[this.#tail] = length >>> 24
    room[this.#tail + 1] = length >>> 16
    room[this.#tail + 2] = length >>> 8
    room[this.#tail + 3] = length
    room.set(data, this.#tail + LENGTH_BYTES)
    this.#tail += LENGTH_BYTES + length
    this.#size++
  }

  /** Of the oldest; -1: there is none. */
  get firstLength(): number {
    return this.#size === 0 ? -1 : this.#lengthAt(this.#head)
  }

  /** The oldest, valid until something is pushed or removed. */
  first(): Uint8Array {
    const start = this.#head + LENGTH_BYTES
    return this.#room.subarray(start, start + this.firstLength)
  }

  removeFirst(): void {
    this.#head += LENGTH_BYTES + this.#lengthAt(this.#head)
    this.#size--
    if (this.#size === 0) this.clear()
  }

  /** Throws away those of which it is true; returns how many. */
  removeIf(isUnwanted: (data: Uint8Array) => boolean): number {
    let removed = 0
    let to = this.#head
    for (let from = this.#head; from < this.#tail; ) {
      const end = from + LENGTH_BYTES + this.#lengthAt(from)
      if (isUnwanted(this.#room.subarray(from + LENGTH_BYTES, end))) removed++
      else {
        this.#room.copyWithin(to, from, end)
        to += end - from
      }
      from = end
    }
    this.#tail = to
    this.#size -= removed
    if (this.#size === 0) this.clear()
    return removed
  }

  clear(): void {
    const room = this.#room
    this.#room = NO_ROOM
    this.#head = 0
    this.#tail = 0
    this.#size = 0
    const isWanted = room.length > 0 && room.length <= LARGEST_SPARE_ROOM && spareRooms.length < MOST_SPARE_ROOMS
    if (isWanted) spareRooms.push(room)
  }

  #lengthAt(at: number): number {
    const room = this.#room
    return (room[at] << 24) | (room[at + 1] << 16) | (room[at + 2] << 8) | room[at + 3]
  }

  #reserve(bytes: number): void {
    if (this.#tail + bytes <= this.#room.length) return
    if (this.#room.length === 0) this.#room = spareRooms.pop() ?? new Uint8Array(FIRST_ROOM)
    const used = this.#tail - this.#head
    // Half of it must be free in front, so that it is not moved for each datagram.
    const room = used + bytes <= this.#room.length / 2 ? this.#room : enlarged(this.#room, used + bytes)
    room.set(this.#room.subarray(this.#head, this.#tail))
    this.#room = room
    this.#tail = used
    this.#head = 0
  }
}

function enlarged({ length }: Uint8Array, needed: number): Uint8Array {
  let wanted = Math.max(length, FIRST_ROOM)
  while (wanted < 2 * needed) wanted *= 2
  return new Uint8Array(wanted)
}
