/** The proxy's end of an HTTP/3 connection: requests come in. */

import { ConnectIpError } from '../../connect-ip/errors.ts'
import type { AbortReason } from '../../http/errors.ts'
import { type Header, headerValue } from '../../http/header.ts'
import { errorName, H3ErrorCode } from '../../http3/error-codes.ts'
import { WEBTRANSPORT } from '../../http3/webtransport.ts'
import { TokenBucket } from '../../ip/token-bucket.ts'
import type { QuicConnection } from '../../quic/quic.ts'
import type { Carrier, CarrierHandler, Encapsulation } from '../carrier.ts'
import { dateField } from '../date.ts'
import type { HttpServerConnection, HttpServerHandler, IncomingRequest, RequestHandler } from '../http-connection.ts'
import { REQUESTS } from '../request-rate.ts'
import { ABORT_CODES } from './codes.ts'
import type { H3Tap } from './tap.ts'
import { H3Transport, type StreamEvent } from './transport.ts'
import { WebTransportCarrier } from './webtransport/carrier.ts'
import { SessionCapsules } from './webtransport/session-capsules.ts'
import { SessionStreams } from './webtransport/session-streams.ts'

export class H3ServerConnection extends H3Transport<HttpServerHandler> implements HttpServerConnection {
  /** Requests that are no tunnels yet, and not answered otherwise. */
  readonly #requests = new Map<number, H3Request>()
  readonly #rate: TokenBucket
  protected override readonly webTransport: boolean
  /** undefined: no WebTransport session is taken. */
  readonly #sessionStreams: SessionStreams | undefined

  /** `now`: a clock that never goes back, in ms. */
  constructor(
    quic: QuicConnection,
    options: { webTransport?: boolean; tap?: H3Tap | undefined; now?: () => number } = {},
  ) {
    super(quic, options.tap)
    this.#rate = new TokenBucket({ ...REQUESTS, now: options.now ?? (() => performance.now()) })
    this.webTransport = options.webTransport ?? false
    if (this.webTransport) this.#sessionStreams = new SessionStreams(this)
  }

  get peerCertificate(): Uint8Array | undefined {
    return this.quic.peerCertificate
  }

  get inUse(): boolean {
    return this.quic.inUse
  }

  set inUse(inUse: boolean) {
    this.quic.inUse = inUse
  }

  /** This request has a carrier now, or needs none. */
  settled(request: H3Request): void {
    this.#requests.delete(request.id)
    if (this.carrierOf(request.id) === undefined) this.#sessionStreams?.over(request.id)
  }

