/**
 * HTTP/2 (RFC 9113) on TLS: joins a session of node:http2 to what proxy and client need of HTTP, and carries tunnels on it. What
 * differs between the two ends is in server-connection.ts and client-connection.ts.
 *
 * A packet's way in: DATA frame → `onData` → the carrier of that stream → capsules. Its way out: carrier.ts.
 *
 * Frames, flow control, HPACK and most bounds are node:http2's, that is, nghttp2's; docs/security.md says which. What follows is
 * called by Node, which ends the process when a listener throws: so each of them is inside of `guard`.
 */

import { randomBytes } from 'node:crypto'
import type { Http2Session, Http2Stream } from 'node:http2'
import type { TLSSocket } from 'node:tls'
import { PeerFieldSectionLimit } from '../../http/errors.ts'
import { printable } from '../../http/header.ts'
import { runAll } from '../../net/run-all.ts'
import type { SocketAddress } from '../../net/udp.ts'
import type { CarrierHandler } from '../carrier.ts'
import { connectionEnded, resetByPeer, resetByUs } from '../end-reason.ts'
import type { Capabilities, HttpHandler } from '../http-connection.ts'
import { ENDED_SILENTLY, endedByError, type SocketEnd, timedOut } from '../tcp/socket-end.ts'
import { H2Carrier } from './carrier.ts'
import { ABORT_CODES, errorName, H2ErrorCode } from './codes.ts'

/** Bytes that a peer may send ahead, on one stream and on all together: as much as QUIC grants at most. */
export const H2_WINDOW = 512 * 1024

/** What is asked of nghttp2 beside its own limits. Figures in docs/security.md. */
export const H2_LIMITS = {
  /** Of frames that break a rule, and of streams beyond the limit, before the session ends. */
  maxSessionInvalidFrames: 100,
  maxSessionRejectedStreams: 100,
  /** Entries of one SETTINGS frame. */
  maxSettings: 32,
  /** Header fields of one message. */
  maxHeaderListPairs: 128,
  /** MB of one session. */
  maxSessionMemory: 10,
}

/** How long a peer gets to take leave, in ms. */
const CLOSE_MS = 500

/** How much of the text in a GOAWAY is shown, and sent. */
const MAX_GOAWAY_TEXT = 200

export const HTTP2 = 'HTTP/2 (ALPN "h2")'
export const CAPABLE: Capabilities = { tunnels: true, encapsulations: ['single-stream'] }

export abstract class H2Transport<Handler extends HttpHandler> {
  readonly id = randomBytes(8).toString('hex')
  readonly version = 'h2'
  readonly quic = undefined
  readonly socket: TLSSocket
  handler!: Handler
  capabilities: Capabilities | undefined
  closed = false
  handshakeMs: number | undefined
  /** Undefined while TLS is not there yet. */
  session: Http2Session | undefined
  readonly remote: SocketAddress
  readonly #idleTimeoutMs: number
  readonly #onError: (error: unknown) => void
  readonly #carriers = new Map<number, H2Carrier>()
  /** Why this connection ends, as soon as that is known. */
  #end: SocketEnd | undefined
  #goAwayText: string | undefined
  #closing = false
  #heardAt = performance.now()
  #idleTimer: NodeJS.Timeout
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
    this.socket.on('error', error => this.#failed(error))
    this.socket.on('close', () => this.#finish())
    this.#idleTimer = setInterval(
      () => this.guard(undefined, () => this.#checkIdle()),
      options.idleTimeoutMs / 4,
    ).unref()
  }

  /** What happens on streams without a carrier. */
  protected abstract onStreamData(streamId: number, bytes: Uint8Array): void
  protected abstract onStreamEnd(streamId: number): void
  /** The stream is over: reset, or something of ours threw for it. */
  protected abstract onStreamGone(streamId: number): void
  protected abstract onGoAway(): void

  openCarrier(stream: Http2Stream, handler: CarrierHandler): H2Carrier {
    const carrier = new H2Carrier(this, stream, handler)
    this.#carriers.set(carrier.streamId, carrier)
    return carrier
  }

  carrierOf(streamId: number): H2Carrier | undefined {
    return this.#carriers.get(streamId)
  }

  forget(carrier: H2Carrier): void {
    this.#carriers.delete(carrier.streamId)
  }

  // -- HttpConnection ------------------------------------------------------------------------------------------

  get resumed(): boolean {
    return this.socket.isSessionReused()
  }

  goAway(): void {
    if (this.session?.destroyed === false) this.session.goaway(H2ErrorCode.NO_ERROR)
  }

  close(why: string, failed?: 'internal'): void {
    const code = failed === undefined ? H2ErrorCode.NO_ERROR : H2ErrorCode.INTERNAL_ERROR
    this.closeWith(code, why)
  }

  /** GOAWAY with this code, then the end of everything. Idempotent. */
  closeWith(code: number, why: string): void {
    if (this.#closing) return
    this.#closing = true
    const orderly = code === H2ErrorCode.NO_ERROR
    const text = `by us: ${errorName(code)}${why === '' ? '' : ` (${why})`}`
    this.#end ??= { source: 'local', orderly, reason: why, text }
    const { session } = this
    if (session === undefined || session.destroyed) return void this.socket.destroy()
    session.goaway(code, 0, Buffer.from(why.slice(0, MAX_GOAWAY_TEXT)))
    // Its streams end with it; what waits on them is not waited for. One that we have ended says so itself.
    for (const { isOpen, stream } of this.#carriers.values()) {
      if (isOpen || !orderly) stream.close(orderly ? H2ErrorCode.CANCEL : code)
    }
    session.close()
    this.#destroySoon()
  }

  /** Errors of the session come from its socket, too, and the other way round; and Node makes one of the peer's GOAWAY. */
  #failed(error: NodeJS.ErrnoException): void {
    const { code, message } = error
    this.#end ??= code?.startsWith('ERR_HTTP2')
      ? { source: 'local', orderly: false, reason: message, text: `by us: ${message}` }
      : endedByError(error, this.session !== undefined)
  }

  /** A peer that does not take leave is left alone with its socket. */
  #destroySoon(): void {
    this.#closeTimer ??= setTimeout(() => this.socket.destroy(), CLOSE_MS)
  }

