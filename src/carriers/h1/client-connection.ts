/** The client's end of an HTTP/1.1 connection: one request goes out, and the connection becomes its tunnel. */

import { type ClientRequest, type IncomingMessage, request as requestHttp } from 'node:http'
import { MalformedMessage } from '../../http/errors.ts'
import { type Header, headerValue } from '../../http/header.ts'
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
import { CAPABLE } from '../tcp/connection.ts'
import { endedByTls, type SocketEnd } from '../tcp/socket-end.ts'
import { H1_HEAD_SIZE, readResponse, requestFields } from './messages.ts'
import { lostAfter, signOfLifeMs, wishFor } from './sign-of-life.ts'
import { H1Transport, REQUEST_ID } from './transport.ts'

/** Interim responses (RFC 9110 §15.2) before the final one. Nobody has a use for more than one or two. */
export const H1_INTERIM_RESPONSES = 16

export interface H1ClientSettings extends TcpSettings {
  /** A proxy that is silent for so long, though it was asked for signs of life, is gone, in ms; 0: see `idleTimeoutMs`. */
  readonly lostAfterMs: number
}

/** Connects by HTTP/1.1, on TLS over TCP with these settings. */
export function connectByHttp1(settings: H1ClientSettings): Connect {
  return async options => new H1ClientConnection(options, settings)
}

export class H1ClientConnection extends H1Transport<HttpClientHandler> implements HttpClientConnection {
  resumptionTicket: Uint8Array | undefined
  readonly draining = false
  readonly #keepAliveMs: number
  readonly #lostAfterMs: number
  readonly #startedAt = performance.now()
  #interimResponses = 0
  #answered = false

  constructor(options: ConnectOptions, settings: H1ClientSettings) {
    const socket = connectTcp(options, settings, 'http/1.1')
    super({ socket, remote: options.remote, idleTimeoutMs: settings.idleTimeoutMs, onError: options.onError })
    this.#lostAfterMs = settings.lostAfterMs
    this.#keepAliveMs = settings.keepAliveMs ?? settings.idleTimeoutMs / 3
    socket.on('session', ticket => {
      this.resumptionTicket = ticket
    })
    socket.on('secureConnect', () => this.guard(() => this.#begin()))
  }

  #begin(): void {
    this.handshakeMs = performance.now() - this.#startedAt
    // A server that knows nothing of ALPN speaks HTTP/1.1, if anything.
    const { alpnProtocol } = this.socket
    if (alpnProtocol && alpnProtocol !== 'http/1.1') {
      return this.cutBecause(endedByTls('local', NO_APPLICATION_PROTOCOL))
    }
    this.handler.onReady()
    // Whether the server takes tunnels, its answer says.
    this.capabilities = CAPABLE
    this.handler.onCapabilities(CAPABLE)
  }

  request(wanted: Header[]): TunnelStream | undefined {
    if (this.closed || !this.socket.writable) return undefined
    const headers = this.#lostAfterMs === 0 ? wanted : [...wanted, wishFor(this.#lostAfterMs)]
    const head = checkRequest(headers, true)
    const request = requestHttp({
      method: 'GET',
      path: headerValue(headers, ':path'),
      headers: requestFields(headers),
      setHost: false,
      createConnection: () => this.socket,
      maxHeaderSize: H1_HEAD_SIZE,
      insecureHTTPParser: false,
    })
    this.#listenTo(request, head)
    request.end()
    return { id: REQUEST_ID, openCarrier: (_encapsulations, handler) => this.openCarrier(handler, false) }
  }

  #listenTo(request: ClientRequest, head: RequestHead): void {
    // Those of the socket are heard of there. An 'error' event without a listener would end the process.
    request.on('error', (error: NodeJS.ErrnoException) => {
      if (error.code?.startsWith('HPE_')) this.guard(() => this.#refuse(error.message))
    })
    request.on('information', () =>
      this.guard(() => {
        if (++this.#interimResponses > H1_INTERIM_RESPONSES) {
          this.#refuse(`it sends interim responses without end, more than ${H1_INTERIM_RESPONSES}`)
        }
      }),
    )
    request.on('upgrade', (response, _socket, first) => this.guard(() => this.#onResponse(response, head, first)))
    request.on('response', response => this.guard(() => this.#onResponse(response, head, undefined)))
  }

  /** `first`: the parser has stopped, and this came behind the head. */
  #onResponse(response: IncomingMessage, head: RequestHead, first: Uint8Array | undefined): void {
    // Its content, if there is any, nobody reads.
    response.resume()
    if (this.#answered) return
    this.#answered = true
    let headers: Header[]
    try {
      headers = readResponse(response.statusCode ?? 0, response.rawHeaders)
      checkResponse(headers, head)
    } catch (error) {
      if (!(error instanceof MalformedMessage)) throw error
      return this.#refuse(error.message)
    }
    const refused = refusal(headers)
    if (refused !== undefined) return this.cutBecause(refused)
    if (first === undefined) return this.handler.onResponse(headers)
    this.carrier?.switched()
    this.handler.onResponse(headers)
    this.readCapsules(first, this.#keepAliveMs)
    this.#watchPath(signOfLifeMs(headers))
  }

  /** A lost path says nothing, and TCP alone asks for a quarter of an hour. `promisedMs`: so often the proxy will write. */
  #watchPath(promisedMs: number | undefined): void {
    if (promisedMs === undefined || this.#lostAfterMs === 0 || this.closed) return
    const limitMs = lostAfter(promisedMs, this.#lostAfterMs)
    const stop = watchSilence({
      limitMs,
      bytesRead: () => this.socket.bytesRead,
      onLost: () => this.guard(() => this.cutSilent(limitMs)),
    })
    this.socket.once('close', stop)
  }

  /** What the proxy has sent breaks a rule. */
  #refuse(why: string): void {
    const { carrier } = this
    const code = carrier?.abort('malformed')
    carrier?.handler.onAborted({ orderly: false, reason: resetByUs(code ?? '', why) })
  }

  protected override onEarlyBytes(): void {}
  protected override onRequestGone(): void {}
  protected override giveUp(): void {
    this.cut()
  }
}

/** The proxy does not accept our certificate, and says so in a place for details: see server-connection.ts. */
function refusal(headers: readonly Header[]): SocketEnd | undefined {
  const details = /details="([^"]*)"/.exec(headerValue(headers, 'proxy-status') ?? '')?.[1]
  return headerValue(headers, ':status') === '403' && details !== undefined ? refusedCertificate(details) : undefined
}
