/**
 * ICMPv6, RFC 4443 §2.1. Every message begins with
 *
 *    0                   1                   2                   3
 *    0 1 2 3 4 5 6 7 8 9 0 1 2 3 4 5 6 7 8 9 0 1 2 3 4 5 6 7 8 9 0 1
 *   +-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+
 *   |     Type      |     Code      |          Checksum             |
 *   +-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+
 *
 * and four more bytes whose use depends on the type. Types below 128 are errors, the others information. Unlike
 * ICMP's, the checksum is also over a pseudo header: the IPv6 header has no checksum of its own.
 */

import { DecodeError } from '../bytes/errors.ts'
import { Reader } from '../bytes/reader.ts'
import { IpAddress } from './address.ts'
import { internetChecksum, pseudoHeaderSum } from './checksum.ts'
import { DEFAULT_HOP_COUNT, type EchoFields, type IcmpMessage } from './icmp.ts'
import {
  IPV6_DESTINATION_OFFSET,
  IPV6_HEADER_LENGTH,
  IPV6_MINIMUM_MTU,
  IPV6_SOURCE_OFFSET,
  ipv6IsFragment,
  upperLayer,
  validateIpv6,
  writeIpv6Header,
} from './ipv6.ts'
import { IpProtocol } from './protocol.ts'

export const Icmpv6Type = {
  DESTINATION_UNREACHABLE: 1,
  PACKET_TOO_BIG: 2,
  TIME_EXCEEDED: 3,
  PARAMETER_PROBLEM: 4,
  ECHO_REQUEST: 128,
  ECHO_REPLY: 129,
  /** RFC 4861 §4.5. Information by its number, but no error may be sent about it (RFC 4443 §2.4 (e.2)). */
  REDIRECT: 137,
} as const

/** Codes of DESTINATION_UNREACHABLE, RFC 4443 §3.1. */
export const Icmpv6Unreachable = {
  NO_ROUTE: 0,
  ADMINISTRATIVELY_PROHIBITED: 1,
  BEYOND_SCOPE: 2,
  ADDRESS: 3,
  PORT: 4,
  /** Source address failed ingress/egress policy. */
  SOURCE_POLICY: 5,
  REJECT_ROUTE: 6,
} as const

/** Codes of TIME_EXCEEDED, RFC 4443 §3.3. */
export const Icmpv6TimeExceeded = { IN_TRANSIT: 0, REASSEMBLY: 1 } as const

/** Codes of PARAMETER_PROBLEM, RFC 4443 §3.4. */
export const Icmpv6ParameterProblem = { HEADER_FIELD: 0, NEXT_HEADER: 1, OPTION: 2 } as const

const ICMPV6_HEADER_LENGTH = 8

/**
 * Echo Request and Echo Reply, RFC 4443 §4.1, §4.2:
 *
 *   +-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+
 *   |     Type      |     Code      |          Checksum             |
 *   +-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+
 *   |           Identifier          |        Sequence Number        |
 *   +-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+
 *   |     Data ...
 *   +-+-+-+-+-
 *
 * Returns a whole IPv6 packet. 1232 bytes of data fill the minimum MTU of 1280 exactly.
 */
export function icmpv6EchoRequest(fields: EchoFields, data: Uint8Array): Uint8Array {
  return icmpv6Echo(Icmpv6Type.ECHO_REQUEST, fields, data)
}

/**
 * The answer to an echo request with these same `id`, `seq` and data; source and destination are those of the answer.
 */
export function icmpv6EchoReply(fields: EchoFields, data: Uint8Array): Uint8Array {
  return icmpv6Echo(Icmpv6Type.ECHO_REPLY, fields, data)
}

function icmpv6Echo(type: number, fields: EchoFields, data: Uint8Array): Uint8Array {
  const { source, destination, id, seq, hopCount = DEFAULT_HOP_COUNT } = fields
  return icmpv6Packet(type, 0, (id << 16) | seq, data, source, destination, hopCount)
}

/**
 * The whole reply packet to this whole echo request packet, from `source` or else from the address that was pinged. A
 * ping to a multicast address such as ff02::1 needs `source`: nothing may come from a multicast address.
 * Throws DecodeError when the packet is not an intact echo request.
 */
export function icmpv6EchoReplyTo(request: Uint8Array, source?: IpAddress): Uint8Array {
  const { type, id = 0, seq = 0, data = new Uint8Array(0) } = decodeIcmpv6(request)
  if (type !== Icmpv6Type.ECHO_REQUEST) throw new DecodeError(`ICMPv6 type ${type}; expected an echo request, type 128`)
  const pinged = IpAddress.from(6, request.subarray(IPV6_DESTINATION_OFFSET, IPV6_DESTINATION_OFFSET + 16))
  const destination = IpAddress.from(6, request.subarray(IPV6_SOURCE_OFFSET, IPV6_SOURCE_OFFSET + 16))
  return icmpv6EchoReply({ source: source ?? pinged, destination, id, seq }, data)
}

/**
 * Destination Unreachable, RFC 4443 §3.1:
 *
 *   +-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+
 *   |     Type      |     Code      |          Checksum             |
 *   +-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+
 *   |                             Unused                            |
 *   +-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+
 *   |                    As much of invoking packet                 |
 *   +                as possible without the ICMPv6 packet          +
 *   |                exceeding the minimum IPv6 MTU [IPv6]          |
 *
 * Returns a whole IPv6 packet to the sender of `offending`, a valid IPv6 packet. Whether an error may be sent about
 * it at all is for `icmpError` to say.
 */
