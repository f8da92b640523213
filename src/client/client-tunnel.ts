/** One client's tunnel as the client sees it: from the first packet to the proxy to the end of the tunnel. */

import { type Carrier, ENCAPSULATION_HEADER, type Encapsulation } from '../carriers/carrier.ts'
import { CLIENT_NAME_HEADER, HANDOVER_HEADER, saysHandover, YES } from '../carriers/client-name.ts'
import type {
  Capabilities,
  CloseReason,
  Connect,
  HttpClientConnection,
  HttpClientHandler,
  HttpVersion,
  TunnelStream,
} from '../carriers/http-connection.ts'
import { hintAtNarrowLink, Ipv6LinkCheck, narrowLink } from '../carriers/ipv6-link-check.ts'
import { ALL_NODES, type LinkProbeResult } from '../carriers/link-probe.ts'
import { sendQueue } from '../carriers/send-queue.ts'
import { type PacketTap, Tunnel, type TunnelOwner } from '../carriers/tunnel.ts'
import { quicSettings } from '../config/sections.ts'
import { loadClientTlsConfig } from '../config/tls-config.ts'
import type { AssignedAddress } from '../connect-ip/address-assign.ts'
import type { DnsConfiguration } from '../connect-ip/dns/dns-assign.ts'
import { DNS_EXTENSION } from '../connect-ip/dns/extension.ts'
import { type FecAgreement, fecField, readFecField } from '../connect-ip/fec/negotiation.ts'
import { buildRequestHeaders, isAccepted } from '../connect-ip/request.ts'
import type { IpAddressRange } from '../connect-ip/route-advertisement.ts'
import { normaliseRoutes } from '../connect-ip/routes.ts'
import { parseScope } from '../connect-ip/scope.ts'
import { ConnectIpSession } from '../connect-ip/session.ts'
import { expandTemplate, parseUriTemplate } from '../connect-ip/uri-template.ts'
import type { Clock } from '../hosts/clock.ts'
import { type Header, headerValue } from '../http/header.ts'
import { IpAddress, type IpVersion } from '../ip/address.ts'
import type { IpPrefix } from '../ip/prefix.ts'
import { type ComponentLogs, connectionComponent } from '../log/component-logs.ts'
import { droppedPackets } from '../log/dropped-packets.ts'
import type { LogBudget } from '../log/log-budget.ts'
import type { Logger } from '../log/logger.ts'
import type { MigrateOptions, MigrateResult, QuicConnection, UdpPath } from '../quic/quic.ts'
import type { AwaitTurn } from './carrier-race.ts'
import type { ClientConfig } from './config.ts'
import { addressText, Dial } from './dial.ts'
import { ClientError, errorFromClose, errorFromFailure } from './errors.ts'
import type { ProxyAddress } from './proxy-address.ts'
import { readToken } from './token.ts'

/** How long an attempt may take, in ms. */
export interface TunnelTimeouts {
  /** The whole of it: handshake, answer, addresses. */
  readonly connectMs: number
  /** Once there is an address: how long to wait for routes, and for answers to further requests for addresses. */
  readonly graceMs: number
}

const DEFAULT_TUNNEL_TIMEOUTS: TunnelTimeouts = { connectMs: 10_000, graceMs: 2000 }

/** How long the tunnel's MTU may be searched for before the tunnel is up with what is known, in ms. */
const MTU_PATIENCE_MS = 1000
/** How long the proxy gets to end the tunnel on its side too. */
const CLOSE_TIMEOUT_MS = 500
/** The client has gone over to another tunnel: it goes on listening here until nothing has come for so long, in ms; and for so long in all, and then for the end. */
const LISTEN_ON_MS = 250
const DRAIN_TIMEOUT_MS = 3000

