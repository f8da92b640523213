/**
 * The proxy's end of an HTTP/1.1 connection: one request comes in.
 *
 * Whatever that request is, nothing behind it is ever taken for another one: either capsules follow, or the connection is closed. So
 * two parsers that disagree about where a request ends (request smuggling, RFC 9112 §11.2) gain nothing here.
 */

import { createServer, type IncomingMessage } from 'node:http'
import type { TLSSocket } from 'node:tls'
import { type AbortReason, MalformedMessage } from '../../http/errors.ts'
import { type Header, headerValue } from '../../http/header.ts'
import { proxyStatus } from '../../http/proxy-status.ts'
import { checkRequest } from '../../http/request.ts'
import type { Carrier, CarrierHandler, Encapsulation } from '../carrier.ts'
import type { HttpServerConnection, HttpServerHandler, IncomingRequest, RequestHandler } from '../http-connection.ts'
import { certificateProblem, refusedCertificate } from '../tcp/client-certificate.ts'
import { CAPABLE } from '../tcp/connection.ts'
import { expectsContinue, finalHead, H1_FIELDS, H1_HEAD_SIZE, readRequest, switchingHead } from './messages.ts'
import { grantedMs, SIGN_OF_LIFE_HEADER, signOfLifeMs } from './sign-of-life.ts'
import { H1Transport, REQUEST_ID } from './transport.ts'

export interface H1ServerOptions {
  readonly idleTimeoutMs: number
  /** When the TCP connection began, by `performance.now`. */
  readonly startedAt: number
  onError(error: unknown): void
}

/** What is answered instead, where a request is given up before it has an answer; undefined: nothing is. */
const ABORT_STATUS: Readonly<Record<AbortReason, number | undefined>> = {
  malformed: 400,
  'excessive-load': 503,
  cancelled: undefined,
  internal: 500,
}

export class H1ServerConnection extends H1Transport<HttpServerHandler> implements HttpServerConnection {
  inUse = false
  readonly #keepAliveMs: number
  #request: H1Request | undefined
  #began = false
  /** The head of a request was there, or something that is none. */
  #heardHead = false
  /** The client has asked to hear something so often. */
  #signOfLifeMs: number | undefined
  /** The final response, or 101, has been sent. */
  answered = false

