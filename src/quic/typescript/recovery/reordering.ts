/**
 * How far packets of this path overtake each other. Where they do, thresholds that are too small take for lost what is only late: all of it is
 * sent twice, and the window halved for nothing. RFC 9002 §6.1.1 lets a sender raise its threshold for that; RFC 8985 §6.2 does it by time.
 *
 *     sent     4  5  6  7  8  9
 *     acked       5  6  7            4 is taken for lost
 *     acked    4           8         it was late: 8 − 4 = 4 have overtaken it, so from now on more than that have to
 *
 * What was learned holds until packets leave on another path. A peer that acknowledges late on purpose only slows down what it is sent: both
 * are bounded, and so is what is remembered.
 */
import type { AckRange } from '../frames/ack-frame.ts'
import { isInRanges } from './ack-ranges.ts'
import type { SentPacket } from './sent-packet.ts'

/** kPacketThreshold (RFC 9002 §6.1.1). */
export const PACKET_THRESHOLD = 3

/** As many packets may stay below the largest acknowledged, and each ACK looks at them. */
export const MAX_PACKET_THRESHOLD = 128

/** kTimeThreshold (RFC 9002 §6.1.2), in round trips. */
export const TIME_THRESHOLD = 9 / 8

/** RFC 8985 §6.2: what is late is waited for up to one round trip longer. */
export const MAX_TIME_THRESHOLD = 2

/** So much longer than the latest packet took. */
const MARGIN = 1 / 8

/** Lost packets that are remembered: of more than that in a row, the oldest are forgotten. */
export const MAX_REMEMBERED = 128

export class Reordering {
  packetThreshold = PACKET_THRESHOLD
  timeThreshold = TIME_THRESHOLD
  /** Those that were taken for lost, in the order in which they were. */
  #lost: { number: number; sentAt: number }[] = []

  onLost({ number, sentAt }: SentPacket): void {
    this.#lost.push({ number, sentAt })
    if (this.#lost.length > MAX_REMEMBERED) this.#lost.shift()
  }

  /** `largest`: the largest that is acknowledged by now. `rttMs`: what the time threshold is a multiple of; `patienceMs`: later than that a packet tells nothing. */
  onAck(ranges: readonly AckRange[], largest: number, rttMs: number, patienceMs: number, now: number): void {
    if (this.#lost.length === 0) return
    this.#lost = this.#lost.filter(({ number, sentAt }) => {
      const took = now - sentAt
      if (took > patienceMs) return false
      if (!isInRanges(number, ranges)) return true
      this.#learn(largest - number, took / rttMs)
      return false
    })
  }

  #learn(overtakenBy: number, roundTrips: number): void {
    this.packetThreshold = Math.max(this.packetThreshold, Math.min(overtakenBy + 1, MAX_PACKET_THRESHOLD))
    if (roundTrips <= this.timeThreshold) return
    this.timeThreshold = Math.min(roundTrips + MARGIN, MAX_TIME_THRESHOLD)
  }
}