export interface TunnelInfo {
  /** Addresses and prefixes that the proxy assigned to us. */
  readonly assigned: IpPrefix[]
  /** What the proxy routes for us. */
  readonly routes: IpAddressRange[]
  /** Networks behind us that the proxy was told of. */
  readonly advertised: readonly IpAddressRange[]
  /** DNS servers that the proxy told us of, by the names they are for. Nothing here asks them. */
  readonly dns: DnsConfiguration[]
  /** Prefixes of a NAT64 behind the proxy. */
  readonly nat64Prefixes: IpPrefix[]
  /** The largest IP packet that fits the tunnel, in bytes. */
  readonly mtu: number
  /** From the first packet to the end of the handshake, in ms. */
  readonly handshakeMs: number
  /** From there until addresses and routes were there, in ms. */
  readonly sessionMs: number
  /** The version of HTTP that carries the tunnel. */
  readonly carrier: HttpVersion
  readonly encapsulation: Encapsulation
  /** Packets in a group of forward error correction; 0: there is none. */
  readonly fec: number
  readonly resumed: boolean
  readonly remote: string
}

export interface ClientTunnelOptions {
  config: ClientConfig
  proxy: ProxyAddress
  logs: ComponentLogs
  /** Of what the proxy can cause at any rate. */
  logBudget: LogBudget
  /** Which of HTTP's versions `connect` is to speak: for the log. */
  carrier: HttpVersion
  /** The version of HTTP. */
  connect: Connect
  /** Other tunnels are raced against this one: the request goes out in its turn. */
  awaitTurn?: AwaitTurn
  /** By which the proxy knows that a tunnel before was ours (carriers/client-name.ts). */
  clientName?: string
  /** There is a tunnel of that name, which is to live until this one is used. */
  isHandover?: boolean
  resumptionTicket?: Uint8Array
  /** Addresses of the tunnel before this one, which are asked for again (RFC 9484 §4.7.2). */
  before?: readonly IpAddress[]
  /** The tunnel before was lost: the proxy is asked so often whether it is there again, in ms. */
  knockMs?: number
  timeouts?: TunnelTimeouts
  /** By which it knocks; for tests. */
  clock?: Clock
  /** Of a capture: hears the packets of the tunnel of this id. */
  tapTunnel?(id: string): PacketTap | undefined
  onPacket(packet: Uint8Array): void
  onChanged(info: TunnelInfo): void
  /** The tunnel had been up, and is no longer. */
  onLost(error: ClientError): void
}

/** What a request is made of, ready before it may be sent. */
interface Prepared {
  readonly headers: Header[]
  readonly session: ConnectIpSession
  readonly addressRequest: { requestIds: bigint[]; bytes: Uint8Array } | undefined
}

export class ClientTunnel implements HttpClientHandler {
  tunnel: Tunnel | undefined
  /** What the ping of 1280 bytes has shown; undefined while it has shown nothing, or where none is needed. */
  linkProbe: LinkProbeResult | undefined
  readonly #options: ClientTunnelOptions
  /** Its lines say which connection, as soon as there is one. */
  #log: Logger
  /** All addresses that are tried, then the one that answered. */
  #remoteText: string
  #dial: Dial | undefined
  #connection: HttpClientConnection | undefined
  #ids: { connection?: string; tunnel?: string } = {}
  #carrier: Carrier | undefined
  #linkCheck: Ipv6LinkCheck | undefined
  #prepared: Prepared | undefined
  /** When each step of its way was over, by `performance.now`, for measurements: the handshake, SETTINGS, the answer with all that was asked for, the tunnel. */
  readonly times = { ready: 0, settings: 0, answered: 0, up: 0 }
  #handshakeMs = 0
  /** Requests of ours that the proxy has not answered yet. */
  #awaited = new Set<bigint>()
  #assigned: AssignedAddress[] | undefined
  #routes: IpAddressRange[] | undefined
  #advertised: readonly IpAddressRange[] = []
  #goingAway = false
  /** What we have asked for, and what the proxy has agreed to. */
  #fecOffer: FecAgreement | undefined
  #fecGroup = 0
  #dns: DnsConfiguration[] = []
  #nat64Prefixes: IpPrefix[] = []
  #accepted = false
  #canHandOver = false
  #isLeaving = false
  #left: Promise<void> = Promise.resolve()
  /** Nobody waits any more for what may still come. */
  #cutShort: (() => void) | undefined
  #graceTimer: NodeJS.Timeout | undefined
  /** Everything else is there; the path's MTU is still being searched for. */
  #mtuTimer: NodeJS.Timeout | undefined
  #mtuPatience = true
  #up = false
  #ended = false
  #settle: { resolve: (info: TunnelInfo) => void; reject: (error: ClientError) => void } | undefined
  #onEnded: (() => void) | undefined
  /** Kept when the connection is over. */
  #ticket: Uint8Array | undefined

