/**
 * An IP packet of either version, as it comes out of a tunnel: one byte array with nothing before or after it. The
 * functions that forwarding calls for every packet allocate nothing and do not touch the payload.
 */

import { DecodeError } from '../bytes/errors.ts'
import { IpAddress, type IpVersion } from './address.ts'
import { incrementalUpdate } from './checksum.ts'
import { decodeIcmp, type IcmpMessage, IcmpType, IcmpUnreachable } from './icmp.ts'
import { decodeIcmpv6, Icmpv6Type } from './icmpv6.ts'
import {
  IPV4_CHECKSUM_OFFSET,
  IPV4_DESTINATION_OFFSET,
  IPV4_SOURCE_OFFSET,
  IPV4_TTL_OFFSET,
  ipv4Checksum,
  ipv4FragmentOffset,
  ipv4HeaderLength,
  ipv4IsFragment,
  ipv4Protocol,
  validateIpv4,
} from './ipv4.ts'
import {
  IPV6_DESTINATION_OFFSET,
  IPV6_HOP_LIMIT_OFFSET,
  IPV6_SOURCE_OFFSET,
  ipv6IsFragment,
  ipv6IsLaterFragment,
  upperLayerOffset,
  upperLayerProtocol,
  validateIpv6,
} from './ipv6.ts'
import { IpProtocol, protocolName } from './protocol.ts'
import { decodeUdp } from './udp.ts'

/** Where the addresses are, in bytes from the packet's start. */
export const SOURCE_OFFSET = { 4: IPV4_SOURCE_OFFSET, 6: IPV6_SOURCE_OFFSET } as const
export const DESTINATION_OFFSET = { 4: IPV4_DESTINATION_OFFSET, 6: IPV6_DESTINATION_OFFSET } as const

/** The IP version that the packet's first four bits state; 0 when that is neither 4 nor 6. */
export function packetVersion(packet: Uint8Array): IpVersion | 0 {
  if (packet.length === 0) return 0
  const version = packet[0] >> 4
  return version === 4 || version === 6 ? version : 0
}

/**
 * What is wrong with the packet, or undefined. All other functions here expect a packet that passed. Beyond the fixed
 * header, IPv6 extension headers are not looked at: `protocolOf` gives -1 when they are malformed.
 */
export function validatePacket(packet: Uint8Array): string | undefined {
  switch (packetVersion(packet)) {
    case 4:
      return validateIpv4(packet)
    case 6:
      return validateIpv6(packet)
    default:
      return packet.length === 0 ? 'empty packet' : 'IP version field is neither 4 nor 6'
  }
}

/** For logs and the control plane; forwarding compares the bytes in place. */
export function sourceOf(packet: Uint8Array): IpAddress {
  return packet[0] >> 4 === 4 ? addressAt(packet, 4, IPV4_SOURCE_OFFSET) : addressAt(packet, 6, IPV6_SOURCE_OFFSET)
}

/** For logs and the control plane; forwarding compares the bytes in place. */
export function destinationOf(packet: Uint8Array): IpAddress {
  if (packet[0] >> 4 === 4) return addressAt(packet, 4, IPV4_DESTINATION_OFFSET)
  return addressAt(packet, 6, IPV6_DESTINATION_OFFSET)
}

function addressAt(packet: Uint8Array, version: IpVersion, offset: number): IpAddress {
  return IpAddress.from(version, packet.subarray(offset, offset + (version === 4 ? 4 : 16)))
}

/**
 * The protocol that CONNECT-IP's scopes and routes are matched against: the outermost that is not an IPv6 extension
 * header (RFC 9484 §4.8). -1 when the extension headers are malformed.
 */
export function protocolOf(packet: Uint8Array): number {
  return packet[0] >> 4 === 4 ? ipv4Protocol(packet) : upperLayerProtocol(packet)
}

/** Where the upper-layer header begins, in bytes: behind options and extension headers. -1 when those are malformed. */
export function payloadOffset(packet: Uint8Array): number {
  return packet[0] >> 4 === 4 ? ipv4HeaderLength(packet) : upperLayerOffset(packet)
}

/** Is this a fragment other than the first, so that the upper-layer header is not in it? */
export function isLaterFragment(packet: Uint8Array): boolean {
  return packet[0] >> 4 === 4 ? ipv4FragmentOffset(packet) !== 0 : ipv6IsLaterFragment(packet)
}

/** Is only a part of the upper-layer message in this packet? */
export function isFragment(packet: Uint8Array): boolean {
  return packet[0] >> 4 === 4 ? ipv4IsFragment(packet) : ipv6IsFragment(packet)
}

