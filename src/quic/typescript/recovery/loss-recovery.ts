import type { CongestionControl } from '../../quic.ts'
import type { PacketNumberSpace } from '../packet-number-space.ts'
import type { Acknowledgement } from './ack-ranges.ts'
import type { CongestionController } from './congestion/controller.ts'
import type { Rtt } from './rtt.ts'
import type { SentPacket } from './sent-packet.ts'

export interface LossRecoveryOptions {
  role: 'client' | 'server'
  congestionControl: CongestionControl
  randomBytes: (length: number) => Uint8Array
  now: number
}

/** Signatures, to build on; the code follows. */
export declare class LossRecovery {
  constructor(options: LossRecoveryOptions)

  /** Of the path on which packets leave now. */
  readonly rtt: Rtt
  readonly controller: CongestionController
  readonly bytesInFlight: number
  readonly packetsLost: number
  /** The path on which packets leave now; what was sent on others says nothing about it. */
  readonly path: number
  /** PTOs in a row without an answer. */
  readonly ptoCount: number

  // -- what the connection tells

  /** Takes the number of the next packet; now and then one is left out, to catch who acknowledges what has not arrived. */
  nextPacketNumber(space: PacketNumberSpace): number
  /** Largest that was acknowledged, for the length of the next packet number (RFC 9000 appendix A.2); -1: none. */
  largestAcked(space: PacketNumberSpace): number
  onSent(packet: SentPacket): void
  /** Throws TransportError PROTOCOL_VIOLATION for packets that were never sent. Calls the content's onAcked and onLost. */
  onAck(space: PacketNumberSpace, ack: Acknowledgement, now: number): void
  /** Takes packets for lost, or asks for probes. Called too early it does nothing. */
  onDeadline(now: number): void
  /** When onDeadline is to be called: loss timer, PTO; and when the pacer lets the next packet go, if `maySend` has refused one. */
  deadline(now: number): number | undefined
  /** The keys of a space were thrown away (RFC 9001 §4.9): nothing of it is waited for any more. */
  discard(space: PacketNumberSpace, now: number): void
  /** Of a client that got a Retry: what was sent is to be sent again (RFC 9002 §6.3), and says nothing about the path. */
  onRetry(now: number): void
  /** We have the keys to send Handshake packets. */
  hasHandshakeKeys: boolean
  /** RFC 9001 §4.1.2. Before it there is no PTO for 1-RTT packets. */
  handshakeConfirmed: boolean
  /** Of a server: it may not send because of anti-amplification; then no timer makes sense (RFC 9002 §6.2.2.1). */
  amplificationBlocked: boolean
  /** The peer's max_ack_delay in ms. */
  maxAckDelayMs: number
  /** The path carries UDP payloads of this size. */
  onDatagramSize(bytes: number): void
  /** Packets leave on another path from now on. `isNew`: where nothing is known of; else only the port may have changed (RFC 9000 §9.4). */
  onPathChange(path: number, isNew: boolean, now: number): void
  /** There was nothing more to send, though more could have been. */
  onNothingToSend(): void

  // -- what it says about sending

  /** How many ack-eliciting packets are to be sent in this space whatever the window and the pacer say; onSent counts them. */
  probesDue(space: PacketNumberSpace): number
  /** Whether a packet of so many bytes that counts may leave now. */
  maySend(bytes: number, now: number): boolean
}