  // -- what node:http2 reports ---------------------------------------------------------------------------------

  protected attach(session: Http2Session): void {
    this.session = session
    this.heard()
    session.on('error', error => this.#failed(error))
    session.on('goaway', (code, _lastStreamId, data) => this.guard(undefined, () => this.#onGoAwayFrame(code, data)))
    session.on('ping', () => this.heard())
    session.on('remoteSettings', () => this.heard())
    session.on('close', () => this.#destroySoon())
  }

  /** Something has come from the peer that nghttp2 has understood. */
  protected heard(): void {
    this.#heardAt = performance.now()
  }

  /** Call it in the turn in which the stream came into being. Of an 'error' event nothing is needed: 'close' follows, with the code. */
  protected listenTo(stream: Http2Stream): void {
    const id = stream.id as number
    stream.on('data', (bytes: Uint8Array) => this.guard(id, () => this.#onData(id, bytes)))
    stream.on('end', () => this.guard(id, () => this.onEnd(stream)))
    stream.on('close', () => this.guard(id, () => this.#onStreamClosed(id, stream)))
  }

  #onData(id: number, bytes: Uint8Array): void {
    this.heard()
    const carrier = this.#carriers.get(id)
    if (carrier === undefined) this.onStreamData(id, bytes)
    else carrier.handler.onCapsuleBytes(bytes)
  }

  protected onEnd(stream: Http2Stream): void {
    const id = stream.id as number
    // A stream that is reset ends, too; 'close' follows.
    if (stream.rstCode !== H2ErrorCode.NO_ERROR) return
    const carrier = this.#carriers.get(id)
    if (carrier === undefined) this.onStreamEnd(id)
    else carrier.ended()
  }

  #onStreamClosed(id: number, stream: Http2Stream): void {
    // Together with the connection: `#finish` tells everybody, and knows why.
    if (this.#closing || this.session?.destroyed !== false) return
    const carrier = this.#carriers.get(id)
    if (carrier === undefined) return this.onStreamGone(id)
    const code = stream.rstCode ?? H2ErrorCode.NO_ERROR
    carrier.aborted({ orderly: code === H2ErrorCode.NO_ERROR, reason: resetByPeer(errorName(code)) })
  }

  #onGoAwayFrame(code: number, data: Uint8Array | undefined): void {
    this.heard()
    const text = data === undefined ? '' : printable(Buffer.from(data).toString('latin1').slice(0, MAX_GOAWAY_TEXT))
    this.#goAwayText ||= text
    const orderly = code === H2ErrorCode.NO_ERROR
    const reason = this.#goAwayText
    const end = {
      source: 'peer',
      orderly,
      reason,
      text: `by the peer: ${errorName(code)}${reason && ` (${reason})`}`,
    } as const
    // Streams may go on after one that says that nothing is wrong; if nothing else is heard, it was the reason.
    if (!this.#closing && (this.#end === undefined || this.#end.orderly))
      this.#end = this.refusedByPeer(code, reason) ?? end
    if (orderly) this.onGoAway()
  }

  /** What a GOAWAY means to the client whose certificate the proxy does not accept. */
  protected refusedByPeer(_code: number, _text: string): SocketEnd | undefined {
    return undefined
  }

  #checkIdle(): void {
    if (performance.now() - this.#heardAt < this.#idleTimeoutMs) return
    this.#end = timedOut(`nothing was heard from the peer for ${this.#idleTimeoutMs / 1000} s`)
    this.socket.destroy()
  }

  /** Before anything else is known of the end. */
  protected endBecause(end: SocketEnd): void {
    this.#end ??= end
    this.socket.destroy()
  }

  #finish(): void {
    if (this.closed) return
    this.closed = true
    clearInterval(this.#idleTimer)
    clearTimeout(this.#closeTimer)
    const reason = { ...(this.#end ?? ENDED_SILENTLY), protocol: HTTP2 }
    const end = { orderly: reason.orderly, reason: connectionEnded(reason) }
    const carriers = [...this.#carriers.values()]
    this.#carriers.clear()
    try {
      const tell = [
        ...carriers.map(carrier => () => carrier.handler.onAborted(end)),
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

  /** Runs a step; what it throws ends the stream that it is about or, without one, the connection. */
  protected guard(streamId: number | undefined, step: () => void): void {
    try {
      step()
    } catch (error) {
      try {
        if (streamId === undefined) throw error
        this.failStream(streamId, error)
      } catch (further) {
        this.#onError(further)
        this.socket.destroy()
      }
    }
  }

  /** Ends a stream for which something of ours threw, whatever state it is in; its tunnel, if it is one, hears of it. */
  failStream(streamId: number, error: unknown): void {
    const reason = error instanceof PeerFieldSectionLimit ? 'cancelled' : 'internal'
    const carrier = this.#carriers.get(streamId)
    if (carrier !== undefined) carrier.abort(reason)
    else this.resetStream(streamId, ABORT_CODES[reason])
    this.onStreamGone(streamId)
    carrier?.handler.onAborted({ orderly: false, reason: resetByUs(errorName(ABORT_CODES[reason]), 'internal error') })
    this.handler.onRequestFailed(streamId, error)
  }

  /** Resets a stream that has no carrier. */
  protected abstract resetStream(streamId: number, code: number): void
}