/** TTL (IPv4) or hop limit (IPv6). */
export function hopCountOf(packet: Uint8Array): number {
  return packet[packet[0] >> 4 === 4 ? IPV4_TTL_OFFSET : IPV6_HOP_LIMIT_OFFSET]
}

/**
 * Takes 1 from the TTL or hop limit, in place; IPv4's header checksum is updated with it and the rest of the header
 * not read again. Where the count is 0 already it stays: such a packet must not be forwarded, nor one with 1 (RFC
 * 1812 §5.3.1).
 */
export function decrementHopCount(packet: Uint8Array): void {
  if (packet[0] >> 4 !== 4) {
    if (packet[IPV6_HOP_LIMIT_OFFSET] > 0) packet[IPV6_HOP_LIMIT_OFFSET]--
    return
  }
  if (packet[IPV4_TTL_OFFSET] === 0) return
  // The 16-bit word that changes holds the TTL and the protocol.
  const oldWord = (packet[IPV4_TTL_OFFSET] << 8) | packet[IPV4_TTL_OFFSET + 1]
  const checksum = incrementalUpdate(ipv4Checksum(packet), oldWord, oldWord - 0x100)
  packet[IPV4_TTL_OFFSET]--
  packet[IPV4_CHECKSUM_OFFSET] = checksum >> 8
  packet[IPV4_CHECKSUM_OFFSET + 1] = checksum
}

/**
 * One line about the packet for humans: "IPv4 10.89.0.2 → 10.89.0.1 ICMP echo request id 1 seq 2, 64 bytes, TTL 64".
 * Never throws: what is wrong with a packet is said instead.
 */
export function describePacket(packet: Uint8Array): string {
  const problem = validatePacket(packet)
  if (problem !== undefined) return `malformed packet (${problem}), ${packet.length} bytes`
  const version = packetVersion(packet)
  const hops = `${version === 4 ? 'TTL' : 'hop limit'} ${hopCountOf(packet)}`
  const ends = `IPv${version} ${sourceOf(packet)} → ${destinationOf(packet)}`
  return `${ends} ${describePayload(packet)}, ${packet.length} bytes, ${hops}`
}

function describePayload(packet: Uint8Array): string {
  const protocol = protocolOf(packet)
  if (protocol === -1) return '(malformed extension headers)'
  const name = protocolName(protocol)
  if (isFragment(packet)) return `${name} fragment`
  const isV4 = packetVersion(packet) === 4
  try {
    if (protocol === IpProtocol.UDP) {
      const { sourcePort, destinationPort } = decodeUdp(packet, payloadOffset(packet))
      return `UDP ${sourcePort} → ${destinationPort}`
    }
    if (protocol === IpProtocol.ICMP && isV4) return `ICMP ${describeIcmp(decodeIcmp(packet), ICMP_NAMES)}`
    if (protocol === IpProtocol.ICMPV6 && !isV4) return `ICMPv6 ${describeIcmp(decodeIcmpv6(packet), ICMPV6_NAMES)}`
  } catch (error) {
    if (!(error instanceof DecodeError)) throw error
    return `${name} (malformed: ${error.message})`
  }
  return name
}

const ICMP_NAMES = new Map<number, string>([
  [IcmpType.ECHO_REQUEST, 'echo request'],
  [IcmpType.ECHO_REPLY, 'echo reply'],
  [IcmpType.DESTINATION_UNREACHABLE, 'destination unreachable'],
  [IcmpType.TIME_EXCEEDED, 'time exceeded'],
  [IcmpType.PARAMETER_PROBLEM, 'parameter problem'],
  [IcmpType.REDIRECT, 'redirect'],
])

const ICMPV6_NAMES = new Map<number, string>([
  [Icmpv6Type.ECHO_REQUEST, 'echo request'],
  [Icmpv6Type.ECHO_REPLY, 'echo reply'],
  [Icmpv6Type.DESTINATION_UNREACHABLE, 'destination unreachable'],
  [Icmpv6Type.PACKET_TOO_BIG, 'packet too big'],
  [Icmpv6Type.TIME_EXCEEDED, 'time exceeded'],
  [Icmpv6Type.PARAMETER_PROBLEM, 'parameter problem'],
  [Icmpv6Type.REDIRECT, 'redirect'],
])

function describeIcmp(message: IcmpMessage, names: ReadonlyMap<number, string>): string {
  const { type, code, id, seq, mtu, quoted } = message
  const name = names.get(type) ?? `type ${type}`
  if (id !== undefined) return `${name} id ${id} seq ${seq}`
  if (mtu !== undefined) {
    const isV4 = names === ICMP_NAMES && code === IcmpUnreachable.FRAGMENTATION_NEEDED
    return `${isV4 ? 'fragmentation needed' : name} mtu ${mtu}`
  }
  return quoted === undefined && names.has(type) ? name : `${name} code ${code}`
}
