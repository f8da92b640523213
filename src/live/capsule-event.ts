/** The capsules that are exchanged, in words: who assigns what, who routes what, and when. DATAGRAM capsules are packets, and not among them. */
import type { PacketDirection } from '../carriers/tunnel.ts'
import { decodeAddressAssign, isRefusal } from '../connect-ip/address-assign.ts'
import { decodeAddressRequest, type RequestedAddress } from '../connect-ip/address-request.ts'
import { CapsuleParser, CapsuleType } from '../connect-ip/capsule.ts'
import { DNS_ASSIGN, type DnsConfiguration, decodeDnsAssign, describeDns } from '../connect-ip/dns/dns-assign.ts'
import { decodePref64, PREF64 } from '../connect-ip/dns/pref64.ts'
import { decodeRouteAdvertisement, describeRoute, type IpAddressRange } from '../connect-ip/route-advertisement.ts'
import type { SessionEvent } from '../connect-ip/session.ts'
import type { WatchedTunnel } from './packet-sample.ts'

export const CAPSULE_EVENT_LIMITS = {
  /** Told a second: a client may send capsules without end, and telling must cost less than they do. */
  perSecond: 50,
  /** Kept, for who comes later: most capsules are exchanged when a tunnel begins. */
  kept: 200,
  /** Entries of one capsule that are told. */
  entries: 8,
  /** Characters of what is told of one entry. */
  entryLength: 120,
} as const

export type CapsuleName = 'ADDRESS_ASSIGN' | 'ADDRESS_REQUEST' | 'ROUTE_ADVERTISEMENT' | 'DNS_ASSIGN' | 'PREF64'

export interface CapsuleEvent {
  /** ms since 1970. */
  readonly at: number
  readonly client: string
  readonly identity: string | undefined
  readonly direction: PacketDirection
  readonly capsule: CapsuleName
  /** What it says, entry by entry; of a long one the beginning. */
  readonly entries: readonly string[]
  /** How many there are. */
  readonly count: number
}

export type CapsuleContent = Pick<CapsuleEvent, 'capsule' | 'entries' | 'count'>

/** What a client has sent; undefined for a packet. */
export function receivedCapsule(event: SessionEvent): CapsuleContent | undefined {
  switch (event.type) {
    case 'addresses-assigned':
      return content('ADDRESS_ASSIGN', event.addresses, describeAssigned)
    case 'addresses-requested':
      return content('ADDRESS_REQUEST', event.requests, describeRequested)
    case 'routes-advertised':
      return content('ROUTE_ADVERTISEMENT', event.routes, describeRoute)
    case 'dns-assigned':
      return content('DNS_ASSIGN', event.configurations, describeDns)
    case 'pref64-assigned':
      return content('PREF64', event.prefixes, String)
    case 'datagram':
      return undefined
  }
}

/** What the proxy sends: whole capsules. */
export function sentCapsules(bytes: Uint8Array): CapsuleContent[] {
  return [...new CapsuleParser({}, [DNS_ASSIGN, PREF64]).push(bytes)].flatMap(({ type, value }): CapsuleContent[] => {
    switch (type) {
      case CapsuleType.ADDRESS_ASSIGN:
        return [content('ADDRESS_ASSIGN', decodeAddressAssign(value), describeAssigned)]
      case CapsuleType.ADDRESS_REQUEST:
        return [content('ADDRESS_REQUEST', decodeAddressRequest(value), describeRequested)]
      case CapsuleType.ROUTE_ADVERTISEMENT:
        return [content<IpAddressRange>('ROUTE_ADVERTISEMENT', decodeRouteAdvertisement(value), describeRoute)]
      case DNS_ASSIGN:
        return [content<DnsConfiguration>('DNS_ASSIGN', decodeDnsAssign(value), describeDns)]
      case PREF64:
        return [content('PREF64', decodePref64(value), String)]
      default:
        return []
    }
  })
}

export function capsuleEvent(
  { id, identity }: WatchedTunnel,
  direction: PacketDirection,
  capsule: CapsuleContent,
): CapsuleEvent {
  return { at: Date.now(), client: id, identity, direction, ...capsule }
}

function content<T>(capsule: CapsuleName, list: readonly T[], describe: (entry: T) => string): CapsuleContent {
  const entries = list.slice(0, CAPSULE_EVENT_LIMITS.entries).map(entry => cut(describe(entry)))
  return { capsule, entries, count: list.length }
}

function describeAssigned(entry: ReturnType<typeof decodeAddressAssign>[number]): string {
  const forWhom = entry.requestId === 0n ? '' : ` for request ${entry.requestId}`
  return isRefusal(entry) ? `none of IPv${entry.prefix.version}${forWhom}` : `${entry.prefix}${forWhom}`
}

function describeRequested({ requestId, prefix }: RequestedAddress): string {
  const wanted = prefix.address.isUnspecified ? `any IPv${prefix.version} address` : String(prefix)
  return `${wanted}, request ${requestId}`
}

function cut(text: string): string {
  const { entryLength } = CAPSULE_EVENT_LIMITS
  return text.length > entryLength ? `${text.slice(0, entryLength - 1)}…` : text
}
