import type { PacketNumberSpace } from '../packet-number-space.ts'
import type { PathCongestion } from './path-congestion.ts'

/**
 * Something that a packet carried and that its sender cares for. RFC 9000 §13.3: packets are never sent again, what was in them may be,
 * and each kind of frame knows by itself what its loss leads to. Either may be called once, or both: a packet that was taken for lost
 * may turn out to have arrived, and what was in it may be sent again, for a probe, while it is still on its way.
 */
export interface SentContent {
  onAcked(now: number): void
  onLost(now: number): void
}

/** For packets of which nothing is sent again, such as those with DATAGRAM frames only. */
export const NO_CONTENT: readonly SentContent[] = []

/** What is remembered of a packet until it is acknowledged or lost (RFC 9002 appendix A.1.1). */
export class SentPacket {
  readonly space: PacketNumberSpace
  readonly number: number
  /** In ms. */
  readonly sentAt: number
  /** Of the QUIC packet, without UDP's header. */
  readonly bytes: number
  readonly ackEliciting: boolean
  /** It counts for congestion control: it is ack-eliciting, or has PADDING. */
  readonly inFlight: boolean
  readonly content: readonly SentContent[]
  /** Of those that the connection has numbered: on which it left. */
  readonly path: number
  /** It tries whether the path carries packets so large: that it gets lost is no sign of congestion (RFC 9000 §14.4). */
  readonly isMtuProbe: boolean

  /** ECT(0) is in its IP header. */
  isEcnMarked = false
  /** Its content was sent again already, for a probe. */
  isContentSentAgain = false
  /** The window that it counts in; undefined: in none, as it tests another path. */
  congestion: PathCongestion | undefined
  /** Of the delivery rate, at the time of sending: see delivery-rate.ts. */
  delivered = 0
  deliveredAt = 0
  firstSentAt = 0
  isAppLimited = false

  constructor(
    space: PacketNumberSpace,
    number: number,
    sentAt: number,
    bytes: number,
    ackEliciting: boolean,
    inFlight: boolean,
    content: readonly SentContent[] = NO_CONTENT,
    path = 0,
    isMtuProbe = false,
  ) {
    this.space = space
    this.number = number
    this.sentAt = sentAt
    this.bytes = bytes
    this.ackEliciting = ackEliciting
    this.inFlight = inFlight
    this.content = content
    this.path = path
    this.isMtuProbe = isMtuProbe
  }
}
