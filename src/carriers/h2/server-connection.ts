/** The proxy's end of an HTTP/2 connection: requests come in. */

import { type Http2Stream, performServerHandshake, type ServerHttp2Stream } from 'node:http2'
import type { TLSSocket } from 'node:tls'
import { type AbortReason, MalformedMessage } from '../../http/errors.ts'
import type { Header } from '../../http/header.ts'
import { checkRequest } from '../../http/request.ts'
import { TokenBucket } from '../../ip/token-bucket.ts'
import type { Carrier, CarrierHandler, Encapsulation } from '../carrier.ts'
import { dateField } from '../date.ts'
import type { HttpServerConnection, HttpServerHandler, IncomingRequest, RequestHandler } from '../http-connection.ts'
import { REQUESTS } from '../request-rate.ts'
import { certificateProblem } from '../tcp/client-certificate.ts'
import { CAPABLE } from '../tcp/connection.ts'
import { ABORT_CODES, errorName, H2ErrorCode } from './codes.ts'
import { fromNode, H2_HEADER_LIST_SIZE, isTooLarge, toNode } from './headers.ts'
import { H2_LIMITS, H2_WINDOW, H2Transport } from './transport.ts'

/** Streams open at once: RFC 9113 §6.5.2 recommends no fewer than 100. */
export const H2_STREAMS = 100

export interface H2ServerOptions {
  readonly idleTimeoutMs: number
  /** When the TCP connection began, by `performance.now`. */
  readonly startedAt: number
  onError(error: unknown): void
}

export class H2ServerConnection extends H2Transport<HttpServerHandler> implements HttpServerConnection {
  inUse = false
  /** Requests that are no tunnels yet, and not answered otherwise. */
  readonly #requests = new Map<number, H2Request>()
  readonly #rate = new TokenBucket({ ...REQUESTS, now: () => performance.now() })
  #began = false

