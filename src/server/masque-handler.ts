/**
 * One HTTP connection at the proxy: who is asking, may they, and for what.
 *
 * A request for CONNECT-IP becomes a `ProxyTunnel`, or a refusal with its reason; anything else gets a small page.
 */

import { Writer } from '../bytes/writer.ts'
import { type Carrier, ENCAPSULATION_HEADER, type Encapsulation } from '../carriers/carrier.ts'
import { clientName, HANDOVER_HEADER, saysHandover, YES } from '../carriers/client-name.ts'
import type {
  CloseReason,
  HttpServerConnection,
  HttpServerHandler,
  IncomingRequest,
} from '../carriers/http-connection.ts'
import type { PacketTap, Tunnel, TunnelCloseReason, TunnelWatch } from '../carriers/tunnel.ts'
import { DEFAULT_MAX_ENTRIES } from '../connect-ip/address-entry.ts'
import { type FecAgreement, fecField, readFecField } from '../connect-ip/fec/negotiation.ts'
import {
  buildAcceptHeaders,
  buildRejectHeaders,
  misdirected,
  parseConnectIpRequest,
  RequestRejected,
} from '../connect-ip/request.ts'
import { scopeRoutes } from '../connect-ip/routes.ts'
import { describeScope, type Scope } from '../connect-ip/scope.ts'
import { matchPath, type PathTemplate } from '../connect-ip/uri-template.ts'
import { MalformedMessage, PeerFieldSectionLimit } from '../http/errors.ts'
import { type Header, headerValue } from '../http/header.ts'
import type { IpAddress } from '../ip/address.ts'
import type { WatchedTunnel } from '../live/packet-sample.ts'
import { connectionComponent } from '../log/component-logs.ts'
import { droppedPackets } from '../log/dropped-packets.ts'
import type { BoundedLog, ConnectionLog, LogBudget } from '../log/log-budget.ts'
import { runAll } from '../net/run-all.ts'
import { formatAddress, type SocketAddress } from '../net/udp.ts'
import type { Authorisation } from './authorise.ts'
import { plainResponse } from './plain-response.ts'
import { ProxyTunnel, type TunnelContext } from './proxy-tunnel.ts'
import { parseWebTransportRequest, type WebTransportPolicy, webTransportAcceptHeaders } from './webtransport-request.ts'

/** More than this before the answer is not a client in a hurry. */
const MAX_CAPSULES_AHEAD = 64 * 1024

export interface OpenTunnel {
  /** Of the connection and the request: unique while the server runs. */
  readonly id: string
  readonly proxyTunnel: ProxyTunnel
  readonly identity: string | undefined
  /** The how manieth request for a tunnel it was. */
  readonly arrival: number
  /** ms from the request to the answer with addresses. */
  readonly setupMs: number
  /** What the client calls itself (carriers/client-name.ts). */
  readonly clientName: string | undefined
  readonly connectedAt: Date
  readonly connection: HttpServerConnection
  readonly handler: MasqueHandler
}

/** How often the client of a connection has come from another address than before, and when it last did. */
export interface ClientMoves {
  readonly count: number
  readonly lastAt?: Date
}

/** What a handler takes from the server. */
export interface HandlerContext extends TunnelContext {
  /** What a client can cause is written to a log with a budget. */
  readonly logBudget: LogBudget
  readonly template: PathTemplate
  /** Names this proxy in Proxy-Status (RFC 9209 §2). */
  readonly proxyName: string
  /** Under what conditions WebTransport sessions are taken; undefined: they are not. */
  readonly webTransport?: WebTransportPolicy | undefined
  /** Is this `:authority` one of the proxy's own names? (RFC 9110 §7.4) */
  servesAuthority(authority: string): boolean
  readonly encapsulations: readonly Encapsulation[]
  /** Clients that ask for forward error correction get it. */
  readonly fec?: boolean
  /** Makes what a tunnel sends through, in the place of the carrier that its request has opened. */
  wrapCarrier?(carrier: Carrier, connection: HttpServerConnection, streamId: number): Carrier
  /** Of a capture: hears the packets of the tunnel of this id. */
  tapTunnel?(id: string): PacketTap | undefined
  /** Of the live view: what looks at a tunnel. */
  watchTunnel?(tunnel: WatchedTunnel): TunnelWatch
  readonly draining: boolean
  /** How long a connection may be without a tunnel, in ms. */
  readonly tunnelTimeoutMs: number
  readonly maxTunnels: number
  readonly maxTunnelsPerAddress: number
  readonly maxTunnelsPerConnection: number
  /** Who is this, and how many tunnels may they have? */
  authorise(headers: readonly Header[], peerCertificate: Uint8Array | undefined): Authorisation
  /** All addresses of a host name; rejects with a RequestRejected when there are none. */
  resolve(name: string, owner: string): Promise<IpAddress[]>
  readonly tunnels: ReadonlyMap<string, OpenTunnel>
  tunnelsOf(identity: string): number
  tunnelOpened(tunnel: OpenTunnel): void
  tunnelClosed(tunnel: OpenTunnel, reason: TunnelCloseReason): void
  connected(connection: HttpServerConnection): void
  /** Its `remote` is another one now; it was `from`. */
  moved(connection: HttpServerConnection, from: SocketAddress): void
  rejected(connection: HttpServerConnection, reason: string): void
  connectionClosed(handler: MasqueHandler, reason: CloseReason): void
  /** A bug of ours has shown: for the log and the metrics. */
  internalError(error: unknown, connection: string): void
}