export function icmpv6DestinationUnreachable(offending: Uint8Array, code: number, source: IpAddress): Uint8Array {
  return icmpv6ErrorPacket(Icmpv6Type.DESTINATION_UNREACHABLE, code, 0, offending, source)
}

/**
 * Packet Too Big, RFC 4443 §3.2: the unused field of Destination Unreachable is the MTU instead.
 *
 *   |                             MTU                               |
 *
 * `mtu` in bytes, header included.
 */
export function icmpv6PacketTooBig(offending: Uint8Array, mtu: number, source: IpAddress): Uint8Array {
  return icmpv6ErrorPacket(Icmpv6Type.PACKET_TOO_BIG, 0, mtu, offending, source)
}

/** Time Exceeded, RFC 4443 §3.3; the form is that of Destination Unreachable. */
export function icmpv6TimeExceeded(offending: Uint8Array, code: number, source: IpAddress): Uint8Array {
  return icmpv6ErrorPacket(Icmpv6Type.TIME_EXCEEDED, code, 0, offending, source)
}

/** Parameter Problem, RFC 4443 §3.4. `pointer` is the offset of the offending byte in the packet. */
export function icmpv6ParameterProblem(
  offending: Uint8Array,
  code: number,
  pointer: number,
  source: IpAddress,
): Uint8Array {
  return icmpv6ErrorPacket(Icmpv6Type.PARAMETER_PROBLEM, code, pointer, offending, source)
}

function icmpv6ErrorPacket(
  type: number,
  code: number,
  rest: number,
  offending: Uint8Array,
  source: IpAddress,
): Uint8Array {
  const quoted = offending.subarray(0, IPV6_MINIMUM_MTU - IPV6_HEADER_LENGTH - ICMPV6_HEADER_LENGTH)
  const destination = IpAddress.from(6, offending.subarray(IPV6_SOURCE_OFFSET, IPV6_SOURCE_OFFSET + 16))
  return icmpv6Packet(type, code, rest, quoted, source, destination, DEFAULT_HOP_COUNT)
}

function icmpv6Packet(
  type: number,
  code: number,
  rest: number,
  body: Uint8Array,
  source: IpAddress,
  destination: IpAddress,
  hopLimit: number,
): Uint8Array {
  const at = IPV6_HEADER_LENGTH
  const packet = new Uint8Array(at + ICMPV6_HEADER_LENGTH + body.length)
  writeIpv6Header(packet, { source, destination, nextHeader: IpProtocol.ICMPV6, hopLimit })
  packet[at] = type
  packet[at + 1] = code
  packet[at + 4] = rest >> 24
  packet[at + 5] = rest >> 16
  packet[at + 6] = rest >> 8
  packet[at + 7] = rest
  packet.set(body, at + ICMPV6_HEADER_LENGTH)
  const checksum = icmpv6Checksum(packet, at)
  packet[at + 2] = checksum >> 8
  packet[at + 3] = checksum
  return packet
}

/** RFC 4443 §2.3: over the message, which begins at `start`, and the pseudo header of RFC 8200 §8.1. */
function icmpv6Checksum(packet: Uint8Array, start: number): number {
  const length = packet.length - start
  const pseudoHeader = pseudoHeaderSum(packet, IPV6_SOURCE_OFFSET, 32, IpProtocol.ICMPV6, length)
  return internetChecksum(packet, start, length, pseudoHeader)
}

/** Is it a message about another packet's fate? */
export function isIcmpv6ErrorType(type: number): boolean {
  return type < 128
}

/**
 * Reads the ICMPv6 message in a whole IPv6 packet, behind extension headers if there are any. Throws DecodeError when
 * the packet is not valid, carries something else or only a fragment, or has a wrong checksum.
 */
export function decodeIcmpv6(packet: Uint8Array): IcmpMessage {
  const problem = validateIpv6(packet)
  if (problem !== undefined) throw new DecodeError(`not an ICMPv6 packet: ${problem}`)
  const upper = upperLayer(packet)
  if (upper === undefined) throw new DecodeError('not an ICMPv6 packet: malformed chain of extension headers')
  if (upper.protocol !== IpProtocol.ICMPV6) {
    throw new DecodeError(`not an ICMPv6 packet: the protocol is ${upper.protocol}, expected ${IpProtocol.ICMPV6}`)
  }
  if (ipv6IsFragment(packet)) throw new DecodeError('a fragment of an ICMPv6 message; expected a whole one')
  const reader = new Reader(packet, upper.offset)
  const type = reader.u8()
  const code = reader.u8()
  reader.u16()
  const rest = reader.u32()
  if (icmpv6Checksum(packet, upper.offset) !== 0) throw new DecodeError('ICMPv6 checksum wrong')
  switch (type) {
    case Icmpv6Type.ECHO_REQUEST:
    case Icmpv6Type.ECHO_REPLY:
      return { type, code, id: rest >>> 16, seq: rest & 0xffff, data: reader.rest() }
    case Icmpv6Type.PACKET_TOO_BIG:
      return { type, code, mtu: rest, quoted: reader.rest() }
    case Icmpv6Type.PARAMETER_PROBLEM:
      return { type, code, pointer: rest, quoted: reader.rest() }
    default:
      return isIcmpv6ErrorType(type) ? { type, code, quoted: reader.rest() } : { type, code }
  }
}
