/**
 * One tunnel on an HTTP/3 connection.
 *
 * A packet's way out: `sendPacket` → quarter stream id, context id and packet side by side in one buffer → QUIC DATAGRAM.
 */

import type { AbortReason } from '../../http/errors.ts'
import { errorName } from '../../http3/error-codes.ts'
import { CapsulePackets, STREAM_MTU } from '../capsule-packets.ts'
import type { Carrier, CarrierEnd, CarrierHandler, Egress, Encapsulation, SendBacklog, SendResult } from '../carrier.ts'
import type { HttpHandler } from '../http-connection.ts'
import { ABORT_CODES } from './codes.ts'
import type { H3Transport } from './transport.ts'

/** A whole IP packet follows (RFC 9484 §6). */
const CONTEXT_ID_ZERO = 0

/** Every outgoing datagram is put together here; QUIC copies it. */
const datagram = new Uint8Array(65_536)

export class H3Carrier implements Carrier {
  readonly streamId: number
  readonly encapsulation: Encapsulation
  readonly handler: CarrierHandler
  readonly egress: Egress | undefined
  /** Packets on streams of their own are taken from the peer, too, whatever we send ourselves. */
  readonly takesPacketStreams: boolean
  protected readonly transport: H3Transport<HttpHandler>
  /** What all datagrams of this tunnel begin with. */
  readonly #quarterStreamId: Uint8Array
  /** Quarter stream id and context id 0: what stands before each packet of this tunnel. */
  readonly #prefix: Uint8Array
  /** What sends packets on the request stream. */
  readonly #capsules: CapsulePackets
  #open = true

  constructor(
    transport: H3Transport<HttpHandler>,
    streamId: number,
    encapsulations: readonly [Encapsulation, ...Encapsulation[]],
    handler: CarrierHandler,
  ) {
    this.transport = transport
    this.streamId = streamId
    this.encapsulation = encapsulations[0]
    this.takesPacketStreams = encapsulations.includes('stream-per-packet')
    this.handler = handler
    this.#quarterStreamId = transport.h3.encodeDatagramPrefix(streamId)
    this.#prefix = Uint8Array.of(...this.#quarterStreamId, CONTEXT_ID_ZERO)
    if (this.encapsulation === 'datagram') {
      this.egress = {
        get wantsPackets() {
          return transport.wantsDatagrams
        },
        awaitRoom: () => transport.awaitRoom(this),
      }
    }
    this.#capsules = new CapsulePackets({
      get buffered() {
        return transport.quic.streamBuffered(streamId)
      },
      write: bytes => this.sendCapsules(bytes),
    })
  }

  /** Our half of the request stream is open. */
  protected get open(): boolean {
    return this.#open
  }

  get mtu(): number {
    if (this.encapsulation !== 'datagram') return STREAM_MTU
    return Math.max(0, this.transport.quic.maxDatagramLength - this.#prefix.length)
  }

  get mtuSettled(): boolean {
    return this.encapsulation !== 'datagram' || this.transport.quic.pathMtuSettled
  }

  get writable(): boolean {
    const quic = this.transport.quic
    switch (this.encapsulation) {
      case 'datagram':
        return quic.datagramQueueRoom > 0
      case 'single-stream':
        return this.#capsules.writable
      case 'stream-per-packet':
        return quic.canOpenStream('uni')
    }
  }

  get backlog(): SendBacklog | undefined {
    return this.encapsulation === 'single-stream' ? this.#capsules.backlog : undefined
  }

  get capsulesWaiting(): number {
    return this.transport.quic.streamBuffered(this.streamId)
  }

  sendCapsules(bytes: Uint8Array): void {
    if (!this.#open) return
    this.transport.h3.sendData(this.streamId, bytes)
    this.transport.flush()
  }

  sendPacket(packet: Uint8Array): SendResult {
    if (!this.#open) return 'dropped'
    if (this.encapsulation !== 'datagram') return this.#sendOnStream(packet)
    const length = this.#prefix.length + packet.length
    if (length > this.transport.quic.maxDatagramLength) return 'too-large'
    datagram.set(this.#prefix)
    datagram.set(packet, this.#prefix.length)
    return this.transport.sendDatagram(datagram.subarray(0, length))
  }

  sendDatagram(payload: Uint8Array): SendResult {
    if (!this.#open) return 'dropped'
    const length = this.#quarterStreamId.length + payload.length
    if (length > this.transport.quic.maxDatagramLength) return 'too-large'
    datagram.set(this.#quarterStreamId)
    datagram.set(payload, this.#quarterStreamId.length)
    return this.transport.sendDatagram(datagram.subarray(0, length))
  }

  end(): void {
    if (!this.#open) return
    this.#open = false
    // What the path takes now may still go ahead of the end.
    this.transport.quic.transmit()
    this.#purgePackets()
    this.transport.h3.sendData(this.streamId, new Uint8Array(0), true)
    this.transport.flush()
  }

  abort(reason: AbortReason): string {
    const code = ABORT_CODES[reason]
    this.#open = false
    this.#purgePackets()
    this.transport.forget(this)
    this.transport.h3.resetStream(this.streamId, code)
    this.transport.flush()
    return errorName(code)
  }

  /** Bytes on the request stream, behind its head. */
  receive(bytes: Uint8Array): void {
    this.handler.onCapsuleBytes(bytes)
  }

  /** The peer has ended its half. Whoever is told so ends ours, and nothing more will arrive for this tunnel. */
  ended(): void {
    this.handler.onEnd()
    this.end()
    this.transport.forget(this)
  }

  /** The stream was aborted, by the peer or because the peer broke a rule: take leave of our half too. */
  aborted(end: CarrierEnd): void {
    if (this.#open) this.abort('cancelled')
    this.transport.forget(this)
    this.handler.onAborted(end)
  }

  /**
   * "HTTP/3 Datagrams MUST NOT be sent unless the corresponding stream's send side is open" (RFC 9297 §2.1): what still
   * waits when it closes will not leave any more. Packets on streams of their own end with the tunnel, too.
   */
  #purgePackets(): void {
    this.transport.quic.purgeDatagrams(this.#quarterStreamId)
    this.transport.packetStreams.purge(this)
  }

  #sendOnStream(packet: Uint8Array): SendResult {
    if (this.encapsulation === 'single-stream') return this.#capsules.send(packet)
    if (packet.length > STREAM_MTU) return 'too-large'
    if (!this.writable) return 'dropped'
    this.transport.packetStreams.send(this, this.#prefix, packet)
    return 'sent'
  }
}
