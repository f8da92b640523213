/** The client's end of an HTTP/2 connection: requests go out. */

import { type ClientHttp2Session, type ClientHttp2Stream, connect as connectHttp2, type Http2Stream } from 'node:http2'
import { type AbortReason, MalformedMessage } from '../../http/errors.ts'
import type { Header } from '../../http/header.ts'
import { checkRequest, type RequestHead } from '../../http/request.ts'
import { checkResponse } from '../../http/response.ts'
import { NO_APPLICATION_PROTOCOL } from '../../quic/tls-alerts.ts'
import { resetByUs } from '../end-reason.ts'
import type {
  Connect,
  ConnectOptions,
  HttpClientConnection,
  HttpClientHandler,
  TunnelStream,
} from '../http-connection.ts'
import { watchSilence } from '../silence.ts'
import { refusedCertificate } from '../tcp/client-certificate.ts'
import { connectTcp, type TcpSettings } from '../tcp/connect.ts'
import { endedByTls, type SocketEnd } from '../tcp/socket-end.ts'
import { H2ErrorCode } from './codes.ts'
import { fromNode, H2_HEADER_LIST_SIZE, isTooLarge, toNode } from './headers.ts'
import { H2_LIMITS, H2_WINDOW, H2Transport } from './transport.ts'

export interface H2ClientSettings extends TcpSettings {
  /** A proxy that is silent for so long, though it is asked for a sign of life, is gone, in ms; 0: see `idleTimeoutMs`. */
  readonly lostAfterMs: number
}

/** Connects by HTTP/2, on TLS over TCP with these settings. */
export function connectByHttp2(settings: H2ClientSettings): Connect {
  return async options => new H2ClientConnection(options, settings)
}

export class H2ClientConnection extends H2Transport<HttpClientHandler> implements HttpClientConnection {
  resumptionTicket: Uint8Array | undefined
  draining = false
  readonly #settings: H2ClientSettings
  readonly #startedAt = performance.now()
  /** Streams whose answer has not been told of yet, and whether their end has. */
  readonly #unanswered = new Map<Http2Stream, boolean>()
  #pingTimer: NodeJS.Timeout | undefined

  constructor(options: ConnectOptions, settings: H2ClientSettings) {
    const socket = connectTcp(options, settings, 'h2')
    super({ socket, remote: options.remote, idleTimeoutMs: settings.idleTimeoutMs, onError: options.onError })
    this.#settings = settings
    socket.on('session', ticket => {
      this.resumptionTicket = ticket
    })
    socket.on('secureConnect', () => this.guard(undefined, () => this.#begin()))
    socket.on('close', () => clearInterval(this.#pingTimer))
  }

  #begin(): void {
    const { socket } = this
    this.handshakeMs = performance.now() - this.#startedAt
    // A server that knows nothing of ALPN ignores what we offer.
    if (socket.alpnProtocol !== 'h2') return this.cutBecause(endedByTls('local', NO_APPLICATION_PROTOCOL))
    const session = connectHttp2('https://proxy.invalid', {
      createConnection: () => socket,
      ...H2_LIMITS,
      settings: { enablePush: false, initialWindowSize: H2_WINDOW, maxHeaderListSize: H2_HEADER_LIST_SIZE },
    })
    session.once('connect', () => this.guard(undefined, () => session.setLocalWindowSize(H2_WINDOW)))
    this.attach(session)
    session.on('remoteSettings', ({ enableConnectProtocol }) =>
      this.guard(undefined, () => {
        // A server may send its settings again; that it takes tunnels, it may not take back (RFC 8441 §3).
        if (this.capabilities !== undefined) return
        this.capabilities = { tunnels: enableConnectProtocol === true, encapsulations: ['single-stream'] }
        this.handler.onCapabilities(this.capabilities)
      }),
    )
    this.#keepAlive(session)
    this.#watchPath(session)
    this.handler.onReady()
  }

  /** Neither side, nor a NAT between them, is to take a quiet connection for a dead one. */
  #keepAlive(session: ClientHttp2Session): void {
    const { idleTimeoutMs, keepAliveMs = idleTimeoutMs / 3 } = this.#settings
    if (keepAliveMs === 0) return
    this.#pingTimer = setInterval(() => this.#ping(session), keepAliveMs).unref()
  }

  /**
   * A lost path says nothing, and TCP alone asks for a quarter of an hour. Only while there is a tunnel: before, what connects has a limit of its own. Behind
   * GOAWAY no PING leaves, and the idle timeout has to do.
   */
  #watchPath(session: ClientHttp2Session): void {
    const { lostAfterMs } = this.#settings
    if (lostAfterMs === 0) return
    const bytesRead = (): number | undefined => {
      let read: number | undefined
      this.guard(undefined, () => {
        if (this.hasTunnels && !session.closed && !session.destroyed) read = this.socket.bytesRead
      })
      return read
    }
    const stop = watchSilence({
      limitMs: lostAfterMs,
      bytesRead,
      ask: () => this.#ping(session),
      onLost: () => this.guard(undefined, () => this.cutSilent(lostAfterMs)),
    })
    this.socket.on('close', stop)
  }

  #ping(session: ClientHttp2Session): void {
    this.guard(undefined, () => {
      // Where none leaves any more, as behind GOAWAY, node:http2 calls back at once.
      if (!session.destroyed) session.ping(error => error === null && this.heard())
    })
  }

