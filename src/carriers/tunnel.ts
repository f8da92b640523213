/**
 * A tunnel: a CONNECT-IP session (what the rules are) on a carrier (how bytes travel). Client and proxy use the same.
 *
 *   in:   carrier → `onDatagram` → session: which context, is the packet allowed? → owner
 *   out:  `sendPacket` → does it fit? → session: is it allowed, TTL → perhaps a send queue (send-queue.ts) → carrier
 */

import { DecodeError } from '../bytes/errors.ts'
import { decodeSmallVarint } from '../bytes/varint.ts'
import type { AssignedAddress } from '../connect-ip/address-assign.ts'
import type { RequestedAddress } from '../connect-ip/address-request.ts'
import type { DnsConfiguration } from '../connect-ip/dns/dns-assign.ts'
import { ConnectIpError } from '../connect-ip/errors.ts'
import { DropReason } from '../connect-ip/forwarding.ts'
import type { IpAddressRange } from '../connect-ip/route-advertisement.ts'
import type { ConnectIpSession, Drop, SessionEvent } from '../connect-ip/session.ts'
import type { AbortReason } from '../http/errors.ts'
import { fragmentIpv4 } from '../ip/fragment.ts'
import { packetVersion } from '../ip/packet.ts'
import type { IpPrefix } from '../ip/prefix.ts'
import type { DropListener } from '../log/dropped-packets.ts'
import type { QueueDiscipline } from '../queue/discipline.ts'
import type { Carrier, CarrierEnd, CarrierHandler, Egress, Encapsulation } from './carrier.ts'
import { closedTunnel, resetByUs } from './end-reason.ts'
import { countIcmp, type FamilyCounters, newFamilyCounters } from './family-counters.ts'
import { type FecCounters, TunnelFec } from './fec.ts'
import type { NewQueue } from './send-queue.ts'
import { POLICY, RECEIVE, type StageClock } from './stage-clock.ts'

/**
 * Answers that a peer has asked for and does not read: with more than these, in bytes, it has asked for the last time. More than the lists of
 * addresses and routes can be, and than the packets that may wait on the same stream (capsule-packets.ts).
 */
export const MAX_CAPSULES_WAITING = 512 * 1024

export interface TunnelOwner {
  /** A packet from the peer that passed all checks. The bytes are borrowed for the call. */
  onPacket(packet: Uint8Array): void
  /** The peer has given us addresses: the whole list, each time. */
  onAddressesAssigned(addresses: AssignedAddress[]): void
  onAddressesRequested(requests: RequestedAddress[]): void
  /** The routes of the peer that local policy accepts: the whole list, each time. */
  onRoutesAdvertised(accepted: IpAddressRange[]): void
  /** All DNS configurations of the peer. Comes only where the session has the extension. */
  onDnsAssigned?(configurations: DnsConfiguration[]): void
  /** All NAT64 prefixes of the peer; as above. */
  onPref64Assigned?(prefixes: IpPrefix[]): void
  /** The carrier's MTU, or whether it is settled, may have changed. */
  onMtu(): void
  onClosed(reason: TunnelCloseReason): void
}

/** Hears each IP packet that passes: for captures. The bytes are borrowed for the call. */
export interface PacketTap {
  sent(packet: Uint8Array): void
  received(packet: Uint8Array): void
}

/** As the proxy sees it. */
export type PacketDirection = 'from-client' | 'to-client'

/** Looks at what passes, such as the live view does: at the proxy. All bytes are borrowed for the call. */
export interface TunnelWatch {
  /** Somebody looks at packets now: otherwise they are not shown, and cost this question. */
  readonly listening: boolean
  /** `bytes`: an HTTP Datagram's payload, or, with a `contextId`, the packet that makes one. */
  packet(direction: PacketDirection, encapsulation: Encapsulation, bytes: Uint8Array, contextId?: number): void
  capsuleReceived(event: SessionEvent): void
  /** Whole capsules. */
  capsulesSent(bytes: Uint8Array): void
}

