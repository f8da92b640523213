/**
 * Which packets go through the tunnel, RFC 9484 §7.2: the work of a router, done for one tunnel.
 *
 *              our side                          the peer's side
 *     localAddresses, localRoutes   ═ tunnel ═   peerAddresses, peerRoutes
 *
 *   inbound packet    source:       peerAddresses or peerRoutes      destination:  localAddresses or localRoutes
 *   outbound packet   source:       localAddresses or localRoutes    destination:  peerAddresses or peerRoutes
 *
 * A packet that may not pass is dropped and, where that helps its sender, answered with an ICMP error. None of that is
 * ever an error of the tunnel itself (§7.2: "a forwarding error, not a protocol violation").
 */

import type { IpAddress, IpVersion } from '../ip/address.ts'
import { mayFragment } from '../ip/fragment.ts'
import { ipv6HeaderProblem } from '../ip/header-problem.ts'
import { type IcmpErrorKind, icmpError, ipv4OptionError, ipv6HeaderError } from '../ip/icmp-error.ts'
import { Icmpv6Type } from '../ip/icmpv6.ts'
import { IPV4_DESTINATION_OFFSET, IPV4_SOURCE_OFFSET } from '../ip/ipv4.ts'
import { inspectIpv4Options } from '../ip/ipv4-options.ts'
import { IPV6_DESTINATION_OFFSET, IPV6_SOURCE_OFFSET } from '../ip/ipv6.ts'
import {
  decrementHopCount,
  hopCountOf,
  isLaterFragment,
  payloadOffset,
  protocolOf,
  validatePacket,
} from '../ip/packet.ts'
import type { IpPrefix } from '../ip/prefix.ts'
import { IpProtocol } from '../ip/protocol.ts'
import { TokenBucket } from '../ip/token-bucket.ts'
import { answerLinkLocalEcho } from './link-local-echo.ts'
import { ALL_NODES, ALL_ROUTERS, isAddressAt, isLinkLocalUnicast, isLinkMessage, staysOnLink } from './link-scope.ts'
import { RangeSet } from './range-set.ts'
import type { IpAddressRange } from './route-advertisement.ts'
import { icmpProtocol, RouteSet } from './route-set.ts'
import { type Scope, scopeRanges, UNLIMITED_SCOPE } from './scope.ts'

/** Why a packet did not pass. */
export const DropReason = {
  /** Not a correct IP packet: length, version, header checksum, extension headers. */
  MALFORMED: 'malformed',
  /** The source address is not one that may send from that side. */
  SOURCE_POLICY: 'source-policy',
  /** Nobody offered to take packets for that destination. */
  NO_ROUTE: 'no-route',
  /** There is a route, but not for this protocol, or the request's scope excludes the packet. */
  PROHIBITED: 'prohibited',
  /** Link-local, multicast, loopback and the like, and messages about a link, such as Neighbor Discovery: never forwarded. */
  LINK_SCOPE: 'link-scope',
  /** The hop count was used up. */
  HOP_LIMIT: 'hop-limit',
  /** Does not fit through the tunnel. */
  TOO_BIG: 'too-big',
  /** Not forwarded because it was for this end of the link itself, and answered: an echo request to ff02::1. */
  ANSWERED: 'answered',
} as const
export type DropReason = (typeof DropReason)[keyof typeof DropReason]

/** The packet goes no further. `icmp`, a whole IP packet, is to be sent back to where the packet came from. */
export interface Drop {
  readonly reason: DropReason
  readonly icmp?: Uint8Array
}

export interface ForwardingOptions {
  readonly role: 'client' | 'proxy'
  /** Sender of our ICMP errors. Where one is missing, the first address assigned to us is used; without any, no error is sent. */
  readonly icmpSource?: { readonly v4?: IpAddress | undefined; readonly v6?: IpAddress | undefined }
  /**
   * A link-local address of ours, from which this endpoint pings the peer (§7.2). What comes to it is an echo reply, or is
   * dropped. Without it, there is none.
   */
  readonly linkAddress?: IpAddress
  /** Milliseconds that never go back. */
  readonly now: () => number
  readonly scope?: Scope
  /** What a scope's DNS name was resolved to. A proxy must give it; a client need not know. */
  readonly resolved?: readonly IpAddress[]
  /** How many ICMP errors may be sent. */
  readonly icmpRate?: { readonly perSecond: number; readonly burst: number }
}

/** Enough for traceroute and path MTU discovery of many hosts at once, and little against what a flood brings in. */
const DEFAULT_ICMP_RATE = { perSecond: 100, burst: 50 }

/** What is known about one IP version. */
class Side {
  readonly version: IpVersion
  readonly icmp: number
  readonly sourceOffset: number
  readonly destinationOffset: number
  readonly target: RangeSet | undefined
  localAddresses: RangeSet
  peerAddresses: RangeSet
  localRoutes: RouteSet
  peerRoutes: RouteSet
  icmpSource: IpAddress | undefined

