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
    const every: AddressRange[] = []
    // Sorted in one pass: of 1024 routes, which a peer may send again and again, each may have another protocol.
    const byProtocol = new Map<number, AddressRange[]>()
    for (const { range, protocol } of routes) {
      if (range.version !== version) continue
      every.push(range)
      const ranges = byProtocol.get(protocol)
      if (ranges === undefined) byProtocol.set(protocol, [range])
      else ranges.push(range)
    }
    const anyProtocol = byProtocol.get(ANY_PROTOCOL) ?? []
    byProtocol.delete(ANY_PROTOCOL)
    const setOf = (ranges: readonly AddressRange[]): RangeSet => new RangeSet(version, ranges)
    this.#icmp = icmpProtocol(version)
    this.#every = setOf(every)
    this.#anyProtocol = byProtocol.size === 0 ? this.#every : setOf(anyProtocol)
    this.#oneProtocol =
      byProtocol.size === 0
        ? undefined
        : new Map([...byProtocol].map(([protocol, ranges]) => [protocol, setOf(ranges)]))
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
