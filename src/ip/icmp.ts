/**
 * ICMP for IPv4, RFC 792. Every message begins with
 *
 *    0                   1                   2                   3
 *    0 1 2 3 4 5 6 7 8 9 0 1 2 3 4 5 6 7 8 9 0 1 2 3 4 5 6 7 8 9 0 1
 *   +-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+
 *   |     Type      |     Code      |          Checksum             |
 *   +-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+
 *
 * and four more bytes whose use depends on the type. The checksum is over the ICMP message alone, without pseudo
 * header.
 */

import { DecodeError } from '../bytes/errors.ts'
import { Reader } from '../bytes/reader.ts'
import { IpAddress } from './address.ts'
import { internetChecksum } from './checksum.ts'
import {
  IPV4_DESTINATION_OFFSET,
  IPV4_HEADER_LENGTH,
  IPV4_SOURCE_OFFSET,
  ipv4HeaderLength,
  ipv4IsFragment,
  ipv4Protocol,
  validateIpv4,
  writeIpv4Header,
} from './ipv4.ts'
import { IpProtocol } from './protocol.ts'

export const IcmpType = {
  ECHO_REPLY: 0,
  DESTINATION_UNREACHABLE: 3,
  SOURCE_QUENCH: 4,
  REDIRECT: 5,
  ECHO_REQUEST: 8,
  TIME_EXCEEDED: 11,
  PARAMETER_PROBLEM: 12,
} as const

/** Codes of DESTINATION_UNREACHABLE: RFC 792, RFC 1122 §3.2.2.1, RFC 1812 §5.2.7.1. */
export const IcmpUnreachable = {
  NET: 0,
  HOST: 1,
  PROTOCOL: 2,
  PORT: 3,
  FRAGMENTATION_NEEDED: 4,
  SOURCE_ROUTE_FAILED: 5,
  ADMINISTRATIVELY_PROHIBITED: 13,
} as const

/** Codes of TIME_EXCEEDED. */
export const IcmpTimeExceeded = { IN_TRANSIT: 0, REASSEMBLY: 1 } as const

/**
 * An ICMP error is at most this long as a whole packet, in bytes: any host can take it in one piece (RFC 1812
 * §4.3.2.3).
 */
const ICMP_ERROR_MAXIMUM_LENGTH = 576

/** Errors travel with IP precedence 6, "internetwork control" (RFC 1812 §4.3.2.5): as a DSCP, CS6. */
const DSCP_INTERNETWORK_CONTROL = 48

/** The TTL or hop limit of packets made here: what RFC 1700 recommends. */
export const DEFAULT_HOP_COUNT = 64

const ICMP_HEADER_LENGTH = 8

/** An ICMP or ICMPv6 message, as much of it as this program uses. */
export interface IcmpMessage {
  type: number
  code: number
  /** Echo: which ping this belongs to. */
  id?: number
  /** Echo: which packet of that ping, 0 to 65535. */
  seq?: number
  /** Echo: what the reply has to bring back. A view of the packet. */
  data?: Uint8Array
  /** Errors: the beginning of the packet that caused them. A view of the packet; not validated. */
  quoted?: Uint8Array
  /**
   * Fragmentation needed, packet too big: the largest packet that would have passed, in bytes; 0 if the router did
   * not say.
   */
  mtu?: number
  /** Parameter problem: where in the offending packet the error is, in bytes. */
  pointer?: number
}

export interface EchoFields {
  source: IpAddress
  destination: IpAddress
  /** 0 to 65535. */
  id: number
  /** 0 to 65535. */
  seq: number
  /** TTL or hop limit; default 64. */
  hopCount?: number
}

/**
 * Echo and Echo Reply, RFC 792 page 14:
 *
 *   +-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+
 *   |     Type      |     Code      |          Checksum             |
 *   +-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+
 *   |           Identifier          |        Sequence Number        |
 *   +-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+
 *   |     Data ...
 *   +-+-+-+-+-
 *
 * Returns a whole IPv4 packet.
 */
