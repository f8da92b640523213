/** Peers on TLS that send the bytes that a test writes: frames of HTTP/2, or anything else. What comes back is cut into frames. */

import type { TLSSocket } from 'node:tls'
import type { Header } from '../../src/http/header.ts'
import type { SocketAddress } from '../../src/net/udp.ts'
import { bytes } from '../http3/conversation.ts'
import { until } from './loopback.ts'
import { connectPeer, startPeerProxy, TlsPeer } from './tls-peer.ts'

/** RFC 9113 §6. */
export const FRAME = {
  DATA: 0,
  HEADERS: 1,
  PRIORITY: 2,
  RST_STREAM: 3,
  SETTINGS: 4,
  PUSH_PROMISE: 5,
  PING: 6,
  GOAWAY: 7,
  WINDOW_UPDATE: 8,
  CONTINUATION: 9,
} as const

export const FLAG = { ACK: 1, END_STREAM: 1, END_HEADERS: 4 } as const

const PREFACE = new TextEncoder().encode('PRI * HTTP/2.0\r\n\r\nSM\r\n\r\n')

/**
 *   Length (24) | Type (8) | Flags (8) | Reserved (1), Stream Identifier (31) | Payload
 */
export function h2Frame(
  type: number,
  flags: number,
  streamId: number,
  payload: Uint8Array | number[] = [],
): Uint8Array {
  const head = Buffer.alloc(9)
  head.writeUIntBE(payload.length, 0, 3)
  head[3] = type
  head[4] = flags
  head.writeUInt32BE(streamId, 5)
  return bytes(head, payload)
}

/** A field block of literals without indexing or Huffman code (RFC 7541 §6.2.2); names and values below 127 bytes. */
export function fieldBlock(headers: readonly Header[]): Uint8Array {
  const text = (value: string): Uint8Array => bytes([value.length], new TextEncoder().encode(value))
  return bytes(...headers.flatMap(([name, value]) => [[0x00], text(name), text(value)]))
}

export const uint32 = (value: number): number[] => [value >>> 24, (value >> 16) & 255, (value >> 8) & 255, value & 255]

/** An entry of SETTINGS. */
export const setting = (id: number, value: number): number[] => [id >> 8, id & 255, ...uint32(value)]

interface ReceivedFrame {
  readonly type: number
  readonly flags: number
  readonly streamId: number
  readonly payload: Buffer
}

export class H2Peer extends TlsPeer {
  readonly frames: ReceivedFrame[] = []
  #rest = Buffer.alloc(0)

  constructor(socket: TLSSocket) {
    super(socket)
    socket.on('data', data => this.#receive(data))
  }

  /** Waits for the first frame of a type that matches. */
  async frame(type: number, matches: (frame: ReceivedFrame) => boolean = () => true): Promise<ReceivedFrame> {
    const find = () => this.frames.find(frame => frame.type === type && matches(frame))
    await until(() => find() ?? this.closed)
    const frame = find()
    if (frame === undefined) {
      const how = this.error === undefined ? '' : ` (${this.error.message})`
      throw new Error(`the connection was closed before there was a frame of type ${type}${how}`)
    }
    return frame
  }

  /** The error code with which the other side resets a stream. */
  async resetCode(streamId: number): Promise<number> {
    return (await this.frame(FRAME.RST_STREAM, frame => frame.streamId === streamId)).payload.readUInt32BE(0)
  }

  /** The error code and text of GOAWAY. */
  async goAway(): Promise<[code: number, text: string]> {
    const { payload } = await this.frame(FRAME.GOAWAY)
    return [payload.readUInt32BE(4), payload.subarray(8).toString()]
  }

  #receive(data: Buffer): void {
    this.#rest = Buffer.concat([this.#rest, data])
    if (this.frames.length === 0 && this.#rest.indexOf(PREFACE) === 0) this.#rest = this.#rest.subarray(PREFACE.length)
    while (this.#rest.length >= 9) {
      const end = 9 + this.#rest.readUIntBE(0, 3)
      if (this.#rest.length < end) return
      const [type, flags] = this.#rest.subarray(3, 5)
      this.frames.push({ type, flags, streamId: this.#rest.readUInt32BE(5), payload: this.#rest.subarray(9, end) })
      this.#rest = this.#rest.subarray(end)
    }
  }
}

/** Once TLS is there; nothing is sent yet. */
export const connectTlsPeer = (to: { address: SocketAddress }): Promise<H2Peer> => connectPeer(H2Peer, to, ['h2'])

/** With the preface and SETTINGS sent, and those of the other side received. */
export async function connectH2Peer(to: { address: SocketAddress }, settings: number[] = []): Promise<H2Peer> {
  const peer = await connectTlsPeer(to)
  peer.send(PREFACE, h2Frame(FRAME.SETTINGS, 0, 0, settings))
  await peer.frame(FRAME.SETTINGS)
  return peer
}

/** A proxy that does what the test says: `onConnection` when TLS is there. */
export const startH2Proxy = (onConnection: (peer: H2Peer) => void, { alpn = ['h2'] } = {}) =>
  startPeerProxy(H2Peer, onConnection, alpn)
