/**
 * HTTP/1.1 (RFC 9112) on TLS: one connection is one request, and its tunnel when the answer is "yes". What differs between the two ends
 * is in server-connection.ts and client-connection.ts.
 *
 * A packet's way in: socket → `#onBytes` → the carrier → capsules. Its way out: carrier.ts.
 *
 * Heads are parsed by node:http. What follows is called by Node, which ends the process when a listener throws: so each of them is
 * inside of `guard`.
 */

import { randomBytes } from 'node:crypto'
import type { TLSSocket } from 'node:tls'
import { encodeCapsule } from '../../connect-ip/capsule.ts'
import { runAll } from '../../net/run-all.ts'
import type { SocketAddress } from '../../net/udp.ts'
import type { CarrierHandler } from '../carrier.ts'
import { connectionEnded, resetByUs } from '../end-reason.ts'
import type { Capabilities, HttpHandler } from '../http-connection.ts'
import { endedByError, type SocketEnd, timedOut } from '../tcp/socket-end.ts'
import { H1Carrier } from './carrier.ts'
import { HTTP1 } from './messages.ts'

/** How long a peer gets to end its half, in ms. */
export const CLOSE_MS = 500

export const CAPABLE: Capabilities = { tunnels: true, encapsulations: ['single-stream'] }

/** There is one request on a connection. */
export const REQUEST_ID = 0

/**
 * HTTP/1.1 has no PING. A capsule of a type that is reserved so that it is ignored (RFC 9297 §5.4), and empty, says just as well that
 * somebody is there.
 */
const SIGN_OF_LIFE = encodeCapsule(0x17, new Uint8Array(0))

/** The peer has closed the connection, which is how HTTP/1.1 ends. */
const CLOSED_BY_PEER: SocketEnd = {
  source: 'peer',
  orderly: true,
  reason: 'the TCP connection ended',
  text: 'by the peer: the TCP connection ended',
}

export abstract class H1Transport<Handler extends HttpHandler> {
  readonly id = randomBytes(8).toString('hex')
  readonly version = 'h1'
  readonly quic = undefined
  readonly socket: TLSSocket
  handler!: Handler
  capabilities: Capabilities | undefined
  closed = false
  handshakeMs: number | undefined
  readonly remote: SocketAddress
  carrier: H1Carrier | undefined
  readonly #idleTimeoutMs: number
  readonly #onError: (error: unknown) => void
  /** Why this connection ends, as soon as that is known. */
  #end: SocketEnd | undefined
  #heardAt = performance.now()
  readonly #idleTimer: NodeJS.Timeout
  #keepAliveTimer: NodeJS.Timeout | undefined
  #closeTimer: NodeJS.Timeout | undefined