  constructor(version: IpVersion, target: RangeSet | undefined) {
    this.version = version
    this.icmp = icmpProtocol(version)
    this.sourceOffset = version === 4 ? IPV4_SOURCE_OFFSET : IPV6_SOURCE_OFFSET
    this.destinationOffset = version === 4 ? IPV4_DESTINATION_OFFSET : IPV6_DESTINATION_OFFSET
    this.target = target
    this.localAddresses = new RangeSet(version, [])
    this.peerAddresses = new RangeSet(version, [])
    this.localRoutes = new RouteSet(version, [])
    this.peerRoutes = new RouteSet(version, [])
  }
}

export class Forwarding {
  /** Packets that did not pass, by reason. */
  readonly counters: Record<DropReason, number> = {
    malformed: 0,
    'source-policy': 0,
    'no-route': 0,
    prohibited: 0,
    'link-scope': 0,
    'hop-limit': 0,
    'too-big': 0,
    answered: 0,
  }
  /** ICMP errors that were made, and that were not because of the rate limit. */
  icmpErrors = 0
  icmpErrorsSuppressed = 0
  /** The largest packet that fits through the tunnel, in bytes. */
  mtu = Number.POSITIVE_INFINITY

  readonly #options: ForwardingOptions
  readonly #isProxy: boolean
  readonly #protocol: number | undefined
  readonly #v4: Side
  readonly #v6: Side
  readonly #icmpBudget: TokenBucket

  constructor(options: ForwardingOptions) {
    const scope = options.scope ?? UNLIMITED_SCOPE
    this.#options = options
    this.#isProxy = options.role === 'proxy'
    this.#protocol = scope.protocol
    const ranges = targetRanges(scope, options)
    this.#v4 = new Side(4, ranges && new RangeSet(4, ranges))
    this.#v6 = new Side(6, ranges && new RangeSet(6, ranges))
    this.#icmpBudget = new TokenBucket({ ...(options.icmpRate ?? DEFAULT_ICMP_RATE), now: options.now })
    this.setLocalAddresses([])
  }

