/**
 * One CONNECT-IP tunnel as seen from one end, RFC 9484: bytes in, events and bytes out.
 *
 * The control plane is the stream of capsules: who has which addresses, who routes what. The data plane asks, packet by
 * packet, whether it may pass, which `Forwarding` answers by what the control plane has agreed on. The two roles differ in
 * little: both ends may assign, request and advertise (§4.7, §8.2).
 */

import { decodeSmallVarint, varintLengthFromFirstByte } from '../bytes/varint.ts'
import { addressLength, IpAddress, type IpVersion } from '../ip/address.ts'
import { IpPrefix } from '../ip/prefix.ts'
import { type AssignedAddress, decodeAddressAssign, encodeAddressAssign, isRefusal, refusal } from './address-assign.ts'
import { DEFAULT_MAX_ENTRIES } from './address-entry.ts'
import { decodeAddressRequest, encodeAddressRequest, type RequestedAddress } from './address-request.ts'
import { type Capsule, type CapsuleLimits, CapsuleParser, CapsuleType } from './capsule.ts'
import { ContextIds } from './context.ts'
import type { DnsEvent } from './dns/extension.ts'
import { ConnectIpError, excessiveLoad } from './errors.ts'
import { type Drop, Forwarding, type ForwardingOptions } from './forwarding.ts'
import { decodeRouteAdvertisement, encodeRouteAdvertisement, type IpAddressRange } from './route-advertisement.ts'
import { normaliseRoutes } from './routes.ts'

/** What comes of a packet that may not pass; see forwarding.ts. */
export type { Drop, DropReason } from './forwarding.ts'

export interface SessionOptions extends ForwardingOptions {
  /**
   * Which of the addresses that the peer assigns to us we take. Default: a client takes all, a proxy none, since a
   * client that assigns addresses to its proxy does so by prior agreement.
   */
  readonly acceptPeerAddresses?: (addresses: readonly AssignedAddress[]) => readonly AssignedAddress[]
  /**
   * Which of the routes that the peer advertises we use, and accept packets from. Default: a client uses all, a proxy
   * none, since otherwise every client could draw any traffic to itself and send from any address.
   */
  readonly acceptPeerRoutes?: (routes: readonly IpAddressRange[]) => readonly IpAddressRange[]
  readonly limits?: Partial<SessionLimits>
  /** Capsules of extensions, by type: what each becomes. Throws ConnectIpError when it is malformed. */
  readonly extensions?: ReadonlyMap<bigint, (value: Uint8Array) => DnsEvent>
}

export interface SessionLimits extends CapsuleLimits {
  /** Entries in one capsule, and so also addresses or routes in force in one direction. */
  readonly maxEntries: number
  /** Addresses that the peer may request during the life of the tunnel: its Request IDs have to be remembered. */
  readonly maxRequests: number
}

export type SessionEvent =
  /**
   * The full list of our addresses from now on. `refused` are the ids of our requests that were answered with "none".
   */
  | { readonly type: 'addresses-assigned'; readonly addresses: AssignedAddress[]; readonly refused: bigint[] }
  /** Each one has to be answered; see `answerAddressRequests`. */
  | { readonly type: 'addresses-requested'; readonly requests: RequestedAddress[] }
  /** The full list of what the peer routes from now on; `accepted` is the part of it that we use. */
  | { readonly type: 'routes-advertised'; readonly routes: IpAddressRange[]; readonly accepted: IpAddressRange[] }
  /** A DATAGRAM capsule, for `receiveDatagram`. Valid until the bytes that were received are overwritten. */
  | { readonly type: 'datagram'; readonly payload: Uint8Array }
  /** From `extensions`. */
  | DnsEvent

/** What to ask for. Without an address: any. `prefixLength` in bits, by default a single address. */
export interface AddressWish {
  readonly version: IpVersion
  readonly address?: IpAddress
  readonly prefixLength?: number
}