  /** `socket`: TLS is there, and "h2" was agreed on. `begin` starts it, once there is a handler. */
  constructor(socket: TLSSocket, { idleTimeoutMs, startedAt, onError }: H2ServerOptions) {
    const { remoteAddress: host = '', remotePort: port = 0 } = socket
    super({ socket, remote: { host, port }, idleTimeoutMs, onError })
    this.handshakeMs = performance.now() - startedAt
    const session = performServerHandshake(socket, {
      ...H2_LIMITS,
      settings: {
        enableConnectProtocol: true,
        enablePush: false,
        initialWindowSize: H2_WINDOW,
        maxConcurrentStreams: H2_STREAMS,
        maxHeaderListSize: H2_HEADER_LIST_SIZE,
      },
    })
    session.setLocalWindowSize(H2_WINDOW)
    this.attach(session)
    session.on('stream', (stream, headers, _flags, lines?: unknown) => {
      // Before anything that may fail: an 'error' event without a listener would end the process.
      stream.on('error', () => {})
      this.guard(stream.id, () => {
        this.listenTo(stream)
        this.#onRequest(stream as ServerHttp2Stream, fromNode(headers, lines))
      })
    })
    setImmediate(() => this.guard(undefined, () => this.#begin()))
  }

  get peerCertificate(): Uint8Array | undefined {
    return this.socket.authorized ? this.socket.getPeerX509Certificate()?.raw : undefined
  }

  /** This request has a carrier now, or needs none. */
  settled(request: H2Request): void {
    this.#requests.delete(request.id)
  }

  #begin(): void {
    if (this.closed || this.#began) return
    this.#began = true
    this.handler.onReady()
    this.capabilities = CAPABLE
    this.handler.onCapabilities(CAPABLE)
    const problem = certificateProblem(this.socket)
    if (problem !== undefined) this.closeWith(H2ErrorCode.INADEQUATE_SECURITY, problem)
  }

  #onRequest(stream: ServerHttp2Stream, headers: Header[]): void {
    this.#begin()
    this.heard()
    if (!this.#rate.take()) return this.closeWith(H2ErrorCode.ENHANCE_YOUR_CALM, 'too many requests')
    if (stream.destroyed || certificateProblem(this.socket) !== undefined) return
    const id = stream.id as number
    if (isTooLarge(headers)) {
      stream.close(H2ErrorCode.ENHANCE_YOUR_CALM)
      const limit = `its head has more than ${H2_HEADER_LIST_SIZE} bytes`
      return this.handler.onStreamError(id, errorName(H2ErrorCode.ENHANCE_YOUR_CALM), limit)
    }
    try {
      checkRequest(headers, true)
    } catch (error) {
      if (!(error instanceof MalformedMessage)) throw error
      const code = ABORT_CODES[error.abortReason]
      stream.close(code)
      return this.handler.onStreamError(id, errorName(code), error.message)
    }
    const request = new H2Request(this, stream, headers)
    this.#requests.set(id, request)
    this.handler.onRequest(request, stream.endAfterHeaders)
  }

  protected override onStreamData(streamId: number, bytes: Uint8Array): void {
    this.#requests.get(streamId)?.handler.onCapsuleBytes(bytes)
  }

  protected override onStreamEnd(streamId: number): void {
    this.#requests.get(streamId)?.handler.onEnd()
  }

  protected override onStreamGone(streamId: number): void {
    const request = this.#requests.get(streamId)
    this.#requests.delete(streamId)
    request?.handler.onGone()
  }

  protected override onGoAway(): void {}

  protected override resetStream(streamId: number, code: number): void {
    const stream = this.#requests.get(streamId)?.stream
    if (stream?.destroyed === false) stream.close(code)
  }
}

class H2Request implements IncomingRequest {
  readonly id: number
  readonly headers: readonly Header[]
  readonly stream: ServerHttp2Stream
  handler: RequestHandler = NOBODY
  readonly #connection: H2ServerConnection

  constructor(connection: H2ServerConnection, stream: ServerHttp2Stream, headers: readonly Header[]) {
    this.#connection = connection
    this.stream = stream
    this.id = stream.id as number
    this.headers = headers
  }

  get awaitsResponse(): boolean {
    return !this.stream.headersSent && !this.#isOver
  }

  get #isOver(): boolean {
    return this.stream.destroyed || this.stream.closed
  }

  accept(headers: Header[]): boolean {
    if (this.#isOver) return false
    this.#respond(headers, false)
    return true
  }

  openCarrier(_encapsulations: readonly [Encapsulation, ...Encapsulation[]], handler: CarrierHandler): Carrier {
    const carrier = this.#connection.openCarrier(this.stream, handler)
    this.#connection.settled(this)
    return carrier
  }

  respond(headers: Header[], body: Uint8Array = new Uint8Array(0)): void {
    this.#connection.settled(this)
    if (this.#isOver) return
    this.#respond(headers, body.length === 0)
    if (body.length > 0) this.stream.end(body)
    endWholly(this.stream)
  }

  peerEnded(): void {
    this.#connection.carrierOf(this.id)?.ended()
  }

  abort(reason: AbortReason): void {
    this.#connection.settled(this)
    if (!this.stream.destroyed) this.stream.close(ABORT_CODES[reason])
  }

  fail(error: unknown): void {
    this.#connection.failStream(this.id, error)
  }

  #respond(headers: Header[], endStream: boolean): void {
    const { session } = this.stream
    if (session === undefined) return
    // The date is ours: that of node:http2 would not be among what the peer's limit is held against.
    const options = { endStream, sendDate: false }
    this.stream.respond(toNode([...headers, dateField()], session), options)
  }
}

/** How long a client gets to end a request that has had its answer, in ms. */
const REST_OF_REQUEST_MS = 200

/**
 * RFC 9113 §8.1: the answer is complete, and nobody reads the rest of the request. Not in the same breath: since Node 22, a client
 * on node:http2 does not tell of an answer when the reset is there with it.
 */
function endWholly(stream: Http2Stream): void {
  const close = (): void => {
    setTimeout(() => {
      if (!stream.destroyed && !stream.readableEnded) stream.close(H2ErrorCode.NO_ERROR)
    }, REST_OF_REQUEST_MS).unref()
  }
  if (stream.writableFinished) close()
  else stream.once('finish', close)
}

const NOBODY: RequestHandler = { onCapsuleBytes() {}, onEnd() {}, onGone() {} }
