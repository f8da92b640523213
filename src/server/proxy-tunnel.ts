/** One client's tunnel as the proxy sees it: its addresses, its routes, and its end. */

import type { Carrier, CarrierHandler } from '../carriers/carrier.ts'
import { Ipv6LinkCheck, narrowLink } from '../carriers/ipv6-link-check.ts'
import { ALL_NODES, type LinkProbeResult, PROXY_LINK_ADDRESS, type ProbeTiming } from '../carriers/link-probe.ts'
import type { NewQueue } from '../carriers/send-queue.ts'
import type { StageClock } from '../carriers/stage-clock.ts'
import {
  type PacketTap,
  Tunnel,
  type TunnelCloseReason,
  type TunnelOwner,
  type TunnelWatch,
} from '../carriers/tunnel.ts'
import type { LinkProbe } from '../config/sections.ts'
import { type AssignedAddress, refusal } from '../connect-ip/address-assign.ts'
import { DEFAULT_MAX_ENTRIES } from '../connect-ip/address-entry.ts'
import type { RequestedAddress } from '../connect-ip/address-request.ts'
import { type DnsConfiguration, encodeDnsAssign } from '../connect-ip/dns/dns-assign.ts'
import { encodePref64 } from '../connect-ip/dns/pref64.ts'
import type { FecAgreement } from '../connect-ip/fec/negotiation.ts'
import { isAddressAt } from '../connect-ip/link-scope.ts'
import type { IpAddressRange } from '../connect-ip/route-advertisement.ts'
import { describeScope, type Scope, scopeVersions } from '../connect-ip/scope.ts'
import { ConnectIpSession } from '../connect-ip/session.ts'
import type { IpAddress, IpVersion } from '../ip/address.ts'
import type { AddressPool } from '../ip/address-pool.ts'
import { IPV6_DESTINATION_OFFSET } from '../ip/ipv6.ts'
import { packetVersion } from '../ip/packet.ts'
import { IpPrefix } from '../ip/prefix.ts'
import { type AddressRange, intersections } from '../ip/range.ts'
import type { DropListener } from '../log/dropped-packets.ts'
import { runAll } from '../net/run-all.ts'
import type { AddressMemory } from './address-memory.ts'
import type { Budgets } from './budgets.ts'
import type { KeptLeases } from './kept-leases.ts'
import type { PacketProcessor } from './packet-processor.ts'

/** What a tunnel takes from the proxy it belongs to. */
export interface TunnelContext {
  readonly pools: Partial<Record<IpVersion, AddressPool>>
  readonly budgets: Budgets
  /** Addresses of tunnels that were lost. */
  readonly keptLeases: KeptLeases
  /** Who had which addresses, to get the same again. */
  readonly addressMemory: AddressMemory
  /** What this proxy routes for clients, before the scope of a request narrows it. */
  readonly routes: readonly IpAddressRange[]
  readonly gateway: { v4?: IpAddress; v6?: IpAddress }
  readonly processor: PacketProcessor
  /** Routes that clients advertise are used as far as they are inside these, which are in the order of `mergeRanges`. */
  readonly clientRoutes: readonly AddressRange[]
  /** What clients are told about DNS and NAT64 (connect-ip/dns). */
  readonly dns: readonly DnsConfiguration[]
  readonly nat64Prefixes: readonly IpPrefix[]
  readonly linkProbe: LinkProbe
  readonly linkProbeTiming?: ProbeTiming
  /** Of tunnels whose packets travel in QUIC datagrams; undefined: first in, first out. */
  readonly newQueue?: NewQueue | undefined
  /** Takes the times of packets from clients: one for all tunnels. */
  readonly clock?: StageClock
  /** For tests. */
  readonly handoverMs?: typeof HANDOVER_MS
  /** How many addresses of one family a client may have. */
  readonly maxAddressesPerFamily: number
}

