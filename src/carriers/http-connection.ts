/**
 * What a proxy and a client need from a version of HTTP, and nothing of how that version does it. A folder beside this file
 * provides it (`h3/`, `h2/`, `h1/`); nothing above knows which.
 *
 *   client                                          proxy
 *
 *   Connect(to) → HttpClientConnection              HttpServerConnection
 *     handler.onReady, onCapabilities                 handler.onReady, onCapabilities
 *     request(headers) → TunnelStream   ─────────►    handler.onRequest(IncomingRequest)
 *     handler.onResponse(headers)       ◄─────────      accept(headers), or respond(headers, body)
 *       openCarrier(…) → Carrier                        openCarrier(…) → Carrier
 *
 * The heads of messages are lists of field lines, with pseudo-headers (http/header.ts), whatever the version: the carrier on
 * HTTP/1.1 translates, and reports its 101 as 200.
 */

import type { AbortReason } from '../http/errors.ts'
import type { Header } from '../http/header.ts'
import type { QuicConnection, SocketAddress, TlsMaterial } from '../quic/quic.ts'
import type { TlsAlert } from '../quic/tls-alerts.ts'
import type { Carrier, CarrierHandler, Encapsulation } from './carrier.ts'

/** A version of HTTP, by the name of the folder beside this file that provides it. */
export type HttpVersion = 'h3' | 'h2' | 'h1' | 'webtransport'

/** What can be done on a connection: known when the peer has said its part. */
export interface Capabilities {
  /** A request may ask for a tunnel: Extended CONNECT (RFC 8441 §3, RFC 9220 §3), or Upgrade. */
  readonly tunnels: boolean
  /** How packets can travel. `single-stream` is always among them. */
  readonly encapsulations: readonly Encapsulation[]
}

/** Why a connection ended. */
export interface CloseReason {
  /** Who ended it. `timeout`: nothing was heard from the peer for too long. */
  readonly source: 'local' | 'peer' | 'timeout'
  /** Nothing was wrong. */
  readonly orderly: boolean
  /** TLS was the matter. */
  readonly tlsAlert?: TlsAlert
  /** The system could not send, or the handshake failed here. */
  readonly network?: boolean
  /** What whoever ended it said about it; perhaps nothing. */
  readonly reason: string
  /** All of it in words: `by the peer: H3_NO_ERROR (…)`. */
  readonly text: string
  /** What was spoken, or should have been: `HTTP/3 (ALPN "h3")`. */
  readonly protocol: string
}

interface HttpConnection {
  /** A short random name for logs. */
  readonly id: string
  readonly version: HttpVersion
  /** Where the peer is now. */
  readonly remote: SocketAddress
  readonly closed: boolean
  /** TLS was resumed from an earlier connection. */
  readonly resumed: boolean
  /** ms from the first packet to the end of the handshake; undefined before. */
  readonly handshakeMs: number | undefined
  /** Undefined until the handler hears `onCapabilities`. */
  readonly capabilities: Capabilities | undefined
  /** The QUIC connection below, where there is one: for statistics. */
  readonly quic: QuicConnection | undefined
  /** No new requests; those that run go on. */
  goAway(): void
  /** Closes it, and all tunnels with it. Idempotent. `failed`: because of a fault of ours. */
  close(why: string, failed?: 'internal'): void
}

export interface HttpHandler {
  /** The handshake is done. */
  onReady(): void
  onCapabilities(capabilities: Capabilities): void
  /**
   * What we did for this request threw, so its stream was aborted: a bug of ours, or an answer that is larger than the peer
   * takes (PeerFieldSectionLimit). The other streams of the connection go on.
   */
  onRequestFailed(id: number, error: unknown): void
  /** `remote` has changed: a NAT has rebound, or the peer has moved. */
  onMoved?(remote: SocketAddress): void
  /** The last call. */
  onClosed(reason: CloseReason): void
}