export interface TunnelCloseReason {
  /** The tunnel was ended in good order, by either side. */
  readonly clean: boolean
  /** We ended it, because the peer broke a rule or the link will not do. */
  readonly abortedByUs?: boolean
  /** Nobody ended it: nothing was heard any more. */
  readonly silent?: boolean
  /** Who ended it, and why; see end-reason.ts. */
  readonly reason: string
}

export interface TunnelCounters {
  packetsSent: number
  packetsReceived: number
  bytesSent: number
  bytesReceived: number
  /** Packets that were for this end of the link itself, and were answered: pings of RFC 9484 §7.2. */
  answered: number
  /** Of all of these, those of one IP version. What is received may be of neither. */
  readonly ipv4: FamilyCounters
  readonly ipv6: FamilyCounters
  /** Packets that were not passed on, by reason; `queue-full` are those that there was no room for. */
  dropped: Record<string, number>
}

export class Tunnel implements CarrierHandler {
  readonly session: ConnectIpSession
  readonly carrier: Carrier
  readonly counters: TunnelCounters = {
    packetsSent: 0,
    packetsReceived: 0,
    bytesSent: 0,
    bytesReceived: 0,
    answered: 0,
    ipv4: newFamilyCounters(),
    ipv6: newFamilyCounters(),
    dropped: {},
  }
  readonly #owner: TunnelOwner
  readonly #clock: StageClock | undefined
  /** What waits for the carrier, where that is not the carrier's own affair. */
  readonly #queue: { readonly discipline: QueueDiscipline; readonly egress: Egress } | undefined
  /** Where it was agreed on, or asked for. */
  #fec: TunnelFec | undefined
  readonly #tap: PacketTap | undefined
  readonly #onDropped: DropListener | undefined
  readonly #watch: TunnelWatch | undefined
  #closed = false
  /** Why we closed our half, once we have. */
  #endedBecause: string | undefined

  constructor(options: {
    session: ConnectIpSession
    openCarrier: (handler: CarrierHandler) => Carrier
    owner: TunnelOwner
    /** Without it, and on a carrier without `egress`, packets go straight to the carrier. */
    newQueue?: NewQueue
    /** Of a capture. */
    tap?: PacketTap | undefined
    watch?: TunnelWatch | undefined
    /** Takes times of packets from the peer; its owner goes on with it. */
    clock?: StageClock
    /** For the log. */
    onDropped?: DropListener | undefined
  }) {
    this.session = options.session
    this.#tap = options.tap
    this.#onDropped = options.onDropped
    this.#watch = options.watch
    this.#owner = options.owner
    this.#clock = options.clock
    this.carrier = options.openCarrier(this)
    const { egress } = this.carrier
    if (options.newQueue !== undefined && egress !== undefined) {
      this.#queue = { discipline: options.newQueue(reason => this.#count(reason)), egress }
    }
  }

  get closed(): boolean {
    return this.#closed
  }

  /** The largest IP packet that fits, in bytes. */
  get mtu(): number {
    return this.#fec === undefined ? this.carrier.mtu : this.#fec.mtu
  }

  get mtuSettled(): boolean {
    return this.carrier.mtuSettled
  }

  get encapsulation(): Encapsulation {
    return this.carrier.encapsulation
  }

  /** Of forward error correction, where it was agreed on or asked for. */
  get fec(): FecCounters | undefined {
    return this.#fec?.counters
  }

  /** Packets that are protected by FEC are taken on this context from now on, and sent there from `startFec` on. */
  openFec(contextId: number): void {
    this.#fec = new TunnelFec(this.carrier, contextId)
  }

  /** The peer has agreed: groups of so many packets are protected. */
  startFec(groupSize: number): void {
    this.#fec?.start(groupSize)
  }

  /** Room for one more packet now, so that a fast sender can wait instead of being dropped. */
  get writable(): boolean {
    return this.#queue?.discipline.hasRoom ?? this.carrier.writable
  }

  /** A discipline decides who waits and who is dropped: it can only judge packets that it gets. */
  get judgesPackets(): boolean {
    return this.#queue !== undefined
  }

