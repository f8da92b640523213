/**
 * Packet numbers that were left out on purpose. RFC 9000 §21.4: who acknowledges one of them acknowledges what it has not received, so as
 * to make us send faster than the path allows (an optimistic ACK).
 *
 *     … 40 41 42    44 45 …
 *              ↑ 43 was never sent
 */
import type { AckRange } from '../frames/ack-frame.ts'
import { isInRanges } from './ack-ranges.ts'

/** The first is left out within so many packets, then after up to twice as many each time: it costs the peer a range in its ACKs. */
const FIRST_PERIOD = 128
const LONGEST_PERIOD = 16_384

/** So many are remembered. An optimistic ACK names the newest packets. */
const REMEMBERED = 8

export class SkippedNumbers {
  readonly #randomBytes: (length: number) => Uint8Array
  #period = FIRST_PERIOD
  #next: number
  readonly #skipped: number[] = []

  constructor(randomBytes: (length: number) => Uint8Array) {
    this.#randomBytes = randomBytes
    this.#next = this.#draw(0)
  }

  /** The number of the next packet, which would be `number`. */
  pass(number: number): number {
    if (number < this.#next) return number
    this.#skipped.push(number)
    if (this.#skipped.length > REMEMBERED) this.#skipped.shift()
    this.#period = Math.min(this.#period * 2, LONGEST_PERIOD)
    this.#next = this.#draw(number + 1)
    return number + 1
  }

  isAnyIn(ranges: readonly AckRange[]): boolean {
    for (const number of this.#skipped) if (isInRanges(number, ranges)) return true
    return false
  }

  /** Within the period, but not at once. */
  #draw(from: number): number {
    const [high, low] = this.#randomBytes(2)
    return from + 2 + (((high << 8) | low) % this.#period)
  }
}
