/**
 * HTTP/2 (RFC 9113) on TLS: joins a session of node:http2 to what proxy and client need of HTTP, and carries tunnels on it. What
 * differs between the two ends is in server-connection.ts and client-connection.ts.
 *
 * A packet's way in: DATA frame → `onData` → the carrier of that stream → capsules. Its way out: carrier.ts.
 *
 * Frames, flow control, HPACK and most bounds are node:http2's, that is, nghttp2's; docs/security.md says which. What follows is
 * called by Node, which ends the process when a listener throws: so each of them is inside of `guard`.
 */

import type { Http2Session, Http2Stream } from 'node:http2'
import { PeerFieldSectionLimit } from '../../http/errors.ts'
import { printable } from '../../http/header.ts'
import type { CarrierHandler } from '../carrier.ts'
import { resetByPeer, resetByUs } from '../end-reason.ts'
import type { HttpHandler } from '../http-connection.ts'
import { TcpConnection } from '../tcp/connection.ts'
import { ENDED_SILENTLY, type SocketEnd } from '../tcp/socket-end.ts'
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

/** How much of the text in a GOAWAY is shown, and sent. */
const MAX_GOAWAY_TEXT = 200

export const HTTP2 = 'HTTP/2 (ALPN "h2")'

export abstract class H2Transport<Handler extends HttpHandler> extends TcpConnection<Handler> {
  readonly version = 'h2'
  protected readonly protocol = HTTP2
  protected readonly silentEnd = ENDED_SILENTLY
  /** Undefined while TLS is not there yet. */
  session: Http2Session | undefined
  readonly #carriers = new Map<number, H2Carrier>()
  #goAwayText: string | undefined
  #closing = false

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

  protected override carriers(): Iterable<H2Carrier> {
    return this.#carriers.values()
  }

  protected get hasTunnels(): boolean {
    return this.#carriers.size > 0
  }

  // -- HttpConnection ------------------------------------------------------------------------------------------

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
    this.end ??= { source: 'local', orderly, reason: why, text }
    const { session } = this
    if (session === undefined || session.destroyed) return this.cut()
    session.goaway(code, 0, Buffer.from(why.slice(0, MAX_GOAWAY_TEXT)))
    // Its streams end with it; what waits on them is not waited for. One that we have ended says so itself.
    for (const { isOpen, stream } of this.#carriers.values()) {
      if (isOpen || !orderly) stream.close(orderly ? H2ErrorCode.CANCEL : code)
    }
    session.close()
    this.cutSoon()
  }

  /** Errors of the session come from its socket, too, and the other way round; and Node makes one of the peer's GOAWAY. */
  protected override failed(error: NodeJS.ErrnoException): void {
    const { code, message } = error
    if (!code?.startsWith('ERR_HTTP2')) return super.failed(error)
    this.end ??= { source: 'local', orderly: false, reason: message, text: `by us: ${message}` }
  }

  // -- what node:http2 reports ---------------------------------------------------------------------------------

  protected attach(session: Http2Session): void {
    this.session = session
    this.heard()
    session.on('error', error => this.attempt(() => this.failed(error)))
    session.on('goaway', (code, _lastStreamId, data) => this.guard(undefined, () => this.#onGoAwayFrame(code, data)))
    session.on('ping', () => this.heard())
    session.on('remoteSettings', () => this.heard())
    session.on('close', () => this.attempt(() => this.cutSoon()))
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
    if (!this.#closing && (this.end === undefined || this.end.orderly))
      this.end = this.refusedByPeer(code, reason) ?? end
    if (orderly) this.onGoAway()
  }

  /** What a GOAWAY means to the client whose certificate the proxy does not accept. */
  protected refusedByPeer(_code: number, _text: string): SocketEnd | undefined {
    return undefined
  }

  // -- faults of our own ---------------------------------------------------------------------------------------

  /** Runs a step; what it throws ends the stream that it is about or, without one, the connection. */
  protected guard(streamId: number | undefined, step: () => void): void {
    this.attempt(step, streamId === undefined ? undefined : error => this.failStream(streamId, error))
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
