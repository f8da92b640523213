/**
 * Where the proxy is a router: it takes packets that come out of tunnels, or from hosts behind it, and finds the way.
 *
 *   tunnel ─┐                         ┌─ host     (the network behind the proxy, the proxy itself)
 *           ├─ whose address is this? ┼─ tunnel   (a client that this address is leased to)
 *   host  ──┤                         ├─ tunnel   (a client with a network behind it)
 *   system ─┘                         └─ system   (over a TUN device, where there is one: all other networks)
 *
 * In this order: what a client says about the networks behind it never moves an address that the proxy gives out itself.
 */

import { countIcmp } from '../carriers/family-counters.ts'
import { FORWARD, SEND, type StageClock } from '../carriers/stage-clock.ts'
import type { Tunnel } from '../carriers/tunnel.ts'
import type { Drop } from '../connect-ip/session.ts'
import type { Host } from '../hosts/host.ts'
import type { IpAddress, IpVersion } from '../ip/address.ts'
import { type IcmpErrorKind, icmpError } from '../ip/icmp-error.ts'
import { ICMP_KINDS } from '../ip/icmp-kind.ts'
import { DESTINATION_OFFSET, hopCountOf, packetVersion, SOURCE_OFFSET } from '../ip/packet.ts'
import { IpPrefix } from '../ip/prefix.ts'
import type { AddressRange } from '../ip/range.ts'
import { RouteTable } from '../ip/route-table.ts'
import { TokenBucket } from '../ip/token-bucket.ts'
import type { DropListener } from '../log/dropped-packets.ts'
import { ClientNetworks } from './client-networks.ts'

/** Where a packet can go. `deliver` says why it went nowhere, if so. */
interface NextHop {
  /** Undefined: a host. */
  readonly tunnel: Tunnel | undefined
  deliver(packet: Uint8Array, forwarded: boolean): Drop | undefined
}

export interface ProcessorOptions {
  /** The proxy's own addresses: the source of its ICMP errors. */
  gateway: { v4?: IpAddress; v6?: IpAddress }
  /** Whether one client may reach another through the proxy. */
  clientToClient: boolean
  /** The one of the tunnels that packets come from. */
  clock?: StageClock
  /** For the log. */
  onDropped?: DropListener | undefined
  /** ms that never go back. */
  now: () => number
}

/** ICMP errors of the router itself, for all clients together (RFC 4443 §2.4 (f)). The tunnels limit theirs themselves. */
const ICMP_ERRORS = { perSecond: 100, burst: 50 }

/** By kind, in the order of `ICMP_KINDS`. */
export type IcmpByFamily = Readonly<Record<'ipv4' | 'ipv6', readonly number[]>>

export class PacketProcessor {
  /** Packets that no tunnel can be blamed for, by reason. */
  readonly dropped: Record<string, number> = {}
  readonly #icmpToHosts = { ipv4: ICMP_KINDS.map(() => 0), ipv6: ICMP_KINDS.map(() => 0) }
  /** Single addresses: hosts, and those that are leased. */
  readonly #addresses = new RouteTable<NextHop>()
  readonly #networks = new ClientNetworks<NextHop>()
  readonly #hops = new Map<Tunnel, NextHop>()
  /** The operating system, where it takes part: for all that is not inside. */
  #system: NextHop | undefined
  readonly #inside = new RouteTable<true>()
  readonly #options: ProcessorOptions
  readonly #icmpBudget: TokenBucket

  constructor(options: ProcessorOptions) {
    this.#options = options
    this.#icmpBudget = new TokenBucket({ ...ICMP_ERRORS, now: options.now })
  }

