/**
 * The steps of removing protection that all packets have in common, RFC 9001 §5.3 and §5.4: in the reverse order of adding it.
 */
import { decodePacketNumber } from '../packet-number.ts'
import { PROTOCOL_VIOLATION, TransportError } from '../transport-error.ts'

export interface OpenedPacket {
  readonly packetNumber: number
  /** The frames: valid until the packet's buffer is used again. */
  readonly payload: Uint8Array
  /** The Key Phase bit of a short header. */
  readonly keyPhase: 0 | 1
}

/** The packet number at `offset`, once header protection is removed. -1: no packet of an honest peer has it. */
export function readPacketNumber(packet: Uint8Array, offset: number, length: number, largest: number): number {
  let truncated = 0
  for (let i = 0; i < length; i++) truncated = truncated * 256 + packet[offset + i]
  const packetNumber = decodePacketNumber(largest, truncated, length)
  // Above that, numbers are not exact here. It takes 4 million packets of a peer that leaves out as many numbers as it can.
  return packetNumber > Number.MAX_SAFE_INTEGER ? -1 : packetNumber
}

/** RFC 9000 §17.2, §17.3.1: bits without a meaning are 0. Asked of packets that are authentic only: else it would tell what is under the mask. */
export function checkReservedBits(firstByte: number): void {
  const reserved = firstByte & 0x80 ? 0x0c : 0x18
  if (firstByte & reserved) throw new TransportError(PROTOCOL_VIOLATION, 'the reserved bits of a packet are set')
}
