/**
 * UDP, RFC 768.
 *
 *    0      7 8     15 16    23 24    31
 *   +--------+--------+--------+--------+
 *   |     Source      |   Destination   |
 *   |      Port       |      Port       |
 *   +--------+--------+--------+--------+
 *   |                 |                 |
 *   |     Length      |    Checksum     |
 *   +--------+--------+--------+--------+
 *   |          data octets ...
 *   +---------------- ...
 */

import { DecodeError } from '../bytes/errors.ts'
import { Reader } from '../bytes/reader.ts'
import type { IpAddress } from './address.ts'
import { internetChecksum, pseudoHeaderSum, wordSum } from './checksum.ts'
import { IPV4_HEADER_LENGTH, IPV4_SOURCE_OFFSET, writeIpv4Header } from './ipv4.ts'
import { IPV6_HEADER_LENGTH, IPV6_SOURCE_OFFSET, writeIpv6Header } from './ipv6.ts'
import { IpProtocol } from './protocol.ts'

export const UDP_HEADER_LENGTH = 8

export interface UdpFields {
  source: IpAddress
  /** 0 to 65535. */
  sourcePort: number
  destination: IpAddress
  destinationPort: number
}

export interface UdpDatagram {
  sourcePort: number
  destinationPort: number
  /** As found; 0 means that the sender made none. Whether it is right: `verifyUdpChecksum`. */
  checksum: number
  /** A view of the input. */
  payload: Uint8Array
}

/** A UDP datagram, without IP header, with its checksum. Throws RangeError beyond 65,535 bytes. */
export function encodeUdp(fields: UdpFields, payload: Uint8Array): Uint8Array {
  const datagram = new Uint8Array(UDP_HEADER_LENGTH + payload.length)
  datagram.set(payload, UDP_HEADER_LENGTH)
  const addressSum = wordSum(fields.source.bytes, 0, fields.source.bytes.length)
  const otherSum = wordSum(fields.destination.bytes, 0, fields.destination.bytes.length)
  writeUdpHeader(datagram, 0, fields, addressSum + otherSum)
  return datagram
}

/**
 * A whole IP packet with this datagram in it, in the IP version of its addresses. `hopCount` is TTL or hop limit,
 * default 64.
 */
export function encodeUdpPacket(fields: UdpFields & { hopCount?: number }, payload: Uint8Array): Uint8Array {
  const { source, destination, hopCount = 64 } = fields
  const headerLength = source.version === 4 ? IPV4_HEADER_LENGTH : IPV6_HEADER_LENGTH
  const packet = new Uint8Array(headerLength + UDP_HEADER_LENGTH + payload.length)
  packet.set(payload, headerLength + UDP_HEADER_LENGTH)
  if (source.version === 4) {
    writeIpv4Header(packet, { source, destination, protocol: IpProtocol.UDP, ttl: hopCount })
    writeUdpHeader(packet, headerLength, fields, wordSum(packet, IPV4_SOURCE_OFFSET, 8))
  } else {
    writeIpv6Header(packet, { source, destination, nextHeader: IpProtocol.UDP, hopLimit: hopCount })
    writeUdpHeader(packet, headerLength, fields, wordSum(packet, IPV6_SOURCE_OFFSET, 32))
  }
  return packet
}

/**
 * Reads the datagram that begins at `offset`. Throws DecodeError when it is cut short or its length field is wrong.
 * Bytes after the length that the header states are not part of the datagram.
 */
export function decodeUdp(bytes: Uint8Array, offset = 0): UdpDatagram {
  const reader = new Reader(bytes, offset)
  const sourcePort = reader.u16()
  const destinationPort = reader.u16()
  const length = reader.u16()
  const checksum = reader.u16()
  if (length < UDP_HEADER_LENGTH) {
    throw new DecodeError(`UDP length field ${length}; expected at least ${UDP_HEADER_LENGTH}, the header's own length`)
  }
  return { sourcePort, destinationPort, checksum, payload: reader.take(length - UDP_HEADER_LENGTH) }
}

/**
 * Is the checksum of the datagram at `offset` of this whole, valid packet right? Allocates nothing. Over IPv4 a
 * checksum of 0 says that there is none, which is allowed; over IPv6 there must be one (RFC 8200 §8.1).
 */
export function verifyUdpChecksum(packet: Uint8Array, offset: number): boolean {
  if (offset + UDP_HEADER_LENGTH > packet.length) return false
  const length = (packet[offset + 4] << 8) | packet[offset + 5]
  if (length < UDP_HEADER_LENGTH || offset + length > packet.length) return false
  const isV4 = packet[0] >> 4 === 4
  if (packet[offset + 6] === 0 && packet[offset + 7] === 0) return isV4
  const pseudoHeader = isV4
    ? pseudoHeaderSum(packet, IPV4_SOURCE_OFFSET, 8, IpProtocol.UDP, length)
    : pseudoHeaderSum(packet, IPV6_SOURCE_OFFSET, 32, IpProtocol.UDP, length)
  return internetChecksum(packet, offset, length, pseudoHeader) === 0
}

/** Writes the header at `offset`, in front of the payload, which goes on to the end of `bytes`. */
function writeUdpHeader(bytes: Uint8Array, offset: number, fields: UdpFields, addressSum: number): void {
  const { sourcePort, destinationPort } = fields
  const length = bytes.length - offset
  if (length > 0xffff) throw new RangeError(`a UDP datagram of ${length} bytes; at most 65535 are possible`)
  if (fields.source.version !== fields.destination.version) {
    throw new RangeError(`a UDP datagram from ${fields.source} to ${fields.destination}; expected one IP version`)
  }
  bytes[offset] = sourcePort >> 8
  bytes[offset + 1] = sourcePort
  bytes[offset + 2] = destinationPort >> 8
  bytes[offset + 3] = destinationPort
  bytes[offset + 4] = length >> 8
  bytes[offset + 5] = length
  bytes[offset + 6] = 0
  bytes[offset + 7] = 0
  // A sum that comes out as 0 is sent as 0xffff, the other zero of one's complement: 0 means "no checksum".
  const checksum = internetChecksum(bytes, offset, length, addressSum + IpProtocol.UDP + length) || 0xffff
  bytes[offset + 6] = checksum >> 8
  bytes[offset + 7] = checksum
}
