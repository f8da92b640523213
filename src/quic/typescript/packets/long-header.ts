/**
 * The long header, RFC 9000 §17.2: of the packets that make a connection. The first row is the same in all versions (RFC 8999 §5.1).
 *
 *   Initial Packet {                        Handshake Packet {
 *     Header Form (1) = 1,                    Header Form (1) = 1,
 *     Fixed Bit (1) = 1,                      Fixed Bit (1) = 1,
 *     Long Packet Type (2) = 0,               Long Packet Type (2) = 2,               others in version 2: version.ts
 *     Reserved Bits (2),          protected   Reserved Bits (2),
 *     Packet Number Length (2),   protected   Packet Number Length (2),
 *     Version (32),                           Version (32),
 *     Destination Connection ID Length (8),   Destination Connection ID Length (8),
 *     Destination Connection ID (0..160),     Destination Connection ID (0..160),
 *     Source Connection ID Length (8),        Source Connection ID Length (8),
 *     Source Connection ID (0..160),          Source Connection ID (0..160),
 *     Token Length (i),
 *     Token (..),
 *     Length (i),                             Length (i),        of all that follows
 *     Packet Number (8..32),      protected   Packet Number (8..32),
 *     Packet Payload (8..),       encrypted   Packet Payload (8..),
 *   }                                       }
 */

import { varintNumberLength } from '../varint-number.ts'
import { type LongPacketType, VERSION_1, type Version } from '../version.ts'
import type { WireWriter } from '../wire-writer.ts'

export const LONG_HEADER_FORM = 0x80
export const FIXED_BIT = 0x40

/** Of version 1 (§17.2). Other versions may have longer ones. */
export const LONGEST_CONNECTION_ID = 20

const LENGTH_FIELD = 2

/**
 * Writes an Initial or Handshake header with its packet number. `token`: of an Initial only. Returns where the Length field is, which
 * `finishLongHeader` writes once the payload is there.
 */
export function appendLongHeader(
  to: WireWriter,
  type: 'initial' | 'handshake',
  dcid: Uint8Array,
  scid: Uint8Array,
  token: Uint8Array,
  packetNumber: number,
  packetNumberLength: number,
  version: Version = VERSION_1,
): number {
  to.u8(longHeaderByte(version, type) | (packetNumberLength - 1))
  to.u32(version.number)
  appendConnectionId(to, dcid)
  appendConnectionId(to, scid)
  if (type === 'initial') {
    to.varint(token.length)
    to.write(token)
  }
  const lengthOffset = to.offset
  to.varint2(0)
  appendPacketNumber(to, packetNumber, packetNumberLength)
  return lengthOffset
}

/** The first byte, without the bits that depend on the packet. */
export function longHeaderByte({ longPacketTypes }: Version, type: LongPacketType): number {
  return LONG_HEADER_FORM | FIXED_BIT | (longPacketTypes.indexOf(type) << 4)
}

/** `length`: of packet number, payload and tag. In two bytes, whatever it is: below 16384. */
export function finishLongHeader(packet: Uint8Array, lengthOffset: number, length: number): void {
  if (length > 0x3fff) throw new RangeError(`a packet of ${length} bytes`)
  packet[lengthOffset] = 0x40 | (length >> 8)
  packet[lengthOffset + 1] = length
}

/** How many bytes `appendLongHeader` writes. */
export function longHeaderLength(
  type: 'initial' | 'handshake',
  dcidLength: number,
  scidLength: number,
  tokenLength: number,
  packetNumberLength: number,
): number {
  const token = type === 'initial' ? varintNumberLength(tokenLength) + tokenLength : 0
  return 1 + 4 + 1 + dcidLength + 1 + scidLength + token + LENGTH_FIELD + packetNumberLength
}

export function appendConnectionId(to: WireWriter, id: Uint8Array): void {
  to.u8(id.length)
  to.write(id)
}

/** The last `length` bytes of it. */
export function appendPacketNumber(to: WireWriter, packetNumber: number, length: number): void {
  for (let shift = 8 * (length - 1); shift >= 0; shift -= 8) to.u8((packetNumber >>> shift) & 0xff)
}
