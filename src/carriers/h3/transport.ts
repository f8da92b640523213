/**
 * HTTP/3 on QUIC: joins the sans-IO `H3Connection` to a `QuicConnection`, and carries tunnels on it.
 *
 * A packet's way out: `H3Carrier.sendPacket` → quarter stream id, context id and packet side by side in one buffer →
 * QUIC DATAGRAM. Its way in: QUIC DATAGRAM → `H3Transport.onDatagram` → the carrier of that stream → its handler.
 */

import { decodeSmallVarint, varintLengthFromFirstByte } from '../../bytes/varint.ts'
import { encodeDatagramCapsule } from '../../connect-ip/datagram-capsule.ts'
import { H3Connection, type H3Event, type Header } from '../../http3/connection.ts'
import { H3ErrorCode } from '../../http3/error-codes.ts'
import { PeerFieldSectionLimit } from '../../http3/errors.ts'
import type { H3Settings } from '../../http3/settings.ts'
import { runAll } from '../../net/run-all.ts'
import {
  DEFAULT_QUIC_SETTINGS,
  type QuicCloseReason,
  type QuicConnection,
  type QuicHandler,
  type SocketAddress,
} from '../../quic/quic.ts'
import type { Carrier, CarrierHandler, Encapsulation, SendResult } from '../carrier.ts'
import { connectionEnded, resetByPeer, resetByUs, stoppedByPeer } from '../end-reason.ts'

/**
 * The private unidirectional stream type of `stream-per-packet`. HTTP/3 sets no range aside for experiments: this value is
 * simply not registered. So it means something only on connections with a tunnel whose request and response have agreed
 * on it by the header field (carrier.ts); on any other it is an unknown type, and ignored (RFC 9114 §6.2, §9).
 */
export const PACKET_STREAM_TYPE = 0x4d51

/** A reserved stream type, which every peer ignores (RFC 9114 §6.2.3). */
const IGNORED_STREAM_TYPE = 0x21

/** Packets of a stream encapsulation are dropped when so many bytes already wait for the peer to take them. */
const MAX_STREAM_BACKLOG = 256 * 1024

/** On streams nothing limits the size of a packet; this is what an Ethernet host expects. */
const STREAM_MTU = 1500

/** What a `stream-per-packet` stream may hold: a packet behind its two ids. */
const MAX_PACKET_STREAM_BYTES = STREAM_MTU + 16

/** Context id 0: a whole IP packet follows (RFC 9484 §6). */
const CONTEXT_ID_ZERO = Uint8Array.of(0)

/** Every outgoing datagram is put together here; QUIC copies it. */
const datagram = new Uint8Array(65_536)

/** What an owner of an HTTP/3 connection (the server's MASQUE handler, the client) hears from it. */
export interface H3Owner {
  onReady(): void
  onSettings(settings: H3Settings): void
  /** Requests, responses, and stream events of streams that carry no tunnel. */
  onEvent(event: H3Event): void
  onGoaway(lastId: number): void
  /**
   * What we did for this stream threw, so the stream was reset: a bug of ours, or an answer that is larger than the peer
   * takes (PeerFieldSectionLimit). The other streams of the connection go on.
   */
  onStreamFailed(streamId: number, error: unknown): void
  onClosed(reason: QuicCloseReason): void
}

export class H3Transport implements QuicHandler {
  readonly quic: QuicConnection
  h3!: H3Connection
  readonly #owner: H3Owner
  readonly #carriers = new Map<number, H3Carrier>()
  /** Streams of `stream-per-packet` that have not ended yet: what has arrived on each. */
  readonly #packetStreams = new Map<number, Uint8Array>()
  /** Our streams of `stream-per-packet` on which something still waits for the peer to take it. */
  readonly #waitingStreams = new Map<number, H3Carrier>()

  constructor(quic: QuicConnection, owner: H3Owner) {
    this.quic = quic
    this.#owner = owner
  }

