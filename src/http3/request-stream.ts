/**
 * One request and its response on a client-initiated bidirectional stream, RFC 9114 §4.1 and §6.1.
 *
 * A message is HEADERS, then any number of DATA, then perhaps HEADERS again (trailers). A server reads a request
 * and writes responses: any number of interim ones (1xx), then the final one. A client does the opposite.
 */

import { MalformedMessage } from '../http/errors.ts'
import { checkTrailers, type Header } from '../http/header.ts'
import { checkRequest, type RequestHead } from '../http/request.ts'
import { checkResponse } from '../http/response.ts'
import { H3ErrorCode } from './error-codes.ts'
import { H3Error } from './errors.ts'
import type { H3Event } from './events.ts'
import {
  type FrameHandler,
  FrameReader,
  type FrameTreatment,
  FrameType,
  frameName,
  isHttp2OnlyFrame,
} from './frames.ts'
import { decodeFieldSection, fieldSectionTooLarge, maxEncodedLength } from './qpack/decoder.ts'
import { WEBTRANSPORT_STREAM } from './webtransport.ts'

/** What a request stream needs from its connection. */
export interface RequestStreamOwner {
  readonly role: 'client' | 'server'
  readonly maxFieldSectionSize: number
  /** We are a server and announced ENABLE_CONNECT_PROTOCOL. */
  readonly extendedConnect: boolean
  /** We are a server and announced WebTransport. */
  readonly webTransport: boolean
  emit(event: H3Event): void
  /** The stream belongs to a WebTransport session. Throws H3Error when there can be no such session. */
  beginSessionStream(streamId: number, sessionId: number): void
  countSkippedFrame(): void
}

export class RequestStream implements FrameHandler {
  readonly id: number
  /** Where the peer's message is. `headers`: its header section (for a client: the final response's) is awaited. */
  receiving: 'headers' | 'content' | 'trailers' | 'closed' = 'headers'
  /** Where our message is. */
  sending: 'headers' | 'content' | 'closed' = 'headers'
  /** The request, once it was received (server) or sent (client). */
  request: RequestHead | undefined
  /** This is no request, but a stream of the WebTransport session with this id; there are no frames on it. */
  sessionId: number | undefined
  readonly #owner: RequestStreamOwner
  readonly #reader: FrameReader
  /** A CONNECT was answered with 2xx: the stream is a tunnel. */
  tunnelAccepted = false
  /** A frame of an unknown type was skipped: what follows is no longer the stream's first bytes. */
  #skipped = false
  #contentLength: number | undefined
  #contentReceived = 0

  constructor(owner: RequestStreamOwner, id: number) {
    this.#owner = owner
    this.id = id
    this.#reader = new FrameReader(this)
  }

  /** HTTP Datagrams have a meaning here: an Extended CONNECT (RFC 9297 §2; GET and POST define none). */
  get takesDatagrams(): boolean {
    return this.request?.protocol !== undefined
  }

  /** Makes this a stream of a WebTransport session. */
  joinSession(sessionId: number): void {
    this.sessionId = sessionId
    this.receiving = 'content'
    this.sending = 'content'
    this.#reader.passRest()
  }

  /** The next bytes from the peer. Events go to the owner. Throws H3Error. */
  receive(bytes: Uint8Array): void {
    this.#reader.push(bytes)
  }

  /** The peer ended its side of the stream. Throws H3Error when the message is not complete. */
  receiveEnd(): void {
    if (this.#reader.insideFrame) {
      throw new H3Error(H3ErrorCode.H3_FRAME_ERROR, `stream ${this.id} ends inside a frame`)
    }
    if (this.receiving === 'headers') throw this.#incomplete()
    if (this.#contentLength !== undefined && this.#contentReceived !== this.#contentLength) {
      throw this.#contentLengthError()
    }
    this.receiving = 'closed'
  }

