/**
 * One HTTP/3 connection at the proxy: who is asking, may they, and for what.
 *
 * A request for CONNECT-IP becomes a `ProxyTunnel`, or a refusal with its reason; anything else gets a small page.
 */

import { Writer } from '../bytes/writer.ts'
import { ENCAPSULATION_HEADER, type Encapsulation } from '../carriers/carrier.ts'
import { type H3Owner, H3Transport, headerValue } from '../carriers/h3/transport.ts'
import type { Tunnel, TunnelCloseReason } from '../carriers/tunnel.ts'
import { DEFAULT_MAX_ENTRIES } from '../connect-ip/address-entry.ts'
import { MalformedRequest } from '../connect-ip/errors.ts'
import {
  buildAcceptHeaders,
  buildRejectHeaders,
  type ConnectIpRequest,
  misdirected,
  parseConnectIpRequest,
  RequestRejected,
} from '../connect-ip/request.ts'
import { scopeRoutes } from '../connect-ip/routes.ts'
import { describeScope } from '../connect-ip/scope.ts'
import type { PathTemplate } from '../connect-ip/uri-template.ts'
import type { H3Event, Header } from '../http3/connection.ts'
import { errorName, H3ErrorCode } from '../http3/error-codes.ts'
import { PeerFieldSectionLimit } from '../http3/errors.ts'
import type { IpAddress } from '../ip/address.ts'
import type { BoundedLog, LogBudget } from '../log/log-budget.ts'
import { runAll } from '../net/run-all.ts'
import type { QuicCloseReason, QuicConnection } from '../quic/quic.ts'
import type { Authorisation } from './authorise.ts'
import { plainResponse } from './plain-response.ts'
import { ProxyTunnel, type TunnelContext } from './proxy-tunnel.ts'

/** More than this before the answer is not a client in a hurry. */
const MAX_CAPSULES_AHEAD = 64 * 1024

export interface OpenTunnel {
  /** Connection id and stream id: unique while the server runs. */
  readonly id: string
  readonly proxyTunnel: ProxyTunnel
  readonly identity: string | undefined
  readonly connectedAt: Date
  readonly quic: QuicConnection
}

/** What a handler takes from the server. */
export interface HandlerContext extends TunnelContext {
  /** What a client can cause is written to a log with a budget. */
  readonly logBudget: LogBudget
  readonly template: PathTemplate
  /** Names this proxy in Proxy-Status (RFC 9209 §2). */
  readonly proxyName: string
  /** Is this `:authority` one of the proxy's own names? (RFC 9110 §7.4) */
  servesAuthority(authority: string): boolean
  readonly encapsulations: readonly Encapsulation[]
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
  connected(quic: QuicConnection): void
  rejected(quic: QuicConnection, identity: string | undefined, reason: string): void
  connectionClosed(handler: MasqueHandler, reason: QuicCloseReason): void
  /** A bug of ours has shown: for the log and the metrics. */
  internalError(error: unknown): void
}

interface PendingRequest {
  readonly owner: string
  /** In one piece: many small ones would take a hundred times their length. */
  readonly capsules: Writer
  ended: boolean
  /** Ends the wait for the client's SETTINGS. */
  goOn: () => void
}

export class MasqueHandler implements H3Owner {
  readonly transport: H3Transport
  readonly log: BoundedLog
  readonly #context: HandlerContext
  readonly #quic: QuicConnection
  /** Where the connection came from. It may move later; what counts against an address goes on counting against this one. */
  readonly #address: string
  readonly #tunnels = new Map<number, OpenTunnel>()
  /**
   * Requests that cannot be answered yet (see `#waitFor`), with the capsules that the client has sent ahead. They count as
   * tunnels, so that they cannot be piled up.
   */
  readonly #pending = new Map<number, PendingRequest>()
  #ready = false
  #tunnelTimer: NodeJS.Timeout | undefined

  constructor(quic: QuicConnection, context: HandlerContext) {
    this.#quic = quic
    this.#context = context
    const { host, port } = quic.remote
    this.#address = host
    this.log = context.logBudget.forConnection(host, { connection: quic.id, remote: `${host}:${port}` })
    this.transport = new H3Transport(quic, this)
    this.#expectTunnel()
  }

