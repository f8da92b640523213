/** The client's end: a thread of its own for each connection. */

import { isIP } from 'node:net'
import type { Header } from '../../http/header.ts'
import type { SocketAddress } from '../../net/udp.ts'
import type {
  Connect,
  ConnectOptions,
  HttpClientConnection,
  HttpClientHandler,
  TunnelStream,
} from '../http-connection.ts'
import { PackageCarrier } from './carrier.ts'
import { endedByUs, PackageConnection } from './connection.ts'
import type { ClientThreadData, FromClientThread, ToThread } from './messages.ts'
import { PackageThread } from './thread.ts'

/** The only session of a client's thread. */
const SESSION = 0

export interface PackageClientSettings {
  /** Where the proxy takes sessions. */
  readonly path: string
  /** What it asks for, if it does. */
  readonly token: string | undefined
  /** In hexadecimal digits; undefined: the system's CAs decide. */
  readonly certificateSha256: string | undefined
  readonly idleTimeoutMs: number
  /** See `ClientThreadData`. */
  readonly lostAfterMs: number
}

/** Connects by the package. */
export function connectByPackage(settings: PackageClientSettings): Connect {
  return async options => new PackageClientConnection(options, settings)
}

export class PackageClientConnection extends PackageConnection<HttpClientHandler> implements HttpClientConnection {
  readonly resumptionTicket = undefined
  readonly draining = false
  readonly #thread: PackageThread<FromClientThread>
  readonly #startedAt = performance.now()
  #status: number | undefined

  constructor({ remote, serverName, onError }: ConnectOptions, settings: PackageClientSettings) {
    super(remote, onError)
    const data: ClientThreadData = {
      url: urlOf(serverName, remote.port, settings),
      remote,
      certificateSha256: settings.certificateSha256,
      idleTimeoutMs: settings.idleTimeoutMs,
      lostAfterMs: settings.lostAfterMs,
    }
    this.#thread = new PackageThread('./client-thread.ts', data, {
      onMessage: message => this.guard(() => this.#receive(message)),
      onEnded: error => {
        if (error === undefined) this.onDisconnected({ kind: 'closed' })
        else this.finish(endedByUs(`the WebTransport thread has ended: ${error.message}`))
      },
    })
  }

  override post(message: ToThread, transfer?: ArrayBuffer[]): void {
    this.#thread.post(message, transfer)
  }

  protected override disconnect(): void {
    void this.#thread.stop()
  }

  protected override onFinished(): void {
    void this.#thread.stop()
  }

  /** The package has asked already, when it connected: what it was told is the answer to this. */
  request(_headers: Header[]): TunnelStream | undefined {
    if (this.closed) return undefined
    // Behind the caller's turn, and before the thread says more.
    queueMicrotask(() => this.guard(() => this.handler.onResponse([[':status', String(this.#status)]])))
    return {
      id: SESSION,
      openCarrier: ([encapsulation], handler) => {
        const link = {
          session: SESSION,
          encapsulation,
          post: (message: ToThread, transfer?: ArrayBuffer[]) => this.post(message, transfer),
          forget: () => this.carriers.delete(SESSION),
        }
        const carrier = new PackageCarrier(link, handler)
        this.carriers.set(SESSION, carrier)
        return carrier
      },
    }
  }

  #receive(message: FromClientThread): void {
    switch (message.type) {
      case 'answered':
        this.#status = message.status
        this.handshakeMs = performance.now() - this.#startedAt
        this.handler.onReady()
        this.capabilities = {
          tunnels: true,
          encapsulations: message.datagrams ? ['datagram', 'single-stream'] : ['single-stream'],
        }
        this.handler.onCapabilities(this.capabilities)
        return
      case 'disconnected':
        return this.onDisconnected(message.reason)
      case 'failed':
        return this.onDisconnected({ kind: 'error', error: message.error })
      default:
        this.carriers.get(message.session)?.receive(message)
    }
  }
}

function urlOf(name: string, port: SocketAddress['port'], { path, token }: PackageClientSettings): string {
  const host = isIP(name) === 6 ? `[${name}]` : name
  // As web pages do it, which cannot set header fields: see docs/webtransport.md.
  const query = token === undefined ? '' : `?token=${encodeURIComponent(token)}`
  return `https://${host}:${port}${path}${query}`
}
