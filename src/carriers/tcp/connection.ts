/**
 * A connection on TLS over TCP, as proxy and client know connections: what HTTP/2 and HTTP/1.1 have in common. It ends once, for one reason, and
 * everybody on it is told.
 *
 * All of it is called by Node, which ends the process when a listener throws: so each listener is inside of `attempt`.
 */

import { randomBytes } from 'node:crypto'
import type { TLSSocket } from 'node:tls'
import { runAll } from '../../net/run-all.ts'
import type { SocketAddress } from '../../net/udp.ts'
import type { Carrier, CarrierEnd } from '../carrier.ts'
import { connectionEnded } from '../end-reason.ts'
import type { Capabilities, HttpHandler, HttpVersion } from '../http-connection.ts'
import { endedByError, type SocketEnd, timedOut } from './socket-end.ts'

/** How long a peer gets to take leave, in ms. */
export const CLOSE_MS = 500

/** How often it is looked within the idle timeout whether something has come. */
const IDLE_LOOKS = 4

/** Capsules travel on one stream, packets among them. */
export const CAPABLE: Capabilities = { tunnels: true, encapsulations: ['single-stream'] }

export interface TcpConnectionOptions {
  readonly socket: TLSSocket
  readonly remote: SocketAddress
  readonly idleTimeoutMs: number
  onError(error: unknown): void
}

/** A tunnel that ends with its connection. */
export interface TcpCarrier extends Carrier {
  aborted(end: CarrierEnd): void
}

export abstract class TcpConnection<Handler extends HttpHandler> {
  readonly id = randomBytes(8).toString('hex')
  abstract readonly version: HttpVersion
  /** What is spoken, as in `CloseReason`. */
  protected abstract readonly protocol: string
  /** What the end of the TCP connection means, when nothing else was said of it. */
  protected abstract readonly silentEnd: SocketEnd
  readonly quic = undefined
  readonly socket: TLSSocket
  handler!: Handler
  capabilities: Capabilities | undefined
  closed = false
  /** Undefined while TLS is not there yet. */
  handshakeMs: number | undefined
  readonly remote: SocketAddress
  /** Why this connection ends, as soon as that is known. */
  protected end: SocketEnd | undefined
  readonly #idleTimeoutMs: number
  readonly #onError: (error: unknown) => void
  /** In a row, at which nothing had come since the one before. */
  #quietLooks = 0
  readonly #idleTimer: NodeJS.Timeout
  #closeTimer: NodeJS.Timeout | undefined

  constructor({ socket, remote, idleTimeoutMs, onError }: TcpConnectionOptions) {
    this.socket = socket
    this.remote = remote
    this.#idleTimeoutMs = idleTimeoutMs
    this.#onError = onError
    socket.on('error', error => this.attempt(() => this.failed(error)))
    socket.on('close', () => this.#finish())
    this.#idleTimer = setInterval(() => {
      setImmediate(() => this.attempt(() => this.#checkIdle()))
    }, idleTimeoutMs / IDLE_LOOKS).unref()
  }

  /** The tunnels on it. */
  protected abstract carriers(): Iterable<TcpCarrier>

  get resumed(): boolean {
    return this.socket.isSessionReused()
  }

  /** Something has come from the peer. */
  protected heard(): void {
    this.#quietLooks = 0
  }

  protected failed(error: NodeJS.ErrnoException): void {
    this.end ??= endedByError(error, this.handshakeMs !== undefined)
  }

  /** Ends both halves at once. */
  cut(): void {
    this.socket.destroy()
  }

  /** A peer that does not take leave is left alone with its socket. */
  protected cutSoon(): void {
    if (!this.closed) this.#closeTimer ??= setTimeout(() => this.cut(), CLOSE_MS)
  }

  /** Ends it for a reason, unless another one is known already. */
  protected cutBecause(end: SocketEnd): void {
    this.end ??= end
    this.cut()
  }

  /**
   * Behind the poll for input, and by looks, of which one that comes late counts once: while this process was busy with other things nothing was read, and nothing
   * said that the peer would have answered. The first look may come right behind what was heard last.
   */
  #checkIdle(): void {
    if (!this.closed && ++this.#quietLooks > IDLE_LOOKS) this.cutSilent(this.#idleTimeoutMs)
  }

  /** Ends it because nothing has come for so long. Whoever took leave and is then silent has not left. */
  protected cutSilent(forMs: number): void {
    this.end = timedOut(`nothing was heard from the peer for ${forMs / 1000} s`)
    this.cut()
  }

  #finish(): void {
    if (this.closed) return
    this.closed = true
    clearInterval(this.#idleTimer)
    clearTimeout(this.#closeTimer)
    const reason = { ...(this.end ?? this.silentEnd), protocol: this.protocol }
    const end = connectionEnded(reason)
    try {
      const tell = [
        () => runAll([...this.carriers()].map(carrier => () => carrier.aborted(end))),
        // A connection that nobody has taken yet has no handler.
        () => this.handler?.onClosed(reason),
      ]
      // A peer that does not trust us says so when a request may be under way already: it is still what the matter is.
      runAll(reason.tlsAlert === undefined ? tell : tell.reverse())
    } catch (error) {
      this.#onError(error)
    }
  }

  /** Runs a step; what it throws goes to `mend`, and what that throws, too, ends the connection: a bug of ours. */
  protected attempt(step: () => void, mend?: (error: unknown) => void): void {
    try {
      step()
    } catch (error) {
      try {
        if (mend === undefined) throw error
        mend(error)
      } catch (further) {
        this.#onError(further)
        this.cut()
      }
    }
  }
}