  constructor(options: ClientTunnelOptions) {
    this.#options = options
    this.#log = options.logs.of('tunnel')
    this.#remoteText = options.proxy.addresses.map(addressText).join(', ')
  }

  /** What the log calls it: its connection, and the tunnel itself; nothing while they are not there. */
  get ids(): { connection?: string; tunnel?: string } {
    return this.#ids
  }

  get open(): boolean {
    return this.#up && !this.#ended
  }

  get writable(): boolean {
    return this.open && this.tunnel?.writable === true
  }

  /** Packets are not better kept back: there is room, or a send queue that decides what becomes of them. */
  get takesPackets(): boolean {
    return this.writable || (this.open && this.tunnel?.judgesPackets === true)
  }

  /** The proxy has said yes: what is missing then is up to what was asked for. */
  get accepted(): boolean {
    return this.#accepted
  }

  /** The proxy can give this tunnel's addresses to another one that is asked for while this one lives. */
  get canHandOver(): boolean {
    return this.#canHandOver
  }

  /** The proxy's IP address, without a zone; undefined while there is no connection. */
  get proxyAddress(): IpAddress | undefined {
    const host = this.#connection?.remote.host
    return host === undefined ? undefined : IpAddress.parse(host.replace(/%.*$/, ''))
  }

  /** The QUIC connection below, once there is one: for statistics. */
  get quic(): QuicConnection | undefined {
    return this.#connection?.quic
  }

  /** Where packets to the proxy leave, and where they go, on QUIC. */
  get path(): UdpPath | undefined {
    const quic = this.quic
    return quic === undefined || !this.open ? undefined : { local: quic.local, remote: quic.remote }
  }

  /** Moves the tunnel to another network. Never rejects. */
  migrate(options: MigrateOptions): Promise<MigrateResult> {
    const quic = this.quic
    if (!this.open) return Promise.resolve({ moved: false, why: 'there is no tunnel' })
    if (quic === undefined) return Promise.resolve({ moved: false, why: 'only a tunnel on QUIC can move' })
    return quic.migrate(options)
  }

  /** With which the next connection can resume TLS. */
  get resumptionTicket(): Uint8Array | undefined {
    return this.#ticket ?? this.#connection?.resumptionTicket
  }

