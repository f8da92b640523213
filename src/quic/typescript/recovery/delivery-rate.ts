/**
 * How fast the path delivers: what was acknowledged between the sending of a packet and its ACK, by the time that took. The method is
 * that of draft-ietf-ccwg-bbr §4.1 (delivery rate samples).
 *
 *   sent      ──P0────────P────────────────────────────>      send interval: from P0, the newest packet acknowledged when P was sent, to P
 *   acked     ───────P0───────────────P────────────────>      ack interval: from the ACK of P0 to the ACK of P
 *
 * The longer of the two is taken: neither a burst of packets nor one of ACKs makes the path look faster than it is.
 */
import type { SentPacket } from './sent-packet.ts'

/** From one ACK. */
export interface DeliveryRateSample {
  /** Bytes per ms; 0: this ACK says nothing. */
  readonly rate: number
  /** There was not enough to send, so that the path may be faster. */
  readonly isAppLimited: boolean
  /** Bytes that were delivered since the beginning, and those of them by the time the acknowledged packet was sent. */
  readonly delivered: number
  readonly priorDelivered: number
  /** Bytes newly acknowledged by this ACK, and lost since the one before. */
  readonly acked: number
  readonly lost: number
  /** Round-trip time of the newest packet in ms; 0: none. */
  readonly rttMs: number
}

export class DeliveryRate {
  #delivered = 0
  #deliveredAt = 0
  #firstSentAt = 0
  /** Until so much is delivered, samples are of a time when there was too little to send. */
  #appLimitedUntil = 0
  #lost = 0
  // What the ACK that is being read has told so far.
  #newest: SentPacket | undefined
  readonly #sample = {
    rate: 0,
    isAppLimited: false,
    delivered: 0,
    priorDelivered: 0,
    acked: 0,
    lost: 0,
    rttMs: 0,
  }

  /** `inFlight`: bytes before this packet. */
  onSent(packet: SentPacket, inFlight: number): void {
    if (inFlight === 0) {
      this.#firstSentAt = packet.sentAt
      this.#deliveredAt = packet.sentAt
    }
    packet.firstSentAt = this.#firstSentAt
    packet.deliveredAt = this.#deliveredAt
    packet.delivered = this.#delivered
    packet.isAppLimited = this.#appLimitedUntil > 0
  }

  onAcked(packet: SentPacket, now: number): void {
    this.#delivered += packet.bytes
    this.#deliveredAt = now
    this.#sample.acked += packet.bytes
    if (this.#newest === undefined || packet.number > this.#newest.number) {
      this.#newest = packet
      this.#firstSentAt = packet.sentAt
    }
  }

  onLost(bytes: number): void {
    this.#lost += bytes
  }

  /** There is nothing more to send, and room in the window. */
  onNothingToSend(inFlight: number): void {
    this.#appLimitedUntil = Math.max(this.#delivered + inFlight, 1)
  }

  /** After all of an ACK's packets. The result is valid until the next ACK. */
  sample(minRttMs: number, now: number): DeliveryRateSample {
    const sample = this.#sample
    const newest = this.#newest
    sample.delivered = this.#delivered
    sample.lost = this.#lost
    sample.rate = 0
    sample.rttMs = 0
    if (newest !== undefined) {
      sample.rttMs = now - newest.sentAt
      sample.isAppLimited = newest.isAppLimited
      sample.priorDelivered = newest.delivered
      const interval = Math.max(newest.sentAt - newest.firstSentAt, now - newest.deliveredAt)
      // Faster than the fastest round trip: ACKs were held up somewhere and came together.
      if (interval > 0 && interval >= minRttMs) sample.rate = (this.#delivered - newest.delivered) / interval
    }
    if (this.#delivered > this.#appLimitedUntil) this.#appLimitedUntil = 0
    return sample
  }

  /** Packets are not kept until the next ACK, which may be long in coming. */
  end(): void {
    this.#newest = undefined
  }

  /** What the sample had is told. */
  begin(): void {
    this.#newest = undefined
    this.#lost = 0
    this.#sample.acked = 0
  }
}