export function icmpEchoRequest(fields: EchoFields, data: Uint8Array): Uint8Array {
  return icmpEcho(IcmpType.ECHO_REQUEST, fields, data)
}

/**
 * The answer to an echo request with these same `id`, `seq` and data; source and destination are those of the answer.
 */
export function icmpEchoReply(fields: EchoFields, data: Uint8Array): Uint8Array {
  return icmpEcho(IcmpType.ECHO_REPLY, fields, data)
}

function icmpEcho(type: number, fields: EchoFields, data: Uint8Array): Uint8Array {
  const { source, destination, id, seq, hopCount = DEFAULT_HOP_COUNT } = fields
  const packet = new Uint8Array(IPV4_HEADER_LENGTH + ICMP_HEADER_LENGTH + data.length)
  packet.set(data, IPV4_HEADER_LENGTH + ICMP_HEADER_LENGTH)
  writeIpv4Header(packet, { source, destination, protocol: IpProtocol.ICMP, ttl: hopCount })
  writeIcmpHeader(packet, type, 0, (id << 16) | seq)
  return packet
}

/**
 * The whole reply packet to this whole echo request packet, from `source` or else from the address that was pinged.
 * Throws DecodeError when the packet is not an intact echo request.
 */
export function icmpEchoReplyTo(request: Uint8Array, source?: IpAddress): Uint8Array {
  const { type, id = 0, seq = 0, data = new Uint8Array(0) } = decodeIcmp(request)
  if (type !== IcmpType.ECHO_REQUEST) throw new DecodeError(`ICMP type ${type}; expected an echo request, type 8`)
  const pinged = IpAddress.from(4, request.subarray(IPV4_DESTINATION_OFFSET, IPV4_DESTINATION_OFFSET + 4))
  const destination = IpAddress.from(4, request.subarray(IPV4_SOURCE_OFFSET, IPV4_SOURCE_OFFSET + 4))
  return icmpEchoReply({ source: source ?? pinged, destination, id, seq }, data)
}

/**
 * Destination Unreachable, RFC 792 page 4:
 *
 *   +-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+
 *   |     Type      |     Code      |          Checksum             |
 *   +-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+
 *   |                             unused                            |
 *   +-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+
 *   |      Internet Header + 64 bits of Original Data Datagram      |
 *   +-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+
 *
 * RFC 1812 §4.3.2.3 asks for more of the original than 64 bits: as much as fits 576 bytes.
 *
 * Returns a whole IPv4 packet to the sender of `offending`, a valid IPv4 packet. Whether an error may be sent about
 * it at all is for `icmpError` to say.
 */
export function icmpDestinationUnreachable(offending: Uint8Array, code: number, source: IpAddress): Uint8Array {
  return icmpErrorPacket(IcmpType.DESTINATION_UNREACHABLE, code, 0, offending, source)
}

/**
 * Fragmentation needed and DF set, RFC 1191 §4: the unused field of Destination Unreachable code 4 gets a use.
 *
 *   |           unused = 0          |         Next-Hop MTU          |
 *
 * `mtu` in bytes, header included.
 */
export function icmpFragmentationNeeded(offending: Uint8Array, mtu: number, source: IpAddress): Uint8Array {
  const { DESTINATION_UNREACHABLE } = IcmpType
  const { FRAGMENTATION_NEEDED } = IcmpUnreachable
  return icmpErrorPacket(DESTINATION_UNREACHABLE, FRAGMENTATION_NEEDED, Math.min(mtu, 0xffff), offending, source)
}

/** Time Exceeded, RFC 792 page 6; the form is that of Destination Unreachable. */
export function icmpTimeExceeded(offending: Uint8Array, code: number, source: IpAddress): Uint8Array {
  return icmpErrorPacket(IcmpType.TIME_EXCEEDED, code, 0, offending, source)
}

/** Parameter Problem, RFC 792 page 8: the first byte of the unused field is the offset of the offending byte in the packet. */
export function icmpParameterProblem(offending: Uint8Array, pointer: number, source: IpAddress): Uint8Array {
  return icmpErrorPacket(IcmpType.PARAMETER_PROBLEM, 0, pointer << 24, offending, source)
}