/** A handover takes so long at most, in ms: until the client goes over; and from then on until it leaves the tunnel before. */
const HANDOVER_MS = { toTake: 10_000, toLeave: 5000 }
/** A client that has come over gets its packets by the tunnel before until the MTU of the new one is known, in ms at most. */
const MTU_PATIENCE_MS = 1000

interface Lease {
  readonly address: IpAddress
  /** Not the first of its family: counts against a budget. */
  readonly isExtra: boolean
  /** It was kept for this identity since a tunnel was lost. */
  readonly wasKept: boolean
  /** The tunnel before has it until the client goes over to this one. */
  readonly isPromised?: boolean
  /** 0 while no request of the client has been answered with it. */
  requestId: bigint
  readonly removeRoute: () => void
}

export class ProxyTunnel implements TunnelOwner {
  readonly tunnel: Tunnel
  readonly #linkCheck: Ipv6LinkCheck
  readonly #context: TunnelContext
  /** Its scope is narrower than everything that the proxy offers (RFC 9484 §8.3). */
  readonly #isForOneFlow: boolean
  readonly #onClosed: (reason: TunnelCloseReason) => void
  readonly #onError: (error: unknown) => void
  readonly #identity: string | undefined
  readonly #owner: string
  readonly #routes: readonly IpAddressRange[]
  /** In which the client gets addresses. */
  readonly #versions: readonly IpVersion[]
  readonly #leases: Lease[] = []
  /** What the client is to reach, as text: a handover changes nothing about it. */
  readonly #scope: string
  /** Its addresses are promised to this tunnel or, if it `#hasLeft`, have come from there. */
  #before: ProxyTunnel | undefined
  /** The other way round. */
  #heir: ProxyTunnel | undefined
  #hasLeft = false
  /** The client has come over, and the MTU is still searched for. */
  #awaitsMtu = false
  #handoverTimer: NodeJS.Timeout | undefined
  advertised: IpAddressRange[] = []
  /** What the ping of 1280 bytes has shown; undefined while it has shown nothing, or where none is needed. */
  linkProbe: LinkProbeResult | undefined
  /** Undefined: nothing was advertised yet, not even that there is nothing. */
  #advertisedFamilies: string | undefined

