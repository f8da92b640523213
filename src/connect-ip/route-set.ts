import type { IpVersion } from '../ip/address.ts'
import { IpProtocol } from '../ip/protocol.ts'
import type { AddressRange } from '../ip/range.ts'
import { RangeSet } from './range-set.ts'
import { ANY_PROTOCOL, type IpAddressRange } from './route-advertisement.ts'

export type RouteMatch =
  | 'yes'
  /** There is a route to this address, and not for this protocol. */
  | 'other-protocol'
  | 'no'

/**
 * One IP version's routes of a ROUTE_ADVERTISEMENT, arranged for one question a packet: may a packet of this protocol
 * go to this address? Answering it allocates nothing.
 */
export class RouteSet {
  readonly #icmp: number
  readonly #every: RangeSet
  readonly #anyProtocol: RangeSet
  /** undefined: there are routes for any protocol only. */
  readonly #oneProtocol: ReadonlyMap<number, RangeSet> | undefined

  /** Routes of the other version are left out. */
  constructor(version: IpVersion, routes: readonly IpAddressRange[]) {
    const rangesFor = (protocol: number): RangeSet => {
      return new RangeSet(version, rangesOf(routes.filter(route => route.protocol === protocol)))
    }
    const protocols = new Set(routes.map(({ protocol }) => protocol))
    protocols.delete(ANY_PROTOCOL)
    this.#icmp = icmpProtocol(version)
    this.#every = new RangeSet(version, rangesOf(routes))
    this.#anyProtocol = protocols.size === 0 ? this.#every : rangesFor(ANY_PROTOCOL)
    this.#oneProtocol =
      protocols.size === 0 ? undefined : new Map([...protocols].map(protocol => [protocol, rangesFor(protocol)]))
  }

  /** For the destination address at packet[offset…]. ICMP goes wherever there is any route (RFC 9484 §4.7.3). */
  match(packet: Uint8Array, offset: number, protocol: number): RouteMatch {
    if (this.#anyProtocol.containsBytes(packet, offset)) return 'yes'
    if (!this.#every.containsBytes(packet, offset)) return 'no'
    if (protocol === this.#icmp) return 'yes'
    return this.#oneProtocol?.get(protocol)?.containsBytes(packet, offset) ? 'yes' : 'other-protocol'
  }

  /** Is the address at packet[offset…] in a route for whatever protocol? */
  covers(packet: Uint8Array, offset: number): boolean {
    return this.#every.containsBytes(packet, offset)
  }
}

/** ICMP for IPv4, ICMPv6 for IPv6: what is allowed whatever a scope or route says. */
export function icmpProtocol(version: IpVersion): number {
  return version === 4 ? IpProtocol.ICMP : IpProtocol.ICMPV6
}

function rangesOf(routes: readonly IpAddressRange[]): AddressRange[] {
  return routes.map(({ range }) => range)
}
