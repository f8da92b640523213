/**
 * HTTP/1.1 (RFC 9112) on TLS: one connection is one request, and its tunnel when the answer is "yes". What differs between the two ends
 * is in server-connection.ts and client-connection.ts.
 *
 * A packet's way in: socket → `#onBytes` → the carrier → capsules. Its way out: carrier.ts.
 *
 * Heads are parsed by node:http. What follows is called by Node, which ends the process when a listener throws: so each of them is
 * inside of `guard`.
 */

import { encodeCapsule } from '../../connect-ip/capsule.ts'
import type { CarrierHandler } from '../carrier.ts'
import { resetByUs } from '../end-reason.ts'
import type { HttpHandler } from '../http-connection.ts'
import { TcpConnection } from '../tcp/connection.ts'
import type { SocketEnd } from '../tcp/socket-end.ts'
import { H1Carrier } from './carrier.ts'
import { HTTP1 } from './messages.ts'

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

export abstract class H1Transport<Handler extends HttpHandler> extends TcpConnection<Handler> {
  readonly version = 'h1'
  protected readonly protocol = HTTP1
  protected readonly silentEnd = CLOSED_BY_PEER
  carrier: H1Carrier | undefined

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

  protected override carriers(): H1Carrier[] {
    return this.carrier === undefined ? [] : [this.carrier]
  }

  // -- HttpConnection ------------------------------------------------------------------------------------------

  /** HTTP/1.1 has no GOAWAY, and needs none: there is no second request on a connection. */
  goAway(): void {}

  close(why: string, failed?: 'internal'): void {
    const text = `by us: the TCP connection was closed${why === '' ? '' : ` (${why})`}`
    this.end ??= { source: 'local', orderly: failed === undefined, reason: why, text }
    if (failed !== undefined || this.handshakeMs === undefined) return this.cut()
    this.takeLeave(why)
    // What waits is not waited for.
    this.cutSoon()
  }

  /** Ends our half in good order, behind all that waits; then the peer gets a moment to do the same. Idempotent. */
  takeLeave(why: string): void {
    this.end ??= { source: 'local', orderly: true, reason: why, text: `by us: ${why}` }
    this.socket.end(() => this.attempt(() => this.cutSoon()))
  }

  // -- the bytes behind the heads ------------------------------------------------------------------------------

  /** The connection speaks capsules from here on; `first` came together with the head. `keepAliveMs`: see SIGN_OF_LIFE; 0: never. */
  protected readCapsules(first: Uint8Array, keepAliveMs: number): void {
    this.heard()
    this.socket.on('data', (bytes: Uint8Array) => this.guard(() => this.#onBytes(bytes)))
    this.socket.on('end', () => this.guard(() => this.#onEnd()))
    if (first.length > 0) this.#onBytes(first)
    if (keepAliveMs > 0) this.#keepAlive(keepAliveMs)
  }

  #onBytes(bytes: Uint8Array): void {
    this.heard()
    if (this.carrier === undefined) this.onEarlyBytes(bytes)
    else this.carrier.handler.onCapsuleBytes(bytes)
  }

  #onEnd(): void {
    this.end ??= CLOSED_BY_PEER
    if (this.carrier === undefined) this.onRequestGone()
    else this.carrier.ended()
  }

  /** Neither side, nor a NAT between them, is to take a quiet connection for a dead one. */
  #keepAlive(ms: number): void {
    let written = this.socket.bytesWritten
    const timer = setInterval(() => {
      this.guard(() => {
        const isQuiet = this.socket.bytesWritten === written && this.socket.writableLength === 0
        if (isQuiet) this.carrier?.sendCapsules(SIGN_OF_LIFE)
        written = this.socket.bytesWritten
      })
    }, ms).unref()
    this.socket.once('close', () => clearInterval(timer))
  }

  // -- faults of our own ---------------------------------------------------------------------------------------

  /** Runs a step; what it throws ends the request. */
  protected guard(step: () => void): void {
    this.attempt(step, error => this.failRequest(error))
  }

  /** Ends the request for which something of ours threw, whatever state it is in; its tunnel, if it is one, hears of it. */
  failRequest(error: unknown): void {
    this.end ??= { source: 'local', orderly: false, reason: 'internal error', text: 'by us: internal error' }
    const { carrier } = this
    const code = carrier?.abort('internal')
    if (carrier === undefined) this.giveUp()
    carrier?.handler.onAborted({ orderly: false, reason: resetByUs(code ?? '', 'internal error') })
    this.handler.onRequestFailed(REQUEST_ID, error)
  }
}