  constructor(options: {
    socket: TLSSocket
    remote: SocketAddress
    idleTimeoutMs: number
    onError: (error: unknown) => void
  }) {
    this.socket = options.socket
    this.remote = options.remote
    this.#idleTimeoutMs = options.idleTimeoutMs
    this.#onError = options.onError
    this.socket.on('error', error => {
      this.#end ??= endedByError(error, this.handshakeMs !== undefined)
    })
    this.socket.on('close', () => this.#finish())
    this.#idleTimer = setInterval(() => this.guard(() => this.#checkIdle()), options.idleTimeoutMs / 4).unref()
  }

  /** Capsules that come before there is a carrier. */
  protected abstract onEarlyBytes(bytes: Uint8Array): void
  /** The peer has ended its half before there was a carrier. */
  protected abstract onRequestGone(): void
  /** Something of ours threw before there was a carrier: says so, where that can be said, and ends the connection. */
  protected abstract giveUp(): void

  openCarrier(handler: CarrierHandler, switched: boolean): H1Carrier {
    this.carrier = new H1Carrier(this, handler, switched)
    return this.carrier
  }

  forget(carrier: H1Carrier): void {
    if (this.carrier === carrier) this.carrier = undefined
  }

  // -- HttpConnection ------------------------------------------------------------------------------------------

  get resumed(): boolean {
    return this.socket.isSessionReused()
  }

  /** HTTP/1.1 has no GOAWAY, and needs none: there is no second request on a connection. */
  goAway(): void {}

  close(why: string, failed?: 'internal'): void {
    const text = `by us: the TCP connection was closed${why === '' ? '' : ` (${why})`}`
    this.#end ??= { source: 'local', orderly: failed === undefined, reason: why, text }
    if (failed !== undefined || this.handshakeMs === undefined) return this.cut()
    this.takeLeave(why)
    // What waits is not waited for.
    this.#cutSoon()
  }

  /** Ends our half in good order, behind all that waits; then the peer gets a moment to do the same. Idempotent. */
  takeLeave(why: string): void {
    this.#end ??= { source: 'local', orderly: true, reason: why, text: `by us: ${why}` }
    this.socket.end(() => this.#cutSoon())
  }

  #cutSoon(): void {
    if (!this.closed) this.#closeTimer ??= setTimeout(() => this.socket.destroy(), CLOSE_MS)
  }

  /** Ends both halves at once. */
  cut(): void {
    this.socket.destroy()
  }

  /** Why it ends, before anything else is known of the end. */
  protected because(end: SocketEnd): void {
    this.#end ??= end
  }

  // -- the bytes behind the heads ------------------------------------------------------------------------------

  /** The connection speaks capsules from here on; `first` came together with the head. `keepAliveMs`: see SIGN_OF_LIFE; 0: never. */
  protected readCapsules(first: Uint8Array, keepAliveMs: number): void {
    this.#heardAt = performance.now()
    this.socket.on('data', (bytes: Uint8Array) => this.guard(() => this.#onBytes(bytes)))
    this.socket.on('end', () => this.guard(() => this.#onEnd()))
    if (first.length > 0) this.#onBytes(first)
    if (keepAliveMs > 0) this.#keepAlive(keepAliveMs)
  }

  #onBytes(bytes: Uint8Array): void {
    this.#heardAt = performance.now()
    if (this.carrier === undefined) this.onEarlyBytes(bytes)
    else this.carrier.handler.onCapsuleBytes(bytes)
  }

  #onEnd(): void {
    this.#end ??= CLOSED_BY_PEER
    if (this.carrier === undefined) this.onRequestGone()
    else this.carrier.ended()
  }

  /** Neither side, nor a NAT between them, is to take a quiet connection for a dead one. */
  #keepAlive(ms: number): void {
    let written = this.socket.bytesWritten
    this.#keepAliveTimer = setInterval(() => {
      this.guard(() => {
        const isQuiet = this.socket.bytesWritten === written && this.socket.writableLength === 0
        if (isQuiet) this.carrier?.sendCapsules(SIGN_OF_LIFE)
        written = this.socket.bytesWritten
      })
    }, ms).unref()
  }

  #checkIdle(): void {
    if (performance.now() - this.#heardAt < this.#idleTimeoutMs) return
    this.#end = timedOut(`nothing was heard from the peer for ${this.#idleTimeoutMs / 1000} s`)
    this.cut()
  }

  #finish(): void {
    if (this.closed) return
    this.closed = true
    clearInterval(this.#idleTimer)
    clearInterval(this.#keepAliveTimer)
    clearTimeout(this.#closeTimer)
    const reason = { ...(this.#end ?? CLOSED_BY_PEER), protocol: HTTP1 }
    const end = { orderly: reason.orderly, reason: connectionEnded(reason) }
    const { carrier } = this
    try {
      const tell = [
        () => carrier?.aborted(end),
        // A connection that nobody has taken yet has no handler.
        () => this.handler?.onClosed(reason),
      ]
      // A peer that does not trust us says so when a request may be under way already: it is still what the matter is.
      runAll(reason.tlsAlert === undefined ? tell : tell.reverse())
    } catch (error) {
      this.#onError(error)
    }
  }

  // -- faults of our own ---------------------------------------------------------------------------------------

  /** Runs a step; what it throws ends the connection. */
  protected guard(step: () => void): void {
    try {
      step()
    } catch (error) {
      try {
        this.failRequest(error)
      } catch (further) {
        this.#onError(further)
        this.cut()
      }
    }
  }

  /** Ends the request for which something of ours threw, whatever state it is in; its tunnel, if it is one, hears of it. */
  failRequest(error: unknown): void {
    this.#end ??= { source: 'local', orderly: false, reason: 'internal error', text: 'by us: internal error' }
    const { carrier } = this
    const code = carrier?.abort('internal')
    if (carrier === undefined) this.giveUp()
    carrier?.handler.onAborted({ orderly: false, reason: resetByUs(code ?? '', 'internal error') })
    this.handler.onRequestFailed(REQUEST_ID, error)
  }
}
