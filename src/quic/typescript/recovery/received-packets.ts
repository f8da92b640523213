import type { PacketNumberSpace } from '../packet-number-space.ts'
import type { AckRanges, EcnCounts } from './ack-ranges.ts'
import type { SentContent } from './sent-packet.ts'

/** What has arrived in one packet number space, and when it is to be acknowledged (RFC 9000 §13.2). Signatures; the code follows. */
export declare class ReceivedPackets {
  /** `maxAckDelayMs`: what we have promised in our transport parameters. */
  constructor(space: PacketNumberSpace, maxAckDelayMs: number)
  /** For decoding packet numbers; -1: none. */
  readonly largest: number
  /** Asked after decryption, before anything of the packet is used. True: it was here before, or is too old to tell. */
  isDuplicate(number: number): boolean
  /** After its frames were read. `ecn`: the two ECN bits of its IP header; 0 where they are not known. */
  onReceived(number: number, ackEliciting: boolean, now: number, ecn?: 0 | 1 | 2 | 3): void
  /** There is something new to acknowledge, that could go along in a packet. */
  readonly isAckPossible: boolean
  /** When an ACK has to be sent, if need be alone; undefined: not now. Not after now: at once. */
  readonly ackDueAt: number | undefined
  /** For the ACK frame: at most 32 ranges. Valid until the next packet is received. */
  ranges(): AckRanges
  /** In ms. */
  ackDelay(now: number): number
  /** undefined: none were seen. */
  readonly ecn: EcnCounts | undefined
  /** An ACK frame was sent. Returns what belongs into the content of its packet, if that is ack-eliciting. */
  onAckSent(): SentContent
}
