/**
 * IPv6, RFC 8200 §3.
 *
 *   +-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+
 *   |Version| Traffic Class |           Flow Label                  |
 *   +-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+
 *   |         Payload Length        |  Next Header  |   Hop Limit   |
 *   +-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+
 *   |                                                               |
 *   +                         Source Address (16 bytes)             +
 *   |                                                               |
 *   +-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+
 *   |                                                               |
 *   +                      Destination Address (16 bytes)           +
 *   |                                                               |
 *   +-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+
 *
 * There is no header checksum: only the upper layers have one. The accessors expect a packet that `validateIpv6` found
 * nothing wrong with.
 */

import type { IpAddress } from './address.ts'
import { IpProtocol } from './protocol.ts'

/** The length of the fixed header, in bytes. Extension headers count as payload. */
export const IPV6_HEADER_LENGTH = 40
export const IPV6_NEXT_HEADER_OFFSET = 6
export const IPV6_HOP_LIMIT_OFFSET = 7
export const IPV6_SOURCE_OFFSET = 8
export const IPV6_DESTINATION_OFFSET = 24
/** The largest packet that every IPv6 link must carry, in bytes (RFC 8200 §5). */
export const IPV6_MINIMUM_MTU = 1280

export type Ipv6Problem =
  | 'IPv6 packet shorter than its header'
  | 'IPv6 version field is not 6'
  | 'IPv6 payload length differs from the length of the packet'

/**
 * What is wrong with the packet's fixed header, or undefined. Allocates nothing. Jumbograms (RFC 2675, payload
 * length 0) do not fit any tunnel and are refused by the length check.
 */
export function validateIpv6(packet: Uint8Array): Ipv6Problem | undefined {
  if (packet.length < IPV6_HEADER_LENGTH) return 'IPv6 packet shorter than its header'
  if (packet[0] >> 4 !== 6) return 'IPv6 version field is not 6'
  if (IPV6_HEADER_LENGTH + ipv6PayloadLength(packet) !== packet.length) {
    return 'IPv6 payload length differs from the length of the packet'
  }
  return undefined
}

/** Everything after the fixed header, in bytes. */
export function ipv6PayloadLength(packet: Uint8Array): number {
  return (packet[4] << 8) | packet[5]
}

/** What directly follows the fixed header: an extension header or the upper layer. See `upperLayerProtocol`. */
export function ipv6NextHeader(packet: Uint8Array): number {
  return packet[IPV6_NEXT_HEADER_OFFSET]
}

/**
 * Extension headers, RFC 8200 §4. They stand between the fixed header and the upper layer, each naming the next:
 *
 *   +---------------+------------------------+----------------------------
 *   |  IPv6 header  | Routing header         | UDP header + data
 *   |               |                        |
 *   | Next Header = | Next Header =          |
 *   |    Routing    |      UDP               |
 *   +---------------+------------------------+----------------------------
 *
 * Nearly all share the form of RFC 6564, their length counted in 8-byte units without the first:
 *
 *   +-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+
 *   |  Next Header  |  Hdr Ext Len  |                               |
 *   +-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+                               +
 *
 * Fragment (§4.5) has 8 bytes always, and AH (RFC 4302 §2.2) counts 4-byte units without the first two:
 *
 *   +-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+
 *   |  Next Header  |   Reserved    |      Fragment Offset    |Res|M|
 *   +-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+
 *
 * ESP encrypts what comes after it, so for everyone but its two ends the chain is over there and ESP is the protocol.
 */
function isExtensionHeader(nextHeader: number): boolean {
  switch (nextHeader) {
    case IpProtocol.HOPOPT:
    case IpProtocol.IPV6_ROUTE:
    case IpProtocol.IPV6_FRAG:
    case IpProtocol.AH:
    case IpProtocol.IPV6_OPTS:
    case IpProtocol.MOBILITY:
    case IpProtocol.HIP:
    case IpProtocol.SHIM6:
      return true
    default:
      return false
  }
}

/** More extension headers than any honest packet has: RFC 8200 §4.1 recommends an order in which seven may appear. */
const MAXIMUM_EXTENSION_HEADERS = 16

/**
 * The outermost protocol that is not an extension header (RFC 9484 §4.8), or -1 when the chain of extension headers is
 * malformed. Allocates nothing.
 *
 * In fragments other than the first, the chain may go on in the first fragment, out of sight. The answer then is what
 * the fragment header names, even if that is an extension header; rules for an upper-layer protocol do not match it.
 */
export function upperLayerProtocol(packet: Uint8Array): number {
  const end = walkExtensionHeaders(packet)
  return end === -1 ? -1 : end & 0xff
}

/** As `upperLayerProtocol`, and the offset of that protocol's header. Undefined when the chain is malformed. */
export function upperLayer(packet: Uint8Array): { protocol: number; offset: number } | undefined {
  const end = walkExtensionHeaders(packet)
  return end === -1 ? undefined : { protocol: end & 0xff, offset: end >> 8 }
}

/** The offset of the upper-layer header, or -1 when the chain is malformed. Allocates nothing. */
export function upperLayerOffset(packet: Uint8Array): number {
  const end = walkExtensionHeaders(packet)
  return end === -1 ? -1 : end >> 8
}

