// mutant: errors are reported about errors; expect: about an ICMP error
/**
 * Task 9: a packet that does not fit the tunnel. IPv6 says so by Packet Too Big (RFC 4443 §3.2), IPv4 by Destination
 * Unreachable, code 4, "fragmentation needed and DF set" (RFC 1191 §4).
 *
 *   IPv6                                      IPv4
 *   +---------+---------+-------------------+ +---------+---------+-------------------+
 *   | Type 2  | Code 0  |     Checksum      | | Type 3  | Code 4  |     Checksum      |
 *   +---------+---------+-------------------+ +---------+---------+-------------------+
 *   |                  MTU                  | |     unused = 0    |        MTU        |
 *   +---------------------------------------+ +-------------------+-------------------+
 *   |  the packet it is about, as much as   | |  the packet it is about, as much as   |
 *   |  fits 1280 bytes with all headers     | |  fits 576 bytes with all headers      |
 */
import { concat, read16, write16 } from './bytes.ts'
import { internetChecksum } from './ipv4.ts'
import { upperLayer } from './ipv6.ts'

const ICMP = 1
const ICMPV6 = 58
const HOP_COUNT = 64
const ICMP_HEADER_LENGTH = 8
const CHECKSUM_AT = 2

const V4 = { header: 20, most: 576, sourceAt: 12, destinationAt: 16 } as const
const V6 = { header: 40, most: 1280, sourceAt: 8, destinationAt: 24 } as const

/** The whole IP packet that tells the sender of `packet` that at most `mtu` bytes fit; undefined when none may be sent. */
export function packetTooBig(packet: Uint8Array, mtu: number, source: Uint8Array): Uint8Array | undefined {
  if (packet[0] >> 4 === 4) return mayReportOnIpv4(packet) ? fragmentationNeeded(packet, mtu, source) : undefined
  return mayReportOnIpv6(packet) ? packetTooBigV6(packet, mtu, source) : undefined
}

// IPv4 ----------------------------------------------------------------------------------------------------------------

function mayReportOnIpv4(packet: Uint8Array): boolean {
  const source = packet.subarray(V4.sourceAt, V4.sourceAt + 4)
  const destination = packet.subarray(V4.destinationAt, V4.destinationAt + 4)
  if (isUnspecified(source)) return false
  const isMulticast = destination[0] >= 224 && destination[0] <= 239
  if (isMulticast || destination.every(byte => byte === 255)) return false
  const fragmentOffset = read16(packet, 6) & 0x1fff
  if (fragmentOffset > 0) return false
  const protocol = packet[9]
  const type = packet[(packet[0] & 0x0f) * 4]
  return !(protocol === ICMP && type > 200)
}

function fragmentationNeeded(packet: Uint8Array, mtu: number, source: Uint8Array): Uint8Array {
  const quoted = packet.subarray(0, V4.most - V4.header - ICMP_HEADER_LENGTH)
  const message = concat(Uint8Array.of(3, 4, 0, 0, 0, 0, mtu >> 8, mtu), quoted)
  write16(message, CHECKSUM_AT, internetChecksum(message))

  const destination = packet.subarray(V4.sourceAt, V4.sourceAt + 4)
  const header = concat(Uint8Array.of(0x45, 0xc0, 0, 0, 0, 0, 0x40, 0, HOP_COUNT, ICMP, 0, 0), source, destination)
  write16(header, 2, header.length + message.length)
  write16(header, 10, internetChecksum(header))
  return concat(header, message)
}

// IPv6 ----------------------------------------------------------------------------------------------------------------

function mayReportOnIpv6(packet: Uint8Array): boolean {
  if (isUnspecified(packet.subarray(V6.sourceAt, V6.sourceAt + 16))) return false
  const isMulticast = packet[V6.destinationAt] === 0xff
  const { protocol, offset, laterFragment } = upperLayer(packet)
  if (isMulticast || laterFragment) return false
  const type = packet[offset]
  return !(protocol === ICMPV6 && (type < 128 || type === 137))
}

function packetTooBigV6(packet: Uint8Array, mtu: number, source: Uint8Array): Uint8Array {
  const quoted = packet.subarray(0, V6.most - V6.header - ICMP_HEADER_LENGTH)
  const message = concat(Uint8Array.of(2, 0, 0, 0, mtu >> 24, mtu >> 16, mtu >> 8, mtu), quoted)
  const destination = packet.subarray(V6.sourceAt, V6.sourceAt + 16)
  const length = Uint8Array.of(0, 0, message.length >> 8, message.length)
  const pseudoHeader = concat(source, destination, length, Uint8Array.of(0, 0, 0, ICMPV6))
  write16(message, CHECKSUM_AT, internetChecksum(concat(pseudoHeader, message)))

  const header = concat(Uint8Array.of(0x60, 0, 0, 0, 0, 0, ICMPV6, HOP_COUNT), source, destination)
  write16(header, 4, message.length)
  return concat(header, message)
}

function isUnspecified(address: Uint8Array): boolean {
  return address.every(byte => byte === 0)
}
