/**
 * IPv4, RFC 791 §3.1.
 *
 *    0                   1                   2                   3
 *    0 1 2 3 4 5 6 7 8 9 0 1 2 3 4 5 6 7 8 9 0 1 2 3 4 5 6 7 8 9 0 1
 *   +-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+
 *   |Version|  IHL  |Type of Service|          Total Length         |
 *   +-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+
 *   |         Identification        |Flags|      Fragment Offset    |
 *   +-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+
 *   |  Time to Live |    Protocol   |         Header Checksum       |
 *   +-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+
 *   |                       Source Address                          |
 *   +-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+
 *   |                    Destination Address                        |
 *   +-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+
 *   |                    Options                    |    Padding    |
 *   +-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+
 *
 * Type of Service is today six bits DSCP (RFC 2474) and two bits ECN (RFC 3168). Flags are 0, DF, MF.
 *
 * Packets are not decoded into objects: most of them are only forwarded. The accessors read one field in place and
 * expect a packet that `validateIpv4` found nothing wrong with.
 */

import type { IpAddress } from './address.ts'
import { internetChecksum } from './checksum.ts'

/** The length of a header without options, in bytes: the shortest there is, and the one we send. */
export const IPV4_HEADER_LENGTH = 20
export const IPV4_TTL_OFFSET = 8
const IPV4_PROTOCOL_OFFSET = 9
export const IPV4_CHECKSUM_OFFSET = 10
export const IPV4_SOURCE_OFFSET = 12
export const IPV4_DESTINATION_OFFSET = 16

export type Ipv4Problem =
  | 'IPv4 packet shorter than its header'
  | 'IPv4 version field is not 4'
  | 'IPv4 header length below 20 bytes'
  | 'IPv4 total length differs from the length of the packet'
  | 'IPv4 header checksum wrong'

/**
 * What is wrong with the packet's header, or undefined. Allocates nothing.
 *
 * RFC 1812 §5.2.2 lists these checks, the header checksum among them. The total length must be the packet's exactly:
 * a CONNECT-IP datagram has no padding, so bytes after the packet's end are a mistake or something smuggled.
 */
export function validateIpv4(packet: Uint8Array): Ipv4Problem | undefined {
  if (packet.length < IPV4_HEADER_LENGTH) return 'IPv4 packet shorter than its header'
  if (packet[0] >> 4 !== 4) return 'IPv4 version field is not 4'
  const headerLength = ipv4HeaderLength(packet)
  if (headerLength < IPV4_HEADER_LENGTH) return 'IPv4 header length below 20 bytes'
  if (headerLength > packet.length) return 'IPv4 packet shorter than its header'
  if (ipv4TotalLength(packet) !== packet.length) return 'IPv4 total length differs from the length of the packet'
  if (internetChecksum(packet, 0, headerLength) !== 0) return 'IPv4 header checksum wrong'
  return undefined
}

/** In bytes, options included: 20 to 60. */
export function ipv4HeaderLength(packet: Uint8Array): number {
  return (packet[0] & 0x0f) * 4
}

/** Header and payload, in bytes. */
export function ipv4TotalLength(packet: Uint8Array): number {
  return (packet[2] << 8) | packet[3]
}

export function ipv4DontFragment(packet: Uint8Array): boolean {
  return (packet[6] & 0x40) !== 0
}

export function ipv4MoreFragments(packet: Uint8Array): boolean {
  return (packet[6] & 0x20) !== 0
}

/**
 * Where this packet's payload belongs in the unfragmented one, in bytes; 0 for the first fragment and for whole
 * packets.
 */
export function ipv4FragmentOffset(packet: Uint8Array): number {
  return (((packet[6] & 0x1f) << 8) | packet[7]) * 8
}

/** Is only a part of the upper-layer message in this packet? */
export function ipv4IsFragment(packet: Uint8Array): boolean {
  return ipv4MoreFragments(packet) || ipv4FragmentOffset(packet) !== 0
}

export function ipv4Protocol(packet: Uint8Array): number {
  return packet[IPV4_PROTOCOL_OFFSET]
}

export function ipv4Checksum(packet: Uint8Array): number {
  return (packet[IPV4_CHECKSUM_OFFSET] << 8) | packet[IPV4_CHECKSUM_OFFSET + 1]
}

export interface Ipv4Fields {
  source: IpAddress
  destination: IpAddress
  /** See IpProtocol. */
  protocol: number
  ttl: number
  /** 0 to 65535; default 0. Only fragments are told apart by it (RFC 6864), and what is made here has Don't Fragment set unless its maker says otherwise. */
  identification?: number
  /** Default true, so that a link too narrow for the packet tells its sender (RFC 1191). */
  dontFragment?: boolean
  /** 0 to 63; default 0. */
  dscp?: number
}

/** A whole packet: a header without options, then a copy of the payload. Throws RangeError beyond 65,535 bytes. */
export function encodeIpv4(fields: Ipv4Fields, payload: Uint8Array): Uint8Array {
  const packet = new Uint8Array(IPV4_HEADER_LENGTH + payload.length)
  writeIpv4Header(packet, fields)
  packet.set(payload, IPV4_HEADER_LENGTH)
  return packet
}

/** Writes the header into the first 20 bytes of `packet`, the rest of which is the payload. */
export function writeIpv4Header(packet: Uint8Array, fields: Ipv4Fields): void {
  const { source, destination, protocol, ttl, identification = 0, dontFragment = true, dscp = 0 } = fields
  if (source.version !== 4 || destination.version !== 4) {
    throw new RangeError(`an IPv4 packet from ${source} to ${destination}; expected two IPv4 addresses`)
  }
  if (packet.length > 0xffff)
    throw new RangeError(`an IPv4 packet of ${packet.length} bytes; at most 65535 are possible`)
  packet[0] = 0x45
  packet[1] = dscp << 2
  packet[2] = packet.length >> 8
  packet[3] = packet.length
  packet[4] = identification >> 8
  packet[5] = identification
  packet[6] = dontFragment ? 0x40 : 0
  packet[7] = 0
  packet[IPV4_TTL_OFFSET] = ttl
  packet[IPV4_PROTOCOL_OFFSET] = protocol
  packet[IPV4_CHECKSUM_OFFSET] = 0
  packet[IPV4_CHECKSUM_OFFSET + 1] = 0
  packet.set(source.bytes, IPV4_SOURCE_OFFSET)
  packet.set(destination.bytes, IPV4_DESTINATION_OFFSET)
  const checksum = internetChecksum(packet, 0, IPV4_HEADER_LENGTH)
  packet[IPV4_CHECKSUM_OFFSET] = checksum >> 8
  packet[IPV4_CHECKSUM_OFFSET + 1] = checksum
}