/** In which order requests for tunnels have come, over all connections, and when: one may wait while a later one does not. */
const arrivals = new WeakMap<IncomingRequest, Arrival>()
let lastArrival = 0

interface Arrival {
  readonly order: number
  /** By `performance.now`. */
  readonly at: number
}

/** Who has asked, where that was found out before the request was refused. */
const identities = new WeakMap<IncomingRequest, string>()

interface PendingRequest {
  readonly owner: string
  /** In one piece: many small ones would take a hundred times their length. */
  readonly capsules: Writer
  ended: boolean
  /** Ends the wait for what the client can do. */
  goOn: () => void
}

export class MasqueHandler implements HttpServerHandler {
  readonly connection: HttpServerConnection
  /** What there is to say about the connection as such. */
  readonly log: BoundedLog
  readonly #logs: ConnectionLog
  readonly #httpLog: BoundedLog
  moves: ClientMoves = { count: 0 }
  /** No new requests are taken: the proxy is shutting down. */
  draining = false
  /** The connection was closed because there was no tunnel. */
  timedOut = false
  readonly #context: HandlerContext
  /** Where the connection came from. It may move later; what counts against an address goes on counting against this one. */
  readonly #address: string
  /** Where it came from until now. */
  #lastRemote: SocketAddress
  readonly #tunnels = new Map<IncomingRequest, OpenTunnel>()
  /**
   * Requests that cannot be answered yet (see `#waitFor`), with the capsules that the client has sent ahead. They count as
   * tunnels, so that they cannot be piled up.
   */
  readonly #pending = new Map<IncomingRequest, PendingRequest>()
  #tunnelTimer: NodeJS.Timeout | undefined

  constructor(connection: HttpServerConnection, context: HandlerContext) {
    this.connection = connection
    this.#context = context
    const { host, port } = connection.remote
    this.#address = host
    this.#lastRemote = connection.remote
    this.#logs = context.logBudget.forConnection(host, { connection: connection.id, remote: `${host}:${port}` })
    this.log = this.#logs(connectionComponent(connection.version))
    this.#httpLog = this.#logs('http')
    connection.handler = this
    this.#expectTunnel()
  }

