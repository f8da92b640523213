import type { IpVersion } from '../ip/address.ts'
import { IpProtocol } from '../ip/protocol.ts'
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
  readonly #oneProtocol = new Map<number, RangeSet>()

  /** Routes of the other version are left out. */
  constructor(version: IpVersion, routes: readonly IpAddressRange[]) {
    const rangesOf = (list: readonly IpAddressRange[]) => list.map(route => route.range)
    this.#icmp = icmpProtocol(version)
    this.#every = new RangeSet(version, rangesOf(routes))
    this.#anyProtocol = new RangeSet(version, rangesOf(routes.filter(({ protocol }) => protocol === ANY_PROTOCOL)))
    for (const protocol of new Set(routes.map(route => route.protocol))) {
      if (protocol === ANY_PROTOCOL) continue
      const ranges = rangesOf(routes.filter(route => route.protocol === protocol))
      this.#oneProtocol.set(protocol, new RangeSet(version, ranges))
    }
  }

  /** For the destination address at packet[offset…]. ICMP goes wherever there is any route (RFC 9484 §4.7.3). */
  match(packet: Uint8Array, offset: number, protocol: number): RouteMatch {
    if (this.#anyProtocol.containsBytes(packet, offset)) return 'yes'
    if (!this.#every.containsBytes(packet, offset)) return 'no'
    if (protocol === this.#icmp) return 'yes'
    return this.#oneProtocol.get(protocol)?.containsBytes(packet, offset) ? 'yes' : 'other-protocol'
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