export class ConnectIpSession {
  readonly role: 'client' | 'proxy'
  readonly contexts: ContextIds
  /** Datagrams without a complete context id, or with one that is not known. Dropped silently (§6). */
  unknownContextDatagrams = 0

  readonly #options: SessionOptions
  readonly #parser: CapsuleParser
  readonly #forwarding: Forwarding
  readonly #maxEntries: number
  readonly #maxRequests: number
  #failure: ConnectIpError | undefined

  #localAddresses: readonly AssignedAddress[] = []
  #peerAddresses: readonly AssignedAddress[] = []
  #localRoutes: readonly IpAddressRange[] = []
  #peerRoutes: readonly IpAddressRange[] = []

  #nextRequestId = 1n
  /** Our requests that have not been answered yet. */
  readonly #openRequests = new Map<bigint, RequestedAddress>()
  /** All Request IDs that the peer ever used, and those that we have not answered yet. */
  readonly #peerRequestIds = new Set<bigint>()
  readonly #unanswered = new Map<bigint, RequestedAddress>()

  constructor(options: SessionOptions) {
    this.role = options.role
    this.#options = options
    this.#maxEntries = options.limits?.maxEntries ?? DEFAULT_MAX_ENTRIES
    this.#maxRequests = options.limits?.maxRequests ?? 4096
    this.#parser = new CapsuleParser(options.limits, options.extensions?.keys())
    this.#forwarding = new Forwarding(options)
    this.contexts = new ContextIds(options.role)
  }

  /** Assigned to us by the peer, and accepted. */
  get localAddresses(): readonly AssignedAddress[] {
    return this.#localAddresses
  }

  /** Assigned by us to the peer. */
  get peerAddresses(): readonly AssignedAddress[] {
    return this.#peerAddresses
  }

  /** Advertised by us to the peer. */
  get localRoutes(): readonly IpAddressRange[] {
    return this.#localRoutes
  }

  /** Advertised by the peer, and accepted. */
  get peerRoutes(): readonly IpAddressRange[] {
    return this.#peerRoutes
  }