  /**
   * Turns an accepted request (server) or a sent one (client) into a carrier. `takesPacketStreams`: packets on streams of
   * their own are taken from the peer, too, whatever we send ourselves.
   */
  openCarrier(
    streamId: number,
    encapsulation: Encapsulation,
    handler: CarrierHandler,
    takesPacketStreams = encapsulation === 'stream-per-packet',
  ): H3Carrier {
    const carrier = new H3Carrier(this, streamId, encapsulation, handler, takesPacketStreams)
    this.#carriers.set(streamId, carrier)
    if (takesPacketStreams) this.h3.acceptStreamType(PACKET_STREAM_TYPE)
    return carrier
  }

  /** Hands to QUIC what HTTP/3 wants to be sent. Call it after every call to `h3` that may produce output. */
  flush(): void {
    for (const output of this.h3.takeOutput()) {
      switch (output.type) {
        case 'stream':
          this.quic.streamSend(output.streamId, output.data, output.fin)
          break
        case 'reset':
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

  // -- QuicHandler ---------------------------------------------------------------------------------------------

  onEstablished(): void {
    this.h3 = new H3Connection({
      role: this.quic.role,
      peerMaxDatagramFrameSize: this.quic.peerMaxDatagramFrameSize,
      requestStreamsLeft: () => this.quic.bidiStreamsLeft,
      grease: Math.random,
      limits: { maxRequestStreams: DEFAULT_QUIC_SETTINGS.maxStreamsBidi },
    })
    this.h3.start()
    this.#owner.onReady()
    this.flush()
  }

  onStreamData(streamId: number, data: Uint8Array, fin: boolean): void {
    this.#dispatch(this.h3.receiveStream(streamId, data, fin))
  }

  onStreamReset(streamId: number, code: number): void {
    this.#packetStreams.delete(streamId)
    this.#dispatch(this.h3.receiveReset(streamId, code))
  }

  onStopSending(streamId: number, code: number): void {
    this.#waitingStreams.delete(streamId)
    this.#dispatch(this.h3.receiveStopSending(streamId, code))
  }

  onStreamDrained(streamId: number): void {
    this.#waitingStreams.delete(streamId)
  }

  onDatagram(data: Uint8Array): void {
    const payload = this.h3.parseDatagram(data)
    if (payload === undefined) {
      // Held for a stream that is still to come, dropped, or an error, which is now among the events.
      return this.#dispatch(this.h3.takeEvents())
    }
    const carrier = this.#carriers.get(this.h3.datagramStreamId)
    if (carrier !== undefined) this.#deliver(carrier, payload)
  }

  #deliver(carrier: H3Carrier, payload: Uint8Array): void {
    try {
      carrier.handler.onDatagram(payload)
    } catch (error) {
      this.failStream(carrier.streamId, error)
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

  onClosed(reason: QuicCloseReason): void {
    const carriers = [...this.#carriers.values()]
    this.#carriers.clear()
    this.#packetStreams.clear()
    this.#waitingStreams.clear()
    runAll([
      ...carriers.map(carrier => () => carrier.handler.onAborted(reason.code, connectionEnded(reason))),
      () => this.#owner.onClosed(reason),
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
    const code =
      error instanceof PeerFieldSectionLimit ? H3ErrorCode.H3_REQUEST_CANCELLED : H3ErrorCode.H3_INTERNAL_ERROR
    const carrier = this.#carriers.get(streamId)
    if (carrier !== undefined) carrier.abort(code)
    else this.h3.resetStream(streamId, code)
    this.flush()
    carrier?.handler.onAborted(code, resetByUs(code, 'internal error'))
    this.#owner.onStreamFailed(streamId, error)
  }

  // -- for owners and carriers ---------------------------------------------------------------------------------

  /** The peer's half had ended before there was a carrier: with the request itself, or while that waited for its answer. */
  peerEnded(streamId: number): void {
    this.#carriers.get(streamId)?.ended()
  }

  forget(carrier: H3Carrier): void {
    this.#carriers.delete(carrier.streamId)
  }

  /** Sends a packet on a stream of its own. `prefix`: what a datagram of the tunnel begins with. */
  sendPacketStream(carrier: H3Carrier, prefix: Uint8Array, packet: Uint8Array): void {
    const streamId = this.h3.openExtensionStream(PACKET_STREAM_TYPE)
    this.h3.sendRaw(streamId, concat(prefix, packet), true)
    this.flush()
    if (this.quic.streamBuffered(streamId) > 0) this.#waitingStreams.set(streamId, carrier)
  }

  /** Gives up the packets of a tunnel that still wait on streams of their own. */
  purgePacketStreams(carrier: H3Carrier): void {
    for (const [streamId, owner] of this.#waitingStreams) {
      if (owner !== carrier) continue
      this.#waitingStreams.delete(streamId)
      this.h3.resetStream(streamId, H3ErrorCode.H3_REQUEST_CANCELLED)
    }
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
        this.#owner.onSettings(event.settings)
        return
      case 'goaway':
        this.#owner.onGoaway(event.id)
        return
      case 'extension-stream':
        this.#receivePacketStream(event.streamId, event.data, event.fin)
        return
      case 'connection-error':
        // The matching CONNECTION_CLOSE is in the output; `onClosed` follows.
        return
    }
    const carrier = this.#carriers.get(event.streamId)
    if (carrier === undefined) return this.#owner.onEvent(event)
    switch (event.type) {
      case 'data':
        carrier.handler.onCapsuleBytes(event.data)
        if (event.fin) carrier.ended()
        return
      case 'finished':
        carrier.ended()
        return
      case 'datagram':
        carrier.handler.onDatagram(event.payload)
        return
      case 'reset':
        carrier.aborted(event.code, resetByPeer(event.code))
        return
      case 'stream-error':
        carrier.aborted(event.code, resetByUs(event.code, event.reason))
        return
      case 'stop-sending':
        // The peer reads no more capsules: the tunnel cannot go on (RFC 9484 §4.2).
        carrier.abort(H3ErrorCode.H3_REQUEST_CANCELLED)
        carrier.handler.onAborted(event.code, stoppedByPeer(event.code))
        return
      case 'response':
        this.#owner.onEvent(event)
        if (event.fin) carrier.ended()
        return
    }
  }

  /**
   * Collects one packet of `stream-per-packet`: the stream's content is what a QUIC DATAGRAM would have held.
   *
   * Whatever is wrong with it concerns this stream only. HTTP/3 knows nothing of such streams, so they cannot break a rule of
   * the connection: what names no tunnel that takes them is dropped.
   */
  #receivePacketStream(streamId: number, data: Uint8Array, fin: boolean): void {
    const before = this.#packetStreams.get(streamId)
    if ((before?.length ?? 0) + data.length > MAX_PACKET_STREAM_BYTES) {
      this.#packetStreams.delete(streamId)
      this.h3.resetStream(streamId, H3ErrorCode.H3_EXCESSIVE_LOAD)
      return
    }
    if (!fin) {
      this.#packetStreams.set(streamId, before === undefined ? Uint8Array.from(data) : concat(before, data))
      return
    }
    this.#packetStreams.delete(streamId)
    const content = before === undefined ? data : concat(before, data)
    const carrier = this.#carriers.get(decodeSmallVarint(content) * 4)
    if (carrier?.takesPacketStreams) this.#deliver(carrier, content.subarray(varintLengthFromFirstByte(content[0])))
  }
}

/** One tunnel on an HTTP/3 connection. */
export class H3Carrier implements Carrier {
  readonly protocol = 'h3'
  readonly streamId: number
  readonly encapsulation: Encapsulation
  readonly handler: CarrierHandler
  readonly takesPacketStreams: boolean
  readonly #transport: H3Transport
  /** What all datagrams of this tunnel begin with. */
  readonly #quarterStreamId: Uint8Array
  /** Quarter stream id and context id 0: what stands before each packet of this tunnel. */
  readonly #prefix: Uint8Array
  #open = true

  constructor(
    transport: H3Transport,
    streamId: number,
    encapsulation: Encapsulation,
    handler: CarrierHandler,
    takesPacketStreams: boolean,
  ) {
    this.takesPacketStreams = takesPacketStreams
    this.#transport = transport
    this.streamId = streamId
    this.encapsulation = encapsulation
    this.handler = handler
    this.#quarterStreamId = transport.h3.encodeDatagramPrefix(streamId)
    this.#prefix = concat(this.#quarterStreamId, CONTEXT_ID_ZERO)
  }

  get remote(): SocketAddress {
    return this.#transport.quic.remote
  }

  get mtu(): number {
    if (this.encapsulation !== 'datagram') return STREAM_MTU
    return Math.max(0, this.#transport.quic.maxDatagramLength - this.#prefix.length)
  }

  get mtuSettled(): boolean {
    return this.encapsulation !== 'datagram' || this.#transport.quic.pathMtuSettled
  }

  get writable(): boolean {
    const quic = this.#transport.quic
    switch (this.encapsulation) {
      case 'datagram':
        return quic.datagramQueueRoom > 0
      case 'single-stream':
        return quic.streamBuffered(this.streamId) < MAX_STREAM_BACKLOG
      case 'stream-per-packet':
        return quic.canOpenStream('uni')
    }
  }

  sendCapsules(bytes: Uint8Array): void {
    if (!this.#open) return
    this.#transport.h3.sendData(this.streamId, bytes)
    this.#transport.flush()
  }

  sendPacket(packet: Uint8Array): SendResult {
    if (!this.#open) return 'dropped'
    if (this.encapsulation !== 'datagram') return this.#sendOnStream(packet)
    const length = this.#prefix.length + packet.length
    if (length > this.#transport.quic.maxDatagramLength) return 'too-large'
    datagram.set(this.#prefix)
    datagram.set(packet, this.#prefix.length)
    return this.#transport.quic.sendDatagram(datagram.subarray(0, length))
  }

  end(): void {
    if (!this.#open) return
    this.#open = false
    // What the path takes now may still go ahead of the end.
    this.#transport.quic.transmit()
    this.#purgePackets()
    this.#transport.h3.sendData(this.streamId, new Uint8Array(0), true)
    this.#transport.flush()
  }

  abort(code: number): void {
    this.#open = false
    this.#purgePackets()
    this.#transport.forget(this)
    this.#transport.h3.resetStream(this.streamId, code)
    this.#transport.flush()
  }

  /** The peer has ended its half. Whoever is told so ends ours, and nothing more will arrive for this tunnel. */
  ended(): void {
    this.handler.onEnd()
    this.end()
    this.#transport.forget(this)
  }

  /** The stream was aborted, by the peer or because the peer broke a rule: take leave of our half too. */
  aborted(code: number, reason: string): void {
    if (this.#open) this.abort(H3ErrorCode.H3_REQUEST_CANCELLED)
    this.#transport.forget(this)
    this.handler.onAborted(code, reason)
  }

  /**
   * "HTTP/3 Datagrams MUST NOT be sent unless the corresponding stream's send side is open" (RFC 9297 §2.1): what still
   * waits when it closes will not leave any more. Packets on streams of their own end with the tunnel, too.
   */
  #purgePackets(): void {
    this.#transport.quic.purgeDatagrams(this.#quarterStreamId)
    this.#transport.purgePacketStreams(this)
  }

  #sendOnStream(packet: Uint8Array): SendResult {
    if (packet.length > STREAM_MTU) return 'too-large'
    if (!this.writable) return 'dropped'
    if (this.encapsulation === 'single-stream') {
      this.#transport.h3.sendData(this.streamId, encodeDatagramCapsule(packet))
      this.#transport.flush()
    } else {
      this.#transport.sendPacketStream(this, this.#prefix, packet)
    }
    return 'sent'
  }
}

function concat(a: Uint8Array, b: Uint8Array): Uint8Array {
  const joined = new Uint8Array(a.length + b.length)
  joined.set(a)
  joined.set(b, a.length)
  return joined
}

/** A header's value, or undefined. Names arrive in lower case (RFC 9114 §4.2). */
export function headerValue(headers: readonly Header[], name: string): string | undefined {
  return headers.find(header => header[0] === name)?.[1]
}