  request(headers: Header[]): TunnelStream | undefined {
    const session = this.session as ClientHttp2Session
    if (this.closed || session.destroyed) return undefined
    if (session.closed) throw new Error('the server has sent GOAWAY')
    const head = checkRequest(headers, true)
    const stream = session.request(toNode(headers, session), { endStream: false })
    // Before anything that may fail: an 'error' event without a listener would end the process.
    stream.on('error', () => {})
    this.#unanswered.set(stream, false)
    this.listenTo(stream)
    const id = stream.id as number
    stream.on('response', (answer, _flags, lines?: unknown) => {
      const hasEnded = this.#unanswered.get(stream) === true
      this.#unanswered.delete(stream)
      this.guard(id, () => this.#onResponse(stream, head, fromNode(answer, lines)))
      if (hasEnded) this.guard(id, () => this.onEnd(stream))
    })
    return { id, openCarrier: (_encapsulations, handler) => this.openCarrier(stream, handler) }
  }

  #onResponse(stream: ClientHttp2Stream, head: RequestHead, headers: Header[]): void {
    this.heard()
    if (isTooLarge(headers)) {
      return this.#refuse(stream, 'excessive-load', `its head has more than ${H2_HEADER_LIST_SIZE} bytes`)
    }
    try {
      checkResponse(headers, head)
    } catch (error) {
      if (!(error instanceof MalformedMessage)) throw error
      return this.#refuse(stream, error.abortReason, error.message)
    }
    this.handler.onResponse(headers)
  }

  /** Since Node 22, an answer that ends its stream is told of after the end. */
  protected override onEnd(stream: Http2Stream): void {
    if (this.#unanswered.has(stream)) this.#unanswered.set(stream, true)
    else super.onEnd(stream)
  }

  #refuse(stream: ClientHttp2Stream, reason: AbortReason, why: string): void {
    const carrier = this.carrierOf(stream.id as number)
    const code = carrier?.abort(reason)
    carrier?.handler.onAborted({ orderly: false, reason: resetByUs(code ?? '', why) })
  }

  protected override onGoAway(): void {
    this.draining = true
    this.handler.onGoAway()
  }

  /** The proxy does not accept our certificate: see server-connection.ts. */
  protected override refusedByPeer(code: number, text: string): SocketEnd | undefined {
    return code === H2ErrorCode.INADEQUATE_SECURITY ? refusedCertificate(text) : undefined
  }

  protected override onStreamData(): void {}
  protected override onStreamEnd(): void {}
  protected override onStreamGone(): void {}
  protected override resetStream(): void {}
}