  /**
   * Connects a host. `isGateway`: the packets it sends are made by the proxy itself, so their hop count is not
   * decremented (RFC 9484 §7.2); those of any other host are forwarded.
   */
  attachHost(host: Host, isGateway: boolean): void {
    const hop: NextHop = {
      tunnel: undefined,
      deliver: packet => {
        // A packet whose hops are used up goes no further than the proxy; one for the proxy itself has arrived (RFC 8200 §3).
        if (!isGateway && hopCountOf(packet) === 0) return this.#refuse(packet, 'hop-limit')
        host.receive(packet)
        return undefined
      },
    }
    for (const address of host.addresses) this.#attach(address, hop)
    host.send = packet => this.fromHost(packet, !isGateway)
  }

  /**
   * Connects the operating system: it has the proxy's own addresses, and all that is reached over its other networks is behind it. What is
   * `inside`, the networks of the tunnels, is not: an address there that nobody has leads nowhere. The kernel may be sent packets for
   * `host.addresses`, which are the proxy's, and for others, which it forwards as a router of its own.
   */
  attachSystem(host: Host, addresses: readonly IpAddress[], inside: readonly IpPrefix[]): void {
    const hop: NextHop = {
      tunnel: undefined,
      deliver: packet => {
        host.receive(packet)
        return undefined
      },
    }
    for (const address of addresses) this.#attach(address, hop)
    for (const prefix of inside) this.#inside.add(prefix, true)
    this.#system = {
      tunnel: undefined,
      deliver: packet => (hopCountOf(packet) === 0 ? this.#refuse(packet, 'hop-limit') : hop.deliver(packet, true)),
    }
    // Without `hasRoom`: the one device brings the packets of all tunnels, and would stand still for all of them while one is full. What that one
    // has no room for is dropped instead, and counted as its own.
    host.send = (packet, forwarded = true) => this.#fromSystem(packet, forwarded, hop)
  }

  /** Leads to the tunnel that this address is leased to; the returned function takes that back. */
  attachTunnel(address: IpAddress, tunnel: Tunnel): () => void {
    const hop = this.#hopOf(tunnel)
    this.#attach(address, hop)
    return () => this.#addresses.remove(IpPrefix.single(address), hop)
  }

  /** The networks behind a client, all of them each time; the tunnel gets those that nobody else has. See client-networks.ts. */
  offerNetworks(tunnel: Tunnel, owner: string | undefined, ranges: readonly AddressRange[]): void {
    this.#networks.offer(this.#hopOf(tunnel), owner, ranges)
  }

  /** What the tunnel has got of the networks that it offered. */
  networksOf(tunnel: Tunnel): AddressRange[] {
    const hop = this.#hops.get(tunnel)
    return hop === undefined ? [] : this.#networks.heldBy(hop)
  }

  /** The tunnel is gone, and so are the networks behind it. Its addresses are taken back one by one. */
  detachTunnel(tunnel: Tunnel): void {
    const hop = this.#hops.get(tunnel)
    if (hop !== undefined) this.#networks.withdraw(hop)
    this.#hops.delete(tunnel)
  }

  /** An address has one owner. That two want it would be a bug here, and may not cost the first one its packets. */
  #attach(address: IpAddress, hop: NextHop): void {
    const prefix = IpPrefix.single(address)
    if (this.#addresses.get(prefix) !== undefined) throw new Error(`${address} is taken; expected a free address`)
    this.#addresses.add(prefix, hop)
  }

