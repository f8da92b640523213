/**
 * HTTP/3 on QUIC: joins the sans-IO `H3Connection` to a `QuicConnection`, and carries tunnels on it. What differs between the
 * two ends is in server-connection.ts and client-connection.ts.
 *
 * A packet's way in: QUIC DATAGRAM → `onDatagram` → the carrier of that stream → its handler. Its way out: carrier.ts.
 */

import { PeerFieldSectionLimit } from '../../http/errors.ts'
import { H3Connection, type H3Event } from '../../http3/connection.ts'
import { errorName, H3ErrorCode } from '../../http3/error-codes.ts'
import { runAll } from '../../net/run-all.ts'
import {
  type DatagramResult,
  DEFAULT_QUIC_SETTINGS,
  type QuicCloseReason,
  type QuicConnection,
  type QuicHandler,
  type SocketAddress,
} from '../../quic/quic.ts'
import type { CarrierEnd, CarrierHandler, Encapsulation } from '../carrier.ts'
import { connectionEnded, resetByPeer, resetByUs, stoppedByPeer } from '../end-reason.ts'
import type { Capabilities, HttpHandler } from '../http-connection.ts'
import { H3Carrier } from './carrier.ts'
import { closeReason } from './close-reason.ts'
import { ABORT_CODES } from './codes.ts'
import { PACKET_STREAM_TYPE, PacketStreams } from './packet-streams.ts'
import type { H3Tap } from './tap.ts'

/** A reserved stream type, which every peer ignores (RFC 9114 §6.2.3). */
const IGNORED_STREAM_TYPE = 0x21

/**
 * While so many datagrams wait in QUIC it is busy; more of them would only wait there, in the order in which they came. With fewer, the connection would
 * have to ask for more in the middle of what an acknowledgement lets it send.
 */
const FEW_DATAGRAMS = 4

/** An event of a stream that carries no tunnel. */
export type StreamEvent = Extract<H3Event, { streamId: number }>

export abstract class H3Transport<Handler extends HttpHandler> implements QuicHandler {
  readonly version = 'h3'
  readonly quic: QuicConnection
  h3!: H3Connection
  handler!: Handler
  capabilities: Capabilities | undefined
  #packetStreams: PacketStreams | undefined
  readonly #carriers = new Map<number, H3Carrier>()
  /** Carriers whose tunnels keep packets back, in the order of their turns. */
  readonly #awaitingRoom = new Set<H3Carrier>()
  /** WebTransport sessions are taken. */
  protected readonly webTransport: boolean = false

  /** Of qlog. */
  readonly tap: H3Tap | undefined

  constructor(quic: QuicConnection, tap?: H3Tap) {
    this.quic = quic
    this.tap = tap
    quic.handler = this
  }

  /** Made when the first packet has a stream of its own. */
  get packetStreams(): PacketStreams {
    this.#packetStreams ??= new PacketStreams(this)
    return this.#packetStreams
  }

  /** What happens on streams without a carrier, and the answer of one that has it. */
  protected abstract onStreamEvent(event: StreamEvent): void
  protected abstract onGoAway(): void
  /** Something of ours threw for this stream, which is reset. */
  protected abstract onStreamGone(streamId: number): void

  openCarrier(
    streamId: number,
    encapsulations: readonly [Encapsulation, ...Encapsulation[]],
    handler: CarrierHandler,
  ): H3Carrier {
    const carrier = new H3Carrier(this, streamId, encapsulations, handler)
    this.keep(carrier)
    if (carrier.takesPacketStreams) this.h3.acceptStreamType(PACKET_STREAM_TYPE)
    return carrier
  }

  protected keep(carrier: H3Carrier): void {
    this.#carriers.set(carrier.streamId, carrier)
  }

  carrierOf(streamId: number): H3Carrier | undefined {
    return this.#carriers.get(streamId)
  }

  forget(carrier: H3Carrier): void {
    this.#carriers.delete(carrier.streamId)
    this.#awaitingRoom.delete(carrier)
  }

  get wantsDatagrams(): boolean {
    return this.quic.datagramsWaiting < FEW_DATAGRAMS
  }