  /** A fault on a stream of a WebTransport session is one of the session. */
  override failStream(streamId: number, error: unknown): void {
    super.failStream(this.#sessionStreams?.sessionOf(streamId) ?? streamId, error)
  }

  openSession(sessionId: number, capsules: SessionCapsules, handler: CarrierHandler): Carrier {
    const streams = this.#sessionStreams
    if (streams === undefined) throw new Error('no WebTransport session is taken on this connection')
    const session = { streams, capsules }
    const carrier = new WebTransportCarrier(this, sessionId, handler, session)
    this.keep(carrier)
    return carrier
  }

  /** The tunnel of a session is set up: the streams that have waited for it may speak. */
  sessionReady(sessionId: number): void {
    const carrier = this.carrierOf(sessionId)
    if (carrier instanceof WebTransportCarrier) this.#sessionStreams?.begin(carrier)
  }

  protected override onGoAway(): void {}

  protected override onStreamGone(streamId: number): void {
    const request = this.#requests.get(streamId)
    this.#requests.delete(streamId)
    this.#sessionStreams?.over(streamId)
    request?.handler.onGone()
  }

  protected override onStreamEvent(event: StreamEvent): void {
    if (this.#sessionStreams?.handle(event)) return
    const { streamId } = event
    switch (event.type) {
      case 'request': {
        if (!this.#rate.take()) return this.#sendAway()
        const isSession = this.webTransport && headerValue(event.headers, ':protocol') === WEBTRANSPORT
        const request = new H3Request(this, streamId, event.headers, isSession ? new SessionCapsules() : undefined)
        this.#requests.set(streamId, request)
        this.handler.onRequest(request, event.fin)
        return
      }
      case 'data': {
        const request = this.#requests.get(streamId)
        request?.receive(event.data)
        if (event.fin) request?.handler.onEnd()
        return
      }
      case 'finished':
        this.#requests.get(streamId)?.handler.onEnd()
        return
      case 'reset':
      case 'stop-sending':
        // RFC 9114 §4.1.1: nobody waits for the answer any more. A stream of which one half stayed open would never end.
        this.onStreamGone(streamId)
        this.h3.resetStream(streamId, H3ErrorCode.H3_REQUEST_CANCELLED)
        return
      case 'stream-error':
        this.onStreamGone(streamId)
        if (!this.#rate.take()) return this.#sendAway()
        this.handler.onStreamError(streamId, errorName(event.code), event.reason)
        return
    }
  }

  /** RFC 9114 §10.5: a client that makes work and has no use for it may be told so. */
  #sendAway(): void {
    this.h3.closeConnection(H3ErrorCode.H3_EXCESSIVE_LOAD, 'too many requests')
  }
}

class H3Request implements IncomingRequest {
  readonly id: number
  readonly headers: readonly Header[]
  handler: RequestHandler = NOBODY
  readonly #connection: H3ServerConnection
  /** The request is for a WebTransport session: what the client says of that. */
  readonly #sessionCapsules: SessionCapsules | undefined

  constructor(
    connection: H3ServerConnection,
    id: number,
    headers: readonly Header[],
    sessionCapsules: SessionCapsules | undefined,
  ) {
    this.#connection = connection
    this.id = id
    this.headers = headers
    this.#sessionCapsules = sessionCapsules
  }

  get isWebTransport(): boolean {
    return this.#sessionCapsules !== undefined
  }

  /** Bytes that come before there is a carrier. */
  receive(bytes: Uint8Array): void {
    if (this.#sessionCapsules === undefined) return this.handler.onCapsuleBytes(bytes)
    try {
      this.#sessionCapsules.receive(bytes)
    } catch (error) {
      if (!(error instanceof ConnectIpError)) throw error
      this.abort(error.abortReason)
      this.handler.onGone()
    }
  }

  get awaitsResponse(): boolean {
    return this.#connection.h3.awaitsResponse(this.id)
  }

  accept(headers: Header[]): boolean {
    const answered = this.#connection.h3.respond(this.id, [...headers, dateField()])
    this.#connection.flush()
    return answered
  }

  openCarrier(encapsulations: readonly [Encapsulation, ...Encapsulation[]], handler: CarrierHandler): Carrier {
    const session = this.#sessionCapsules
    const carrier =
      session === undefined
        ? this.#connection.openCarrier(this.id, encapsulations, handler)
        : this.#connection.openSession(this.id, session, handler)
    this.#connection.settled(this)
    return carrier
  }

  tunnelReady(): void {
    if (this.isWebTransport) this.#connection.sessionReady(this.id)
  }

  respond(headers: Header[], body: Uint8Array = new Uint8Array(0)): void {
    const { h3 } = this.#connection
    h3.respond(this.id, [...headers, dateField()], body.length === 0)
    if (body.length > 0) h3.sendData(this.id, body, true)
    this.#connection.settled(this)
    this.#connection.flush()
  }

  peerEnded(): void {
    this.#connection.carrierOf(this.id)?.ended()
  }

  abort(reason: AbortReason): void {
    this.#connection.settled(this)
    this.#connection.h3.resetStream(this.id, ABORT_CODES[reason])
    this.#connection.flush()
  }

  fail(error: unknown): void {
    this.#connection.failStream(this.id, error)
  }
}

const NOBODY: RequestHandler = { onCapsuleBytes() {}, onEnd() {}, onGone() {} }
