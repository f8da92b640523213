/**
 * Networks behind clients (RFC 9484 §8.2): which tunnel the packets for such a network go into.
 *
 * An address belongs to the tunnel that offered it first, for as long as that tunnel offers it. Who comes later gets what is
 * left, however much longer its prefix is, and the rest when the first one goes. Hosts, the proxy itself and addresses
 * that are leased do not come in here at all: the packet processor looks for those first.
 */

import type { IpVersion } from '../ip/address.ts'
import { type AddressRange, intersections, mergeRanges } from '../ip/range.ts'
import { RangeTable } from '../ip/range-table.ts'

export interface ClientNetworkLimits {
  /** Ranges that may be offered, adjacent ones made one: by one tunnel, by all of one identity, by all together. */
  readonly perTunnel: number
  readonly perIdentity: number
  readonly inAll: number
}

/** Figures in docs/security.md; a test measures what they cost. */
export const CLIENT_NETWORK_LIMITS: ClientNetworkLimits = { perTunnel: 256, perIdentity: 1024, inAll: 8192 }

interface Offer {
  readonly owner: string | undefined
  readonly ranges: readonly AddressRange[]
}

/** `T` stands for a tunnel. */
export class ClientNetworks<T> {
  readonly #limits: ClientNetworkLimits
  readonly #table = new RangeTable<T>()
  /** In the order in which tunnels made their first offer: that in which they are served when something gets free. */
  readonly #offers = new Map<T, Offer>()
  #offered = 0

  constructor(limits: ClientNetworkLimits = CLIENT_NETWORK_LIMITS) {
    this.#limits = limits
  }

  /** Entries in the table. */
  get size(): number {
    return this.#table.size
  }

  /**
   * All that the tunnel offers from now on. `owner` is whose budget it counts against; undefined: one of its own. What goes beyond a budget is not used, and not remembered.
   */
  offer(tunnel: T, owner: string | undefined, ranges: readonly AddressRange[]): void {
    const offered = this.#withinBudget(tunnel, owner, mergeRanges(ranges))
    this.#remember(tunnel, owner, offered)
    let released = this.#table.release(tunnel, offered)
    // Offers that change may leave more and more pieces between those of others: then this one begins anew.
    if (this.#table.countOf(tunnel) > this.#limits.perIdentity) released = this.#table.release(tunnel)
    this.#claim(offered, tunnel, owner)
    this.#passOn(released, tunnel)
  }

  /** The tunnel offers nothing any more. */
  withdraw(tunnel: T): void {
    this.offer(tunnel, undefined, [])
  }

  has(tunnel: T): boolean {
    return this.#offers.has(tunnel)
  }

  /** What of its offers the tunnel has got. */
  heldBy(tunnel: T): AddressRange[] {
    return this.#table.rangesOf(tunnel)
  }

  /** The tunnel for the address at bytes[offset…]. Allocates nothing. */
  lookupBytes(version: IpVersion, bytes: Uint8Array, offset: number): T | undefined {
    return this.#table.size === 0 ? undefined : this.#table.lookupBytes(version, bytes, offset)
  }

  #withinBudget(tunnel: T, owner: string | undefined, ranges: AddressRange[]): AddressRange[] {
    const { perTunnel, perIdentity, inAll } = this.#limits
    const before = this.#offers.get(tunnel)?.ranges.length ?? 0
    const ofOwner = this.#sumFor(tunnel, owner, (_, offer) => offer.ranges.length)
    return ranges.slice(0, Math.min(perTunnel, perIdentity - ofOwner + before, inAll - this.#offered + before))
  }

  #remember(tunnel: T, owner: string | undefined, ranges: AddressRange[]): void {
    this.#offered += ranges.length - (this.#offers.get(tunnel)?.ranges.length ?? 0)
    // A tunnel that was there keeps its place in the order.
    if (ranges.length > 0) this.#offers.set(tunnel, { owner, ranges })
    else this.#offers.delete(tunnel)
  }

  /** One range may fall into many pieces, between those of others: they have the same bounds. */
  #claim(ranges: readonly AddressRange[], tunnel: T, owner: string | undefined): void {
    const { perIdentity, inAll } = this.#limits
    const held = this.#sumFor(tunnel, owner, other => this.#table.countOf(other))
    const most = this.#table.countOf(tunnel) + Math.min(perIdentity - held, inAll - this.#table.size)
    for (const range of ranges) this.#table.claim(range, tunnel, most - this.#table.countOf(tunnel))
  }

  /** To those that have offered it too. The next one gets what is still free after the one before: often nothing. */
  #passOn(released: readonly AddressRange[], whoLetGo: T): void {
    let free = released
    for (const [tunnel, { owner, ranges }] of this.#offers) {
      if (free.length === 0) return
      if (tunnel === whoLetGo) continue
      const wanted = ranges.flatMap(range => intersections(free, range))
      if (wanted.length === 0) continue
      this.#claim(wanted, tunnel, owner)
      free = free.flatMap(range => this.#table.freePartsOf(range))
    }
  }

  #sumFor(tunnel: T, owner: string | undefined, count: (tunnel: T, offer: Offer) => number): number {
    let sum = 0
    for (const [other, offer] of this.#offers) {
      if (owner === undefined ? other === tunnel : offer.owner === owner) sum += count(other, offer)
    }
    return sum
  }
}