  /** Our requests that wait for an answer. */
  get openRequests(): readonly RequestedAddress[] {
    return [...this.#openRequests.values()]
  }

  /** The peer's requests that wait for an answer of ours. */
  get unansweredRequests(): readonly RequestedAddress[] {
    return [...this.#unanswered.values()]
  }

  /** Packets that did not pass, by reason. */
  get counters(): Forwarding['counters'] {
    return this.#forwarding.counters
  }

  /** ICMP errors that were made, and those that the rate limit held back. */
  get icmpErrors(): { readonly made: number; readonly suppressed: number } {
    return { made: this.#forwarding.icmpErrors, suppressed: this.#forwarding.icmpErrorsSuppressed }
  }

  /** DATAGRAM capsules too long to hold an IP packet, which were skipped. */
  get oversizeDatagrams(): number {
    return this.#parser.oversizeDatagrams
  }

  /** The largest packet that fits through the tunnel, in bytes; not limited until it is set. */
  get mtu(): number {
    return this.#forwarding.mtu
  }

  set mtu(bytes: number) {
    this.#forwarding.mtu = bytes
  }

  // Control plane, inbound

  /**
   * Takes bytes of the request stream; gives what they mean, event by event. Strictly in order: a capsule takes effect when
   * its event is asked for, so a packet is judged by what came before it, and by nothing that came behind it, however the
   * bytes were cut into reads.
   *
   * Throws ConnectIpError, behind the events of all that came before, when the peer broke a rule: the stream is then to be
   * aborted with the error's `code`, and every later call throws the same error.
   */
  *receiveCapsuleBytes(bytes: Uint8Array): Generator<SessionEvent, void, undefined> {
    if (this.#failure) throw this.#failure
    try {
      for (const capsule of this.#parser.push(bytes)) yield this.#receiveCapsule(capsule)
    } catch (error) {
      if (error instanceof ConnectIpError) this.#failure = error
      throw error
    }
  }

  /** The peer ended its side of the stream. Throws ConnectIpError when that was inside a capsule. */
  receiveEnd(): void {
    if (this.#failure) throw this.#failure
    this.#parser.end()
  }

  #receiveCapsule({ type, value }: Capsule): SessionEvent {
    switch (type) {
      case CapsuleType.ADDRESS_ASSIGN:
        return this.#receiveAssignment(decodeAddressAssign(value, this.#maxEntries))
      case CapsuleType.ADDRESS_REQUEST:
        return this.#receiveRequests(decodeAddressRequest(value, this.#maxEntries))
      case CapsuleType.ROUTE_ADVERTISEMENT:
        return this.#receiveRoutes(decodeRouteAdvertisement(value, this.#maxEntries))
      case CapsuleType.DATAGRAM:
        return { type: 'datagram', payload: value }
      default: {
        const decode = this.#options.extensions?.get(type)
        if (decode === undefined) throw new Error(`a capsule of type ${type}, which the parser should have skipped`)
        return decode(value)
      }
    }
  }

  #receiveAssignment(entries: readonly AssignedAddress[]): SessionEvent {
    const refused: bigint[] = []
    for (const entry of entries) {
      // An id that we never used is no reason to abort (§4.7.1 names none); the address is then as good as unasked for.
      const wasOpen = this.#openRequests.delete(entry.requestId)
      if (wasOpen && isRefusal(entry)) refused.push(entry.requestId)
    }
    const granted = entries.filter(entry => !isRefusal(entry))
    const accept = this.#options.acceptPeerAddresses ?? (list => (this.role === 'client' ? list : []))
    const addresses = [...accept(granted)]
    this.#localAddresses = addresses
    this.#forwarding.setLocalAddresses(addresses.map(entry => entry.prefix))
    return { type: 'addresses-assigned', addresses, refused }
  }

  #receiveRequests(requests: RequestedAddress[]): SessionEvent {
    if (this.#peerRequestIds.size + requests.length > this.#maxRequests) {
      throw excessiveLoad(`the peer requested more than ${this.#maxRequests} addresses on one tunnel`)
    }
    for (const request of requests) {
      if (this.#peerRequestIds.has(request.requestId)) {
        throw new ConnectIpError(`Request ID ${request.requestId} was used before; expected a new one`)
      }
      this.#peerRequestIds.add(request.requestId)
      this.#unanswered.set(request.requestId, request)
    }
    return { type: 'addresses-requested', requests }
  }

  #receiveRoutes(routes: IpAddressRange[]): SessionEvent {
    const accept = this.#options.acceptPeerRoutes ?? (list => (this.role === 'client' ? list : []))
    const accepted = [...accept(routes)]
    this.#peerRoutes = accepted
    this.#forwarding.setPeerRoutes(accepted)
    return { type: 'routes-advertised', routes, accepted }
  }

  // Control plane, outbound: what is returned is to be written on the request stream

  /**
   * Assigns exactly these addresses to the peer: what is not in the list is taken away. Entries that refuse a request
   * are sent and then forgotten. Throws RangeError when the list is too long or answers a request that was never made.
   */
  assignAddresses(list: readonly AssignedAddress[]): Uint8Array {
    const granted = list.filter(entry => !isRefusal(entry))
    if (granted.length > this.#maxEntries) {
      throw new RangeError(
        `${granted.length} addresses to assign; at most ${this.#maxEntries} are possible, assign larger prefixes`,
      )
    }
    const ids = new Set<bigint>()
    for (const { requestId } of list) {
      if (requestId === 0n) continue
      if (!this.#peerRequestIds.has(requestId)) {
        throw new RangeError(`the peer made no request with id ${requestId}; an unprompted address has the id 0`)
      }
      if (ids.has(requestId)) throw new RangeError(`two answers to the request with id ${requestId}; expected one`)
      ids.add(requestId)
    }
    const bytes = encodeAddressAssign(list)
    for (const id of ids) this.#unanswered.delete(id)
    this.#peerAddresses = granted
    this.#forwarding.setPeerAddresses(granted.map(entry => entry.prefix))
    return bytes
  }

  /**
   * Answers requests of the peer: each with the prefix that `pick` returns, or with a refusal when it returns undefined or
   * there is no room for another. The peer keeps what it has; a prefix that it has unprompted may be the answer, too.
   * Refusals are not repeated in later capsules (§4.7.2).
   */
  answerAddressRequests(
    requests: readonly RequestedAddress[],
    pick: (request: RequestedAddress) => IpPrefix | undefined,
  ): Uint8Array {
    const assigned = [...this.#peerAddresses]
    const refusals: AssignedAddress[] = []
    for (const request of requests) {
      const { requestId } = request
      const prefix = assigned.length < this.#maxEntries ? pick(request) : undefined
      if (!prefix) {
        refusals.push(refusal(requestId, request.prefix.version))
        continue
      }
      if (prefix.version !== request.prefix.version) {
        throw new RangeError(`request ${requestId} is for IPv${request.prefix.version}; ${prefix} is no answer to it`)
      }
      const unprompted = assigned.findIndex(entry => entry.requestId === 0n && entry.prefix.equals(prefix))
      if (unprompted === -1) assigned.push({ requestId, prefix })
      else assigned[unprompted] = { requestId, prefix }
    }
    return this.assignAddresses([...assigned, ...refusals])
  }

  /**
   * Advertises exactly these routes to the peer, put in order and freed from overlaps. Throws RangeError when they are
   * too many.
   */
  advertiseRoutes(list: readonly IpAddressRange[]): Uint8Array {
    const routes = normaliseRoutes(list)
    if (routes.length > this.#maxEntries) {
      throw new RangeError(`${routes.length} routes to advertise; at most ${this.#maxEntries} fit, use larger ranges`)
    }
    const bytes = encodeRouteAdvertisement(routes)
    this.#localRoutes = routes
    this.#forwarding.setLocalRoutes(routes)
    return bytes
  }

  /**
   * Asks for addresses. The answer is an 'addresses-assigned' event; until then there is no source address to send
   * packets from. Throws DecodeError when a preferred address has bits set beyond the prefix length.
   */
  requestAddresses(wishes: readonly AddressWish[]): { requestIds: bigint[]; bytes: Uint8Array } {
    const requests = wishes.map(({ version, address, prefixLength }, i): RequestedAddress => {
      const prefix = new IpPrefix(address ?? IpAddress.unspecified(version), prefixLength ?? addressLength(version) * 8)
      return { requestId: this.#nextRequestId + BigInt(i), prefix }
    })
    const bytes = encodeAddressRequest(requests)
    this.#nextRequestId += BigInt(requests.length)
    for (const request of requests) this.#openRequests.set(request.requestId, request)
    return { requestIds: requests.map(request => request.requestId), bytes }
  }

  // Data plane

  /**
   * Takes an HTTP Datagram's payload, from a QUIC datagram or from a capsule: context id and packet. Returns the packet,
   * as a view, or undefined when the context id is not one that is known, which is no error (§6).
   */
  receiveDatagram(payload: Uint8Array): Uint8Array | undefined {
    if (payload[0] === 0) return payload.subarray(1)
    // The same 0 in more bytes than needed is allowed (RFC 9484 §2).
    if (decodeSmallVarint(payload) === 0) return payload.subarray(varintLengthFromFirstByte(payload[0]))
    this.unknownContextDatagrams++
    return undefined
  }

  /** See `Forwarding.checkInbound`. */
  checkInbound(packet: Uint8Array): Drop | undefined {
    return this.#forwarding.checkInbound(packet)
  }

  /** See `Forwarding.checkOutbound`. */
  checkOutbound(packet: Uint8Array, forwarded: boolean): Drop | undefined {
    return this.#forwarding.checkOutbound(packet, forwarded)
  }
}
