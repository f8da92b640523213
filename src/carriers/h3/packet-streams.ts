/**
 * The encapsulation `stream-per-packet` on one connection: each packet on a new unidirectional stream, whose content is what
 * a QUIC DATAGRAM would have held.
 */

import { decodeSmallVarint, varintLengthFromFirstByte } from '../../bytes/varint.ts'
import { H3ErrorCode } from '../../http3/error-codes.ts'
import { STREAM_MTU } from '../capsule-packets.ts'
import type { HttpHandler } from '../http-connection.ts'
import type { H3Carrier } from './carrier.ts'
import type { H3Transport } from './transport.ts'

/**
 * The private type of these streams. HTTP/3 sets no range aside for experiments: this value is simply not registered. So it
 * means something only on connections with a tunnel whose request and response have agreed on it by the header field
 * (carrier.ts); on any other it is an unknown type, and ignored (RFC 9114 §6.2, §9).
 */
export const PACKET_STREAM_TYPE = 0x4d51

/** What a stream may hold: a packet behind its two ids. */
const MAX_PACKET_STREAM_BYTES = STREAM_MTU + 16

export class PacketStreams {
  readonly #transport: H3Transport<HttpHandler>
  /** Streams of the peer that have not ended yet: what has arrived on each. */
  readonly #incoming = new Map<number, Uint8Array>()
  /** Our streams on which something still waits for the peer to take it. */
  readonly #waiting = new Map<number, H3Carrier>()

  constructor(transport: H3Transport<HttpHandler>) {
    this.#transport = transport
  }

  /** `prefix`: what a datagram of the tunnel begins with. */
  send(carrier: H3Carrier, prefix: Uint8Array, packet: Uint8Array): void {
    const { h3, quic } = this.#transport
    const streamId = h3.openExtensionStream(PACKET_STREAM_TYPE)
    h3.sendRaw(streamId, concat(prefix, packet), true)
    this.#transport.flush()
    if (quic.streamBuffered(streamId) > 0) this.#waiting.set(streamId, carrier)
  }

  /** Nothing of ours waits on this stream any more: it was sent, or is not wanted. */
  sent(streamId: number): void {
    this.#waiting.delete(streamId)
  }

  /** Gives up the packets of a tunnel that still wait. */
  purge(carrier: H3Carrier): void {
    for (const [streamId, owner] of this.#waiting) {
      if (owner !== carrier) continue
      this.#waiting.delete(streamId)
      this.#transport.h3.resetStream(streamId, H3ErrorCode.H3_REQUEST_CANCELLED)
    }
  }

  /**
   * Collects one packet.
   *
   * Whatever is wrong with it concerns this stream only. HTTP/3 knows nothing of such streams, so they cannot break a rule of
   * the connection: what names no tunnel that takes them is dropped.
   */
  receive(streamId: number, data: Uint8Array, fin: boolean): void {
    const before = this.#incoming.get(streamId)
    if ((before?.length ?? 0) + data.length > MAX_PACKET_STREAM_BYTES) {
      this.#incoming.delete(streamId)
      this.#transport.h3.resetStream(streamId, H3ErrorCode.H3_EXCESSIVE_LOAD)
      return
    }
    if (!fin) {
      this.#incoming.set(streamId, before === undefined ? Uint8Array.from(data) : concat(before, data))
      return
    }
    this.#incoming.delete(streamId)
    const content = before === undefined ? data : concat(before, data)
    const carrier = this.#transport.carrierOf(decodeSmallVarint(content) * 4)
    if (!carrier?.takesPacketStreams) return
    this.#transport.deliver(carrier, content.subarray(varintLengthFromFirstByte(content[0])))
  }

  /** The peer gave up a stream. */
  reset(streamId: number): void {
    this.#incoming.delete(streamId)
  }

  clear(): void {
    this.#incoming.clear()
    this.#waiting.clear()
  }
}

function concat(a: Uint8Array, b: Uint8Array): Uint8Array {
  const joined = new Uint8Array(a.length + b.length)
  joined.set(a)
  joined.set(b, a.length)
  return joined
}