  /** What the peer assigned to us. */
  setLocalAddresses(prefixes: readonly IpPrefix[]): void {
    const { icmpSource } = this.#options
    for (const side of [this.#v4, this.#v6]) {
      side.localAddresses = new RangeSet(side.version, toRanges(prefixes))
      side.icmpSource =
        (side.version === 4 ? icmpSource?.v4 : icmpSource?.v6) ??
        prefixes.find(prefix => prefix.version === side.version)?.address
    }
  }

  /** What we assigned to the peer. */
  setPeerAddresses(prefixes: readonly IpPrefix[]): void {
    for (const side of [this.#v4, this.#v6]) side.peerAddresses = new RangeSet(side.version, toRanges(prefixes))
  }

  /** What we advertised to the peer. */
  setLocalRoutes(routes: readonly IpAddressRange[]): void {
    for (const side of [this.#v4, this.#v6]) side.localRoutes = new RouteSet(side.version, routes)
  }

  /** What the peer advertised and we accepted. */
  setPeerRoutes(routes: readonly IpAddressRange[]): void {
    for (const side of [this.#v4, this.#v6]) side.peerRoutes = new RouteSet(side.version, routes)
  }

  /**
   * May this packet, which has just come out of the tunnel, go on? Undefined: yes. An ICMP packet in the answer
   * goes back to the peer. The hop count is not touched (§7.2). Allocates nothing when the answer is yes.
   */
  checkInbound(packet: Uint8Array): Drop | undefined {
    if (validatePacket(packet) !== undefined) return this.#drop(DropReason.MALFORMED)
    const protocol = protocolOf(packet)
    if (protocol === -1) return this.#drop(DropReason.MALFORMED)
    const side = this.#sideOf(packet)
    const { sourceOffset: source, destinationOffset: destination } = side
    const isIcmp = protocol === side.icmp

    if (staysOnLink(side.version, packet, destination)) return this.#receiveOnLink(packet, side)
    if (isIcmp && isAboutLink(packet, side.version)) return this.#drop(DropReason.LINK_SCOPE)
    const isForUs = side.localAddresses.containsBytes(packet, destination)
    // A host accepts ICMP from anywhere: errors come from routers that no route mentions (§7.2.1).
    const isIcmpForClient = isIcmp && !this.#isProxy
    if (staysOnLink(side.version, packet, source)) {
      const isFromPeerItself = isIcmpForClient && isForUs && isLinkLocalUnicast(side.version, packet, source)
      return isFromPeerItself ? undefined : this.#drop(DropReason.LINK_SCOPE)
    }

    const isFromPeer = side.peerAddresses.containsBytes(packet, source)
    if (!isFromPeer && !isIcmpForClient && !side.peerRoutes.covers(packet, source)) {
      return this.#dropWithError(DropReason.SOURCE_POLICY, packet, side)
    }
    if (!isForUs) {
      const refused = this.#checkOptions(packet, side)
      if (refused !== undefined) return refused
      const match = side.localRoutes.match(packet, destination, protocol)
      if (match === 'no') return this.#dropWithError(DropReason.NO_ROUTE, packet, side)
      if (match === 'other-protocol') return this.#dropWithError(DropReason.PROHIBITED, packet, side)
    }
    if (!this.#isProtocolInScope(protocol, isIcmp)) return this.#dropWithError(DropReason.PROHIBITED, packet, side)
    if (side.target !== undefined) {
      // The target is on the proxy's side: the destination of what the client sends, the source of what it gets.
      const isInScope = this.#isProxy
        ? isForUs || side.target.containsBytes(packet, destination)
        : isIcmp || isFromPeer || side.target.containsBytes(packet, source)
      if (!isInScope) return this.#dropWithError(DropReason.PROHIBITED, packet, side)
    }
    return undefined
  }

  /**
   * May this packet go into the tunnel? Undefined: yes, and if it is `forwarded`, that is not made by this endpoint itself,
   * its hop count has been decremented in place (§7.2: "upon encapsulation but not upon decapsulation"). A packet that
   * is dropped is not changed. An ICMP packet in the answer goes back to where the packet came from.
   * Allocates nothing when the answer is yes.
   *
   * A packet that passes and is longer than `mtu` is to be sent in pieces: an IPv4 packet with DF = 0 (see ip/fragment.ts).
   *
   * The order is that of a router (RFC 1812 §5.2.1.2): where does it go, may it go there, is its hop count used up, does it
   * fit. A sender thus hears first what no smaller packet would change.
   */
  checkOutbound(packet: Uint8Array, forwarded: boolean): Drop | undefined {
    if (validatePacket(packet) !== undefined) return this.#drop(DropReason.MALFORMED)
    const protocol = protocolOf(packet)
    if (protocol === -1) return this.#drop(DropReason.MALFORMED)
    const side = this.#sideOf(packet)
    const { sourceOffset: source, destinationOffset: destination } = side
    const isIcmp = protocol === side.icmp

    if (staysOnLink(side.version, packet, destination)) {
      // Our own echo request to whoever is at the other end (§7.2) is the one packet of this kind with a use.
      const isProbe = !forwarded && isIcmp && this.#isForEveryNode(packet, side)
      if (!isProbe) return this.#drop(DropReason.LINK_SCOPE)
      return packet.length > this.mtu ? this.#dropWithError(DropReason.TOO_BIG, packet, side, this.mtu) : undefined
    }
    if (staysOnLink(side.version, packet, source)) return this.#drop(DropReason.LINK_SCOPE)
    if (isIcmp && isAboutLink(packet, side.version)) return this.#drop(DropReason.LINK_SCOPE)

    const isFromUs = side.localAddresses.containsBytes(packet, source)
    const isIcmpFromProxy = isIcmp && this.#isProxy
    if (!isFromUs && !isIcmpFromProxy && !side.localRoutes.covers(packet, source)) {
      return this.#dropWithError(DropReason.SOURCE_POLICY, packet, side)
    }
    const refused = this.#checkOptions(packet, side)
    if (refused !== undefined) return refused
    const isForPeer = side.peerAddresses.containsBytes(packet, destination)
    if (!isForPeer) {
      const match = side.peerRoutes.match(packet, destination, protocol)
      if (match === 'no') return this.#dropWithError(DropReason.NO_ROUTE, packet, side)
      if (match === 'other-protocol') return this.#dropWithError(DropReason.PROHIBITED, packet, side)
    }
    if (!this.#isProtocolInScope(protocol, isIcmp)) return this.#dropWithError(DropReason.PROHIBITED, packet, side)
    if (side.target !== undefined) {
      const isInScope = this.#isProxy
        ? isIcmp || isFromUs || side.target.containsBytes(packet, source)
        : isForPeer || side.target.containsBytes(packet, destination)
      if (!isInScope) return this.#dropWithError(DropReason.PROHIBITED, packet, side)
    }

    if (forwarded && hopCountOf(packet) <= 1) return this.#dropWithError(DropReason.HOP_LIMIT, packet, side)
    if (packet.length > this.mtu && !mayFragment(packet)) {
      return this.#dropWithError(DropReason.TOO_BIG, packet, side, this.mtu)
    }
    if (forwarded) decrementHopCount(packet)
    return undefined
  }

  #sideOf(packet: Uint8Array): Side {
    return packet[0] >> 4 === 4 ? this.#v4 : this.#v6
  }

  #isProtocolInScope(protocol: number, isIcmp: boolean): boolean {
    return this.#protocol === undefined || protocol === this.#protocol || isIcmp
  }

  /**
   * Options of an IPv4 packet that is forwarded: they have to be well-formed, and packets that bring their own route are
   * dropped (RFC 7126 §4.3 and §4.4), because it leads past the rules for the destination.
   */
  #checkOptions(packet: Uint8Array, side: Side): Drop | undefined {
    if (side.version !== 4 || packet[0] === IPV4_WITHOUT_OPTIONS) return undefined
    const finding = inspectIpv4Options(packet)
    if (finding === undefined) return undefined
    if (finding.kind === 'source-route') return this.#dropWithError(DropReason.PROHIBITED, packet, side)
    return this.#dropAndAnswer(DropReason.MALFORMED, side, source => ipv4OptionError(packet, finding.pointer, source))
  }

  #isForEveryNode(packet: Uint8Array, side: Side): boolean {
    if (side.version === 4) return false
    return (
      isAddressAt(ALL_NODES, packet, side.destinationOffset) || isAddressAt(ALL_ROUTERS, packet, side.destinationOffset)
    )
  }

  /** A packet for this link only. "IP proxying endpoints also need to properly reply" to those (§7.2). */
  #receiveOnLink(packet: Uint8Array, side: Side): Drop | undefined {
    const { linkAddress } = this.#options
    if (side.version === 6 && linkAddress !== undefined && isAddressAt(linkAddress, packet, side.destinationOffset)) {
      const isReply = packet[payloadOffset(packet)] === Icmpv6Type.ECHO_REPLY && protocolOf(packet) === side.icmp
      return isReply ? undefined : this.#drop(DropReason.LINK_SCOPE)
    }
    const isForMe =
      side.version === 6 &&
      (isAddressAt(ALL_NODES, packet, side.destinationOffset) ||
        (this.#isProxy && isAddressAt(ALL_ROUTERS, packet, side.destinationOffset)))
    const problem = isForMe ? ipv6HeaderProblem(packet, ECHO_ONLY) : undefined
    if (problem !== undefined) {
      return this.#dropAndAnswer(DropReason.LINK_SCOPE, side, source => ipv6HeaderError(packet, problem, source))
    }
    const reply = isForMe && side.icmpSource ? answerLinkLocalEcho(packet, side.icmpSource) : undefined
    if (!reply) return this.#drop(DropReason.LINK_SCOPE)
    this.counters.answered++
    return { reason: DropReason.ANSWERED, icmp: reply }
  }

  #drop(reason: DropReason): Drop {
    this.counters[reason]++
    return SILENT[reason]
  }

  #dropWithError(reason: IcmpErrorKind, packet: Uint8Array, side: Side, mtu?: number): Drop {
    return this.#dropAndAnswer(reason, side, source => icmpError(reason, packet, source, mtu))
  }

  #dropAndAnswer(reason: DropReason, side: Side, makeError: (source: IpAddress) => Uint8Array | undefined): Drop {
    this.counters[reason]++
    if (!side.icmpSource) return SILENT[reason]
    // Looked at first, so that a flood of bad packets does not cost us the making of errors that are not sent.
    if (!this.#icmpBudget.isAvailable) {
      this.icmpErrorsSuppressed++
      return SILENT[reason]
    }
    const icmp = makeError(side.icmpSource)
    if (!icmp) return SILENT[reason]
    this.#icmpBudget.take()
    this.icmpErrors++
    return { reason, icmp }
  }
}

/** Version 4 and a header of five words. */
const IPV4_WITHOUT_OPTIONS = 0x45

/** What the end of a link itself answers of the packets to everybody on it. */
const ECHO_ONLY = [IpProtocol.ICMPV6]

/** Drops without an ICMP packet, made once. */
const SILENT = Object.fromEntries(Object.values(DropReason).map(reason => [reason, { reason }])) as Readonly<
  Record<DropReason, Drop>
>

/** Of an ICMP packet. Its type is in the first fragment only; what comes behind is of no use without that. */
function isAboutLink(packet: Uint8Array, version: IpVersion): boolean {
  return !isLaterFragment(packet) && isLinkMessage(version, packet[payloadOffset(packet)])
}

function targetRanges(scope: Scope, { role, resolved }: ForwardingOptions) {
  if (scope.target.kind === 'name' && !resolved) {
    // The client leaves the resolution to the proxy, whose routes are then all that limits it.
    if (role === 'client') return undefined
    throw new Error(`a tunnel to "${scope.target.name}" needs the addresses of that name: resolve it first`)
  }
  return scopeRanges(scope, resolved ?? [])
}

function toRanges(prefixes: readonly IpPrefix[]) {
  return prefixes.map(prefix => prefix.toRange())
}
