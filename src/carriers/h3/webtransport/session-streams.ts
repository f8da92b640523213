/**
 * The bidirectional streams of WebTransport sessions on one connection: which session each belongs to.
 *
 * Streams may arrive before the request of their session, or before its answer (draft-ietf-webtrans-http3 §4.5). Those are held,
 * a few of them and a few bytes each.
 */

import { Writer } from '../../../bytes/writer.ts'
import { H3ErrorCode } from '../../../http3/error-codes.ts'
import type { HttpHandler } from '../../http-connection.ts'
import type { H3Transport, StreamEvent } from '../transport.ts'
import type { WebTransportCarrier } from './carrier.ts'

/** Of one connection. */
export const WAITING_STREAM_LIMITS = { streams: 4, bytesEach: 4096 }

/** A stream whose session is not there yet, and what it has brought so far. */
interface WaitingStream {
  readonly sessionId: number
  readonly bytes: Writer
  ended: boolean
}

export class SessionStreams {
  readonly #transport: H3Transport<HttpHandler>
  readonly #sessions = new Map<number, WebTransportCarrier>()
  /** By stream. */
  readonly #waiting = new Map<number, WaitingStream>()
  readonly #carriers = new Map<number, WebTransportCarrier>()

  constructor(transport: H3Transport<HttpHandler>) {
    this.#transport = transport
  }

  /** The session of this stream, where it has one. */
  sessionOf(streamId: number): number | undefined {
    return this.#carriers.get(streamId)?.streamId
  }

  /** A session has its tunnel: the streams that wait for it are its own. */
  begin(carrier: WebTransportCarrier): void {
    this.#sessions.set(carrier.streamId, carrier)
    for (const [streamId, { sessionId, bytes, ended }] of this.#waiting) {
      if (sessionId !== carrier.streamId) continue
      this.#waiting.delete(streamId)
      this.#open(carrier, streamId)
      this.#receive(streamId, bytes.finish(), ended)
    }
  }

  /** A session has ended, or its request was refused. */
  over(sessionId: number): void {
    this.#sessions.delete(sessionId)
    for (const [streamId, waiting] of this.#waiting) {
      if (waiting.sessionId === sessionId) this.#refuse(streamId, H3ErrorCode.WEBTRANSPORT_SESSION_GONE)
    }
    for (const [streamId, carrier] of this.#carriers) {
      if (carrier.streamId === sessionId) this.#refuse(streamId, H3ErrorCode.WEBTRANSPORT_SESSION_GONE)
    }
  }

  /** Takes an event when it is about a stream of a session; false: it is about something else. */
  handle(event: StreamEvent): boolean {
    const { streamId } = event
    if (event.type === 'session-stream') {
      this.#opened(streamId, event.sessionId)
      return true
    }
    if (!this.#waiting.has(streamId) && !this.#carriers.has(streamId)) return false
    switch (event.type) {
      case 'data':
        this.#receive(streamId, event.data, event.fin)
        break
      case 'finished':
        this.#receive(streamId, new Uint8Array(0), true)
        break
      case 'reset':
      case 'stop-sending':
        this.#aborted(streamId, event.code)
        break
    }
    return true
  }

  #opened(streamId: number, sessionId: number): void {
    const session = this.#sessions.get(sessionId)
    if (session !== undefined) this.#open(session, streamId)
    else if (this.#waiting.size < WAITING_STREAM_LIMITS.streams) {
      this.#waiting.set(streamId, { sessionId, bytes: new Writer(0), ended: false })
    } else this.#refuse(streamId, H3ErrorCode.WEBTRANSPORT_BUFFERED_STREAM_REJECTED)
  }

  #open(session: WebTransportCarrier, streamId: number): void {
    const refusal = session.streamOpened(streamId)
    if (refusal === undefined) this.#carriers.set(streamId, session)
    else this.#refuse(streamId, refusal)
  }

  #receive(streamId: number, data: Uint8Array, fin: boolean): void {
    const carrier = this.#carriers.get(streamId)
    if (carrier !== undefined) {
      carrier.handler.onCapsuleBytes(data)
      if (fin) carrier.ended()
      return
    }
    const waiting = this.#waiting.get(streamId)
    if (waiting === undefined) return
    if (waiting.bytes.length + data.length > WAITING_STREAM_LIMITS.bytesEach) {
      this.#refuse(streamId, H3ErrorCode.WEBTRANSPORT_BUFFERED_STREAM_REJECTED)
      return
    }
    waiting.bytes.bytes(data)
    waiting.ended = fin
  }

  #aborted(streamId: number, code: number): void {
    const carrier = this.#carriers.get(streamId)
    this.#refuse(streamId, H3ErrorCode.H3_REQUEST_CANCELLED)
    carrier?.streamAborted(code)
  }

  /** Takes leave of a stream, in both directions. */
  #refuse(streamId: number, code: number): void {
    this.#waiting.delete(streamId)
    this.#carriers.delete(streamId)
    this.#transport.h3.resetStream(streamId, code)
    this.#transport.flush()
  }
}
