/**
 * Task 3: SendPacket, without a stream for each packet.
 *
 * Here it is as it stands in a published article about masque-vpn, a prototype that this platform is modelled on: it opens a new stream
 * for each packet, "for educational clarity". It works. Rewrite it.
 *
 * The class does nothing by itself: it returns what is to be done on QUIC, and the check does it on a real connection. QUIC may keep
 * the bytes of an action until they have been sent: no later call may change them.
 */

export type SendAction =
  /** Open a unidirectional stream of this type. `stream` is a number of your own for it. */
  | { type: 'open-stream'; stream: number; streamType: number }
  /** Write on a stream that you have opened, or on that of the request. `fin`: nothing follows on this stream. */
  | { type: 'write'; stream: number | 'request'; data: Uint8Array; fin: boolean }
  /** Send a QUIC datagram. */
  | { type: 'datagram'; data: Uint8Array }
  /** The packet is not sent, because it is larger than `mtu`; its sender is told so, with ICMP. */
  | { type: 'too-big'; mtu: number }
  /** The packet is not sent, and nobody is told: congestion. */
  | { type: 'drop' }

export interface SenderOptions {
  /** The id of the stream with the request for the tunnel: 0, 4, 8 … */
  requestStream: number
  /** The largest content of a QUIC datagram, in bytes. 0: the peer takes no QUIC datagrams. */
  maxDatagramLength: number
}

/** Unknown to everybody but our server. */
const PACKET_STREAM_TYPE = 0x4d51

export class PacketSender {
  readonly #requestStream: number
  #streams = 0

  constructor({ requestStream }: SenderOptions) {
    this.#requestStream = requestStream
  }

  /** The path has changed, or its MTU was found out: datagrams may have another length from now on. */
  onMaxDatagramLength(length: number): void {}

  /**
   * What is to be done with this IP packet.
   *
   * - When the peer takes QUIC datagrams, a packet goes in one: Quarter Stream ID (the id of the request's stream, divided by four),
   *   Context ID 0, packet (RFC 9297 §2.1, RFC 9484 §6). One that is too large for it is not sent: `too-big`, with the largest size
   *   that an IP packet may have.
   * - When it takes none, a packet goes in a DATAGRAM capsule on the stream of the request (RFC 9297 §3.5), and that in a DATA frame of
   *   HTTP/3: 00, length; 00, length; Context ID 0, packet. The MTU is 1500 there.
   * - On a stream nothing is lost, so what comes too fast would wait, longer and longer. `waiting` is how many bytes of the request's
   *   stream QUIC has not sent yet. When it is 65536 or more: `drop`.
   */
  sendPacket(packet: Uint8Array, waiting: number): SendAction[] {
    const stream = this.#streams++
    const data = Uint8Array.from([...varint(this.#requestStream / 4), 0, ...packet])
    return [
      { type: 'open-stream', stream, streamType: PACKET_STREAM_TYPE },
      { type: 'write', stream, data, fin: true },
    ]
  }
}

/** Up to 2^30 - 1: as much as any length or stream id here. */
export function varint(value: number): number[] {
  if (value < 2 ** 6) return [value]
  if (value < 2 ** 14) return [0x40 | (value >> 8), value & 0xff]
  return [0x80 | (value >> 24), (value >> 16) & 0xff, (value >> 8) & 0xff, value & 0xff]
}