  constructor(options: {
    context: TunnelContext
    identity: string | undefined
    /** Whose budgets the tunnel counts against. */
    owner: string
    scope: Scope
    /** What the name in the scope stands for; empty without one. */
    resolved: readonly IpAddress[]
    /** What of the proxy's routes is inside the scope. */
    routes: readonly IpAddressRange[]
    /** Forward error correction that client and proxy have agreed on. */
    fec?: FecAgreement | undefined
    openCarrier: (handler: CarrierHandler) => Carrier
    /** Of a capture. */
    tap?: PacketTap | undefined
    /** For the log. */
    onDropped?: DropListener | undefined
    /** Of the live view. */
    watch?: TunnelWatch | undefined
    onClosed: (reason: TunnelCloseReason) => void
    /** Something of ours went wrong that nobody waits for. */
    onError: (error: unknown) => void
  }) {
    this.#context = options.context
    this.#identity = options.identity
    this.#owner = options.owner
    this.#scope = describeScope(options.scope)
    this.#routes = options.routes
    this.#versions = scopeVersions(options.scope, options.resolved)
    this.#isForOneFlow = options.scope.target.kind !== 'any' || options.scope.protocol !== undefined
    this.#onClosed = options.onClosed
    this.#onError = options.onError
    const session = new ConnectIpSession({
      role: 'proxy',
      icmpSource: options.context.gateway,
      linkAddress: PROXY_LINK_ADDRESS,
      scope: options.scope,
      resolved: options.resolved,
      acceptPeerRoutes: routes => this.#allowedPartsOf(routes),
      now: () => performance.now(),
    })
    const { newQueue, clock } = options.context
    const { openCarrier, tap, watch, onDropped } = options
    this.tunnel = new Tunnel({ session, openCarrier, owner: this, newQueue, clock, tap, watch, onDropped })
    const { fec } = options
    if (fec !== undefined) {
      session.contexts.registerPeer(BigInt(fec.contextId))
      this.tunnel.openFec(fec.contextId)
      this.tunnel.startFec(fec.groupSize)
    }
    this.#linkCheck = new Ipv6LinkCheck({
      policy: options.context.linkProbe,
      carrier: this.tunnel,
      address: () => this.#leases.find(lease => lease.address.version === 6)?.address,
      ends: address => {
        const gateway = this.#answeredGateway()
        if (gateway !== undefined) return { source: gateway, target: address }
        return { source: PROXY_LINK_ADDRESS, target: ALL_NODES }
      },
      send: packet => this.tunnel.sendPacket(packet, false),
      timing: options.context.linkProbeTiming,
      heard: () => this.tunnel.counters.packetsReceived,
      onResult: result => {
        this.linkProbe = result
      },
      abort: why => this.tunnel.abort('cancelled', narrowLink(why)),
      onError: options.onError,
    })
  }

  /** Networks behind the client whose packets this tunnel gets. */
  get networks(): AddressRange[] {
    return this.#context.processor.networksOf(this.tunnel)
  }

  /** Those whose packets it gets. */
  get addresses(): IpAddress[] {
    return this.#leases.filter(lease => !lease.isPromised).map(lease => lease.address)
  }

  /** Those that the client was told of: these, and what is promised. */
  get assigned(): IpAddress[] {
    return this.#leases.map(lease => lease.address)
  }

  /** Of the tunnels of a handover, the one into which its client's addresses lead. */
  get holdsAddresses(): boolean {
    return !this.#hasLeft && (this.#before === undefined || this.#before.#hasLeft)
  }

  /** A tunnel of this scope can take over from this one. Further addresses are not handed over: they are counted for whoever has asked for them. */
  canHandOver(scope: Scope): boolean {
    const isFree = this.holdsAddresses && this.#heir === undefined && this.#before === undefined
    return isFree && describeScope(scope) === this.#scope && this.#leases.every(lease => !lease.isExtra)
  }

  /**
   * Gives the client one address of each family that the proxy has and the scope allows, unprompted (RFC 9484 §4.7.1), and
   * the routes for them.
   * When the client then asks for an address, it gets these before any others. `before`: addresses of its tunnel before this one, which has just ended; or
   * that tunnel itself, which goes on until the client goes over to this one.
   */
  open(before: readonly IpAddress[] | ProxyTunnel = []): void {
    if (before instanceof ProxyTunnel) this.#promise(before)
    else {
      const again = (version: IpVersion) => before.find(address => address.version === version)
      for (const version of this.#versions) this.#lease(version, again(version))
    }
    this.tunnel.sendCapsules(this.tunnel.session.assignAddresses(this.#assigned()))
    this.#advertise()
  }

  /** The client may send only where a route leads that was advertised to it; in a narrow scope none leads to the proxy. */
  #answeredGateway(): IpAddress | undefined {
    const gateway = this.#context.gateway.v6
    return this.advertised.some(({ range }) => gateway !== undefined && range.contains(gateway)) ? gateway : undefined
  }

  /** Looks whether the tunnel is wide enough for what it carries. May end it at once. */
  checkLink(): void {
    this.#linkCheck.check()
  }

  /** A client merges adjacent networks into one range, of which perhaps only a part is allowed. */
  #allowedPartsOf(routes: readonly IpAddressRange[]): IpAddressRange[] {
    const allowed: IpAddressRange[] = []
    for (const { range, protocol } of routes) {
      for (const part of intersections(this.#context.clientRoutes, range)) {
        // One wide range for each of 256 protocols would make an entry for every allowed prefix, each time.
        if (allowed.length === DEFAULT_MAX_ENTRIES) return allowed
        allowed.push({ range: part, protocol })
      }
    }
    return allowed
  }

  // -- TunnelOwner ---------------------------------------------------------------------------------------------

  onPacket(packet: Uint8Array): void {
    if (this.#linkCheck.receive(packet)) return
    if (this.#before !== undefined) this.#follow()
    // On the link itself there is nothing but the probe.
    if (packetVersion(packet) === 6 && isAddressAt(PROXY_LINK_ADDRESS, packet, IPV6_DESTINATION_OFFSET)) return
    // What was under way when the client went over is as good as what comes by the new tunnel, and no better.
    const tunnel = this.#hasLeft && this.#heir !== undefined ? this.#heir.tunnel : this.tunnel
    this.#context.processor.fromTunnel(packet, tunnel)
  }

  onAddressesRequested(requests: RequestedAddress[]): void {
    const refusals = requests
      .filter(request => !this.#answer(request))
      .map(({ requestId, prefix }) => refusal(requestId, prefix.version))
    // The whole list each time, and the refusals this once (RFC 9484 §4.7.2).
    this.tunnel.sendCapsules(this.tunnel.session.assignAddresses([...this.#assigned(), ...refusals]))
    this.#advertise()
    this.#linkCheck.check()
  }

  /** A client may assign addresses to the proxy; this proxy has no use for them and keeps its own (RFC 9484 §8.2). */
  onAddressesAssigned(): void {}

  /** Networks behind the client (RFC 9484 §8.2), as far as local policy allows: traffic for them goes into the tunnel. */
  onRoutesAdvertised(accepted: IpAddressRange[]): void {
    // Its networks lead into one tunnel, too.
    if (accepted.length > 0) this.#takeOver()
    else if (this.#before !== undefined) this.#follow()
    // The networks have gone with the addresses.
    if (this.#hasLeft) return
    const ranges = accepted.map(route => route.range)
    this.#context.processor.offerNetworks(this.tunnel, this.#owner, ranges)
  }

  onMtu(): void {
    if (this.#awaitsMtu && this.tunnel.mtuSettled) this.#takeOver()
    this.#linkCheck.check()
  }

  onClosed(reason: TunnelCloseReason): void {
    const { pools, processor, addressMemory, budgets, keptLeases } = this.#context
    runAll([
      () => this.#linkCheck.stop(),
      () => this.#endHandover(),
      () =>
        runAll(
          this.#leases.splice(0).flatMap(({ address, isExtra, removeRoute }) => [
            removeRoute,
            () => isExtra && budgets.extraAddresses.giveBack(this.#owner),
            // Who says goodbye does not come back at once.
            () => (reason.clean ? pools[address.version]?.release(address) : keptLeases.keep(this.#identity, address)),
            () => addressMemory.remember(this.#identity, address),
          ]),
        ),
      () => processor.detachTunnel(this.tunnel),
      () => this.#onClosed(reason),
    ])
  }

  // -- handover: the client comes from a tunnel that lives ----------------------------------------------------------
  //
  //   the tunnel before                 this one
  //     has the addresses                 says them: they are promised
  //     carries packets                   the client goes over: its first packet, or its routes, and the MTU is known; or the tunnel before ends
  //     ends when its client ends it      has the addresses
  //
  // An address leads into one tunnel at any time. Without a word from the client, this tunnel is what ends.

  get #handoverMs(): typeof HANDOVER_MS {
    return this.#context.handoverMs ?? HANDOVER_MS
  }

  #promise(before: ProxyTunnel): void {
    this.#before = before
    before.#heir = this
    for (const { address } of before.#leases) {
      this.#leases.push({
        address,
        isExtra: false,
        wasKept: false,
        isPromised: true,
        requestId: 0n,
        removeRoute: () => {},
      })
    }
    this.#handoverTimer = setTimeout(() => {
      this.tunnel.abort('cancelled', 'its client has not come over from its tunnel before')
    }, this.#handoverMs.toTake).unref()
  }

  /** The client has come over. What is sent to it fits into the tunnel before, and perhaps not yet into this one. */
  #follow(): void {
    if (this.tunnel.mtuSettled) return this.#takeOver()
    if (this.#awaitsMtu) return
    this.#awaitsMtu = true
    clearTimeout(this.#handoverTimer)
    this.#handoverTimer = setTimeout(() => {
      try {
        this.#takeOver()
      } catch (error) {
        this.#onError(error)
        this.tunnel.abort('cancelled', 'an internal error')
      }
    }, MTU_PATIENCE_MS).unref()
  }

  #takeOver(): void {
    this.#awaitsMtu = false
    const before = this.#before
    if (before === undefined || before.#hasLeft) return
    clearTimeout(this.#handoverTimer)
    for (const promised of this.#leases.filter(lease => lease.isPromised)) {
      const held = before.#leases.findIndex(({ address }) => address.equals(promised.address))
      this.#leases.splice(this.#leases.indexOf(promised), 1)
      // It has changed it for another one meanwhile.
      if (held === -1) continue
      const [lease] = before.#leases.splice(held, 1) as [Lease]
      lease.removeRoute()
      const removeRoute = this.#context.processor.attachTunnel(lease.address, this.tunnel)
      this.#leases.push({ ...lease, requestId: promised.requestId, removeRoute })
    }
    before.#leave()
  }

  /** What was under way is still taken; nothing goes out here any more. */
  #leave(): void {
    this.#hasLeft = true
    this.#linkCheck.stop()
    this.#context.processor.detachTunnel(this.tunnel)
    this.#handoverTimer = setTimeout(() => {
      this.tunnel.abort('cancelled', 'its client goes on by another way')
    }, this.#handoverMs.toLeave).unref()
  }

  /** This tunnel has ended. */
  #endHandover(): void {
    clearTimeout(this.#handoverTimer)
    const heir = this.#heir
    if (heir !== undefined) {
      heir.#takeOver()
      clearTimeout(this.#handoverTimer)
      heir.#before = undefined
      this.#heir = undefined
    }
    // What it had is for others then.
    this.#endBefore()
    if (this.#before !== undefined) this.#before.#heir = undefined
    this.#before = undefined
    const own = this.#leases.filter(lease => !lease.isPromised)
    this.#leases.splice(0, this.#leases.length, ...own)
  }

  /** Nothing that is still under way in the tunnel before is taken from now on. */
  #endBefore(): void {
    const before = this.#before
    if (before === undefined) return
    if (before.#hasLeft) before.tunnel.abort('cancelled', 'its client goes on by another way')
  }

  // -- addresses and routes ------------------------------------------------------------------------------------

  /** Finds an address for one request; false when there is none. */
  #answer(request: RequestedAddress): boolean {
    const wanted = request.prefix.address
    const version = wanted.version
    const preferred = wanted.isUnspecified ? undefined : wanted
    const unclaimed = this.#leases.find(
      lease =>
        lease.requestId === 0n &&
        lease.address.version === version &&
        (preferred === undefined || lease.address.equals(preferred)),
    )
    const lease = unclaimed ?? this.#swap(preferred) ?? this.#lease(version, preferred) ?? this.#unclaimed(version)
    if (lease === undefined) return false
    lease.requestId = request.requestId
    return true
  }

  /**
   * A client that comes back asks for the address that it had, when it has been given another one already: it gets that one instead, if it is
   * free or kept for this identity. Undefined: it is not, or there is nothing to give back for it.
   */
  #swap(wanted: IpAddress | undefined): Lease | undefined {
    if (wanted === undefined) return undefined
    const { pools, keptLeases, processor } = this.#context
    const before = this.#unclaimed(wanted.version)
    if (before === undefined) return undefined
    const pool = pools[wanted.version]
    const address = keptLeases.take(this.#identity, wanted.version, wanted) ?? pool?.lease(wanted, { exact: true })
    if (address === undefined) return undefined
    this.#endBefore()
    before.removeRoute()
    this.#leases.splice(this.#leases.indexOf(before), 1)
    // Perhaps it was kept for another client of the same identity.
    if (before.wasKept) keptLeases.keep(this.#identity, before.address)
    else pool?.release(before.address)
    const removeRoute = processor.attachTunnel(address, this.tunnel)
    const lease: Lease = { address, isExtra: before.isExtra, wasKept: false, requestId: 0n, removeRoute }
    this.#leases.push(lease)
    return lease
  }

  #unclaimed(version: IpVersion): Lease | undefined {
    return this.#leases.find(lease => lease.requestId === 0n && lease.address.version === version && !lease.isPromised)
  }

  #lease(version: IpVersion, preferred?: IpAddress): Lease | undefined {
    if (!this.#versions.includes(version)) return undefined
    const held = this.#leases.filter(lease => lease.address.version === version).length
    if (held >= this.#context.maxAddressesPerFamily) return undefined
    const { extraAddresses } = this.#context.budgets
    if (held > 0 && extraAddresses.take(this.#owner) !== undefined) return undefined
    const kept = this.#context.keptLeases.take(this.#identity, version, preferred)
    const address = kept ?? this.#leaseNew(version, preferred)
    if (address === undefined) {
      if (held > 0) extraAddresses.giveBack(this.#owner)
      return undefined
    }
    const removeRoute = this.#context.processor.attachTunnel(address, this.tunnel)
    const lease: Lease = {
      address,
      isExtra: held > 0,
      wasKept: kept !== undefined,
      requestId: 0n,
      removeRoute,
    }
    this.#leases.push(lease)
    return lease
  }

  /** From the pool. When that is empty, what is kept for somebody who may never come back goes first to who is here. */
  #leaseNew(version: IpVersion, preferred: IpAddress | undefined): IpAddress | undefined {
    const pool = this.#context.pools[version]
    const lease = (): IpAddress | undefined =>
      preferred === undefined ? this.#leaseAgain(version) : pool?.lease(preferred)
    const address = lease()
    if (address !== undefined) return address
    return this.#context.keptLeases.giveUpOldest(kept => kept.version === version) ? lease() : undefined
  }

  /** One that this identity had before, when one of those is free, else any. */
  #leaseAgain(version: IpVersion): IpAddress | undefined {
    const pool = this.#context.pools[version]
    for (const before of this.#context.addressMemory.recall(this.#identity, version)) {
      const address = pool?.lease(before, { exact: true })
      if (address !== undefined) return address
    }
    return pool?.lease()
  }

  #assigned(): AssignedAddress[] {
    return this.#leases.map(lease => ({ requestId: lease.requestId, prefix: IpPrefix.single(lease.address) }))
  }

  /** Routes of the families that the client has an address for: it could not use others. */
  #advertise(): void {
    const families = [4, 6].filter(version => this.#leases.some(lease => lease.address.version === version))
    if (families.join() === this.#advertisedFamilies) return
    this.#advertisedFamilies = families.join()
    const routes = this.#routes.filter(route => families.includes(route.range.version))
    this.advertised = routes
    this.tunnel.sendCapsules(this.tunnel.session.advertiseRoutes(routes))
    this.#configureDns(families.includes(6))
  }

  /**
   * draft-ietf-masque-connect-ip-dns: for tunnels that stand for a network, not for those of one flow (§1); and never before the
   * routes, or queries might leave outside of the tunnel (§5).
   */
  #configureDns(hasIpv6: boolean): void {
    const { dns, nat64Prefixes } = this.#context
    if (this.#isForOneFlow) return
    if (dns.length > 0) this.tunnel.sendCapsules(encodeDnsAssign(dns))
    if (nat64Prefixes.length > 0 && hasIpv6) this.tunnel.sendCapsules(encodePref64(nat64Prefixes))
  }
}
