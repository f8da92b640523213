import type { CipherSuite, OpenedPacket } from './packet-keys.ts'

/**
 * The keys of 1-RTT packets, with their updates (RFC 9001 §6). The write secret may be there before the read secret is (a server's
 * 0.5-RTT data) and so may be the other way round.
 */
export class OneRttKeys {
  setSecret(_direction: 'read' | 'write', _suite: CipherSuite, _secret: Uint8Array): void {}
  /** The Key Phase bit for the next short header: ask before writing it. Updates the keys first when it is time (limits, `requestUpdate`). */
  nextKeyPhase(_nextPacketNumber: number): 0 | 1 {
    throw new Error('to be written')
  }
  readonly canSeal: boolean = false
  readonly canOpen: boolean = false
  seal(
    _packet: Uint8Array,
    _headerLength: number,
    _payloadLength: number,
    _packetNumber: number,
    _packetNumberLength: number,
  ): number {
    throw new Error('to be written')
  }
  /** As OpeningKeys.open, and follows the peer's key updates. Throws KEY_UPDATE_ERROR for one that it may not do. */
  open(
    _packet: Uint8Array,
    _start: number,
    _packetNumberOffset: number,
    _end: number,
    _largest: number,
    _now: number,
  ): OpenedPacket | undefined {
    throw new Error('to be written')
  }
  /** An update may begin from now on (RFC 9001 §6.1). */
  onHandshakeConfirmed(): void {}
  /** A 1-RTT packet of ours was acknowledged: the largest of an ACK. `pto` in ms: for how long old keys are kept (3 of them). */
  onAcknowledged(_largest: number, _now: number, _pto: number): void {}
  /** Updates before the next packet that is sent, if that is allowed then. */
  requestUpdate(): void {}
}
