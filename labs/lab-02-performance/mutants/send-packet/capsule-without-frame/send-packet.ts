// mutant: the capsule stands directly on the stream; expect: payload of a DATA frame
/**
 * Task 3: SendPacket, without a stream for each packet.
 */

export type SendAction =
  | { type: 'open-stream'; stream: number; streamType: number }
  | { type: 'write'; stream: number | 'request'; data: Uint8Array; fin: boolean }
  | { type: 'datagram'; data: Uint8Array }
  | { type: 'too-big'; mtu: number }
  | { type: 'drop' }

export interface SenderOptions {
  requestStream: number
  maxDatagramLength: number
}

const STREAM_MTU = 1500
const MOST_WAITING = 64 * 1024
const CONTEXT_ID = 0
const DATA_FRAME = 0
const DATAGRAM_CAPSULE = 0

export class PacketSender {
  /** Quarter Stream ID and Context ID. */
  readonly #prefix: Uint8Array
  #maxDatagramLength: number

  constructor({ requestStream, maxDatagramLength }: SenderOptions) {
    this.#prefix = Uint8Array.from([...varint(requestStream / 4), CONTEXT_ID])
    this.#maxDatagramLength = maxDatagramLength
  }

  onMaxDatagramLength(length: number): void {
    this.#maxDatagramLength = length
  }

  sendPacket(packet: Uint8Array, waiting: number): SendAction[] {
    return this.#maxDatagramLength > 0 ? this.#asDatagram(packet) : this.#asCapsule(packet, waiting)
  }

  #asDatagram(packet: Uint8Array): SendAction[] {
    const mtu = this.#maxDatagramLength - this.#prefix.length
    if (packet.length > mtu) return [{ type: 'too-big', mtu }]
    return [{ type: 'datagram', data: concat(this.#prefix, packet) }]
  }

  #asCapsule(packet: Uint8Array, waiting: number): SendAction[] {
    if (packet.length > STREAM_MTU) return [{ type: 'too-big', mtu: STREAM_MTU }]
    if (waiting >= MOST_WAITING) return [{ type: 'drop' }]
    const value = concat(Uint8Array.of(CONTEXT_ID), packet)
    const capsule = concat(Uint8Array.from([DATAGRAM_CAPSULE, ...varint(value.length)]), value)
    const data = concat(Uint8Array.from([DATA_FRAME, ...varint(capsule.length)]).subarray(9), capsule)
    return [{ type: 'write', stream: 'request', data, fin: false }]
  }
}

/** Up to 2^30 - 1: as much as any length or stream id here. */
export function varint(value: number): number[] {
  if (value < 2 ** 6) return [value]
  if (value < 2 ** 14) return [0x40 | (value >> 8), value & 0xff]
  return [0x80 | (value >> 24), (value >> 16) & 0xff, (value >> 8) & 0xff, value & 0xff]
}

function concat(a: Uint8Array, b: Uint8Array): Uint8Array {
  const joined = new Uint8Array(a.length + b.length)
  joined.set(a)
  joined.set(b, a.length)
  return joined
}
