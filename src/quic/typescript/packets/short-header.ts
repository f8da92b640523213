/**
 * The short header, RFC 9000 §17.3: of everything once the handshake has given keys. It does not say how long the connection id is;
 * whoever has chosen that knows.
 *
 *   1-RTT Packet {
 *     Header Form (1) = 0,
 *     Fixed Bit (1) = 1,
 *     Spin Bit (1),
 *     Reserved Bits (2),           protected
 *     Key Phase (1),               protected
 *     Packet Number Length (2),    protected
 *     Destination Connection ID (0..160),
 *     Packet Number (8..32),       protected
 *     Packet Payload (8..),        encrypted
 *   }
 */

import type { WireWriter } from '../wire-writer.ts'
import { appendPacketNumber, FIXED_BIT } from './long-header.ts'

const SPIN_BIT_SHIFT = 5
const KEY_PHASE_SHIFT = 2

/** Writes a 1-RTT header, with its packet number. */
export function appendShortHeader(
  to: WireWriter,
  dcid: Uint8Array,
  keyPhase: 0 | 1,
  spin: 0 | 1,
  packetNumber: number,
  packetNumberLength: number,
): void {
  to.u8(FIXED_BIT | (spin << SPIN_BIT_SHIFT) | (keyPhase << KEY_PHASE_SHIFT) | (packetNumberLength - 1))
  to.write(dcid)
  appendPacketNumber(to, packetNumber, packetNumberLength)
}

export function shortHeaderLength(dcidLength: number, packetNumberLength: number): number {
  return 1 + dcidLength + packetNumberLength
}