  /** Whoever opens no tunnel may not stay: with nothing but PINGs, connections would fill their address's share for ever. */
  #expectTunnel(): void {
    const { tunnelTimeoutMs } = this.#context
    this.#quic.inUse = this.#tunnels.size > 0
    clearTimeout(this.#tunnelTimer)
    if (this.#quic.inUse) return
    this.#tunnelTimer = setTimeout(() => {
      this.#quic.close(H3ErrorCode.H3_NO_ERROR, `there was no tunnel for ${tunnelTimeoutMs / 1000} s`)
    }, tunnelTimeoutMs).unref()
  }

  /** No new requests (GOAWAY), and the end of those that run. */
  drain(): void {
    if (this.#ready) {
      this.transport.h3.goaway()
      this.transport.flush()
    }
    for (const { proxyTunnel } of this.#tunnels.values()) proxyTunnel.tunnel.end('the proxy is shutting down')
  }

  get tunnelCount(): number {
    return this.#tunnels.size
  }

  // -- H3Owner -------------------------------------------------------------------------------------------------

  onReady(): void {
    this.#ready = true
    this.#context.connected(this.#quic)
    this.log.debug({ resumed: this.#quic.resumed, handshakeMs: this.#quic.handshakeMs }, 'QUIC connected')
  }

  onSettings(): void {
    for (const pending of this.#pending.values()) pending.goOn()
  }

  onGoaway(): void {}

  onEvent(event: H3Event): void {
    switch (event.type) {
      case 'request':
        return this.#onRequest(event.streamId, event.headers, event.fin)
      case 'data':
        return this.#keepCapsules(event.streamId, event.data, event.fin)
      case 'finished':
        return this.#keepCapsules(event.streamId, new Uint8Array(0), true)
      case 'reset':
      case 'stop-sending':
        // RFC 9114 §4.1.1: nobody waits for the answer any more. A stream of which one half stayed open would never end.
        this.#forget(event.streamId)
        this.transport.h3.resetStream(event.streamId, H3ErrorCode.H3_REQUEST_CANCELLED)
        return
      case 'stream-error':
        this.#forget(event.streamId)
        this.log.warn({ streamId: event.streamId, code: errorName(event.code) }, `stream error: ${event.reason}`)
        return
    }
  }

  onStreamFailed(streamId: number, error: unknown): void {
    this.#forget(streamId)
    if (error instanceof PeerFieldSectionLimit) {
      this.log.warn({ streamId }, `no answer, the stream is reset: ${error.message}`)
    } else this.#context.internalError(error)
    this.#context.rejected(this.#quic, undefined, error instanceof Error ? error.message : String(error))
  }

  onClosed(reason: QuicCloseReason): void {
    clearTimeout(this.#tunnelTimer)
    for (const streamId of [...this.#pending.keys()]) this.#forget(streamId)
    this.#context.connectionClosed(this, reason)
  }

  // -- requests ------------------------------------------------------------------------------------------------

  #onRequest(streamId: number, headers: readonly Header[], ended: boolean): void {
    if (headerValue(headers, ':method') !== 'CONNECT') {
      const authority = headerValue(headers, ':authority') ?? headerValue(headers, 'host') ?? ''
      if (!this.#context.servesAuthority(authority)) return this.#refuse(streamId, misdirected(authority))
      return this.#answerPlainRequest(streamId, headers)
    }
    // Every way out of here answers the request, or resets its stream: a client never waits for nothing.
    this.#openTunnel(streamId, headers, ended)
      .catch(error => this.#refuse(streamId, error))
      .catch(error => this.transport.failStream(streamId, error))
      .catch(error => this.#failConnection(error))
  }

  /** `ended`: the client has closed its side of the stream already, and so the tunnel. */
  async #openTunnel(streamId: number, headers: readonly Header[], ended: boolean): Promise<void> {
    const context = this.#context
    const request = parseConnectIpRequest(headers, context.template, authority => context.servesAuthority(authority))
    const authorisation = context.authorise(headers, this.#quic.peerCertificate)
    if (!authorisation.allowed) {
      const { status, reason } = authorisation
      throw new RequestRejected(status, reason, 'http_request_denied', { details: reason })
    }
    const identity = authorisation.identity
    this.#checkLimits(identity, authorisation.maxTunnels)
    const { target } = request.scope
    if (this.#settingsHere && target.kind !== 'name') {
      this.#accept(streamId, request, identity, this.#chooseEncapsulations(headers), [])
      if (ended) this.transport.peerEnded(streamId)
      return
    }
    const owner = this.#ownerOf(identity)
    if (context.budgets.pendingRequests.take(owner) !== undefined)
      throw tooMany('requests that wait for an answer', owner)
    const ahead: PendingRequest = { owner, capsules: new Writer(0), ended, goOn: () => {} }
    this.#pending.set(streamId, ahead)
    const resolved = await this.#waitFor(target, ahead).finally(() => {
      if (!this.#forget(streamId)) throw new RequestGone()
    })
    // Others may have come first while we waited.
    this.#checkLimits(identity, authorisation.maxTunnels)
    const encapsulations = this.#chooseEncapsulations(headers)
    const tunnel = this.#accept(streamId, request, identity, encapsulations, resolved)
    tunnel.onCapsuleBytes(ahead.capsules.finish())
    if (ahead.ended) this.transport.peerEnded(streamId)
  }

  get #settingsHere(): boolean {
    return this.transport.h3.peerSettings !== undefined
  }

  /**
   * What has to be known before a request can be answered: the client's SETTINGS, which say whether it takes datagrams
   * and travel on a stream of their own, so that the request may overtake them; and what the target's name stands for.
   */
  async #waitFor(target: ConnectIpRequest['scope']['target'], pending: PendingRequest): Promise<IpAddress[]> {
    if (!this.#settingsHere) {
      await new Promise<void>(resolve => {
        pending.goOn = resolve
      })
      // Not the SETTINGS, but the end of the request.
      if (!this.#settingsHere) throw new RequestGone()
    }
    return target.kind === 'name' ? this.#context.resolve(target.name, pending.owner) : []
  }

  /** Whose budgets count: the identity's or, without one, those of the address that the connection came from. */
  #ownerOf(identity: string | undefined): string {
    return identity ?? `address ${this.#address}`
  }

  /** A request waits no more, whatever becomes of it. False when it did not. */
  #forget(streamId: number): boolean {
    const pending = this.#pending.get(streamId)
    if (pending === undefined) return false
    this.#pending.delete(streamId)
    this.#context.budgets.pendingRequests.giveBack(pending.owner)
    this.#context.budgets.capsulesAhead.giveBack(pending.owner, pending.capsules.length)
    pending.goOn()
    return true
  }

  #keepCapsules(streamId: number, data: Uint8Array, fin: boolean): void {
    const ahead = this.#pending.get(streamId)
    if (ahead === undefined) return
    ahead.ended ||= fin
    const fits = ahead.capsules.length + data.length <= MAX_CAPSULES_AHEAD
    if (fits && this.#context.budgets.capsulesAhead.take(ahead.owner, data.length) === undefined) {
      ahead.capsules.bytes(data)
      return
    }
    this.#forget(streamId)
    this.transport.h3.resetStream(streamId, H3ErrorCode.H3_EXCESSIVE_LOAD)
    this.transport.flush()
  }

  #checkLimits(identity: string | undefined, maxTunnels: number): void {
    const context = this.#context
    if (context.draining) throw RequestRejected.because('destination_unavailable', 'the proxy is shutting down')
    const { pendingRequests, tunnelsOfAddress } = context.budgets
    if (context.tunnels.size + pendingRequests.total >= context.maxTunnels) throw tooMany('tunnels on this proxy')
    if (this.#tunnels.size + this.#pending.size >= context.maxTunnelsPerConnection) {
      throw tooMany('tunnels on this connection')
    }
    if (tunnelsOfAddress.heldBy(this.#address) >= context.maxTunnelsPerAddress) {
      throw tooMany('tunnels from this address', this.#address)
    }
    if (identity !== undefined && context.tunnelsOf(identity) + pendingRequests.heldBy(identity) >= maxTunnels) {
      throw tooMany('tunnels for this identity', identity)
    }
  }

  #chooseEncapsulations(headers: readonly Header[]): [Encapsulation, ...Encapsulation[]] {
    const list = (headerValue(headers, ENCAPSULATION_HEADER) ?? 'datagram').split(',').map(item => item.trim())
    const [wanted, ...others] = list.map(item => {
      const offered = this.#context.encapsulations.find(encapsulation => encapsulation === item)
      if (offered !== undefined) return offered
      throw new RequestRejected(400, `encapsulation "${item.slice(0, 40)}" is not offered`, 'http_request_error')
    })
    // Without H3_DATAGRAM on both sides, packets travel in DATAGRAM capsules (RFC 9297 §3.5).
    if (wanted === 'datagram' && !this.transport.h3.datagramsEnabled) return ['single-stream', ...others]
    return [wanted, ...others]
  }

  #accept(
    streamId: number,
    request: ConnectIpRequest,
    identity: string | undefined,
    encapsulations: [Encapsulation, ...Encapsulation[]],
    resolved: readonly IpAddress[],
  ): Tunnel {
    const id = `${this.#quic.id}/${streamId}`
    const routes = scopeRoutes(request.scope, resolved, this.#context.routes)
    if (routes.length > DEFAULT_MAX_ENTRIES) {
      const details = `the name has ${resolved.length} addresses, which makes ${routes.length} routes; at most ${DEFAULT_MAX_ENTRIES} can be advertised`
      throw RequestRejected.because('destination_unavailable', details, { details })
    }
    const [encapsulation] = encapsulations
    const headers = buildAcceptHeaders([[ENCAPSULATION_HEADER, encapsulations.join(', ')]])
    const answered = this.transport.h3.respond(streamId, headers)
    if (!answered) throw new RequestGone()
    const proxyTunnel = new ProxyTunnel({
      context: this.#context,
      identity,
      owner: this.#ownerOf(identity),
      scope: request.scope,
      resolved,
      routes,
      openCarrier: handler =>
        this.transport.openCarrier(streamId, encapsulation, handler, encapsulations.includes('stream-per-packet')),
      onClosed: reason => {
        // It may fail while it is being opened, before anybody has counted it.
        if (!this.#tunnels.delete(streamId)) return
        runAll([
          () => this.#quic.closed || this.#expectTunnel(),
          () => this.#context.budgets.tunnelsOfAddress.giveBack(this.#address),
          logOpen,
          () => this.log.info({ tunnel: id, identity, clean: reason.clean }, `tunnel closed: ${reason.reason}`),
          () => this.#context.tunnelClosed(tunnel, reason),
        ])
      },
      onError: error => {
        try {
          this.transport.failStream(streamId, error)
        } catch (further) {
          this.#failConnection(further)
        }
      },
    })
    const tunnel: OpenTunnel = { id, proxyTunnel, identity, connectedAt: new Date(), quic: this.#quic }
    proxyTunnel.open()
    this.transport.flush()
    const { addresses } = proxyTunnel
    const scope = describeScope(request.scope)
    let logged = false
    const logOpen = (): void => {
      if (logged) return
      logged = true
      this.log.info({ tunnel: id, identity, encapsulation, scope, addresses }, 'tunnel open')
    }
    this.#tunnels.set(streamId, tunnel)
    this.#expectTunnel()
    this.#context.budgets.tunnelsOfAddress.take(this.#address)
    this.#context.tunnelOpened(tunnel)
    // After the answer has left: the client need not wait for our log. A tunnel that closes before logs it first.
    setImmediate(logOpen)
    proxyTunnel.checkLink()
    return proxyTunnel.tunnel
  }

  // -- answers -------------------------------------------------------------------------------------------------

  #refuse(streamId: number, error: unknown): void {
    if (error instanceof RequestGone) return
    const rejection = rejectionOf(error)
    // "Yes" was said already, and cannot be taken back by a status: the tunnel ends with its stream.
    if (rejection === undefined && !this.transport.h3.awaitsResponse(streamId)) {
      return this.transport.failStream(streamId, error)
    }
    const reason = error instanceof Error ? error.message : String(error)
    if (rejection === undefined) this.#context.internalError(error)
    this.#context.rejected(this.#quic, undefined, reason)
    if (error instanceof MalformedRequest) {
      // RFC 9114 §4.1.2: malformed requests are stream errors.
      this.log.warn({ streamId }, `malformed request: ${reason}`)
      this.transport.h3.resetStream(streamId, error.code)
      this.transport.flush()
      return
    }
    const headers = buildRejectHeaders(
      rejection ?? new RequestRejected(500, 'internal error', 'proxy_internal_error'),
      this.#context.proxyName,
    )
    if (rejection?.status === 401) headers.push(['www-authenticate', 'Bearer realm="masque-lab"'])
    this.log.warn({ streamId, status: rejection?.status ?? 500 }, `request rejected: ${reason}`)
    this.#respondWhole(streamId, headers)
  }

  /** Not even one stream could be ended: the connection is. */
  #failConnection(error: unknown): void {
    this.#quic.close(H3ErrorCode.H3_INTERNAL_ERROR, 'internal error')
    try {
      this.#context.internalError(error)
    } catch {
      // The log may be what has failed. Nobody is left to be told, and the process must not end for it.
    }
  }

  /** H3-08: a browser or curl that comes to this port hears what it has found. */
  #answerPlainRequest(streamId: number, headers: readonly Header[]): void {
    const response = plainResponse(headerValue(headers, ':method') ?? '', headerValue(headers, ':path') ?? '')
    this.#respondWhole(streamId, response.headers, response.body)
  }

  #respondWhole(streamId: number, headers: Header[], body: Uint8Array = new Uint8Array(0)): void {
    const { h3 } = this.transport
    h3.respond(streamId, headers, body.length === 0)
    if (body.length > 0) h3.sendData(streamId, body, true)
    this.transport.flush()
  }
}

function tooMany(what: string, who?: string): RequestRejected {
  const message = who === undefined ? `too many ${what}` : `too many ${what}: ${who}`
  return new RequestRejected(429, message, 'connection_limit_reached', { details: `too many ${what}` })
}

/** The client went away while we were busy with its request. */
class RequestGone extends Error {}

function rejectionOf(error: unknown): RequestRejected | MalformedRequest | undefined {
  return error instanceof RequestRejected || error instanceof MalformedRequest ? error : undefined
}
