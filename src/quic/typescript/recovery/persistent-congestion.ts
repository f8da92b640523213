/**
 * Persistent congestion, RFC 9002 §7.6: ack-eliciting packets were lost that were sent so far apart, and nothing that was sent between
 * them has arrived.
 *
 *   sent       acked  lost                                 lost   acked
 *      ────────●──────✗───✗──────✗────────────────✗────────✗──────●──
 *                     └──────── longer than 3 × PTO ───────┘
 *
 * Only one packet number space is looked at, which the RFC allows (§7.6.2): what arrived in another one meanwhile is overlooked. And of it only what
 * was sent after all that had been acknowledged before: which finds less than there may be, and enough after a path was away.
 */
import type { Rtt } from './rtt.ts'
import type { SentPacket } from './sent-packet.ts'

/** kPersistentCongestionThreshold. */
const PTOS = 3

export class PersistentCongestion {
  isFound = false
  #acked: readonly SentPacket[] = []
  #next = -1
  #acknowledgedBefore = -1
  /** When the first of the lost packets in a row was sent. */
  #from: number | undefined

  /** An ACK tells of `acked`, in falling order; before it `acknowledgedBefore` was the largest. */
  begin(acked: readonly SentPacket[], acknowledgedBefore: number): void {
    this.isFound = false
    this.#acked = acked
    this.#next = acked.length - 1
    this.#acknowledgedBefore = acknowledgedBefore
    this.#from = undefined
  }

  /** In rising order. */
  onLost(packet: SentPacket, rtt: Rtt, maxAckDelayMs: number): void {
    while (this.#next >= 0 && this.#acked[this.#next].number < packet.number) {
      this.#next--
      this.#from = undefined
    }
    if (packet.number < this.#acknowledgedBefore || !packet.ackEliciting || packet.isMtuProbe) return
    // Before the first sample the duration would be a guess.
    if (packet.sentAt <= rtt.firstSampleAt) return
    this.#from ??= packet.sentAt
    if (packet.sentAt - this.#from > (rtt.probeTimeout + maxAckDelayMs) * PTOS) this.isFound = true
  }
}
