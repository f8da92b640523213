import type { IpAddress } from '../../ip/address.ts'
import { type IcmpMessage, IcmpType, IcmpUnreachable, isIcmpErrorType } from '../../ip/icmp.ts'
import { Icmpv6Type, Icmpv6Unreachable, isIcmpv6ErrorType } from '../../ip/icmpv6.ts'
import { IPV4_HEADER_LENGTH, ipv4HeaderLength } from '../../ip/ipv4.ts'
import { IPV6_HEADER_LENGTH } from '../../ip/ipv6.ts'
import { destinationOf, isLaterFragment, packetVersion, payloadOffset, protocolOf, sourceOf } from '../../ip/packet.ts'

export type IcmpErrorReportKind =
  | 'destination-unreachable'
  | 'packet-too-big'
  | 'time-exceeded'
  | 'parameter-problem'
  | 'other'

/** An ICMP or ICMPv6 error as the sender of the packet it is about wants to know it. */
export interface IcmpErrorReport {
  kind: IcmpErrorReportKind
  /** As on the wire; they mean different things in ICMP and ICMPv6. */
  type: number
  code: number
  /** Who sent the error: the router or host that could not go on with the packet. */
  from: IpAddress
  /** For packet-too-big: the largest packet that would have passed there, in bytes; 0 when it did not say. */
  mtu?: number
  /** For humans: "port unreachable". */
  text: string
}

/** What the message says, or undefined when it is not an error. */
export function icmpErrorReport(message: IcmpMessage, from: IpAddress): IcmpErrorReport | undefined {
  const { type, code, mtu } = message
  const isV4 = from.version === 4
  if (!(isV4 ? isIcmpErrorType(type) : isIcmpv6ErrorType(type))) return undefined
  const kind = isV4 ? kindOfIcmp(type, code) : kindOfIcmpv6(type)
  if (kind === 'packet-too-big') {
    return { kind, type, code, from, mtu, text: `packet too big${mtu ? `, at most ${mtu} bytes pass` : ''}` }
  }
  return { kind, type, code, from, text: textOf(kind, isV4, type, code) }
}

function kindOfIcmp(type: number, code: number): IcmpErrorReportKind {
  switch (type) {
    case IcmpType.DESTINATION_UNREACHABLE:
      // RFC 1191: IPv4 has no message of its own for this.
      return code === IcmpUnreachable.FRAGMENTATION_NEEDED ? 'packet-too-big' : 'destination-unreachable'
    case IcmpType.TIME_EXCEEDED:
      return 'time-exceeded'
    case IcmpType.PARAMETER_PROBLEM:
      return 'parameter-problem'
    default:
      return 'other'
  }
}

function kindOfIcmpv6(type: number): IcmpErrorReportKind {
  switch (type) {
    case Icmpv6Type.DESTINATION_UNREACHABLE:
      return 'destination-unreachable'
    case Icmpv6Type.PACKET_TOO_BIG:
      return 'packet-too-big'
    case Icmpv6Type.TIME_EXCEEDED:
      return 'time-exceeded'
    case Icmpv6Type.PARAMETER_PROBLEM:
      return 'parameter-problem'
    default:
      return 'other'
  }
}

const UNREACHABLE_V4 = new Map<number, string>([
  [IcmpUnreachable.NET, 'network unreachable'],
  [IcmpUnreachable.HOST, 'host unreachable'],
  [IcmpUnreachable.PROTOCOL, 'protocol unreachable'],
  [IcmpUnreachable.PORT, 'port unreachable'],
  [IcmpUnreachable.ADMINISTRATIVELY_PROHIBITED, 'administratively prohibited'],
])

const UNREACHABLE_V6 = new Map<number, string>([
  [Icmpv6Unreachable.NO_ROUTE, 'no route to the destination'],
  [Icmpv6Unreachable.ADMINISTRATIVELY_PROHIBITED, 'administratively prohibited'],
  [Icmpv6Unreachable.BEYOND_SCOPE, 'beyond the scope of the source address'],
  [Icmpv6Unreachable.ADDRESS, 'address unreachable'],
  [Icmpv6Unreachable.PORT, 'port unreachable'],
  [Icmpv6Unreachable.SOURCE_POLICY, 'source address failed policy'],
  [Icmpv6Unreachable.REJECT_ROUTE, 'rejected by route'],
])

function textOf(kind: IcmpErrorReportKind, isV4: boolean, type: number, code: number): string {
  switch (kind) {
    case 'destination-unreachable':
      return (isV4 ? UNREACHABLE_V4 : UNREACHABLE_V6).get(code) ?? `destination unreachable, code ${code}`
    case 'time-exceeded':
      if (code !== 0) return 'reassembly time exceeded'
      return isV4 ? 'TTL exceeded' : 'hop limit exceeded'
    case 'parameter-problem':
      return `parameter problem, code ${code}`
    default:
      return `ICMP${isV4 ? '' : 'v6'} error type ${type} code ${code}`
  }
}

/** As much of the packet that an ICMP error is about as tells whose it was. */
export interface QuotedPacket {
  source: IpAddress
  destination: IpAddress
  protocol: number
  /** The first 8 bytes of the upper layer: ports for UDP; type, code, identifier and sequence number for an echo request. */
  upperLayer: Uint8Array
}

/**
 * Reads the quoted packet. It is cut off somewhere, so the usual checks of lengths and checksums do not apply. Undefined
 * when not even 8 bytes of its upper layer are there (RFC 792 promises as many).
 */
export function readQuotedPacket(quoted: Uint8Array): QuotedPacket | undefined {
  const version = packetVersion(quoted)
  if (version === 0 || quoted.length < (version === 4 ? IPV4_HEADER_LENGTH : IPV6_HEADER_LENGTH)) return undefined
  if (version === 4 && ipv4HeaderLength(quoted) < IPV4_HEADER_LENGTH) return undefined
  if (isLaterFragment(quoted)) return undefined
  const offset = payloadOffset(quoted)
  if (offset === -1 || offset + 8 > quoted.length) return undefined
  return {
    source: sourceOf(quoted),
    destination: destinationOf(quoted),
    protocol: protocolOf(quoted),
    upperLayer: quoted.subarray(offset, offset + 8),
  }
}