  #hopOf(tunnel: Tunnel): NextHop {
    const known = this.#hops.get(tunnel)
    if (known !== undefined) return known
    const hop: NextHop = { tunnel, deliver: (packet, forwarded) => tunnel.sendPacket(packet, forwarded) }
    this.#hops.set(tunnel, hop)
    return hop
  }

  /** A packet that has passed the checks of the tunnel it came through. */
  fromTunnel(packet: Uint8Array, tunnel: Tunnel): void {
    const drop = this.#forward(packet, tunnel)
    // The error is the proxy's own packet: not forwarded.
    if (drop?.icmp !== undefined) tunnel.sendPacket(drop.icmp, false)
  }

  /** A packet from a host behind the proxy, or from the proxy itself. */
  fromHost(packet: Uint8Array, forwarded: boolean): void {
    const drop = this.#lookup(packet)?.deliver(packet, forwarded)
    if (drop?.icmp !== undefined) this.#answer(drop.icmp, this.#lookup(drop.icmp))
  }

  /** ICMP errors that hosts behind the proxy, and the system, were sent. Those for clients are counted by their tunnels. */
  get icmpToHosts(): IcmpByFamily {
    return this.#icmpToHosts
  }

  #answer(icmp: Uint8Array, to: NextHop | undefined): void {
    if (to !== undefined && to.tunnel === undefined) {
      countIcmp(packetVersion(icmp) === 4 ? this.#icmpToHosts.ipv4 : this.#icmpToHosts.ipv6, icmp)
    }
    to?.deliver(icmp, false)
  }

  /** A packet that the system wants to reach a tunnel with, or a host in this process. It is never sent back where it came from. */
  #fromSystem(packet: Uint8Array, forwarded: boolean, system: NextHop): void {
    const next = this.#lookup(packet)
    const isElsewhere = next !== undefined && next !== system && next !== this.#system
    const drop = isElsewhere ? next.deliver(packet, forwarded) : this.#refuse(packet, 'no-route')
    if (drop?.icmp !== undefined) this.#answer(drop.icmp, system)
  }

  #forward(packet: Uint8Array, tunnel: Tunnel): Drop | undefined {
    if (!this.#mayComeFrom(packet, tunnel)) return this.#refuse(packet, 'source-policy')
    const next = this.#lookup(packet)
    // Never back into the tunnel it came from: a client that forwards, and has no other way there, would send it here again and again (RFC 4443 §3.1).
    if (next === undefined || next.tunnel === tunnel) return this.#refuse(packet, 'no-route')
    if (next.tunnel !== undefined && !this.#options.clientToClient) return this.#refuse(packet, 'prohibited')
    const { clock } = this.#options
    clock?.over(FORWARD)
    const drop = next.deliver(packet, true)
    clock?.over(SEND)
    return drop
  }

  /**
   * The tunnel's session lets pass what comes from any network that its client offered. Of those, another may have been
   * first: then packets from there come from that one (RFC 3704 §2.2, strict reverse path).
   */
  #mayComeFrom(packet: Uint8Array, tunnel: Tunnel): boolean {
    const hop = this.#hops.get(tunnel)
    if (hop === undefined || !this.#networks.has(hop)) return true
    const version = packetVersion(packet)
    return version === 0 || this.#ownerOf(version, packet, SOURCE_OFFSET[version]) === hop
  }

  #lookup(packet: Uint8Array): NextHop | undefined {
    const version = packetVersion(packet)
    if (version === 0) return undefined
    const offset = DESTINATION_OFFSET[version]
    return this.#ownerOf(version, packet, offset) ?? this.#behindSystem(version, packet, offset)
  }

  #ownerOf(version: IpVersion, packet: Uint8Array, offset: number): NextHop | undefined {
    return this.#addresses.lookupBytes(version, packet, offset) ?? this.#networks.lookupBytes(version, packet, offset)
  }

  #behindSystem(version: IpVersion, packet: Uint8Array, offset: number): NextHop | undefined {
    if (this.#system === undefined || this.#inside.lookupBytes(version, packet, offset) !== undefined) return undefined
    return this.#system
  }

  #refuse(packet: Uint8Array, reason: IcmpErrorKind): Drop {
    this.dropped[reason] = (this.dropped[reason] ?? 0) + 1
    this.#options.onDropped?.(reason, packet)
    const source = packetVersion(packet) === 4 ? this.#options.gateway.v4 : this.#options.gateway.v6
    if (source === undefined || !this.#icmpBudget.isAvailable) return { reason }
    const icmp = icmpError(reason, packet, source)
    if (icmp !== undefined) this.#icmpBudget.take()
    return { reason, icmp }
  }
}
