/**
 * An HTTP/3 connection without input and output: RFC 9114, with Extended CONNECT (RFC 9220) and HTTP Datagrams
 * (RFC 9297 §2).
 *
 * Bytes from QUIC go in through the `receive…` methods, which return what they mean as events. What is to be done on
 * QUIC (stream bytes, resets, the end) collects in the output: take it with `takeOutput` after every call.
 * Nothing in here waits, reads a clock or owns a socket, so a whole conversation can be played in memory.
 *
 *   QUIC stream bytes ──► receiveStream ──► events: request, response, data …
 *   QUIC datagrams ─────► parseDatagram ──► payload, datagramStreamId
 *   request, respond, sendData ──────────► takeOutput ──► QUIC
 */
import { decodeSmallVarint, encodeVarint, varintLength, varintLengthFromFirstByte } from '../bytes/varint.ts'
import { PeerFieldSectionLimit } from '../http/errors.ts'
import type { Header } from '../http/header.ts'
import { checkRequest } from '../http/request.ts'
import { checkResponse } from '../http/response.ts'
import { encodeQuarterStreamId, HeldDatagrams, isQuarterStreamIdTooLarge } from './datagram.ts'
import { H3ErrorCode } from './error-codes.ts'
import { H3Error } from './errors.ts'
import type { H3Event, H3Output } from './events.ts'
import { encodeFrame, encodeFrameHeader, encodeVarintFrame, FrameType } from './frames.ts'
import { greasePayload, reservedId } from './grease.ts'
import { encodeFieldSection, fieldSectionSize } from './qpack/encoder.ts'
import { RequestStream, type RequestStreamOwner } from './request-stream.ts'
import { encodeSettings, type H3Settings, INITIAL_SETTINGS } from './settings.ts'
import { isClientInitiated, isUnidirectional, SeenStreams, tooManyStreams } from './stream-ids.ts'
import { PeerUniStreams, StreamType } from './unidirectional-streams.ts'
import { encodeSessionStreamHeader, WEBTRANSPORT, WEBTRANSPORT_SETTING } from './webtransport.ts'

export type { H3Event, H3Output } from './events.ts'
export type { H3Settings } from './settings.ts'

/** Everything that a peer could make us remember is bounded by these. */
export interface H3Limits {
  /**
   * Server: request streams open at once; further ones are rejected. The same number as is given to QUIC
   * (initial_max_streams_bidi), which allows one more with each stream that has ended: so this also decides which streams
   * cannot exist yet when a datagram names them. RFC 9114 §6.1: at least 100.
   */
  maxRequestStreams: number
  /** Unidirectional streams of the peer open at once. Must not be less than initial_max_streams_uni. */
  maxUniStreams: number
  /** Datagrams held for streams that are not known yet: how many, and how many bytes together. */
  maxHeldDatagrams: number
  maxHeldDatagramBytes: number
}

export const DEFAULT_LIMITS: Readonly<H3Limits> = {
  maxRequestStreams: 100,
  maxUniStreams: 1024,
  maxHeldDatagrams: 16,
  maxHeldDatagramBytes: 32 * 1024,
}

/** Bytes; also announced as SETTINGS_MAX_FIELD_SECTION_SIZE. */
export const DEFAULT_MAX_FIELD_SECTION_SIZE = 16 * 1024

export interface H3ConnectionOptions {
  role: 'client' | 'server'
  /** What we announce. Default: datagrams; a server also Extended CONNECT. The dynamic table is always off. */
  settings?: Partial<H3Settings>
  /** Server: announce that WebTransport sessions are taken, and take their streams (webtransport.ts). Default: no. */
  webTransport?: boolean
  /** The peer's QUIC transport parameter max_datagram_frame_size, in bytes; 0 = it sent none. */
  peerMaxDatagramFrameSize: number
  /** The largest header section taken, in bytes. */
  maxFieldSectionSize?: number
  /** Client: how many more request streams the server's QUIC allows now. Default: nobody knows. */
  requestStreamsLeft?: () => number
  limits?: Partial<H3Limits>
  /**
   * Numbers from 0 up to 1, for a reserved setting, frame and stream, which every peer must ignore (RFC 9114 §7.2.4.1: an
   * endpoint SHOULD include such a setting). Math.random, for instance. Default: none are sent.
   */
  grease?: () => number
}

/** A datagram of a known stream. `payload` is a view of the input. */
export interface H3DatagramResult {
  streamId: number
  payload: Uint8Array
}

