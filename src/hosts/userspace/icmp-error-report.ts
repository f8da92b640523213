import type { IpAddress } from '../../ip/address.ts'
import { type IcmpMessage, IcmpType, IcmpUnreachable, isIcmpErrorType } from '../../ip/icmp.ts'
import { Icmpv6Type, Icmpv6Unreachable, isIcmpv6ErrorType } from '../../ip/icmpv6.ts'

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