  awaitRoom(carrier: H3Carrier): void {
    if (this.#carriers.has(carrier.streamId)) this.#awaitingRoom.add(carrier)
  }

  /** Hands to QUIC what HTTP/3 wants to be sent. Call it after every call to `h3` that may produce output. */
  flush(): void {
    for (const output of this.h3.takeOutput()) {
      switch (output.type) {
        case 'stream':
          this.tap?.streamSent(output.streamId, output.data, output.fin)
          this.quic.streamSend(output.streamId, output.data, output.fin)
          break
        case 'reset':
          this.tap?.streamAborted(output.streamId)
          this.quic.streamReset(output.streamId, output.code)
          break
        case 'stop-sending':
          this.quic.streamStopSending(output.streamId, output.code)
          break
        case 'close':
          this.quic.close(output.code, output.reason)
          break
      }
    }
  }

  // -- HttpConnection ------------------------------------------------------------------------------------------

  get id(): string {
    return this.quic.id
  }

  get remote(): SocketAddress {
    return this.quic.remote
  }

  get closed(): boolean {
    return this.quic.closed
  }

  get resumed(): boolean {
    return this.quic.resumed
  }

  get handshakeMs(): number | undefined {
    return this.quic.handshakeMs
  }

  goAway(): void {
    if (this.h3 === undefined) return
    this.h3.goaway()
    this.flush()
  }

  close(why: string, failed?: 'internal'): void {
    this.quic.close(failed === undefined ? H3ErrorCode.H3_NO_ERROR : H3ErrorCode.H3_INTERNAL_ERROR, why)
  }

  // -- QuicHandler ---------------------------------------------------------------------------------------------

  /** SETTINGS leave with a server's half of the handshake, so that a client's first request can leave with its own (RFC 9114 §7.2.4.2). */
  onMaySend(): void {
    this.#start()
    this.flush()
  }

  onEstablished(): void {
    this.tap?.established()
    if (this.h3 === undefined) this.#start()
    this.handler.onReady()
    this.flush()
  }

  #start(): void {
    this.h3 = new H3Connection({
      role: this.quic.role,
      webTransport: this.webTransport,
      peerMaxDatagramFrameSize: this.quic.peerMaxDatagramFrameSize,
      requestStreamsLeft: () => this.quic.bidiStreamsLeft,
      grease: Math.random,
      limits: { maxRequestStreams: DEFAULT_QUIC_SETTINGS.maxStreamsBidi },
    })
    this.h3.start()
  }

  onStreamData(streamId: number, data: Uint8Array, fin: boolean): void {
    this.tap?.streamReceived(streamId, data, fin)
    this.#dispatch(this.h3.receiveStream(streamId, data, fin))
  }

  onStreamReset(streamId: number, code: number): void {
    this.tap?.streamAborted(streamId)
    this.#packetStreams?.reset(streamId)
    this.#dispatch(this.h3.receiveReset(streamId, code))
  }

  onStopSending(streamId: number, code: number): void {
    this.#packetStreams?.sent(streamId)
    this.#dispatch(this.h3.receiveStopSending(streamId, code))
  }

  onStreamDrained(streamId: number): void {
    this.#packetStreams?.sent(streamId)
  }

  onDatagram(data: Uint8Array): void {
    this.tap?.datagramReceived(data)
    const payload = this.h3.parseDatagram(data)
    if (payload === undefined) {
      // Held for a stream that is still to come, dropped, or an error, which is now among the events.
      return this.#dispatch(this.h3.takeEvents())
    }
    const carrier = this.#carriers.get(this.h3.datagramStreamId)
    if (carrier !== undefined) this.deliver(carrier, payload)
  }

  sendDatagram(datagram: Uint8Array): DatagramResult {
    const result = this.quic.sendDatagram(datagram)
    if (this.tap !== undefined && result === 'sent') this.tap.datagramSent(datagram)
    return result
  }

  deliver(carrier: H3Carrier, payload: Uint8Array): void {
    try {
      carrier.handler.onDatagram(payload)
    } catch (error) {
      this.failStream(carrier.streamId, error)
    }
  }

  onDatagramsSent(): void {
    for (const carrier of this.#awaitingRoom) {
      if (!this.wantsDatagrams) return
      // Whoever still has packets then comes back behind the others.
      this.#awaitingRoom.delete(carrier)
      try {
        carrier.handler.onRoom?.()
      } catch (error) {
        this.failStream(carrier.streamId, error)
      }
    }
  }