/** Counts since the connection began. */
export interface H3Counters {
  /** Datagrams that arrived before their stream. */
  datagramsHeld: number
  /** Datagrams dropped: their stream was closed already, or too many were held. */
  datagramsDropped: number
  /** Frames of unknown types. */
  framesSkipped: number
  /** Unidirectional streams of unknown types. */
  streamsRefused: number
  /** Requests refused because of GOAWAY or `maxRequestStreams`. */
  requestsRejected: number
}

const NO_BYTES = new Uint8Array(0)

/** A DATA frame up to this size is copied behind its header: one write on QUIC is cheaper than two. */
const COALESCE_LIMIT = 16 * 1024

export class H3Connection {
  readonly role: 'client' | 'server'
  /** What we announced. */
  readonly settings: H3Settings
  readonly limits: H3Limits
  readonly counters: H3Counters = {
    datagramsHeld: 0,
    datagramsDropped: 0,
    framesSkipped: 0,
    streamsRefused: 0,
    requestsRejected: 0,
  }
  /** The stream of the datagram that `parseDatagram` returned last. */
  datagramStreamId = -1

  readonly #peerMaxDatagramFrameSize: number
  readonly #requestStreamsLeft: () => number
  readonly #grease: (() => number) | undefined
  #output: H3Output[] = []
  #events: H3Event[] = []
  #closed = false

  /** Requests that are not over in both directions. */
  readonly #requests = new Map<number, RequestStream>()
  readonly #streamOwner: RequestStreamOwner
  readonly #seenRequests: SeenStreams
  #nextRequestId = 0
  readonly #held: HeldDatagrams

  /** The unidirectional streams that the peer opened. */
  readonly #peerStreams: PeerUniStreams
  /** Those whose types the two ends have agreed on. */
  readonly #extensionStreamTypes = new Set<number>()
  #nextUniId: number
  #controlStreamId = -1
  #peerSettings: H3Settings | undefined

  /** Ids in GOAWAY frames sent and received. */
  #goawaySent: number | undefined
  #goawayReceived: number | undefined