  get info(): TunnelInfo {
    return {
      assigned: (this.#assigned ?? []).map(entry => entry.prefix),
      routes: this.#routes ?? [],
      advertised: this.#advertised,
      dns: this.#dns,
      nat64Prefixes: this.#nat64Prefixes,
      mtu: this.tunnel?.mtu ?? 0,
      handshakeMs: this.#handshakeMs,
      sessionMs: Math.max(0, this.times.up - this.times.ready),
      carrier: this.#connection?.version ?? 'h3',
      encapsulation: this.#carrier?.encapsulation ?? this.#options.config.tunnel.encapsulation,
      fec: this.#fecGroup,
      resumed: this.#connection?.resumed ?? false,
      remote: this.#remoteText,
    }
  }

  async connect(): Promise<TunnelInfo> {
    const { config, proxy } = this.#options
    const { ca, certificateChain, key } = loadClientTlsConfig(config.tls)
    // One for all attempts, by which they share what is made of it.
    const tls = { ca, certificateChain, key }
    this.#prepared = this.#prepare()
    const { connectMs } = this.#timeouts
    const log = this.#options.logs.of(connectionComponent(this.#options.carrier))
    let timer: NodeJS.Timeout | undefined
    const settled = new Promise<TunnelInfo>((resolve, reject) => {
      this.#settle = { resolve, reject }
      timer = setTimeout(() => {
        this.#fail(new ClientError('timeout', `no tunnel after ${connectMs / 1000} s: ${this.#whatIsMissing()}`))
      }, connectMs)
    })
    try {
      this.#dial = new Dial({
        addresses: proxy.addresses,
        knockMs: this.#options.knockMs,
        clock: this.#options.clock,
        connect: remote =>
          this.#options.connect({
            remote,
            serverName: proxy.serverName,
            tls,
            insecure: config.tls.insecure,
            resumptionTicket: this.#options.resumptionTicket,
            onError: error => this.#log.error({ err: error }, 'internal error'),
            debug: message => log.debug(message),
            onWarning: sentence => log.warn(sentence),
          }),
        onConnected: connection => {
          this.#connection = connection
          this.#ids = { connection: connection.id }
          this.#log = this.#options.logs.of('tunnel').child(this.#ids)
          this.#remoteText = addressText(connection.remote)
          return this
        },
        onFailed: error => this.#fail(error),
        onError: error => this.#log.error({ err: error }, 'internal error'),
      })
      this.#dial.start()
    } catch (error) {
      this.failed(error)
    }
    return settled.finally(() => clearTimeout(timer))
  }

  /** Tells the proxy of networks behind this end; replaces what it was told before. The tunnel must be up. */
  advertise(routes: readonly IpAddressRange[]): void {
    const { carrier, session } = this.tunnel as Tunnel
    carrier.sendCapsules(session.advertiseRoutes(routes))
    this.#advertised = normaliseRoutes(routes)
  }

  /**
   * Ends the tunnel, waits a moment for the proxy to end it too, closes the connection. `willReturn`: without taking leave, so that the proxy keeps
   * the addresses for us as if the tunnel was lost (server/kept-leases.ts).
   */
  close({ willReturn = false } = {}): Promise<void> {
    if (!this.#isLeaving) return this.#close(willReturn, CLOSE_TIMEOUT_MS)
    this.#cutShort?.()
    return this.#left
  }

  /** Ends this tunnel after the client has gone over to another one: what is under way from the proxy still arrives. */
  leave(): Promise<void> {
    this.#isLeaving = true
    const cutShort = new Promise<void>(resolve => {
      this.#cutShort = resolve
    })
    this.#left = Promise.race([cutShort, this.#nothingIsUnderWay()]).then(() =>
      this.#close(false, DRAIN_TIMEOUT_MS, cutShort),
    )
    return this.#left
  }

  /** What waits to be sent as datagrams is lost with the stream that they belong to. */
  async #nothingIsUnderWay(): Promise<void> {
    const { datagramQueue } = quicSettings(this.#options.config.quic)
    const until = performance.now() + DRAIN_TIMEOUT_MS
    let received: number | undefined
    do {
      received = this.tunnel?.counters.packetsReceived
      await delay(LISTEN_ON_MS)
      const hasSentAll = (this.quic?.datagramQueueRoom ?? datagramQueue) >= datagramQueue
      if (hasSentAll && received === this.tunnel?.counters.packetsReceived) return
    } while (this.open && performance.now() < until)
  }

  async #close(willReturn: boolean, patienceMs: number, cutShort?: Promise<void>): Promise<void> {
    if (!this.#up) this.#fail(new ClientError('tunnel', 'the client was closed while it was connecting'))
    if (this.#connection === undefined) await Promise.race([this.#dial?.cancel(), delay(CLOSE_TIMEOUT_MS)])
    const connection = this.#connection
    if (connection === undefined || connection.closed) return
    const ended = new Promise<void>(resolve => {
      this.#onEnded = resolve
    })
    this.#ticket = connection.resumptionTicket
    const takesLeave = this.open && !willReturn
    this.#ended = true
    clearTimeout(this.#graceTimer)
    this.#linkCheck?.stop()
    if (takesLeave) {
      // RFC 9114 §5.2: no request will follow, and no push is wanted.
      connection.goAway()
      this.tunnel?.end()
      await Promise.race([ended, delay(patienceMs), ...(cutShort === undefined ? [] : [cutShort])])
    }
    const closed = new Promise<void>(resolve => {
      this.#onEnded = resolve
    })
    connection.close('')
    if (!connection.closed) await Promise.race([closed, delay(CLOSE_TIMEOUT_MS)])
  }

  /** Something of ours has failed where nobody waits for the outcome: this attempt, or this tunnel, ends. */
  failed(error: unknown): void {
    const cause = errorFromFailure(error, this.#remoteText)
    if (cause.kind === 'internal') this.#log.error({ err: error }, 'internal error')
    this.#fail(cause)
  }

  // -- HttpClientHandler ---------------------------------------------------------------------------------------

  onReady(): void {
    this.times.ready = performance.now()
    this.#handshakeMs = this.#connection?.handshakeMs ?? 0
  }

  /** CIP-07: Extended CONNECT only once the server's SETTINGS have said that it may be used. */
  onCapabilities(capabilities: Capabilities): void {
    this.times.settings = performance.now()
    if (!capabilities.tunnels) {
      const message = 'the server does not support Extended CONNECT: it is no CONNECT-IP proxy'
      return this.#fail(new ClientError('protocol', message))
    }
    const { awaitTurn } = this.#options
    if (awaitTurn === undefined) return this.#request(capabilities)
    awaitTurn(() => this.#requestInTurn(capabilities))
  }

  onResponse(headers: readonly Header[]): void {
    const status = Number(headerValue(headers, ':status'))
    if (!isAccepted(status)) {
      this.#carrier?.abort('cancelled')
      const proxyStatus = headerValue(headers, 'proxy-status')
      const why = proxyStatus === undefined ? '' : ` (${proxyStatus})`
      const message = `the proxy refused the tunnel with status ${status}${hintFor(status)}${why}`
      return this.#fail(new ClientError('http', message, { status }))
    }
    const wanted = this.#carrier?.encapsulation
    if (wanted === 'stream-per-packet' && headerValue(headers, ENCAPSULATION_HEADER) !== wanted) {
      this.#carrier?.abort('cancelled')
      return this.#fail(new ClientError('protocol', `the proxy does not know the encapsulation "${wanted}"`))
    }
    this.#startFec(headers)
    this.#canHandOver = this.#options.clientName !== undefined && saysHandover(headers)
    this.#accepted = true
    this.#progress()
  }

  /** A proxy that does not have it says nothing of it, and one that says something else has not agreed: then packets travel as ever. */
  #startFec(headers: readonly Header[]): void {
    const offer = this.#fecOffer
    const agreed = readFecField(headers)
    if (offer === undefined || agreed?.contextId !== offer.contextId || agreed.groupSize !== offer.groupSize) return
    this.#fecGroup = offer.groupSize
    this.tunnel?.startFec(offer.groupSize)
  }

  onGoAway(): void {
    // It may come again and again, each time with a lower id (RFC 9114 §5.2); and in answer to ours.
    if (this.#goingAway || this.#ended) return
    this.#goingAway = true
    this.#log.info('the proxy is shutting down (GOAWAY)')
  }

  onRequestFailed(_id: number, error: unknown): void {
    this.#log.error({ err: error }, 'internal error')
    this.#fail(new ClientError('internal', 'internal error: the tunnel has ended', { cause: error }))
  }

  onClosed(reason: CloseReason): void {
    this.#fail(errorFromClose(reason, this.#remoteText))
    this.#onEnded?.()
  }

  // -- what the tunnel reports ---------------------------------------------------------------------------------

  readonly #tunnelOwner: TunnelOwner = {
    onPacket: packet => {
      if (!this.#linkCheck?.receive(packet)) this.#options.onPacket(packet)
    },

    onAddressesAssigned: addresses => {
      this.#assigned = addresses
      // A request is answered by its id, also when the answer is a refusal.
      const open = new Set(this.tunnel?.session.openRequests.map(request => request.requestId))
      for (const id of this.#awaited) if (!open.has(id)) this.#awaited.delete(id)
      this.#progress()
    },

    onRoutesAdvertised: routes => {
      this.#routes = routes
      this.#progress()
    },

    onDnsAssigned: configurations => {
      this.#dns = configurations
      this.#progress()
    },

    onPref64Assigned: prefixes => {
      this.#nat64Prefixes = prefixes
      this.#progress()
    },
    onMtu: () => this.#progress(),

    /** This client has no addresses to give away. Each request is still answered (CIP-13). */
    onAddressesRequested: requests => {
      const session = this.tunnel?.session
      // What was assigned with `assignAddresses` stays: each capsule has the whole list (CIP-12).
      if (session !== undefined) this.#carrier?.sendCapsules(session.answerAddressRequests(requests, () => undefined))
    },

    onClosed: reason => {
      const hasIpv6 = this.info.assigned.some(prefix => prefix.version === 6)
      // A path that carries nothing any more is taken for a narrow one before it is taken for a dead one (RFC 8899 §4.3): that says nothing of its MTU.
      const isByPeer = !reason.clean && !reason.abortedByUs && !reason.silent
      const hint = isByPeer ? hintAtNarrowLink(this.tunnel, hasIpv6) : ''
      const message = reason.clean ? 'the proxy closed the tunnel' : `the tunnel has ended: ${reason.reason}${hint}`
      // What we ended ourselves would end the same way the next time: the other side is at fault.
      this.#fail(new ClientError(reason.abortedByUs ? 'protocol' : 'tunnel', message))
      this.#onEnded?.()
    },
  }

  // -- steps ---------------------------------------------------------------------------------------------------

  /** All that can be made ready before the proxy is there. Throws when the configuration cannot work (CIP-01). */
  #prepare(): Prepared {
    const { proxy, tunnel, auth } = this.#options.config
    const token = readToken(auth)
    const session = new ConnectIpSession({
      role: 'client',
      now: () => performance.now(),
      scope: parseScope({ target: proxy.target, ipproto: proxy.ipproto }),
      extensions: tunnel.acceptDns ? DNS_EXTENSION : undefined,
    })
    const wishes = tunnel.requestAddresses.map(family => {
      const version = (family === 'ipv4' ? 4 : 6) as IpVersion
      return { version, address: this.#options.before?.find(address => address.version === version) }
    })
    return {
      headers: buildRequestHeaders(
        expandTemplate(parseUriTemplate(proxy.template), proxy),
        token === undefined ? [] : [['authorization', `Bearer ${token}`]],
      ),
      session,
      addressRequest: wishes.length > 0 ? session.requestAddresses(wishes) : undefined,
    }
  }

  /** Perhaps in a turn of somebody else, who is not to hear of what goes wrong here. */
  #requestInTurn(capabilities: Capabilities): void {
    try {
      if (!this.#ended) this.#request(capabilities)
    } catch (error) {
      this.failed(error)
    }
  }

  #request({ encapsulations }: Capabilities): void {
    const connection = this.#connection as HttpClientConnection
    const { headers, session, addressRequest } = this.#prepared as Prepared
    const wanted = this.#options.config.tunnel.encapsulation
    // Without QUIC datagrams packets still travel, in DATAGRAM capsules (RFC 9297 §3.5).
    const encapsulation = encapsulations.includes(wanted) ? wanted : 'single-stream'
    if (encapsulation !== 'datagram') headers.push([ENCAPSULATION_HEADER, encapsulation])
    const { fec } = this.#options.config.tunnel
    // On streams nothing is lost.
    if (fec > 0 && encapsulation === 'datagram' && connection.version === 'h3') {
      this.#fecOffer = { groupSize: fec, contextId: Number(session.contexts.allocate()) }
      headers.push(fecField(this.#fecOffer))
    }
    const { clientName, isHandover } = this.#options
    if (clientName !== undefined) headers.push([CLIENT_NAME_HEADER, clientName])
    if (clientName !== undefined && isHandover) headers.push([HANDOVER_HEADER, YES])

    let stream: TunnelStream | undefined
    try {
      stream = connection.request(headers)
    } catch (error) {
      // A GOAWAY right behind its SETTINGS, or a limit on headers that is too low for ours.
      const why = (error as Error).message
      return this.#fail(
        connection.draining
          ? new ClientError('refused', `the proxy is shutting down: ${why}`)
          : new ClientError('protocol', `the proxy takes no request of ours: ${why}`),
      )
    }
    // Closed by what came with the SETTINGS: `onClosed` follows and knows why.
    if (stream === undefined) return
    const { openCarrier } = stream
    this.#ids = { connection: connection.id, tunnel: `${connection.id}/${stream.id}` }
    this.#log = this.#options.logs.of('tunnel').child(this.#ids)
    this.tunnel = new Tunnel({
      session,
      openCarrier: handler => {
        this.#carrier = openCarrier([encapsulation], handler)
        return this.#carrier
      },
      owner: this.#tunnelOwner,
      newQueue: sendQueue(this.#options.config.tunnel.queue),
      tap: this.#options.tapTunnel?.(`${connection.id}/${stream.id}`),
      onDropped: droppedPackets(this.#options.logBudget.forConnection(connection.remote.host, this.#ids)('packets')),
    })
    // Packets of the proxy may overtake its answer.
    if (this.#fecOffer !== undefined) this.tunnel.openFec(this.#fecOffer.contextId)
    this.#linkCheck = this.#watchLink(this.tunnel)
    if (addressRequest === undefined) return
    // Sent at once behind the request: a round trip less than waiting for the answer.
    this.#awaited = new Set(addressRequest.requestIds)
    this.#carrier?.sendCapsules(addressRequest.bytes)
  }

  /**
   * Up, once the proxy has said yes, has answered all our requests for addresses, and has advertised routes (CIP-19). With an
   * address, it is also up after a while without the rest: a proxy may assign unprompted (RFC 9484 §4.7.1), and no rule makes
   * it advertise routes. What comes later is a change.
   */
  #progress(): void {
    if (this.#up) {
      this.#options.onChanged(this.info)
      this.#linkCheck?.check()
      return
    }
    if (!this.#accepted || this.#assigned === undefined) return
    const answered = this.#awaited.size === 0
    if (this.#assigned.length === 0) {
      if (!answered) return
      return this.#fail(new ClientError('tunnel', 'the proxy has no address for us: its pool is exhausted'))
    }
    if (answered && this.#routes !== undefined) return this.#orFail(() => this.#rise())
    this.#graceTimer ??= setTimeout(() => {
      this.#orFail(() => {
        this.#log.warn(`the tunnel is used as it is: ${this.#whatIsMissing()}`)
        this.#rise()
      })
    }, this.#timeouts.graceMs)
  }

  #rise(): void {
    if (this.#ended || this.#up) return
    if (this.times.answered === 0) this.times.answered = performance.now()
    // The search began with the handshake and is over by now, unless the path is a narrow one.
    if (this.#carrier?.mtuSettled === false && this.#mtuPatience) {
      this.#mtuTimer ??= setTimeout(() => {
        this.#mtuPatience = false
        this.#orFail(() => this.#rise())
      }, MTU_PATIENCE_MS)
      return
    }
    clearTimeout(this.#mtuTimer)
    clearTimeout(this.#graceTimer)
    this.times.up = performance.now()
    // Before it counts as up: what fails here fails the attempt, for which somebody waits.
    const { info } = this
    this.#up = true
    this.#settle?.resolve(info)
    // It may end the tunnel at once. Whoever waits for this attempt listens for that from the moment it succeeds.
    setImmediate(() => this.#checkLink())
  }

  #checkLink(): void {
    this.#orFail(() => {
      if (this.open) this.#linkCheck?.check()
    })
  }

  /** What fails in there ends this attempt, or this tunnel, as the bug of ours that it is: nobody is above a timer, and others would not know what it means. */
  #orFail(step: () => void): void {
    try {
      step()
    } catch (error) {
      this.failed(error)
    }
  }

  /** We need not know an address of the proxy's: all nodes of the link are pinged. */
  #watchLink(tunnel: Tunnel): Ipv6LinkCheck {
    return new Ipv6LinkCheck({
      policy: this.#options.config.tunnel.linkProbe,
      carrier: tunnel,
      address: () => this.info.assigned.find(prefix => prefix.version === 6)?.address,
      ends: address => ({ source: address, target: ALL_NODES }),
      send: packet => tunnel.sendPacket(packet, false),
      heard: () => tunnel.counters.packetsReceived,
      onResult: result => {
        this.linkProbe = result
      },
      // RFC 9484 §7.2
      abort: why => this.open && tunnel.abort('cancelled', narrowLink(why)),
      onError: error => this.failed(error),
    })
  }

  /** What an attempt waits for, and of whom. */
  #whatIsMissing(): string {
    const proxy = `the proxy at ${this.#remoteText}`
    if (this.#connection === undefined) return `no answer from ${this.#remoteText}`
    if (this.#connection.capabilities === undefined) return `${proxy} has sent no SETTINGS`
    if (!this.#accepted) return `${proxy} has not answered the request`
    const requests = this.#awaited.size
    const missing = [
      (this.#assigned ?? []).length === 0 && 'has assigned no address (ADDRESS_ASSIGN)',
      requests > 0 &&
        `has left ${requests} request${requests === 1 ? '' : 's'} for an address unanswered (ADDRESS_REQUEST)`,
      this.#routes === undefined && 'has advertised no routes (ROUTE_ADVERTISEMENT), so that nothing can be sent there',
    ]
    return `${proxy} ${missing.filter(part => part !== false).join(', and ')}`
  }

  get #timeouts(): TunnelTimeouts {
    return this.#options.timeouts ?? DEFAULT_TUNNEL_TIMEOUTS
  }

  /** The attempt, or the tunnel, is over. */
  #fail(error: ClientError): void {
    if (this.#ended) return
    this.#ended = true
    clearTimeout(this.#graceTimer)
    clearTimeout(this.#mtuTimer)
    this.#linkCheck?.stop()
    this.#ticket = this.#connection?.resumptionTicket
    this.#connection?.close('')
    void this.#dial?.cancel()
    if (this.#up) this.#options.onLost(error)
    else this.#settle?.reject(error)
  }
}

/** What a student should look at first. */
function hintFor(status: number): string {
  switch (status) {
    case 401:
      return ': the bearer token is missing or wrong'
    case 403:
      return ': this identity may not, or the client certificate is missing'
    case 404:
      return ': there is no CONNECT-IP at this path; compare the URI template with the proxy’s'
    case 421:
      return ': the template’s host is not a name of this proxy; compare it with its certificate and listen.names'
    case 429:
      return ': too many tunnels for this identity or proxy'
    case 502:
    case 504:
      return ': the target cannot be resolved or reached'
    default:
      return ''
  }
}

function delay(ms: number): Promise<void> {
  return new Promise(resolve => setTimeout(resolve, ms))
}