/** Is this a fragment without the beginning of the packet, so that no upper-layer header is in it? */
export function ipv6IsLaterFragment(packet: Uint8Array): boolean {
  const at = fragmentHeaderOffset(packet)
  return at !== -1 && fragmentOffset(packet, at) !== 0
}

/**
 * Is only a part of the upper-layer message in this packet? Not so in "atomic fragments", the only piece of one (RFC
 * 6946).
 */
export function ipv6IsFragment(packet: Uint8Array): boolean {
  const at = fragmentHeaderOffset(packet)
  return at !== -1 && (fragmentOffset(packet, at) !== 0 || (packet[at + 3] & 1) !== 0)
}

/** Where the fragment header is; -1 when there is none, or none that can be found. */
function fragmentHeaderOffset(packet: Uint8Array): number {
  let nextHeader = ipv6NextHeader(packet)
  let offset = IPV6_HEADER_LENGTH
  for (let count = 0; count < MAXIMUM_EXTENSION_HEADERS && isExtensionHeader(nextHeader); count++) {
    const length = extensionHeaderLength(packet, nextHeader, offset)
    if (length === -1) return -1
    if (nextHeader === IpProtocol.IPV6_FRAG) return offset
    nextHeader = packet[offset]
    offset += length
  }
  return -1
}

/** Where the chain ends: (offset << 8) | protocol, in one number because an object for each packet would cost more. */
function walkExtensionHeaders(packet: Uint8Array): number {
  if (packet.length < IPV6_HEADER_LENGTH) return -1
  let nextHeader = ipv6NextHeader(packet)
  let offset = IPV6_HEADER_LENGTH
  for (let count = 0; isExtensionHeader(nextHeader); count++) {
    if (count === MAXIMUM_EXTENSION_HEADERS) return -1
    // Hop-by-Hop Options are for every router on the way, and so allowed in the first place only (RFC 8200 §4.1).
    if (nextHeader === IpProtocol.HOPOPT && count > 0) return -1
    const length = extensionHeaderLength(packet, nextHeader, offset)
    if (length === -1) return -1
    const isLaterFragment = nextHeader === IpProtocol.IPV6_FRAG && fragmentOffset(packet, offset) !== 0
    nextHeader = packet[offset]
    offset += length
    if (isLaterFragment) break
  }
  return (offset << 8) | nextHeader
}

/** In bytes; -1 when the packet ends inside the header. */
function extensionHeaderLength(packet: Uint8Array, type: number, offset: number): number {
  if (offset + 8 > packet.length) return -1
  let length = (packet[offset + 1] + 1) * 8
  if (type === IpProtocol.IPV6_FRAG) length = 8
  if (type === IpProtocol.AH) length = (packet[offset + 1] + 2) * 4
  return offset + length > packet.length ? -1 : length
}

/** In 8-byte units. */
function fragmentOffset(packet: Uint8Array, headerOffset: number): number {
  return ((packet[headerOffset + 2] << 8) | packet[headerOffset + 3]) >> 3
}

export interface Ipv6Fields {
  source: IpAddress
  destination: IpAddress
  /** See IpProtocol. */
  nextHeader: number
  hopLimit: number
  /** 0 to 2^20-1; default 0, "no label". */
  flowLabel?: number
  /** 0 to 255; default 0. */
  trafficClass?: number
}

/** A whole packet: the fixed header, then a copy of the payload. Throws RangeError beyond 65,535 bytes of payload. */
export function encodeIpv6(fields: Ipv6Fields, payload: Uint8Array): Uint8Array {
  const packet = new Uint8Array(IPV6_HEADER_LENGTH + payload.length)
  writeIpv6Header(packet, fields)
  packet.set(payload, IPV6_HEADER_LENGTH)
  return packet
}

/** Writes the fixed header into the first 40 bytes of `packet`, the rest of which is the payload. */
export function writeIpv6Header(packet: Uint8Array, fields: Ipv6Fields): void {
  const { source, destination, nextHeader, hopLimit, flowLabel = 0, trafficClass = 0 } = fields
  if (source.version !== 6 || destination.version !== 6) {
    throw new RangeError(`an IPv6 packet from ${source} to ${destination}; expected two IPv6 addresses`)
  }
  const payloadLength = packet.length - IPV6_HEADER_LENGTH
  if (payloadLength > 0xffff)
    throw new RangeError(`an IPv6 payload of ${payloadLength} bytes; at most 65535 are possible`)
  packet[0] = 0x60 | (trafficClass >> 4)
  packet[1] = (trafficClass << 4) | (flowLabel >> 16)
  packet[2] = flowLabel >> 8
  packet[3] = flowLabel
  packet[4] = payloadLength >> 8
  packet[5] = payloadLength
  packet[IPV6_NEXT_HEADER_OFFSET] = nextHeader
  packet[IPV6_HOP_LIMIT_OFFSET] = hopLimit
  packet.set(source.bytes, IPV6_SOURCE_OFFSET)
  packet.set(destination.bytes, IPV6_DESTINATION_OFFSET)
}
