/**
 * Telling a sender why its packet was dropped, in the IP version of that packet. RFC 9484 §7.2.1 asks for these errors;
 * RFC 1812 §4.3.2 and RFC 4443 §2.4 say when to keep quiet.
 */

import { IpAddress } from './address.ts'
import type { HeaderProblem } from './header-problem.ts'
import {
  IcmpTimeExceeded,
  IcmpUnreachable,
  icmpDestinationUnreachable,
  icmpFragmentationNeeded,
  icmpParameterProblem,
  icmpTimeExceeded,
  isIcmpErrorType,
} from './icmp.ts'
import {
  Icmpv6TimeExceeded,
  Icmpv6Type,
  Icmpv6Unreachable,
  icmpv6DestinationUnreachable,
  icmpv6PacketTooBig,
  icmpv6ParameterProblem,
  icmpv6TimeExceeded,
  isIcmpv6ErrorType,
} from './icmpv6.ts'
import {
  IPV4_DESTINATION_OFFSET,
  IPV4_SOURCE_OFFSET,
  ipv4FragmentOffset,
  ipv4HeaderLength,
  ipv4Protocol,
  validateIpv4,
} from './ipv4.ts'
import { IPV6_DESTINATION_OFFSET, IPV6_SOURCE_OFFSET, ipv6IsLaterFragment, upperLayer, validateIpv6 } from './ipv6.ts'
import { IpProtocol } from './protocol.ts'

/**
 *   kind            meaning                                            IPv4    IPv6
 *   source-policy   the sender may not use this source address         3/13    1/5
 *   no-route        no route to the destination                        3/0     1/0
 *   prohibited      a rule forbids the destination or the protocol     3/13    1/1
 *   hop-limit       the TTL or hop limit is used up                    11/0    3/0
 *   too-big         larger than the next link's MTU                    3/4     2/0
 *
 * IPv4 has no code of its own for a bad source address; 13 is "communication administratively prohibited".
 */
export type IcmpErrorKind = 'source-policy' | 'no-route' | 'prohibited' | 'hop-limit' | 'too-big'

/**
 * The whole packet that reports `kind` about the packet `offending` to its sender, or undefined when no error may be
 * sent about that packet. Pass the packet as it arrived, before its hop count is decremented: it is quoted.
 *
 * `source` is our own address, in the packet's IP version, else RangeError. `mtu`, in bytes, is for 'too-big', which
 * needs it. Limiting the rate of errors is up to the caller.
 */
export function icmpError(
  kind: IcmpErrorKind,
  offending: Uint8Array,
  source: IpAddress,
  mtu?: number,
): Uint8Array | undefined {
  if (kind === 'too-big' && mtu === undefined) throw new RangeError("an ICMP error 'too-big' without an MTU to report")
  if (!mayReportOn(offending)) return undefined
  if (offending[0] >> 4 === 4) {
    switch (kind) {
      case 'source-policy':
      case 'prohibited':
        return icmpDestinationUnreachable(offending, IcmpUnreachable.ADMINISTRATIVELY_PROHIBITED, source)
      case 'no-route':
        return icmpDestinationUnreachable(offending, IcmpUnreachable.NET, source)
      case 'hop-limit':
        return icmpTimeExceeded(offending, IcmpTimeExceeded.IN_TRANSIT, source)
      case 'too-big':
        return icmpFragmentationNeeded(offending, mtu ?? 0, source)
    }
  }
  switch (kind) {
    case 'source-policy':
      return icmpv6DestinationUnreachable(offending, Icmpv6Unreachable.SOURCE_POLICY, source)
    case 'prohibited':
      return icmpv6DestinationUnreachable(offending, Icmpv6Unreachable.ADMINISTRATIVELY_PROHIBITED, source)
    case 'no-route':
      return icmpv6DestinationUnreachable(offending, Icmpv6Unreachable.NO_ROUTE, source)
    case 'hop-limit':
      return icmpv6TimeExceeded(offending, Icmpv6TimeExceeded.IN_TRANSIT, source)
    case 'too-big':
      return icmpv6PacketTooBig(offending, mtu ?? 0, source)
  }
}

/** The Parameter Problem about options of this valid IPv4 packet, or undefined when no error may be sent about it. */
export function ipv4OptionError(offending: Uint8Array, pointer: number, source: IpAddress): Uint8Array | undefined {
  return mayReportOn(offending) ? icmpParameterProblem(offending, pointer, source) : undefined
}

/** The Parameter Problem about extension headers of this valid IPv6 packet, or undefined when none is due. */
export function ipv6HeaderError(
  offending: Uint8Array,
  { code, pointer, evenToMulticast }: HeaderProblem,
  source: IpAddress,
): Uint8Array | undefined {
  if (code === undefined || !mayReportOn(offending, evenToMulticast)) return undefined
  return icmpv6ParameterProblem(offending, code, pointer, source)
}

/**
 * May an ICMP error be sent about this packet? Not about errors, or two routers could report each other's reports for
 * ever; not about packets to many receivers, or one packet would draw many errors; and not when the source does not
 * name one host, because the error would go astray. RFC 1122 §3.2.2, RFC 1812 §4.3.2.7, RFC 4443 §2.4 (e).
 *
 * RFC 4443 makes two exceptions for multicast. Packet Too Big is not sent here: multicast does not leave the tunnel.
 * `evenToMulticast` is the other, an option of IPv6 whose type asks for it.
 */
export function mayReportOn(packet: Uint8Array, evenToMulticast = false): boolean {
  if (validateIpv4(packet) === undefined) return mayReportOnIpv4(packet)
  if (validateIpv6(packet) === undefined) return mayReportOnIpv6(packet, evenToMulticast)
  return false
}

function mayReportOnIpv4(packet: Uint8Array): boolean {
  const source = IpAddress.from(4, packet.subarray(IPV4_SOURCE_OFFSET, IPV4_SOURCE_OFFSET + 4))
  const destination = IpAddress.from(4, packet.subarray(IPV4_DESTINATION_OFFSET, IPV4_DESTINATION_OFFSET + 4))
  if (destination.isMulticast || destination.isBroadcast) return false
  // 0.0.0.0/8 is "this host", 224.0.0.0/4 multicast, 240.0.0.0/4 reserved and broadcast.
  if (source.bytes[0] === 0 || source.bytes[0] >= 224 || source.isLoopback) return false
  if (ipv4FragmentOffset(packet) !== 0) return false
  if (ipv4Protocol(packet) !== IpProtocol.ICMP) return true
  const typeOffset = ipv4HeaderLength(packet)
  return typeOffset < packet.length && !isIcmpErrorType(packet[typeOffset])
}

function mayReportOnIpv6(packet: Uint8Array, evenToMulticast: boolean): boolean {
  const source = IpAddress.from(6, packet.subarray(IPV6_SOURCE_OFFSET, IPV6_SOURCE_OFFSET + 16))
  const destination = IpAddress.from(6, packet.subarray(IPV6_DESTINATION_OFFSET, IPV6_DESTINATION_OFFSET + 16))
  if (destination.isMulticast && !evenToMulticast) return false
  if (source.isUnspecified || source.isMulticast || source.isLoopback) return false
  if (ipv6IsLaterFragment(packet)) return false
  const upper = upperLayer(packet)
  // A malformed chain could hide an ICMP error.
  if (upper === undefined) return false
  if (upper.protocol !== IpProtocol.ICMPV6) return true
  if (upper.offset >= packet.length) return false
  const type = packet[upper.offset]
  return !isIcmpv6ErrorType(type) && type !== Icmpv6Type.REDIRECT
}
