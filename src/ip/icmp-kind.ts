/** ICMP of both versions in a fixed few kinds: what can be counted without one number for each of 256 types. */

import { IcmpType, IcmpUnreachable } from './icmp.ts'
import { Icmpv6Type } from './icmpv6.ts'
import { isLaterFragment, payloadOffset, protocolOf } from './packet.ts'
import { IpProtocol } from './protocol.ts'

/** `too-big` is of IPv4 the "fragmentation needed" among its unreachables. */
export const ICMP_KINDS = ['echo-request', 'echo-reply', 'unreachable', 'too-big', 'time-exceeded', 'other'] as const
export type IcmpKind = (typeof ICMP_KINDS)[number]

const [ECHO_REQUEST, ECHO_REPLY, UNREACHABLE, TOO_BIG, TIME_EXCEEDED, OTHER] = ICMP_KINDS.keys()

/**
 * The place in `ICMP_KINDS` of a packet that passed `validatePacket`; -1 when it is no ICMP of its own version. The fragments behind the first
 * have no type, and are among the others. Allocates nothing.
 */
export function icmpKindOf(packet: Uint8Array): number {
  const isV4 = packet[0] >> 4 === 4
  if (protocolOf(packet) !== (isV4 ? IpProtocol.ICMP : IpProtocol.ICMPV6)) return -1
  const offset = payloadOffset(packet)
  if (offset + 1 >= packet.length || isLaterFragment(packet)) return OTHER
  return isV4 ? kindOfIcmp(packet[offset], packet[offset + 1]) : kindOfIcmpv6(packet[offset])
}

function kindOfIcmp(type: number, code: number): number {
  switch (type) {
    case IcmpType.ECHO_REQUEST:
      return ECHO_REQUEST
    case IcmpType.ECHO_REPLY:
      return ECHO_REPLY
    case IcmpType.DESTINATION_UNREACHABLE:
      return code === IcmpUnreachable.FRAGMENTATION_NEEDED ? TOO_BIG : UNREACHABLE
    case IcmpType.TIME_EXCEEDED:
      return TIME_EXCEEDED
    default:
      return OTHER
  }
}

function kindOfIcmpv6(type: number): number {
  switch (type) {
    case Icmpv6Type.ECHO_REQUEST:
      return ECHO_REQUEST
    case Icmpv6Type.ECHO_REPLY:
      return ECHO_REPLY
    case Icmpv6Type.DESTINATION_UNREACHABLE:
      return UNREACHABLE
    case Icmpv6Type.PACKET_TOO_BIG:
      return TOO_BIG
    case Icmpv6Type.TIME_EXCEEDED:
      return TIME_EXCEEDED
    default:
      return OTHER
  }
}
