/**
 * HTTP/3 Datagrams, RFC 9297 §2.1: the payload of a QUIC DATAGRAM frame.
 *
 *   HTTP/3 Datagram {
 *     Quarter Stream ID (i),
 *     HTTP Datagram Payload (..),
 *   }
 *
 * Requests live on client-initiated bidirectional streams, whose ids are 0, 4, 8 …; divided by four they take less
 * room. The stream says which request, and so which tunnel, the datagram belongs to.
 */
import { encodeVarint, varintLength } from '../bytes/varint.ts'

/**
 * Is the quarter stream id in front of a datagram larger than 2^60 - 1, so that four times it is no stream id? Only a varint of
 * eight bytes can be, and its first byte shows it: two bits of length, then the highest bits of the value.
 */
export function isQuarterStreamIdTooLarge(datagram: Uint8Array): boolean {
  return datagram[0] >= 0xd0
}

/** The bytes that go before the payload of every datagram of the request on `streamId`. */
export function encodeQuarterStreamId(streamId: number): Uint8Array {
  if (streamId % 4 !== 0)
    throw new RangeError(`stream ${streamId} is not a request stream: datagrams belong to requests`)
  const quarter = streamId / 4
  const out = new Uint8Array(varintLength(quarter))
  encodeVarint(quarter, out, 0)
  return out
}

/**
 * Datagrams that overtook their request: UDP reorders, so the first packets of a tunnel may arrive before the
 * request that opens it. RFC 9297 §2.1 allows to hold them "on the order of a round trip". This floor has no clock,
 * so they are held by number and size, and the oldest goes when there are too many.
 */
export class HeldDatagrams {
  readonly #maxCount: number
  readonly #maxBytes: number
  #held: { streamId: number; payload: Uint8Array }[] = []
  #bytes = 0
  /** How many were given up to make room, or were too large to hold. */
  dropped = 0

  constructor(maxCount: number, maxBytes: number) {
    this.#maxCount = maxCount
    this.#maxBytes = maxBytes
  }

  get count(): number {
    return this.#held.length
  }

  get bytes(): number {
    return this.#bytes
  }

  /** Keeps a copy of the payload until the stream is known. */
  hold(streamId: number, payload: Uint8Array): void {
    if (payload.length > this.#maxBytes || this.#maxCount === 0) {
      this.dropped++
      return
    }
    while (this.#held.length >= this.#maxCount || this.#bytes + payload.length > this.#maxBytes) {
      this.#bytes -= this.#held.shift()!.payload.length
      this.dropped++
    }
    this.#held.push({ streamId, payload: new Uint8Array(payload) })
    this.#bytes += payload.length
  }

  /** The payloads held for this stream, oldest first; they are no longer held. */
  release(streamId: number): Uint8Array[] {
    if (this.#held.length === 0) return []
    const released = this.#held.filter(datagram => datagram.streamId === streamId).map(datagram => datagram.payload)
    this.#held = this.#held.filter(datagram => datagram.streamId !== streamId)
    for (const payload of released) this.#bytes -= payload.length
    return released
  }

  clear(): void {
    this.#held = []
    this.#bytes = 0
  }
}