  constructor(options: H3ConnectionOptions) {
    this.role = options.role
    const server = options.role === 'server'
    this.limits = { ...DEFAULT_LIMITS, ...options.limits }
    this.settings = {
      ...INITIAL_SETTINGS,
      enableConnectProtocol: server,
      h3Datagram: true,
      maxFieldSectionSize: options.maxFieldSectionSize ?? DEFAULT_MAX_FIELD_SECTION_SIZE,
      ...(options.webTransport && { extensions: new Map([[WEBTRANSPORT_SETTING, 1n]]) }),
      ...options.settings,
    }
    if (!Number.isFinite(this.settings.maxFieldSectionSize)) {
      throw new RangeError(
        'maxFieldSectionSize must be a number of bytes: without a limit a peer could fill the memory',
      )
    }
    if (this.settings.qpackMaxTableCapacity !== 0 || this.settings.qpackBlockedStreams !== 0) {
      throw new RangeError('this QPACK decoder has no dynamic table: qpackMaxTableCapacity must be 0')
    }
    this.#peerMaxDatagramFrameSize = options.peerMaxDatagramFrameSize
    this.#requestStreamsLeft = options.requestStreamsLeft ?? (() => Number.POSITIVE_INFINITY)
    this.#grease = options.grease
    this.#held = new HeldDatagrams(this.limits.maxHeldDatagrams, this.limits.maxHeldDatagramBytes)
    this.#seenRequests = new SeenStreams(0, this.limits.maxRequestStreams)
    this.#peerStreams = new PeerUniStreams({
      role: this.role,
      maxStreams: this.limits.maxUniStreams,
      extensionTypes: this.#extensionStreamTypes,
      control: {
        role: this.role,
        receiveSettings: this.#receiveSettings.bind(this),
        receiveGoaway: id => this.#receiveGoaway(Number(id)),
        countSkippedFrame: () => this.counters.framesSkipped++,
      },
      emit: event => this.#events.push(event),
      refuse: this.#refuseUni.bind(this),
    })
    this.#nextUniId = server ? 3 : 2
    this.#streamOwner = {
      role: this.role,
      maxFieldSectionSize: this.settings.maxFieldSectionSize,
      extendedConnect: server && this.settings.enableConnectProtocol,
      webTransport: server && options.webTransport === true,
      emit: this.#emitForRequest.bind(this),
      beginSessionStream: this.#beginSessionStream.bind(this),
      countSkippedFrame: () => this.counters.framesSkipped++,
    }
  }

  // -- state ---------------------------------------------------------------------------------------------------

  /** The peer's SETTINGS, or undefined while they have not arrived. */
  get peerSettings(): H3Settings | undefined {
    return this.#peerSettings
  }

  /** Both ends announced H3_DATAGRAM = 1: QUIC datagrams may be sent (RFC 9297 §2.1.1). */
  get datagramsEnabled(): boolean {
    return this.settings.h3Datagram && this.#peerSettings?.h3Datagram === true
  }

  /** No new requests: a GOAWAY was sent or received, or the connection is closed. */
  get draining(): boolean {
    return this.#closed || this.#goawaySent !== undefined || this.#goawayReceived !== undefined
  }

  /** After a connection error or `closeConnection`. */
  get closed(): boolean {
    return this.#closed
  }

  /** Requests that are not over yet. */
  get openRequests(): number {
    return this.#requests.size
  }

  /** Unidirectional streams of the peer that are open and not ignored. */
  get openUniStreams(): number {
    return this.#peerStreams.open
  }

  // -- out -----------------------------------------------------------------------------------------------------

  /** What is to be done on QUIC, in order; afterwards the output is empty. */
  takeOutput(): H3Output[] {
    const output = this.#output
    this.#output = []
    return output
  }

  /** Events that no `receive…` call has returned yet: those caused by `parseDatagram`. */
  takeEvents(): H3Event[] {
    const events = this.#events
    this.#events = []
    return events
  }

  /** Opens the control stream and sends SETTINGS (RFC 9114 §6.2.1). Call it once, when QUIC is ready to send. */
  start(): void {
    if (this.#controlStreamId >= 0) return
    this.#controlStreamId = this.openExtensionStream(StreamType.CONTROL)
    const random = this.#grease
    const setting = random && { id: reservedId(random()), value: reservedId(random()) }
    this.#send(this.#controlStreamId, encodeFrame(FrameType.SETTINGS, encodeSettings(this.settings, setting)), false)
    if (random === undefined) return
    this.#send(this.#controlStreamId, encodeFrame(reservedId(random()), greasePayload(random())), false)
    this.#send(this.openExtensionStream(reservedId(random())), greasePayload(random()), true)
  }

  /**
   * Client: sends a request; returns its stream id. `fin`: nothing follows.
   *
   * Throws PeerFieldSectionLimit when the headers are too large for the peer, and Error when the connection is shutting
   * down, when the headers are malformed, and, for an Extended CONNECT, while the server's SETTINGS have not come or do
   * not allow it (RFC 9220 §3). Nothing was sent then.
   */
  request(headers: Header[], fin = false): number {
    if (this.role !== 'client') throw new Error('only a client sends requests')
    if (this.draining) throw new Error('the connection is shutting down: open a new one for this request')
    if (this.#controlStreamId < 0) throw new Error('call start() before the first request')
    if (headers.some(([name]) => name === ':protocol')) this.#requireExtendedConnect()
    const head = checkRequest(headers, true)
    const frame = this.#encodeHeaders(headers)

    const stream = new RequestStream(this.#streamOwner, this.#nextRequestId)
    this.#nextRequestId += 4
    stream.request = head
    stream.sending = fin ? 'closed' : 'content'
    this.#requests.set(stream.id, stream)
    this.#send(stream.id, frame, fin)
    return stream.id
  }

  /** Client: opens a stream of the WebTransport session whose request is on the stream `sessionId`; returns its id. */
  openSessionStream(sessionId: number): number {
    const stream = new RequestStream(this.#streamOwner, this.#nextRequestId)
    this.#nextRequestId += 4
    stream.joinSession(sessionId)
    this.#requests.set(stream.id, stream)
    this.#send(stream.id, encodeSessionStreamHeader(sessionId), false)
    return stream.id
  }

  /**
   * Server: answers a request, with any number of interim responses (1xx) before the final one.
   *
   * Returns false, and does nothing, when the stream is gone: the client may cancel at any moment. Throws
   * PeerFieldSectionLimit when the headers are too large for the peer, and Error when they are malformed or the final
   * response was sent already (see `awaitsResponse`). Nothing was sent then.
   */
  respond(streamId: number, headers: Header[], fin = false): boolean {
    const stream = this.#requests.get(streamId)
    if (stream === undefined || stream.sending === 'closed') return false
    if (stream.request === undefined) throw new Error(`stream ${streamId} has no request to respond to`)
    if (stream.sending !== 'headers') throw new Error(`stream ${streamId} has its final response already`)
    const { status } = checkResponse(headers, stream.request)
    if (status < 200 && fin) throw new Error(`status ${status} is interim: a final response must follow`)
    const frame = this.#encodeHeaders(headers)
    if (status >= 200) {
      stream.sending = 'content'
      stream.tunnelAccepted = stream.request.method === 'CONNECT' && status < 300
    }
    this.#send(streamId, frame, fin)
    if (fin) this.#sendingEnded(stream)
    return true
  }

  /** Server: is there a request on this stream whose final response is still to be sent? */
  awaitsResponse(streamId: number): boolean {
    const stream = this.#requests.get(streamId)
    return stream?.request !== undefined && stream.sending === 'headers'
  }

  /**
   * Sends content, or a tunnel's capsule bytes, in one DATA frame; on a stream of a WebTransport session as it is. `fin` ends
   * our side of the stream.
   *
   * `data` is copied when it is short and referenced when it is long: do not change it before the output was taken.
   * Returns false, and does nothing, when the stream is gone. Throws Error when HEADERS were not sent yet.
   */
  sendData(streamId: number, data: Uint8Array, fin = false): boolean {
    const stream = this.#requests.get(streamId)
    if (stream === undefined || stream.sending === 'closed') return false
    if (stream.sending === 'headers') throw new Error(`stream ${streamId}: send the headers before the content`)
    if (data.length === 0) {
      if (fin) this.#send(streamId, NO_BYTES, true)
    } else if (stream.sessionId !== undefined) {
      this.#send(streamId, data, fin)
    } else if (data.length <= COALESCE_LIMIT) {
      this.#send(streamId, encodeFrame(FrameType.DATA, data), fin)
    } else {
      this.#send(streamId, encodeFrameHeader(FrameType.DATA, data.length), false)
      this.#send(streamId, data, fin)
    }
    if (fin) this.#sendingEnded(stream)
    return true
  }

  /** Ends a stream at once in both directions, and forgets it. */
  resetStream(streamId: number, code: number): void {
    if (this.#closed) return
    if (isUnidirectional(streamId)) {
      if (this.#isOurs(streamId)) this.#output.push({ type: 'reset', streamId, code })
      else if (this.#peerStreams.abandon(streamId)) this.#output.push({ type: 'stop-sending', streamId, code })
      return
    }
    const stream = this.#requests.get(streamId)
    if (stream === undefined) return
    if (stream.sending !== 'closed') this.#output.push({ type: 'reset', streamId, code })
    if (stream.receiving !== 'closed') this.#output.push({ type: 'stop-sending', streamId, code })
    this.#requests.delete(streamId)
  }

  /**
   * Begins a graceful shutdown (RFC 9114 §5.2). A server still finishes the requests it has and rejects later ones with
   * H3_REQUEST_REJECTED; a client sends no more requests. Call `closeConnection` when the last one is over.
   */
  goaway(): void {
    if (this.#closed || this.#goawaySent !== undefined) return
    if (this.#controlStreamId < 0) throw new Error('call start() before goaway()')
    // A client names a push id; it has allowed none.
    this.#goawaySent = this.role === 'server' ? this.#seenRequests.next : 0
    this.#send(this.#controlStreamId, encodeVarintFrame(FrameType.GOAWAY, this.#goawaySent), false)
  }

  /** Closes the connection with an error code of error-codes.ts, H3_NO_ERROR when all is well. */
  closeConnection(code: number, reason: string): void {
    if (this.#closed) return
    this.#output.push({ type: 'close', code, reason })
    this.#forgetEverything()
  }

  /** The quarter stream id of a request, to be put before the payload of each of its datagrams (RFC 9297 §2.1). */
  encodeDatagramPrefix(streamId: number): Uint8Array {
    return encodeQuarterStreamId(streamId)
  }

  /**
   * From now on the peer's unidirectional streams of this type are reported as `extension-stream`. Without that they are
   * refused like those of any other unknown type (RFC 9114 §6.2, §9): both ends have to agree first, by other means.
   */
  acceptStreamType(type: number): void {
    this.#extensionStreamTypes.add(type)
  }

  /** Opens a unidirectional stream of a private type and sends the type; returns the stream id. */
  openExtensionStream(type: number): number {
    const streamId = this.#nextUniId
    this.#nextUniId += 4
    const bytes = new Uint8Array(varintLength(type))
    encodeVarint(type, bytes, 0)
    this.#send(streamId, bytes, false)
    return streamId
  }

  /** A frame that the peer ignores, on the control stream (RFC 9114 §7.2.8), with a payload of so many bytes; undefined: too early. */
  ignoredFrame(length: number): { streamId: number; data: Uint8Array } | undefined {
    if (this.#controlStreamId < 0 || this.#closed) return undefined
    return { streamId: this.#controlStreamId, data: encodeFrame(reservedId(0), new Uint8Array(length)) }
  }

  /** Sends bytes on an extension stream. They are referenced, not copied. */
  sendRaw(streamId: number, data: Uint8Array, fin: boolean): void {
    this.#send(streamId, data, fin)
  }

  // -- in ------------------------------------------------------------------------------------------------------

  /**
   * Bytes that arrived on a stream, in order; `fin`: the peer ended its side with them.
   *
   * Never throws: a peer's mistake becomes a `stream-error` or `connection-error` event, and a reset or close in the
   * output. Nothing of `data` is kept except copies.
   */
  receiveStream(streamId: number, data: Uint8Array, fin: boolean): H3Event[] {
    if (this.#closed) return this.takeEvents()
    try {
      if (isUnidirectional(streamId)) this.#peerStreams.receive(streamId, data, fin)
      else this.#receiveRequestStream(streamId, data, fin)
    } catch (error) {
      this.#fail(streamId, error)
    }
    return this.takeEvents()
  }

  /** The peer reset its side of a stream. Never throws. */
  receiveReset(streamId: number, code: number): H3Event[] {
    if (this.#closed) return this.takeEvents()
    try {
      if (isUnidirectional(streamId)) this.#peerStreams.reset(streamId, code)
      else this.#resetRequest(streamId, code)
    } catch (error) {
      this.#fail(streamId, error)
    }
    return this.takeEvents()
  }

  /** The peer asks us to stop sending on a stream. Never throws. */
  receiveStopSending(streamId: number, code: number): H3Event[] {
    if (this.#closed) return this.takeEvents()
    try {
      if (isUnidirectional(streamId)) this.#stopUni(streamId, code)
      else this.#stopRequest(streamId, code)
    } catch (error) {
      this.#fail(streamId, error)
    }
    return this.takeEvents()
  }

  /** As `parseDatagram`, with stream and payload in one object. */
  receiveDatagram(data: Uint8Array): H3DatagramResult | undefined {
    const payload = this.parseDatagram(data)
    return payload === undefined ? undefined : { streamId: this.datagramStreamId, payload }
  }

  /**
   * The packet path: a QUIC datagram comes in, its payload goes out, as a view, with its stream in `datagramStreamId`.
   *
   * Returns undefined when there is nothing to deliver: it is held until its stream is known (a `datagram` event brings
   * it), or dropped, or it broke a rule: then `takeEvents` and `takeOutput` have the consequences.
   */
  parseDatagram(data: Uint8Array): Uint8Array | undefined {
    const quarterStreamId = decodeSmallVarint(data)
    const stream = this.#requests.get(quarterStreamId * 4)
    if (stream === undefined || !this.#deliversDatagrams(stream)) {
      if (!this.#closed) this.#unusualDatagram(quarterStreamId, data, stream)
      return undefined
    }
    this.datagramStreamId = stream.id
    return data.subarray(varintLengthFromFirstByte(data[0]))
  }

  // -- datagrams -----------------------------------------------------------------------------------------------

  #deliversDatagrams(stream: RequestStream): boolean {
    return stream.takesDatagrams && stream.receiving !== 'closed'
  }

  /** RFC 9297 §2.1: everything but a datagram of an open tunnel. */
  #unusualDatagram(quarterStreamId: number, data: Uint8Array, stream: RequestStream | undefined): void {
    const streamId = quarterStreamId * 4
    if (quarterStreamId < 0 || isQuarterStreamIdTooLarge(data)) {
      const what =
        quarterStreamId < 0 ? `a datagram of ${data.length} bytes is too short for` : 'a datagram has too large'
      this.#connectionError(H3ErrorCode.H3_DATAGRAM_ERROR, `${what} a quarter stream id`)
      return
    }
    if (stream !== undefined && stream.receiving !== 'closed' && stream.request !== undefined) {
      // A GET, say: datagrams mean nothing there, so the request must end (RFC 9297 §2).
      this.#streamError(streamId, H3ErrorCode.H3_DATAGRAM_ERROR, 'a datagram for a request that does not use datagrams')
      return
    }
    if (stream === undefined && this.#isBeyondStreamLimit(streamId)) {
      const which = Number.isSafeInteger(streamId) ? `stream ${streamId}` : 'a stream'
      this.#connectionError(H3ErrorCode.H3_ID_ERROR, `a datagram for ${which}, beyond the limit of streams`)
      return
    }
    // Known, but the request's header section is not complete yet: as good as not known.
    const awaited = stream !== undefined ? stream.receiving === 'headers' : this.#mayStillOpen(streamId)
    if (awaited) {
      const droppedBefore = this.#held.dropped
      this.#held.hold(streamId, data.subarray(varintLengthFromFirstByte(data[0])))
      this.counters.datagramsHeld++
      this.counters.datagramsDropped += this.#held.dropped - droppedBefore
    } else {
      this.counters.datagramsDropped++
    }
  }

  /**
   * RFC 9297 §2.1: a stream "that cannot be created due to client-initiated bidirectional stream limits". QUIC knows the limit
   * (MAX_STREAMS, RFC 9000 §4.6): it begins with the number of streams that may be open, and grows by one with each that has
   * ended. QUIC may take its time to say so, and a stream may end here before it ends there; so this is the highest that
   * the limit can be.
   */
  #isBeyondStreamLimit(streamId: number): boolean {
    if (this.role === 'client') return streamId >= this.#nextRequestId + 4 * this.#requestStreamsLeft()
    const ended = this.#seenRequests.count - this.#requests.size
    return streamId >= 4 * (this.limits.maxRequestStreams + ended)
  }

  /** Of a request stream that is not open: will datagrams for it have a meaning? */
  #mayStillOpen(streamId: number): boolean {
    // A client knows which requests it has made: what comes for another is for nobody, and dropped (RFC 9297 §2.1).
    if (this.role === 'client') return false
    if (!this.#seenRequests.isNew(streamId)) return false
    return this.#goawaySent === undefined || streamId < this.#goawaySent
  }

  // -- request streams -----------------------------------------------------------------------------------------

  #receiveRequestStream(streamId: number, data: Uint8Array, fin: boolean): void {
    const stream = this.#requests.get(streamId) ?? this.#acceptRequestStream(streamId)
    // Nothing of a finished, cancelled or rejected request is of interest any more.
    if (stream === undefined || stream.receiving === 'closed') return
    stream.receive(data)
    if (!fin) return
    stream.receiveEnd()
    this.#markFinished(streamId)
    this.#forgetIfOver(stream)
  }

  /** The stream object of a new request, or undefined when the stream is to be ignored. */
  #acceptRequestStream(streamId: number): RequestStream | undefined {
    if (!this.#isNewRequestStream(streamId)) return undefined
    const shuttingDown = this.#goawaySent !== undefined && streamId >= this.#goawaySent
    if (shuttingDown || this.#requests.size >= this.limits.maxRequestStreams) {
      this.#rejectRequestStream(streamId)
      return undefined
    }
    const stream = new RequestStream(this.#streamOwner, streamId)
    this.#requests.set(streamId, stream)
    return stream
  }

  /** Notes a bidirectional stream that is not in `#requests`. Throws H3Error when it may not exist. */
  #isNewRequestStream(streamId: number): boolean {
    if (!isClientInitiated(streamId)) {
      throw new H3Error(
        H3ErrorCode.H3_STREAM_CREATION_ERROR,
        `stream ${streamId}: HTTP/3 servers open no bidirectional streams`,
      )
    }
    if (this.role === 'client') {
      if (streamId < this.#nextRequestId) return false
      throw new H3Error(
        H3ErrorCode.H3_STREAM_CREATION_ERROR,
        `the server uses stream ${streamId}, which was not opened`,
      )
    }
    if (!this.#seenRequests.isNew(streamId)) return false
    if (!this.#seenRequests.see(streamId)) throw tooManyStreams(streamId)
    return true
  }

  #rejectRequestStream(streamId: number): void {
    const code = H3ErrorCode.H3_REQUEST_REJECTED
    this.#output.push({ type: 'reset', streamId, code }, { type: 'stop-sending', streamId, code })
    this.#held.release(streamId)
    this.counters.requestsRejected++
  }

  #resetRequest(streamId: number, code: number): void {
    const stream = this.#requests.get(streamId)
    if (stream === undefined) {
      if (this.#isNewRequestStream(streamId)) this.#rejectRequestStream(streamId)
      return
    }
    if (stream.receiving === 'closed') return
    stream.receiving = 'closed'
    if (this.#isUnknownToOwner(stream)) {
      this.resetStream(streamId, H3ErrorCode.H3_REQUEST_REJECTED)
      this.#held.release(streamId)
      return
    }
    this.#events.push({ type: 'reset', streamId, code })
    this.#forgetIfOver(stream)
  }

  #stopRequest(streamId: number, code: number): void {
    const stream = this.#requests.get(streamId)
    if (stream === undefined) {
      if (this.#isNewRequestStream(streamId)) this.#rejectRequestStream(streamId)
      return
    }
    if (stream.sending === 'closed') return
    if (this.#isUnknownToOwner(stream)) {
      this.resetStream(streamId, H3ErrorCode.H3_REQUEST_REJECTED)
      this.#held.release(streamId)
      return
    }
    // RFC 9000 §3.5: STOP_SENDING is answered with RESET_STREAM and the same code.
    this.#output.push({ type: 'reset', streamId, code })
    stream.sending = 'closed'
    this.#forgetIfOver(stream)
    // A server that has answered needs no more of the request; the answer must still be read (RFC 9114 §4.1).
    const answered = this.role === 'client' && code === H3ErrorCode.H3_NO_ERROR && !stream.tunnelAccepted
    if (!answered) this.#events.push({ type: 'stop-sending', streamId, code })
  }

  /** Server: the request was not complete enough for a `request` event, nor is it a stream of a session. */
  #isUnknownToOwner(stream: RequestStream): boolean {
    return stream.request === undefined && stream.sessionId === undefined
  }

  #sendingEnded(stream: RequestStream): void {
    stream.sending = 'closed'
    // The response is complete; whatever is left of the request would not change it (RFC 9114 §4.1). A tunnel
    // differs: its two directions end separately.
    const isTwoWay = stream.tunnelAccepted || stream.sessionId !== undefined
    if (this.role === 'server' && !isTwoWay && stream.receiving !== 'closed') {
      this.#output.push({ type: 'stop-sending', streamId: stream.id, code: H3ErrorCode.H3_NO_ERROR })
      stream.receiving = 'closed'
    }
    this.#forgetIfOver(stream)
  }

  #forgetIfOver(stream: RequestStream): void {
    if (stream.sending === 'closed' && stream.receiving === 'closed') this.#requests.delete(stream.id)
  }

  /** Puts `fin` on the stream's last event of this call, or reports it on its own. */
  #markFinished(streamId: number): void {
    const last = this.#events.at(-1)
    if (last !== undefined && (last.type === 'request' || last.type === 'response' || last.type === 'data')) {
      if (last.streamId === streamId) {
        last.fin = true
        return
      }
    }
    this.#events.push({ type: 'finished', streamId })
  }

  #emitForRequest(event: H3Event): void {
    this.#events.push(event)
    if (event.type !== 'request') return
    // Datagrams that overtook the request follow it now (RFC 9297 §2.1).
    const stream = this.#requests.get(event.streamId)!
    const held = this.#held.release(stream.id)
    if (!stream.takesDatagrams) this.counters.datagramsDropped += held.length
    else for (const payload of held) this.#events.push({ type: 'datagram', streamId: stream.id, payload })
  }

  /** draft-ietf-webtrans-http3 §4.5: streams may come before the request of their session, but not after its end. */
  #beginSessionStream(streamId: number, sessionId: number): void {
    if (isUnidirectional(sessionId) || !isClientInitiated(sessionId) || this.#isBeyondStreamLimit(sessionId)) {
      const message = `stream ${streamId} names the WebTransport session ${sessionId}, which is no request that can be made`
      throw new H3Error(H3ErrorCode.H3_ID_ERROR, message)
    }
    const session = this.#requests.get(sessionId)
    const isSession = session?.request?.protocol === WEBTRANSPORT && session.receiving !== 'closed'
    const isAwaited = session === undefined ? this.#mayStillOpen(sessionId) : session.receiving === 'headers'
    if (!isSession && (!isAwaited || sessionId === streamId)) {
      const message = `stream ${streamId} is for the WebTransport session ${sessionId}, which is over or never was one`
      throw new H3Error(H3ErrorCode.WEBTRANSPORT_SESSION_GONE, message, 'stream')
    }
    this.#events.push({ type: 'session-stream', streamId, sessionId })
  }

  // -- unidirectional streams ----------------------------------------------------------------------------------

  /** A stream of an unknown type: never an error of the connection (RFC 9114 §6.2). */
  #refuseUni(streamId: number, fin: boolean): void {
    this.counters.streamsRefused++
    if (!fin) this.#output.push({ type: 'stop-sending', streamId, code: H3ErrorCode.H3_STREAM_CREATION_ERROR })
  }

  #stopUni(streamId: number, code: number): void {
    if (!this.#isOurs(streamId)) return
    if (streamId === this.#controlStreamId) {
      throw new H3Error(H3ErrorCode.H3_CLOSED_CRITICAL_STREAM, 'the peer refuses our control stream')
    }
    this.#output.push({ type: 'reset', streamId, code })
    this.#events.push({ type: 'stop-sending', streamId, code })
  }

  #isOurs(uniStreamId: number): boolean {
    return isClientInitiated(uniStreamId) === (this.role === 'client')
  }

  // -- the peer's control stream -------------------------------------------------------------------------------

  #receiveSettings(settings: H3Settings): void {
    if (settings.h3Datagram && this.#peerMaxDatagramFrameSize === 0) {
      const reason =
        'SETTINGS_H3_DATAGRAM is 1, but the peer did not send the transport parameter max_datagram_frame_size'
      throw new H3Error(H3ErrorCode.H3_SETTINGS_ERROR, reason)
    }
    this.#peerSettings = settings
    this.#events.push({ type: 'settings', settings })
  }

  #receiveGoaway(id: number): void {
    this.#goawayReceived = id
    this.#events.push({ type: 'goaway', id })
    if (this.role === 'server') return
    // The server will not look at these: they can be sent again on another connection (RFC 9114 §5.2).
    for (const stream of [...this.#requests.values()]) {
      if (stream.id < id) continue
      this.resetStream(stream.id, H3ErrorCode.H3_REQUEST_CANCELLED)
      this.#events.push({ type: 'reset', streamId: stream.id, code: H3ErrorCode.H3_REQUEST_REJECTED })
    }
  }

  // -- helpers -------------------------------------------------------------------------------------------------

  #requireExtendedConnect(): void {
    if (this.#peerSettings === undefined) {
      throw new Error("Extended CONNECT must wait for the server's SETTINGS (the 'settings' event)")
    }
    if (!this.#peerSettings.enableConnectProtocol) {
      throw new Error('the server does not support Extended CONNECT: SETTINGS_ENABLE_CONNECT_PROTOCOL is not 1')
    }
  }

  #encodeHeaders(headers: Header[]): Uint8Array {
    const size = fieldSectionSize(headers)
    const limit = this.#peerSettings?.maxFieldSectionSize ?? Number.POSITIVE_INFINITY
    if (size > limit) throw new PeerFieldSectionLimit(size, limit)
    return encodeFrame(FrameType.HEADERS, encodeFieldSection(headers))
  }

  #send(streamId: number, data: Uint8Array, fin: boolean): void {
    if (!this.#closed) this.#output.push({ type: 'stream', streamId, data, fin })
  }

  /** Turns what a decoder threw into its consequences. */
  #fail(streamId: number, error: unknown): void {
    if (!(error instanceof H3Error)) {
      // Not the peer's mistake but ours. The connection ends; the process and the other connections go on.
      this.#connectionError(H3ErrorCode.H3_INTERNAL_ERROR, error instanceof Error ? error.message : String(error))
    } else if (error.scope === 'stream') this.#streamError(streamId, error.code, error.message)
    else this.#connectionError(error.code, error.message)
  }

  #streamError(streamId: number, code: number, reason: string): void {
    this.resetStream(streamId, code)
    this.#held.release(streamId)
    this.#events.push({ type: 'stream-error', streamId, code, reason })
  }

  #connectionError(code: number, reason: string): void {
    this.#events.push({ type: 'connection-error', code, reason })
    this.closeConnection(code, reason)
  }

  #forgetEverything(): void {
    this.#closed = true
    this.#requests.clear()
    this.#peerStreams.clear()
    this.#held.clear()
  }
}