  frameStarts(type: number, length: number): FrameTreatment {
    switch (type) {
      case FrameType.DATA:
        return this.#dataStarts(length)
      case FrameType.HEADERS:
        return this.#headersStart(length)
      case FrameType.PUSH_PROMISE:
        if (this.#owner.role === 'server') throw this.#unexpected(type, 'a client cannot push')
        // We never send MAX_PUSH_ID, so every push id is above the limit (RFC 9114 §7.2.5).
        throw new H3Error(
          H3ErrorCode.H3_ID_ERROR,
          'PUSH_PROMISE received, but no push was allowed: MAX_PUSH_ID was not sent',
        )
      case FrameType.CANCEL_PUSH:
      case FrameType.SETTINGS:
      case FrameType.GOAWAY:
      case FrameType.MAX_PUSH_ID:
        throw this.#unexpected(type, 'it belongs on the control stream')
    }
    if (type === WEBTRANSPORT_STREAM && this.#owner.webTransport) return this.#sessionStreamStarts(length)
    if (isHttp2OnlyFrame(type)) throw this.#unexpected(type, 'it exists in HTTP/2 only')
    this.#skipped = true
    this.#owner.countSkippedFrame()
    return 'skip'
  }

  frameCollected(_type: number, payload: Uint8Array): void {
    const headers = decodeFieldSection(payload, this.#owner.maxFieldSectionSize)
    try {
      this.#receiveHeaders(headers)
    } catch (error) {
      // RFC 9114 §4.1.2: the request ends, the connection goes on.
      if (!(error instanceof MalformedMessage)) throw error
      throw new H3Error(H3ErrorCode.H3_MESSAGE_ERROR, `malformed message: ${error.message}`, 'stream')
    }
  }

  framePassed(bytes: Uint8Array): void {
    this.#owner.emit({ type: 'data', streamId: this.id, data: bytes, fin: false })
  }

  #receiveHeaders(headers: Header[]): void {
    if (this.receiving === 'content') {
      checkTrailers(headers)
      this.receiving = 'trailers'
    } else if (this.#owner.role === 'server') this.#receiveRequest(headers)
    else this.#receiveResponse(headers)
  }

  #receiveRequest(headers: Header[]): void {
    this.request = checkRequest(headers, this.#owner.extendedConnect)
    this.#contentLength = this.request.contentLength
    this.receiving = 'content'
    this.#owner.emit({ type: 'request', streamId: this.id, headers, fin: false })
  }

  #receiveResponse(headers: Header[]): void {
    const request = this.request!
    const response = checkResponse(headers, request)
    // Interim responses say "wait": the final one is still to come (RFC 9110 §15.2).
    if (response.status < 200) return
    this.#contentLength = response.contentLength
    this.tunnelAccepted = request.method === 'CONNECT' && response.status < 300
    this.receiving = 'content'
    this.#owner.emit({ type: 'response', streamId: this.id, headers, fin: false })
  }

  /** Where a frame has its length, this has the id of its session. */
  #sessionStreamStarts(sessionId: number): FrameTreatment {
    if (this.receiving !== 'headers' || this.#skipped) {
      const message = `stream ${this.id}: a stream of a WebTransport session must say so with its first bytes`
      throw new H3Error(H3ErrorCode.H3_FRAME_ERROR, message)
    }
    this.#owner.beginSessionStream(this.id, sessionId)
    this.joinSession(sessionId)
    return 'rest'
  }

  #dataStarts(length: number): FrameTreatment {
    if (this.receiving === 'headers') throw this.#unexpected(FrameType.DATA, 'HEADERS must come first')
    if (this.receiving === 'trailers')
      throw this.#unexpected(FrameType.DATA, 'the trailers were the end of the message')
    this.#contentReceived += length
    if (this.#contentLength !== undefined && this.#contentReceived > this.#contentLength)
      throw this.#contentLengthError()
    return 'pass'
  }

  #headersStart(length: number): FrameTreatment {
    if (this.receiving === 'trailers')
      throw this.#unexpected(FrameType.HEADERS, 'the trailers were the end of the message')
    if (this.receiving === 'content' && this.#onlyDataAllowed) {
      throw this.#unexpected(FrameType.HEADERS, 'after CONNECT only DATA frames are allowed')
    }
    // What is too large for sure is not even collected; the rest is measured while it is decoded.
    const { maxFieldSectionSize } = this.#owner
    if (length > maxEncodedLength(maxFieldSectionSize)) throw fieldSectionTooLarge(maxFieldSectionSize)
    return 'collect'
  }

  /** After CONNECT there are no trailers, only DATA (RFC 9114 §4.4). A refusal is an ordinary response. */
  get #onlyDataAllowed(): boolean {
    return this.request?.method === 'CONNECT' && (this.#owner.role === 'server' || this.tunnelAccepted)
  }

  #unexpected(type: number, why: string): H3Error {
    return new H3Error(H3ErrorCode.H3_FRAME_UNEXPECTED, `${frameName(type)} on stream ${this.id}: ${why}`)
  }

  #incomplete(): H3Error {
    return this.#owner.role === 'server'
      ? new H3Error(H3ErrorCode.H3_REQUEST_INCOMPLETE, `stream ${this.id} ends before its request`, 'stream')
      : new H3Error(H3ErrorCode.H3_MESSAGE_ERROR, `stream ${this.id} ends before its response`, 'stream')
  }

  #contentLengthError(): H3Error {
    return new H3Error(
      H3ErrorCode.H3_MESSAGE_ERROR,
      `malformed message: content-length is ${this.#contentLength}, DATA frames hold ${this.#contentReceived} bytes`,
      'stream',
    )
  }
}
