/**
 * Peers that speak TLS as they should and, above it, the bytes that a test writes: frames of HTTP/2, or anything else. What comes
 * back is cut into frames.
 */

import { once } from 'node:events'
import { connect as connectTls, createServer as createTlsServer, type Server, type TLSSocket } from 'node:tls'
import type { Header } from '../../src/http/header.ts'
import type { SocketAddress } from '../../src/net/udp.ts'
import { bytes } from '../http3/conversation.ts'
import { clientTls, serverTls } from './certificates.ts'
import { until } from './loopback.ts'

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

export const PREFACE = new TextEncoder().encode('PRI * HTTP/2.0\r\n\r\nSM\r\n\r\n')

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

export interface ReceivedFrame {
  readonly type: number
  readonly flags: number
  readonly streamId: number
  readonly payload: Buffer
}

export class H2Peer {
  readonly socket: TLSSocket
  readonly frames: ReceivedFrame[] = []
  closed = false
  #rest = Buffer.alloc(0)

  constructor(socket: TLSSocket) {
    this.socket = socket
    socket.on('error', () => {})
    socket.on('close', () => {
      this.closed = true
    })
    socket.on('data', data => this.#receive(data))
  }

  send(...parts: Uint8Array[]): void {
    if (!this.closed) this.socket.write(bytes(...parts))
  }

  /** Sends as the peer reads, until all is sent or the connection is over. */
  async flood(parts: Iterable<Uint8Array>): Promise<void> {
    let count = 0
    for (const part of parts) {
      if (this.closed) return
      const room = this.socket.write(part)
      // The other end lives in this process: it has to have its turns.
      if (++count % 50 === 0) await new Promise(setImmediate)
      if (!room) await Promise.race([once(this.socket, 'drain'), once(this.socket, 'close')]).catch(() => {})
    }
  }

  /** Waits for the nth frame (from 0) of a type. */
  async frame(type: number, matches: (frame: ReceivedFrame) => boolean = () => true): Promise<ReceivedFrame> {
    const find = () => this.frames.find(frame => frame.type === type && matches(frame))
    await until(() => find() ?? this.closed)
    const frame = find()
    if (frame === undefined) throw new Error(`the connection was closed before there was a frame of type ${type}`)
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

/** A client's TLS; it may not be there yet. */
export async function openTls(
  to: { address: SocketAddress },
  { alpn, identity }: { alpn: string[]; identity?: string },
): Promise<TLSSocket> {
  const { ca, certificateChain, key } = await clientTls(identity)
  return connectTls({
    ...to.address,
    ca: ca as Buffer,
    cert: certificateChain as Buffer | undefined,
    key: key as Buffer | undefined,
    servername: 'localhost',
    ...(alpn.length > 0 && { ALPNProtocols: alpn }),
  })
}

/** Once TLS is there; nothing is sent yet. */
export async function connectTlsPeer(
  to: { address: SocketAddress },
  { alpn = ['h2'], identity }: { alpn?: string[]; identity?: string } = {},
): Promise<H2Peer> {
  const peer = new H2Peer(await openTls(to, { alpn, identity }))
  peers.push(peer)
  await until(() => peer.socket.authorized || peer.closed)
  return peer
}

/** With the preface and SETTINGS sent, and those of the other side received. */
export async function connectH2Peer(to: { address: SocketAddress }, settings: number[] = []): Promise<H2Peer> {
  const peer = await connectTlsPeer(to)
  peer.send(PREFACE, h2Frame(FRAME.SETTINGS, 0, 0, settings))
  await peer.frame(FRAME.SETTINGS)
  return peer
}

/** Something at the other end of a client that does what the test says: `onConnection` when TLS is there. */
export async function startTlsProxy(
  onConnection: (peer: H2Peer) => void,
  { alpn = ['h2'], tls }: { alpn?: string[]; tls?: { cert: Buffer; key: Buffer } } = {},
): Promise<{ address: SocketAddress; peers: H2Peer[] }> {
  const { certificateChain, key } = await serverTls()
  const connected: H2Peer[] = []
  const server = createTlsServer({
    cert: certificateChain as Buffer,
    key: key as Buffer,
    ...tls,
    ...(alpn.length > 0 && { ALPNProtocols: alpn }),
  })
  server.on('tlsClientError', () => {})
  server.on('secureConnection', socket => {
    const peer = new H2Peer(socket)
    peers.push(peer)
    connected.push(peer)
    onConnection(peer)
  })
  servers.push(server)
  server.listen(0, '127.0.0.1')
  await once(server, 'listening')
  const { port } = server.address() as { port: number }
  return { address: { host: '127.0.0.1', port }, peers: connected }
}

const peers: H2Peer[] = []
const servers: Server[] = []

/** Ends all that was opened here. Call it in `afterEach`. */
export async function closeH2Peers(): Promise<void> {
  for (const { socket } of peers.splice(0)) socket.destroy()
  await Promise.all(servers.splice(0).map(server => new Promise<unknown>(resolve => server.close(resolve))))
}