  /** `socket`: TLS is there, and not "h2" was agreed on. `onReady` comes once there is a handler. */
  constructor(socket: TLSSocket, { idleTimeoutMs, startedAt, onError }: H1ServerOptions) {
    const { remoteAddress: host = '', remotePort: port = 0 } = socket
    super({ socket, remote: { host, port }, idleTimeoutMs, onError })
    this.handshakeMs = performance.now() - startedAt
    this.#keepAliveMs = idleTimeoutMs / 3
    this.#parseHead()
    setImmediate(() => this.guard(() => this.#begin()))
  }

  /** A server of node:http that never listens, and has this one connection, for its parser. */
  #parseHead(): void {
    const http = createServer({
      maxHeaderSize: H1_HEAD_SIZE,
      insecureHTTPParser: false,
      // It is looked at in messages.ts, so that the refusal is in the log like others.
      requireHostHeader: false,
    })
    const plain = (request: IncomingMessage): void => this.guard(() => this.#onHead(request, undefined))
    // With listeners for these two, node:http sends nothing on its own for `Expect`.
    for (const event of ['request', 'checkContinue', 'checkExpectation'] as const) http.on(event, plain)
    for (const event of ['upgrade', 'connect'] as const) {
      http.on(event, (request, _socket, first) => this.guard(() => this.#onHead(request, first)))
    }
    http.on('clientError', (error: NodeJS.ErrnoException) => this.guard(() => this.#onParseError(error)))
    http.emit('connection', this.socket)
  }

  get peerCertificate(): Uint8Array | undefined {
    return this.socket.authorized ? this.socket.getPeerX509Certificate()?.raw : undefined
  }

  #begin(): void {
    if (this.closed || this.#began) return
    this.#began = true
    this.handler.onReady()
    this.capabilities = CAPABLE
    this.handler.onCapabilities(CAPABLE)
  }

  /** `first`: what came behind the head, from where the parser has stopped; undefined: it goes on, for content. */
  #onHead(message: IncomingMessage, first: Uint8Array | undefined): void {
    // What a parser finds behind the first request, in the same piece, is nothing to us, and neither is its content.
    message.resume()
    if (this.#heardHead) return
    this.#heardHead = true
    if (first === undefined) this.#stopParsing()
    this.#begin()
    if (!message.httpVersion.startsWith('1.')) return this.#refuse(505, `HTTP/${message.httpVersion} is not HTTP/1.1`)
    // Beyond a limit of its own, 1000, node:http hides fields without a word, a second Host among them.
    if (message.rawHeaders.length > 2 * H1_FIELDS) return this.#refuse(431, `more than ${H1_FIELDS} header fields`)
    const problem = certificateProblem(this.socket)
    if (problem !== undefined) return this.#refuseCertificate(problem)
    const headers = this.#read(message)
    if (headers === undefined) return
    const wishMs = signOfLifeMs(headers)
    if (wishMs !== undefined) this.#signOfLifeMs = grantedMs(wishMs, this.#keepAliveMs)
    const request = new H1Request(this, headers, expectsContinue(message))
    this.#request = request
    this.handler.onRequest(request, false)
    if (first !== undefined && request.isOpen) this.readCapsules(first, this.#signOfLifeMs ?? this.#keepAliveMs)
  }

  /** What follows is read and thrown away. node:http would parse it, and keep whatever requests it finds there, however many. */
  #stopParsing(): void {
    const parsers = this.socket.listeners('data') as ((bytes: Uint8Array) => void)[]
    // Because of this listener, node:http reads from its socket as everybody does, by one of its own, which can be taken away.
    this.socket.on('data', () => {})
    for (const parser of parsers) this.socket.off('data', parser)
  }

  /** Undefined: it is malformed, and was refused. */
  #read(message: IncomingMessage): Header[] | undefined {
    try {
      const headers = readRequest(message)
      checkRequest(headers, true)
      return headers
    } catch (error) {
      if (!(error instanceof MalformedMessage)) throw error
      this.#refuse(error.status, error.message)
      return undefined
    }
  }

  /** What has come is no request. Errors of the socket arrive here, too, and are heard of elsewhere. */
  #onParseError({ code = '', message }: NodeJS.ErrnoException): void {
    if (!code.startsWith('HPE_') || this.#heardHead) return
    this.#heardHead = true
    this.#begin()
    this.#refuse(code === 'HPE_HEADER_OVERFLOW' ? 431 : 400, message.replace(/^Parse Error: /, ''))
  }

  #refuse(status: number, reason: string): void {
    this.handler.onStreamError(REQUEST_ID, String(status), reason)
    this.answer([[':status', String(status)]])
  }

  /** The alert for which it is too late travels as text. */
  #refuseCertificate(problem: string): void {
    const why = proxyStatus('masque-lab', 'http_request_denied', { details: problem })
    const end = refusedCertificate(problem)
    if (end !== undefined) this.end ??= { ...end, source: 'local', text: `by us: ${problem}` }
    this.answer([
      [':status', '403'],
      ['proxy-status', why],
    ])
  }

  /** A whole response, and the end of the connection. */
  answer(headers: readonly Header[], body: Uint8Array = new Uint8Array(0)): void {
    this.answered = true
    if (!this.socket.writable) return
    this.socket.write(finalHead(headers, body))
    if (body.length > 0) this.socket.write(body)
    // RFC 9112 §9.6: what the client still sends is read and thrown away, or the answer might be lost with the connection.
    this.socket.resume()
    this.takeLeave(`the answer was ${headerValue(headers, ':status')}`)
  }

  /** "Yes": capsules follow. */
  switchOver(headers: readonly Header[], continues: boolean): void {
    this.answered = true
    const signs: Header[] = this.#signOfLifeMs === undefined ? [] : [[SIGN_OF_LIFE_HEADER, String(this.#signOfLifeMs)]]
    this.socket.write(switchingHead([...headers, ...signs], continues))
  }

  protected override onEarlyBytes(bytes: Uint8Array): void {
    this.#request?.receive(bytes)
  }

  protected override onRequestGone(): void {
    this.#request?.gone()
  }

  protected override giveUp(): void {
    this.#request?.gone()
    if (this.answered) this.cut()
    else this.answer([[':status', '500']])
  }
}

class H1Request implements IncomingRequest {
  readonly id = REQUEST_ID
  readonly headers: readonly Header[]
  handler: RequestHandler = NOBODY
  readonly #connection: H1ServerConnection
  /** It wants to hear 100 before "yes". Who says no need not say it (RFC 9110 §10.1.1). */
  readonly #expectsContinue: boolean
  #over = false

  constructor(connection: H1ServerConnection, headers: readonly Header[], continues: boolean) {
    this.#connection = connection
    this.headers = headers
    this.#expectsContinue = continues
  }

  get awaitsResponse(): boolean {
    return !this.#connection.answered && this.#connection.socket.writable
  }

  /** It is a tunnel, or may become one. */
  get isOpen(): boolean {
    return !this.#over
  }

  /** Bytes that come before there is a carrier. */
  receive(bytes: Uint8Array): void {
    if (this.isOpen) this.handler.onCapsuleBytes(bytes)
  }

  gone(): void {
    this.#over = true
    this.handler.onGone()
  }

  accept(headers: Header[]): boolean {
    if (!this.awaitsResponse) return false
    this.#connection.switchOver(headers, this.#expectsContinue)
    return true
  }

  openCarrier(_encapsulations: readonly [Encapsulation, ...Encapsulation[]], handler: CarrierHandler): Carrier {
    return this.#connection.openCarrier(handler, true)
  }

  respond(headers: Header[], body?: Uint8Array): void {
    this.#over = true
    if (this.awaitsResponse) this.#connection.answer(headers, body)
  }

  peerEnded(): void {
    this.#connection.carrier?.ended()
  }

  abort(reason: AbortReason): void {
    const status = ABORT_STATUS[reason]
    if (status !== undefined && this.awaitsResponse) return this.respond([[':status', String(status)]])
    this.#over = true
    this.#connection.cut()
  }

  fail(error: unknown): void {
    this.#connection.failRequest(error)
  }
}

const NOBODY: RequestHandler = { onCapsuleBytes() {}, onEnd() {}, onGone() {} }