function icmpErrorPacket(
  type: number,
  code: number,
  rest: number,
  offending: Uint8Array,
  source: IpAddress,
): Uint8Array {
  const quotedStart = IPV4_HEADER_LENGTH + ICMP_HEADER_LENGTH
  const quoted = offending.subarray(0, ICMP_ERROR_MAXIMUM_LENGTH - quotedStart)
  const packet = new Uint8Array(quotedStart + quoted.length)
  packet.set(quoted, quotedStart)
  writeIpv4Header(packet, {
    source,
    destination: IpAddress.from(4, offending.subarray(IPV4_SOURCE_OFFSET, IPV4_SOURCE_OFFSET + 4)),
    protocol: IpProtocol.ICMP,
    ttl: DEFAULT_HOP_COUNT,
    dscp: DSCP_INTERNETWORK_CONTROL,
  })
  writeIcmpHeader(packet, type, code, rest)
  return packet
}

/** Writes the header, checksum last, behind the 20-byte IPv4 header; the body is in place already. */
function writeIcmpHeader(packet: Uint8Array, type: number, code: number, rest: number): void {
  const at = IPV4_HEADER_LENGTH
  packet[at] = type
  packet[at + 1] = code
  packet[at + 4] = rest >> 24
  packet[at + 5] = rest >> 16
  packet[at + 6] = rest >> 8
  packet[at + 7] = rest
  const checksum = internetChecksum(packet, at, packet.length - at)
  packet[at + 2] = checksum >> 8
  packet[at + 3] = checksum
}

/** Is it a message about another packet's fate? Errors about those are never sent (RFC 1122 §3.2.2). */
export function isIcmpErrorType(type: number): boolean {
  switch (type) {
    case IcmpType.DESTINATION_UNREACHABLE:
    case IcmpType.SOURCE_QUENCH:
    case IcmpType.REDIRECT:
    case IcmpType.TIME_EXCEEDED:
    case IcmpType.PARAMETER_PROBLEM:
      return true
    default:
      return false
  }
}

/**
 * Reads the ICMP message in a whole IPv4 packet. Throws DecodeError when the packet is not valid, carries something
 * else or only a fragment, or has a wrong ICMP checksum.
 */
export function decodeIcmp(packet: Uint8Array): IcmpMessage {
  const problem = validateIpv4(packet)
  if (problem !== undefined) throw new DecodeError(`not an ICMP packet: ${problem}`)
  if (ipv4Protocol(packet) !== IpProtocol.ICMP) {
    throw new DecodeError(`not an ICMP packet: the protocol is ${ipv4Protocol(packet)}, expected ${IpProtocol.ICMP}`)
  }
  if (ipv4IsFragment(packet)) throw new DecodeError('a fragment of an ICMP message; expected a whole one')
  const start = ipv4HeaderLength(packet)
  const reader = new Reader(packet, start)
  const type = reader.u8()
  const code = reader.u8()
  reader.u16()
  const rest = reader.u32()
  if (internetChecksum(packet, start, packet.length - start) !== 0) throw new DecodeError('ICMP checksum wrong')
  switch (type) {
    case IcmpType.ECHO_REQUEST:
    case IcmpType.ECHO_REPLY:
      return { type, code, id: rest >>> 16, seq: rest & 0xffff, data: reader.rest() }
    case IcmpType.DESTINATION_UNREACHABLE:
      if (code !== IcmpUnreachable.FRAGMENTATION_NEEDED) return { type, code, quoted: reader.rest() }
      return { type, code, mtu: rest & 0xffff, quoted: reader.rest() }
    case IcmpType.PARAMETER_PROBLEM:
      return { type, code, pointer: rest >>> 24, quoted: reader.rest() }
    default:
      return isIcmpErrorType(type) ? { type, code, quoted: reader.rest() } : { type, code }
  }
}