  onMaxDatagramLength(): void {
    for (const carrier of this.#carriers.values()) carrier.handler.onMtu()
  }

  openProbeStream(): number | undefined {
    if (this.h3 === undefined || this.h3.closed) return undefined
    const streamId = this.h3.openExtensionStream(IGNORED_STREAM_TYPE)
    this.flush()
    return streamId
  }

  ignoredBytes(length: number): { streamId: number; data: Uint8Array } | undefined {
    return this.h3?.ignoredFrame(length)
  }

  onPathChanged(remote: SocketAddress): void {
    this.tap?.pathChanged()
    this.handler.onMoved?.(remote)
  }

  onClosed(quicReason: QuicCloseReason): void {
    this.tap?.closed(quicReason)
    const reason = closeReason(quicReason)
    const end = connectionEnded(reason)
    const carriers = [...this.#carriers.values()]
    this.#carriers.clear()
    this.#awaitingRoom.clear()
    runAll([
      () => this.#packetStreams?.clear(),
      ...carriers.map(carrier => () => carrier.handler.onAborted(end)),
      () => this.handler.onClosed(reason),
    ])
  }

  // -- faults of our own ---------------------------------------------------------------------------------------

  /**
   * Ends a stream for which something of ours threw, whatever state it is in; its tunnel, if it is one, hears of it.
   *
   * A server that is "unable to respond" cancels the request (RFC 9114 §4.1.1): H3_REQUEST_CANCELLED when the peer takes no
   * header section of the size of our answer, H3_INTERNAL_ERROR for a bug.
   */
  failStream(streamId: number, error: unknown): void {
    const reason = error instanceof PeerFieldSectionLimit ? 'cancelled' : 'internal'
    const carrier = this.#carriers.get(streamId)
    if (carrier !== undefined) carrier.abort(reason)
    else this.h3.resetStream(streamId, ABORT_CODES[reason])
    this.flush()
    this.onStreamGone(streamId)
    carrier?.handler.onAborted({ orderly: false, reason: resetByUs(errorName(ABORT_CODES[reason]), 'internal error') })
    this.handler.onRequestFailed(streamId, error)
  }

  // -- events --------------------------------------------------------------------------------------------------

  #dispatch(events: H3Event[]): void {
    for (const event of events) {
      try {
        this.#handle(event)
      } catch (error) {
        // What is not about one stream is about all of them: the QUIC engine closes the connection.
        if (!('streamId' in event)) throw error
        this.failStream(event.streamId, error)
      }
    }
    this.flush()
  }

  #handle(event: H3Event): void {
    switch (event.type) {
      case 'settings':
        this.capabilities = {
          tunnels: event.settings.enableConnectProtocol,
          encapsulations: this.h3.datagramsEnabled ? ALL_ENCAPSULATIONS : WITHOUT_DATAGRAMS,
        }
        this.handler.onCapabilities(this.capabilities)
        return
      case 'goaway':
        this.onGoAway()
        return
      case 'extension-stream':
        this.packetStreams.receive(event.streamId, event.data, event.fin)
        return
      case 'connection-error':
        // The matching CONNECTION_CLOSE is in the output; `onClosed` follows.
        return
    }
    const carrier = this.#carriers.get(event.streamId)
    if (carrier === undefined) return this.onStreamEvent(event)
    switch (event.type) {
      case 'data':
        carrier.receive(event.data)
        if (event.fin) carrier.ended()
        return
      case 'finished':
        carrier.ended()
        return
      case 'datagram':
        carrier.handler.onDatagram(event.payload)
        return
      case 'reset':
        carrier.aborted(endedBy(event.code, resetByPeer(errorName(event.code))))
        return
      case 'stream-error':
        carrier.aborted(endedBy(event.code, resetByUs(errorName(event.code), event.reason)))
        return
      case 'stop-sending':
        // The peer reads no more capsules: the tunnel cannot go on (RFC 9484 §4.1).
        carrier.abort('cancelled')
        carrier.handler.onAborted(endedBy(event.code, stoppedByPeer(errorName(event.code))))
        return
      case 'response':
        this.onStreamEvent(event)
        if (event.fin) carrier.ended()
        return
    }
  }
}

const ALL_ENCAPSULATIONS: readonly Encapsulation[] = ['datagram', 'stream-per-packet', 'single-stream']
/** Without H3_DATAGRAM on both sides, packets travel in DATAGRAM capsules (RFC 9297 §3.5). */
const WITHOUT_DATAGRAMS: readonly Encapsulation[] = ['stream-per-packet', 'single-stream']

function endedBy(code: number, reason: string): CarrierEnd {
  return { orderly: code === H3ErrorCode.H3_NO_ERROR, reason }
}