  /** Whoever opens no tunnel may not stay: with nothing but PINGs, connections would fill their address's share for ever. */
  #expectTunnel(): void {
    const { tunnelTimeoutMs } = this.#context
    this.connection.inUse = this.#tunnels.size > 0
    clearTimeout(this.#tunnelTimer)
    if (this.connection.inUse) return
    this.#tunnelTimer = setTimeout(() => {
      this.timedOut = true
      this.connection.close(`there was no tunnel for ${tunnelTimeoutMs / 1000} s`)
    }, tunnelTimeoutMs).unref()
  }

  /** No new requests (GOAWAY), and the end of those that run. */
  drain(): void {
    this.draining = true
    this.connection.goAway()
    for (const { proxyTunnel } of this.#tunnels.values()) proxyTunnel.tunnel.end('the proxy is shutting down')
  }

  // -- HttpServerHandler ---------------------------------------------------------------------------------------

  onReady(): void {
    const { resumed, handshakeMs } = this.connection
    this.#context.connected(this.connection)
    this.log.debug({ resumed, handshakeMs }, 'connected')
  }

  onCapabilities(): void {
    for (const pending of this.#pending.values()) pending.goOn()
  }

  onRequest(request: IncomingRequest, ended: boolean): void {
    const { headers } = request
    if (headerValue(headers, ':method') !== 'CONNECT') {
      try {
        return this.#answerPlainRequest(request)
      } catch (error) {
        return this.#refuse(request, error)
      }
    }
    // Every way out of here answers the request, or aborts it: a client never waits for nothing.
    this.#openTunnel(request, ended)
      .catch(error => this.#refuse(request, error))
      .catch(error => request.fail(error))
      .catch(error => this.#failConnection(error))
  }

  onStreamError(streamId: number, code: string, reason: string): void {
    this.#httpLog.warn({ streamId, code }, `stream error: ${reason}`)
  }

  onRequestFailed(streamId: number, error: unknown): void {
    if (error instanceof PeerFieldSectionLimit) {
      this.#httpLog.warn({ streamId }, `no answer, the stream is reset: ${error.message}`)
    } else this.#internalError(error)
    this.#context.rejected(this.connection, error instanceof Error ? error.message : String(error))
  }

  onMoved(remote: SocketAddress): void {
    this.moves = { count: this.moves.count + 1, lastAt: new Date() }
    this.log.info({ to: formatAddress(remote) }, 'the client has another address now')
    this.#context.moved(this.connection, this.#lastRemote)
    this.#lastRemote = remote
  }

  onClosed(reason: CloseReason): void {
    clearTimeout(this.#tunnelTimer)
    const end = { clean: false, reason: 'the connection has ended' }
    runAll([
      ...[...this.#pending.keys()].map(request => () => this.#forget(request)),
      // Their carriers have told them already, unless that has failed: of a connection that is gone, nothing stays.
      ...[...this.#tunnels.values()].map(
        ({ proxyTunnel }) =>
          () =>
            proxyTunnel.onClosed(end),
      ),
      () => this.#context.connectionClosed(this, reason),
    ])
  }

  // -- requests ------------------------------------------------------------------------------------------------

  /** `ended`: the client has closed its side of the stream already, and so the tunnel. */
  async #openTunnel(request: IncomingRequest, ended: boolean): Promise<void> {
    const context = this.#context
    arrivals.set(request, { order: ++lastArrival, at: performance.now() })
    const { scope, credentials } = this.#parse(request)
    const authorisation = context.authorise(credentials, this.connection.peerCertificate)
    if (!authorisation.allowed) {
      const { status, reason } = authorisation
      throw new RequestRejected(status, reason, 'http_request_denied', { details: reason })
    }
    const identity = authorisation.identity
    if (identity !== undefined) identities.set(request, identity)
    this.#checkLimits(request, identity, authorisation.maxTunnels)
    if (this.connection.capabilities !== undefined && scope.target.kind !== 'name') {
      this.#accept(request, scope, authorisation, [])
      request.tunnelReady?.()
      if (ended) request.peerEnded()
      return
    }
    const owner = this.#ownerOf(identity)
    if (context.budgets.pendingRequests.take(owner) !== undefined)
      throw tooMany('requests that wait for an answer', owner)
    const ahead: PendingRequest = { owner, capsules: new Writer(0), ended, goOn: () => {} }
    this.#pending.set(request, ahead)
    request.handler = {
      onCapsuleBytes: bytes => this.#keepCapsules(request, bytes),
      onEnd: () => {
        ahead.ended = true
      },
      onGone: () => this.#forget(request),
    }
    const resolved = await this.#waitFor(scope.target, ahead).finally(() => {
      if (!this.#forget(request)) throw new RequestGone()
    })
    // Others may have come first while we waited.
    this.#checkLimits(request, identity, authorisation.maxTunnels)
    const tunnel = this.#accept(request, scope, authorisation, resolved)
    tunnel.onCapsuleBytes(ahead.capsules.finish())
    request.tunnelReady?.()
    if (ahead.ended) request.peerEnded()
  }

  /** What the tunnel is to reach, and the header fields that say who asks for it. */
  #parse({ headers, isWebTransport }: IncomingRequest): { scope: Scope; credentials: readonly Header[] } {
    const { template, webTransport } = this.#context
    const isOwn = (authority: string): boolean => this.#context.servesAuthority(authority)
    if (isWebTransport && webTransport !== undefined) return parseWebTransportRequest(headers, webTransport, isOwn)
    return { scope: parseConnectIpRequest(headers, template, isOwn), credentials: headers }
  }

  /**
   * What has to be known before a request can be answered: whether the client takes datagrams, which HTTP/3 says in SETTINGS
   * that the request may overtake; and what the target's name stands for.
   */
  async #waitFor(target: Scope['target'], pending: PendingRequest): Promise<IpAddress[]> {
    if (this.connection.capabilities === undefined) {
      await new Promise<void>(resolve => {
        pending.goOn = resolve
      })
      // Not what it waited for, but the end of the request.
      if (this.connection.capabilities === undefined) throw new RequestGone()
    }
    return target.kind === 'name' ? this.#context.resolve(target.name, pending.owner) : []
  }

  /** Whose budgets count: the identity's or, without one, those of the address that the connection came from. */
  #ownerOf(identity: string | undefined): string {
    return identity ?? `address ${this.#address}`
  }

  /** A request waits no more, whatever becomes of it. False when it did not. */
  #forget(request: IncomingRequest): boolean {
    const pending = this.#pending.get(request)
    if (pending === undefined) return false
    this.#pending.delete(request)
    this.#context.budgets.pendingRequests.giveBack(pending.owner)
    this.#context.budgets.capsulesAhead.giveBack(pending.owner, pending.capsules.length)
    pending.goOn()
    return true
  }

  #keepCapsules(request: IncomingRequest, data: Uint8Array): void {
    const ahead = this.#pending.get(request)
    if (ahead === undefined) return
    const fits = ahead.capsules.length + data.length <= MAX_CAPSULES_AHEAD
    if (fits && this.#context.budgets.capsulesAhead.take(ahead.owner, data.length) === undefined) {
      ahead.capsules.bytes(data)
      return
    }
    this.#forget(request)
    request.abort('excessive-load')
  }

  /**
   * The tunnel of this very client that it comes back from, by another connection: never one that it has asked for since. Two, while it goes over from one
   * to the other.
   */
  #tunnelsBefore(request: IncomingRequest, identity: string | undefined): OpenTunnel[] {
    const name = clientName(request.headers)
    if (name === undefined) return []
    return [...this.#context.tunnels.values()].filter(
      tunnel =>
        tunnel.clientName === name &&
        tunnel.identity === identity &&
        tunnel.handler !== this &&
        tunnel.arrival < arrivalOf(request).order,
    )
  }

  /** `before`: tunnels that make room. */
  #checkLimits(
    request: IncomingRequest,
    identity: string | undefined,
    maxTunnels: number,
    before = this.#tunnelsBefore(request, identity),
  ): void {
    const context = this.#context
    const leaving = before.length
    const leavingAddress = before.filter(({ handler }) => handler.#address === this.#address).length
    if (context.draining) throw RequestRejected.because('destination_unavailable', 'the proxy is shutting down')
    const { pendingRequests, tunnelsOfAddress } = context.budgets
    if (context.tunnels.size - leaving + pendingRequests.total >= context.maxTunnels)
      throw tooMany('tunnels on this proxy')
    if (this.#tunnels.size + this.#pending.size >= context.maxTunnelsPerConnection) {
      throw tooMany('tunnels on this connection')
    }
    if (tunnelsOfAddress.heldBy(this.#address) - leavingAddress >= context.maxTunnelsPerAddress) {
      throw tooMany('tunnels from this address', this.#address)
    }
    if (identity !== undefined) {
      const held = context.tunnelsOf(identity) - leaving + pendingRequests.heldBy(identity)
      if (held >= maxTunnels) throw tooMany('tunnels for this identity', identity)
    }
  }

  /** The tunnel from which the client wants to go over while it lives, if it may: both count. */
  #handsOver(
    request: IncomingRequest,
    scope: Scope,
    { identity, maxTunnels }: Authorisation & { allowed: true },
  ): ProxyTunnel | undefined {
    if (!saysHandover(request.headers)) return undefined
    const [before] = this.#tunnelsBefore(request, identity)
    if (before === undefined || !before.proxyTunnel.canHandOver(scope)) return undefined
    try {
      this.#checkLimits(request, identity, maxTunnels, [])
    } catch (error) {
      if (error instanceof RequestRejected) return undefined
      throw error
    }
    return before.proxyTunnel
  }

  #chooseEncapsulations(headers: readonly Header[]): [Encapsulation, ...Encapsulation[]] {
    const possible = this.connection.capabilities?.encapsulations ?? []
    const offered = this.#context.encapsulations.filter(item => item === 'datagram' || possible.includes(item))
    const list = (headerValue(headers, ENCAPSULATION_HEADER) ?? 'datagram').split(',').map(item => item.trim())
    const [wanted, ...others] = list.map(item => {
      const encapsulation = offered.find(candidate => candidate === item)
      if (encapsulation !== undefined) return encapsulation
      throw new RequestRejected(400, `encapsulation "${item.slice(0, 40)}" is not offered`, 'http_request_error')
    })
    // Where there are no datagrams, packets travel in DATAGRAM capsules (RFC 9297 §3.5).
    if (!possible.includes(wanted)) return ['single-stream', ...others]
    return [wanted, ...others]
  }

  /** A request for what we do not have, or for what cannot be, is as good as none. */
  #agreeOnFec(request: IncomingRequest, encapsulation: Encapsulation): FecAgreement | undefined {
    const hasDatagrams = this.connection.version === 'h3' && !request.isWebTransport && encapsulation === 'datagram'
    return this.#context.fec && hasDatagrams ? readFecField(request.headers) : undefined
  }

  #accept(
    request: IncomingRequest,
    scope: Scope,
    authorisation: Authorisation & { allowed: true },
    resolved: readonly IpAddress[],
  ): Tunnel {
    const { connection } = this
    const { identity } = authorisation
    const id = `${connection.id}/${request.id}`
    const encapsulations = this.#chooseEncapsulations(request.headers)
    const routes = scopeRoutes(scope, resolved, this.#context.routes)
    if (routes.length > DEFAULT_MAX_ENTRIES) {
      const details = `the name has ${resolved.length} addresses, which makes ${routes.length} routes; at most ${DEFAULT_MAX_ENTRIES} can be advertised`
      throw RequestRejected.because('destination_unavailable', details, { details })
    }
    const [encapsulation] = encapsulations
    const fec = this.#agreeOnFec(request, encapsulation)
    const headers = request.isWebTransport
      ? webTransportAcceptHeaders(encapsulation, connection.version)
      : buildAcceptHeaders([
          [ENCAPSULATION_HEADER, encapsulations.join(', ')],
          ...(fec === undefined ? [] : [fecField(fec)]),
          ...(clientName(request.headers) === undefined ? [] : [[HANDOVER_HEADER, YES] as const]),
        ])
    if (!request.accept(headers)) throw new RequestGone()
    const before = this.#tunnelsBefore(request, identity).map(({ proxyTunnel }) => proxyTunnel)
    const addressesBefore = before.flatMap(({ addresses }) => addresses)
    const isBack = ({ tunnel }: ProxyTunnel) => tunnel.abort('cancelled', 'its client is back by another way')
    // Of a handover that this one ends: first what is not the holder of the addresses.
    for (const other of before.filter(({ holdsAddresses }) => !holdsAddresses)) isBack(other)
    const handsOver = this.#handsOver(request, scope, authorisation)
    // Its addresses are free then, or kept for its identity: for the one that comes, before anybody else can ask.
    if (handsOver === undefined) before.forEach(isBack)
    const log = this.#logs('tunnel')
    const proxyTunnel = new ProxyTunnel({
      context: this.#context,
      identity,
      owner: this.#ownerOf(identity),
      scope,
      resolved,
      routes,
      fec,
      tap: this.#context.tapTunnel?.(id),
      onDropped: droppedPackets(this.#logs('packets'), { tunnel: id, identity }),
      watch: this.#context.watchTunnel?.({ id, identity, carrier: connection.version, streamId: request.id }),
      openCarrier: handler => {
        const carrier = request.openCarrier(encapsulations, handler)
        return this.#context.wrapCarrier?.(carrier, connection, request.id) ?? carrier
      },
      onClosed: reason => {
        // It may fail while it is being opened, before anybody has counted it.
        if (!this.#tunnels.delete(request)) return
        runAll([
          () => connection.closed || this.#expectTunnel(),
          () => this.#context.budgets.tunnelsOfAddress.giveBack(this.#address),
          logOpen,
          () => log.info({ tunnel: id, identity, clean: reason.clean }, `tunnel closed: ${reason.reason}`),
          () => this.#context.tunnelClosed(tunnel, reason),
        ])
      },
      onError: error => {
        try {
          request.fail(error)
        } catch (further) {
          this.#failConnection(further)
        }
      },
    })
    proxyTunnel.open(handsOver ?? addressesBefore)
    const { order: arrival, at } = arrivalOf(request)
    const tunnel: OpenTunnel = {
      id,
      proxyTunnel,
      identity,
      arrival,
      setupMs: performance.now() - at,
      clientName: clientName(request.headers),
      connectedAt: new Date(),
      connection,
      handler: this,
    }
    const addresses = proxyTunnel.assigned
    let logged = false
    const logOpen = (): void => {
      if (logged) return
      logged = true
      try {
        log.info({ tunnel: id, identity, encapsulation, scope: describeScope(scope), addresses }, 'tunnel open')
      } catch (error) {
        // The tunnel is as good without its line.
        this.#tell(error)
      }
    }
    this.#tunnels.set(request, tunnel)
    this.#expectTunnel()
    this.#context.budgets.tunnelsOfAddress.take(this.#address)
    this.#context.tunnelOpened(tunnel)
    // After the answer has left: the client need not wait for our log. A tunnel that closes before logs it first.
    setImmediate(logOpen)
    proxyTunnel.checkLink()
    return proxyTunnel.tunnel
  }

  // -- answers -------------------------------------------------------------------------------------------------

  #refuse(request: IncomingRequest, error: unknown): void {
    if (error instanceof RequestGone) return
    const rejection = rejectionOf(error)
    // "Yes" was said already, and cannot be taken back by a status: the tunnel ends with its stream.
    if (rejection === undefined && !request.awaitsResponse) return request.fail(error)
    const reason = error instanceof Error ? error.message : String(error)
    if (rejection === undefined) this.#internalError(error)
    this.#context.rejected(this.connection, reason)
    const streamId = request.id
    const identity = identities.get(request)
    if (error instanceof MalformedMessage) {
      this.#httpLog.warn({ streamId, identity }, `malformed request: ${reason}`)
      return request.abort(error.abortReason)
    }
    const headers = buildRejectHeaders(
      rejection ?? new RequestRejected(500, 'internal error', 'proxy_internal_error'),
      this.#context.proxyName,
    )
    if (rejection?.status === 401) headers.push(['www-authenticate', 'Bearer realm="masque-lab"'])
    this.#httpLog.warn({ streamId, identity, status: rejection?.status ?? 500 }, `request rejected: ${reason}`)
    request.respond(headers)
  }

  #internalError(error: unknown): void {
    this.#context.internalError(error, this.connection.id)
  }

  /** Not even one stream could be ended: the connection is. */
  #failConnection(error: unknown): void {
    this.connection.close('internal error', 'internal')
    this.#tell(error)
  }

  #tell(error: unknown): void {
    try {
      this.#internalError(error)
    } catch {
      // The log may be what has failed. Nobody is left to be told, and the process must not end for it.
    }
  }

  /** H3-08: a browser or curl that comes to this port hears what it has found. Throws what is a reason to refuse it. */
  #answerPlainRequest(request: IncomingRequest): void {
    const { headers } = request
    const authority = headerValue(headers, ':authority') ?? headerValue(headers, 'host') ?? ''
    if (!this.#context.servesAuthority(authority)) throw misdirected(authority)
    const path = headerValue(headers, ':path') ?? ''
    // CIP-10: on HTTP/1.1 a request for a tunnel is a GET, too, and one that lacks the rest is malformed (RFC 9484 §4.2).
    if (this.connection.version === 'h1' && matchPath(this.#context.template, path) !== undefined) {
      throw new MalformedMessage('the path is that of a tunnel; expected Connection: Upgrade and Upgrade: connect-ip')
    }
    const response = plainResponse(headerValue(headers, ':method') ?? '', path)
    request.respond(response.headers, response.body)
  }
}

function tooMany(what: string, who?: string): RequestRejected {
  const message = who === undefined ? `too many ${what}` : `too many ${what}: ${who}`
  return new RequestRejected(429, message, 'connection_limit_reached', { details: `too many ${what}` })
}

/** The client went away while we were busy with its request. */
class RequestGone extends Error {}

function rejectionOf(error: unknown): RequestRejected | MalformedMessage | undefined {
  return error instanceof RequestRejected || error instanceof MalformedMessage ? error : undefined
}

function arrivalOf(request: IncomingRequest): Arrival {
  return arrivals.get(request) ?? { order: 0, at: performance.now() }
}