  /**
   * Sends one IP packet to the peer. `forwarded`: it was not made by this endpoint, so its hop count goes down by one
   * (in place). Returns why it was not sent, with the ICMP error for whoever sent it, if one is due.
   */
  sendPacket(packet: Uint8Array, forwarded: boolean): Drop | undefined {
    if (this.#closed) return undefined
    const { mtu } = this
    this.session.mtu = mtu
    const drop = this.session.checkOutbound(packet, forwarded)
    if (drop !== undefined) {
      this.#count(drop.reason, packet)
      return drop
    }
    if (packet.length <= mtu) this.#transmit(packet)
    else for (const fragment of fragmentIpv4(packet, mtu)) this.#transmit(fragment)
    return undefined
  }

  #transmit(packet: Uint8Array): void {
    if (this.#queue === undefined) return this.#handOver(packet)
    this.#queue.discipline.enqueue(packet, performance.now())
    this.onRoom()
  }

  /** The next packets leave the send queue. */
  onRoom(): void {
    if (this.#queue === undefined || this.#closed) return
    const { discipline, egress } = this.#queue
    while (egress.wantsPackets) {
      const packet = discipline.dequeue(performance.now())
      if (packet === undefined) return
      this.#handOver(packet)
    }
    if (discipline.packets > 0) egress.awaitRoom()
  }

  #handOver(packet: Uint8Array): void {
    const result = this.#fec === undefined ? this.carrier.sendPacket(packet) : this.#fec.send(packet)
    if (result !== 'sent') {
      // A full queue is congestion; routers stay silent about it (RFC 1812 §5.3.6).
      this.#count('queue-full', packet)
      return
    }
    this.counters.packetsSent++
    this.counters.bytesSent += packet.length
    if (this.#tap !== undefined) this.#tap.sent(packet)
    // What FEC has made of it is not here to be shown.
    if (this.#watch?.listening && this.#fec === undefined)
      this.#watch.packet('to-client', this.encapsulation, packet, 0)
    const family = this.#familyOf(packet)
    if (family === undefined) return
    family.packetsSent++
    family.bytesSent += packet.length
    countIcmp(family.icmpSent, packet)
  }

  /** By the first four bits, which is all that is known of a packet that has just come. */
  #familyOf(packet: Uint8Array): FamilyCounters | undefined {
    switch (packetVersion(packet)) {
      case 4:
        return this.counters.ipv4
      case 6:
        return this.counters.ipv6
      default:
        return undefined
    }
  }

  /** Whole capsules, for the peer. */
  sendCapsules(bytes: Uint8Array): void {
    this.#watch?.capsulesSent(bytes)
    this.carrier.sendCapsules(bytes)
  }

  /** Ends the tunnel in good order: the request stream is closed (RFC 9484 §4.1). It is over when the peer has closed it too. */
  end(why = ''): void {
    if (this.#closed) return
    this.#endedBecause ??= why
    this.carrier.end()
  }

  abort(reason: AbortReason, why: string): void {
    if (this.#closed) return
    const code = this.carrier.abort(reason)
    this.#close({ clean: false, abortedByUs: true, reason: resetByUs(code, why) })
  }

  // -- CarrierHandler ------------------------------------------------------------------------------------------

  onCapsuleBytes(bytes: Uint8Array): void {
    if (this.#closed) return
    this.#orAbort(() => {
      for (const event of this.session.receiveCapsuleBytes(bytes)) {
        this.#watch?.capsuleReceived(event)
        switch (event.type) {
          case 'addresses-assigned':
            this.#owner.onAddressesAssigned(event.addresses)
            break
          case 'addresses-requested':
            this.#owner.onAddressesRequested(event.requests)
            break
          case 'routes-advertised':
            this.#owner.onRoutesAdvertised(event.accepted)
            break
          case 'datagram':
            this.#receiveDatagram(event.payload, 'single-stream')
            break
          case 'dns-assigned':
            this.#owner.onDnsAssigned?.(event.configurations)
            break
          case 'pref64-assigned':
            this.#owner.onPref64Assigned?.(event.prefixes)
            break
        }
        if (this.#closed) return
      }
    })
    this.#judgeReader()
  }

  /** Whatever we send without being asked is little. Each capsule of the peer may be answered by a longer one. */
  #judgeReader(): void {
    const { capsulesWaiting } = this.carrier
    if (capsulesWaiting <= MAX_CAPSULES_WAITING) return
    this.abort('excessive-load', `it does not read what it has asked for: ${capsulesWaiting} bytes wait`)
  }

  onDatagram(payload: Uint8Array): void {
    this.#receiveDatagram(payload, this.encapsulation)
  }

  #receiveDatagram(payload: Uint8Array, encapsulation: Encapsulation): void {
    if (this.#closed) return
    this.#clock?.begin()
    if (this.#watch?.listening) this.#watch.packet('from-client', encapsulation, payload)
    if (this.#fec !== undefined && decodeSmallVarint(payload) === this.#fec.contextId) {
      return this.#receiveProtected(this.#fec, payload)
    }
    const packet = this.session.receiveDatagram(payload)
    if (packet === undefined) return this.#count('unknown-context')
    this.#receive(packet)
  }

  #receiveProtected(fec: TunnelFec, payload: Uint8Array): void {
    let received: ReturnType<TunnelFec['receive']>
    try {
      received = fec.receive(payload)
    } catch (error) {
      if (!(error instanceof DecodeError)) throw error
      return this.#count(DropReason.MALFORMED)
    }
    const { packet, recovered } = received
    if (packet !== undefined) this.#receive(packet)
    if (recovered !== undefined && !this.#closed) this.#receive(recovered)
  }

  /** A whole IP packet, whichever way it has come: that it was lost and made again gives it no rights. */
  #receive(packet: Uint8Array): void {
    this.#clock?.over(RECEIVE)
    this.#judge(packet)
    this.#clock?.end()
  }

  #judge(packet: Uint8Array): void {
    this.counters.packetsReceived++
    this.counters.bytesReceived += packet.length
    const family = this.#familyOf(packet)
    if (family !== undefined) {
      family.packetsReceived++
      family.bytesReceived += packet.length
    }
    if (this.#tap !== undefined) this.#tap.received(packet)
    const drop = this.session.checkInbound(packet)
    if (family !== undefined && drop?.reason !== DropReason.MALFORMED) countIcmp(family.icmpReceived, packet)
    if (drop !== undefined) {
      if (drop.reason === DropReason.ANSWERED) this.counters.answered++
      else this.#count(drop.reason, packet)
      // Straight back to the peer: the error is for a source address that no forwarding rule would let through.
      if (drop.icmp !== undefined) this.#transmit(drop.icmp)
      return
    }
    this.#clock?.over(POLICY)
    this.#owner.onPacket(packet)
  }

  onMtu(): void {
    if (!this.#closed) this.#owner.onMtu()
  }

  onEnd(): void {
    if (this.#closed) return
    this.#orAbort(() => {
      this.session.receiveEnd()
      this.carrier.end()
      const why = this.#endedBecause
      this.#close({ clean: true, reason: why === undefined ? closedTunnel('peer') : closedTunnel('us', why) })
    })
  }

  onAborted({ orderly, reason, silent = false }: CarrierEnd): void {
    // Where we have closed the tunnel, a peer that then closes the connection has nothing to complain about.
    const clean = this.#endedBecause !== undefined && orderly
    this.#close({ clean, reason: clean ? closedTunnel('us', this.#endedBecause) : reason, ...(silent && { silent }) })
  }

  // ------------------------------------------------------------------------------------------------------------

  /** A peer that breaks a rule loses its stream, with the code that the rule names; nobody else notices. */
  #orAbort(receive: () => void): void {
    try {
      receive()
    } catch (error) {
      if (!(error instanceof ConnectIpError)) throw error
      this.abort(error.abortReason, error.message)
    }
  }

  #close(reason: TunnelCloseReason): void {
    if (this.#closed) return
    this.#closed = true
    this.#fec?.stop()
    this.#owner.onClosed(reason)
  }

  #count(reason: string, packet?: Uint8Array): void {
    this.counters.dropped[reason] = (this.counters.dropped[reason] ?? 0) + 1
    this.#onDropped?.(reason, packet)
  }
}
