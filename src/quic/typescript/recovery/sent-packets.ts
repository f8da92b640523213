/**
 * The packets of one packet number space that are on their way, in the order of their numbers.
 *
 *      head                        largest acknowledged
 *       ↓                           ↓
 *     [ 4  7  8  9  10  11  12  14  15  17  18  20 ]
 *       └── leave here: what is lost is always the oldest
 *
 * An ACK costs as much as the packets it tells for the first time: of those below its largest, all but the last two are lost with it
 * (RFC 9002 §6.1.1), or where packets overtake each other all but some more (reordering.ts), so that nothing is looked at often.
 */
import type { AckRange } from '../frames/ack-frame.ts'
import type { SentPacket } from './sent-packet.ts'

/** Room in front of the head before it is used again. */
const MUCH_ROOM = 256

export class SentPackets {
  #packets: (SentPacket | undefined)[] = []
  #head = 0

  get size(): number {
    return this.#packets.length - this.#head
  }

  get first(): SentPacket | undefined {
    return this.#packets[this.#head]
  }

  /** The i-th oldest. */
  at(i: number): SentPacket | undefined {
    return this.#packets[this.#head + i]
  }

  /** Its number is larger than all before. */
  push(packet: SentPacket): void {
    this.#packets.push(packet)
  }

  removeFirst(): SentPacket | undefined {
    const { first } = this
    if (first !== undefined) this.#packets[this.#head++] = undefined
    this.#tidy()
    return first
  }

  /** Moves those that are acknowledged to `acked`, in falling order. `ranges`: the highest first. */
  takeAcked(ranges: readonly AckRange[], acked: SentPacket[]): void {
    if (this.size === 0 || ranges.length === 0) return
    const packets = this.#packets
    let r = 0
    // What stays moves up, to the place of what leaves.
    let to = this.#indexAfter(ranges[0].largest)
    for (let from = to - 1; from >= this.#head; from--) {
      const packet = packets[from]!
      while (r < ranges.length && packet.number < ranges[r].smallest) r++
      if (r < ranges.length && packet.number <= ranges[r].largest) acked.push(packet)
      else packets[--to] = packet
    }
    while (this.#head < to) packets[this.#head++] = undefined
    this.#tidy()
  }

  /** Of the first packet whose number is larger. */
  #indexAfter(number: number): number {
    let low = this.#head
    let high = this.#packets.length
    while (low < high) {
      const middle = (low + high) >>> 1
      if (this.#packets[middle]!.number <= number) low = middle + 1
      else high = middle
    }
    return low
  }

  #tidy(): void {
    if (this.#head === this.#packets.length) {
      if (this.#head > 0) this.#packets.length = 0
      this.#head = 0
    } else if (this.#head > MUCH_ROOM && this.#head * 2 > this.#packets.length) {
      this.#packets = this.#packets.slice(this.#head)
      this.#head = 0
    }
  }
}
