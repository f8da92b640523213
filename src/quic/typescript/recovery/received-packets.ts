/**
 * What has arrived in one packet number space, and when it is to be acknowledged (RFC 9000 §13.2).
 *
 *      0       9   12   14          31          number
 *      ├───────┤   ├────┤           ├──────┤
 *        kept to know a packet          ↑
 *        that comes a second time       an ACK tells these: the peer has not shown yet that it knows them
 *
 * How much is kept does not depend on what the peer leaves out: of too many ranges the lowest is forgotten, and what is below counts as
 * known.
 */
import { CE, ECT_0, ECT_1, type EcnCodepoint, NOT_ECT } from '../../ecn.ts'
import type { AckRange, EcnCounts } from '../frames/ack-frame.ts'
import { APPLICATION, type PacketNumberSpace } from '../packet-number-space.ts'
import type { SentContent } from './sent-packet.ts'

/** In one ACK frame. More losses than that in a round trip are told by the ACKs before. */
export const MAX_ACK_RANGES = 32

/** To know duplicates by. A packet that is late by more losses than that is lost, too. */
const MAX_KEPT_RANGES = 128

/** RFC 9000 §13.2.2: at least every second packet that asks for it is acknowledged at once. */
const PACKETS_PER_ACK = 2

interface Range {
  smallest: number
  largest: number
}

export class ReceivedPackets {
  readonly #space: PacketNumberSpace
  readonly #maxAckDelayMs: number
  /** In rising order, with gaps between them. */
  readonly #ranges: Range[] = []
  /** Below, everything counts as received. */
  #floor = 0
  /** The peer knows that these and all below were received. */
  #knownToPeer = -1
  #largestAt = 0
  #largestEliciting = -1
  /** Ack-eliciting packets since the last ACK. */
  #unacknowledged = 0
  #ackDueAt: number | undefined
  readonly #told: AckRange[] = []
  #ecn: { ect0: number; ect1: number; ce: number } | undefined

  /** `maxAckDelayMs`: how long an ACK may wait; what we have promised in our transport parameters is a little more. */
  constructor(space: PacketNumberSpace, maxAckDelayMs: number) {
    this.#space = space
    this.#maxAckDelayMs = maxAckDelayMs
  }

  /** For decoding packet numbers; -1: none. */
  get largest(): number {
    const { length } = this.#ranges
    return length === 0 ? -1 : this.#ranges[length - 1].largest
  }

  /** Asked after decryption, before anything of the packet is used. True: it was here before, or is too old to tell. */
  isDuplicate(number: number): boolean {
    if (number < this.#floor) return true
    for (let i = this.#ranges.length - 1; i >= 0; i--) {
      const range = this.#ranges[i]
      if (number > range.largest) return false
      if (number >= range.smallest) return true
    }
    return false
  }

  /** After its frames were read; it is no duplicate. `ecn`: of its IP header; Not-ECT where that is not known. */
  onReceived(number: number, ackEliciting: boolean, now: number, ecn: EcnCodepoint = NOT_ECT): void {
    if (number > this.largest) this.#largestAt = now
    const range = this.#insert(number)
    // It came after packets that the peer knows to have arrived: those below are told once more, with it.
    if (number <= this.#knownToPeer) this.#knownToPeer = number - 1
    if (ecn !== NOT_ECT) this.#count(ecn)
    if (!ackEliciting) return
    const isInOrder = number > this.#largestEliciting && range.smallest <= this.#largestEliciting + 1
    this.#largestEliciting = Math.max(this.#largestEliciting, number)
    this.#unacknowledged++
    const atOnce = this.#space !== APPLICATION || !isInOrder || ecn === CE || this.#unacknowledged >= PACKETS_PER_ACK
    this.#ackDueAt = Math.min(this.#ackDueAt ?? Number.POSITIVE_INFINITY, atOnce ? now : now + this.#maxAckDelayMs)
  }

  /** Somebody waits for the ACK of what has come last, if it asks for one. */
  hurry(now: number): void {
    if (this.#ackDueAt !== undefined) this.#ackDueAt = Math.min(this.#ackDueAt, now)
  }

  /** There is something new to acknowledge, that could go along in a packet. */
  get isAckPossible(): boolean {
    return this.#unacknowledged > 0
  }

  /** When an ACK has to be sent, if need be alone; undefined: not before something else arrives. Not after now: at once. */
  get ackDueAt(): number | undefined {
    return this.#ackDueAt
  }

  /** For the ACK frame, at most MAX_ACK_RANGES; the highest first. Valid until the next packet is received. */
  ranges(): readonly AckRange[] {
    this.#told.length = 0
    for (let i = this.#ranges.length - 1; i >= 0 && this.#told.length < MAX_ACK_RANGES; i--) {
      const range = this.#ranges[i]
      if (range.largest <= this.#knownToPeer && this.#told.length > 0) break
      this.#told.push(range)
    }
    return this.#told
  }

  /** How long the largest one has waited for its ACK, in ms. */
  ackDelay(now: number): number {
    return Math.max(0, now - this.#largestAt)
  }

  /** undefined: none were seen. */
  get ecn(): EcnCounts | undefined {
    return this.#ecn
  }

  /** An ACK frame with all of `ranges()` was sent. Returns what belongs to the content of its packet, if that is ack-eliciting. */
  onAckSent(): SentContent {
    this.#unacknowledged = 0
    this.#ackDueAt = undefined
    return new SentAck(this, this.largest)
  }

  /** The peer has an ACK in which this was the largest: it need not hear of it again (RFC 9000 §13.2.4). */
  onAckAcked(largest: number): void {
    this.#knownToPeer = Math.max(this.#knownToPeer, largest)
  }

  /** Nothing more is received in this space, and nothing acknowledged. */
  clear(): void {
    this.#ranges.length = 0
    this.#told.length = 0
    this.#unacknowledged = 0
    this.#ackDueAt = undefined
    this.#ecn = undefined
  }

  #insert(number: number): Range {
    const ranges = this.#ranges
    let i = ranges.length - 1
    while (i >= 0 && ranges[i].smallest > number) i--
    const below = i >= 0 ? ranges[i] : undefined
    const above = i + 1 < ranges.length ? ranges[i + 1] : undefined
    if (below !== undefined && below.largest + 1 === number) {
      below.largest = number
      if (above !== undefined && above.smallest === number + 1) {
        below.largest = above.largest
        ranges.splice(i + 1, 1)
      }
      return below
    }
    if (above !== undefined && above.smallest === number + 1) {
      above.smallest = number
      return above
    }
    const range = { smallest: number, largest: number }
    ranges.splice(i + 1, 0, range)
    if (ranges.length > MAX_KEPT_RANGES) this.#floor = ranges.shift()!.largest + 1
    return range
  }

  #count(ecn: typeof ECT_0 | typeof ECT_1 | typeof CE): void {
    this.#ecn ??= { ect0: 0, ect1: 0, ce: 0 }
    if (ecn === ECT_0) this.#ecn.ect0++
    else if (ecn === ECT_1) this.#ecn.ect1++
    else this.#ecn.ce++
  }
}

/** An ACK frame on its way. One that is lost is not sent again: the next one says more. */
class SentAck implements SentContent {
  readonly #received: ReceivedPackets
  readonly #largest: number

  constructor(received: ReceivedPackets, largest: number) {
    this.#received = received
    this.#largest = largest
  }

  onAcked(): void {
    this.#received.onAckAcked(this.#largest)
  }

  onLost(): void {}
}