/** The stream of a request, which becomes a tunnel when the answer is "yes". */
export interface TunnelStream {
  /** Unique on its connection. */
  readonly id: number
  /** `encapsulations`: the first is what we send; packets are taken in the others, too. */
  openCarrier(encapsulations: readonly [Encapsulation, ...Encapsulation[]], handler: CarrierHandler): Carrier
}

// -- the proxy's end ---------------------------------------------------------------------------------------------------

export interface HttpServerConnection extends HttpConnection {
  handler: HttpServerHandler
  /** The client's leaf certificate in DER. */
  readonly peerCertificate: Uint8Array | undefined
  /** Set by the handler. A server that is full closes connections which are not in use, the oldest first, for new ones. */
  inUse: boolean
}

export interface HttpServerHandler extends HttpHandler {
  /** A request that is well-formed (http/request.ts). `ended`: nothing follows it. */
  onRequest(request: IncomingRequest, ended: boolean): void
  /** What came on a stream broke a rule of HTTP; it was aborted, with this code. */
  onStreamError(id: number, code: string, reason: string): void
}

export interface IncomingRequest extends TunnelStream {
  readonly headers: readonly Header[]
  /**
   * Hears what comes before there is a carrier. Set it in `onRequest`, or what comes is lost. The end of the connection is
   * the connection's handler's to hear.
   */
  handler: RequestHandler
  /** The final response is still to be sent. */
  readonly awaitsResponse: boolean
  /** It asks for a WebTransport session, whose tunnel is one of ours (h3/webtransport/carrier.ts), and not for RFC 9484's. */
  readonly isWebTransport?: boolean
  /** "Yes": sends the response behind which capsules follow. False when the client is gone. */
  accept(headers: Header[]): boolean
  /** A whole response, and the end of the request. */
  respond(headers: Header[], body?: Uint8Array): void
  /** The tunnel on the carrier is set up: what has waited for that inside the carrier's own streams may come. */
  tunnelReady?(): void
  /** The client's half had ended before there was a carrier, whose handler hears of it now. */
  peerEnded(): void
  abort(reason: AbortReason): void
  /** Ends a stream for which something of ours threw, whatever state it is in; its tunnel, if it is one, hears of it. */
  fail(error: unknown): void
}

export interface RequestHandler {
  /** Valid during the call only. */
  onCapsuleBytes(bytes: Uint8Array): void
  onEnd(): void
  /** The request is over, and no answer of ours is wanted. */
  onGone(): void
}

// -- the client's end --------------------------------------------------------------------------------------------------

export interface HttpClientConnection extends HttpConnection {
  handler: HttpClientHandler
  /** With which a later connection to the same server can resume TLS (RFC 8446 §2.2). */
  readonly resumptionTicket: Uint8Array | undefined
  /** No further request is taken: the server is shutting down. */
  readonly draining: boolean
  /**
   * Sends a request for a tunnel. Undefined when the connection is being closed: `onClosed` follows. Throws Error when the
   * server takes no such request.
   */
  request(headers: Header[]): TunnelStream | undefined
  /** Closes it without a word to the server, who knows nothing of it. Where there is none, `close` does it. */
  vanish?(): void
}

export interface HttpClientHandler extends HttpHandler {
  /** The final response, well-formed (http/response.ts). */
  onResponse(headers: readonly Header[]): void
  /** The server is shutting down. May come repeatedly. */
  onGoAway(): void
}

export interface ConnectOptions {
  readonly remote: SocketAddress
  /** Whose certificate is expected. */
  readonly serverName: string
  readonly tls: TlsMaterial
  /** Take any certificate. */
  readonly insecure: boolean
  readonly resumptionTicket: Uint8Array | undefined
  /** A bug of ours. */
  onError(error: unknown): void
  onWarning(sentence: string): void
  debug(message: string): void
}

/** Starts a connection. Nothing is reported on it before the caller's turn is over, so that a handler can be set. */
export type Connect = (options: ConnectOptions) => Promise<HttpClientConnection>
