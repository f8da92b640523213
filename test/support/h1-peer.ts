/** Peers that speak TLS as they should and, above it, the text that a test writes: HTTP/1.1, or nearly. */

import { once } from 'node:events'
import { createServer as createTlsServer, type Server, type TLSSocket } from 'node:tls'
import type { SocketAddress } from '../../src/net/udp.ts'
import { serverTls } from './certificates.ts'
import { openTls } from './h2-peer.ts'
import { until } from './loopback.ts'

export const TUNNEL_PATH = '/.well-known/masque/ip/*/*/'

/** The lines of a request for a tunnel, without the empty one at the end. */
export const UPGRADE = [
  `GET ${TUNNEL_PATH} HTTP/1.1`,
  'Host: localhost',
  'Connection: Upgrade',
  'Upgrade: connect-ip',
  'Capsule-Protocol: ?1',
] as const

export const head = (lines: readonly string[]): string => `${lines.join('\r\n')}\r\n\r\n`

export class H1Peer {
  readonly socket: TLSSocket
  closed = false
  /** The other side has ended its half. */
  ended = false
  #received = Buffer.alloc(0)

  constructor(socket: TLSSocket) {
    this.socket = socket
    socket.on('error', () => {})
    socket.on('close', () => {
      this.closed = true
    })
    socket.on('end', () => {
      this.ended = true
    })
    socket.on('data', data => {
      this.#received = Buffer.concat([this.#received, data])
    })
  }

  /** All that has come, a character for each byte. */
  get text(): string {
    return this.#received.toString('latin1')
  }

  /** The head of the first message that has come. */
  get head(): string {
    return this.text.split('\r\n\r\n')[0]
  }

  /** What has come behind that head. */
  get rest(): Buffer {
    const end = this.#received.indexOf('\r\n\r\n')
    return end < 0 ? Buffer.alloc(0) : this.#received.subarray(end + 4)
  }

  /** The status of each answer that has come. */
  get statuses(): number[] {
    return [...this.text.matchAll(/HTTP\/1\.1 (\d{3}) /g)].map(([, status]) => Number(status))
  }

  send(...parts: (string | Uint8Array)[]): void {
    const bytes = parts.map(part => (typeof part === 'string' ? Buffer.from(part, 'latin1') : part))
    if (!this.closed) this.socket.write(Buffer.concat(bytes))
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

  /** The status of the first answer; undefined when the connection ended without one. */
  async status(): Promise<number | undefined> {
    await until(() => this.statuses.length > 0 || this.closed)
    return this.statuses[0]
  }

  /** Waits for the head of a request, at a proxy. */
  async request(): Promise<string> {
    await until(() => this.text.includes('\r\n\r\n') || this.closed)
    return this.head
  }
}

/** Once TLS is there; nothing is sent yet. */
export async function connectH1Peer(
  to: { address: SocketAddress },
  { alpn = ['http/1.1'], identity }: { alpn?: string[]; identity?: string } = {},
): Promise<H1Peer> {
  const peer = new H1Peer(await openTls(to, { alpn, identity }))
  peers.push(peer)
  await until(() => peer.socket.authorized || peer.closed)
  return peer
}

/** Something at the other end of a client that does what the test says: `onConnection` when TLS is there. */
export async function startH1Proxy(
  onConnection: (peer: H1Peer) => void,
  { alpn = ['http/1.1'] }: { alpn?: string[] } = {},
): Promise<{ address: SocketAddress }> {
  const { certificateChain, key } = await serverTls()
  const server = createTlsServer({
    cert: certificateChain as Buffer,
    key: key as Buffer,
    ...(alpn.length > 0 && { ALPNProtocols: alpn }),
  })
  server.on('tlsClientError', () => {})
  server.on('secureConnection', socket => {
    const peer = new H1Peer(socket)
    peers.push(peer)
    onConnection(peer)
  })
  servers.push(server)
  server.listen(0, '127.0.0.1')
  await once(server, 'listening')
  const { port } = server.address() as { port: number }
  return { address: { host: '127.0.0.1', port } }
}

const peers: H1Peer[] = []
const servers: Server[] = []

/** Ends all that was opened here. Call it in `afterEach`. */
export async function closeH1Peers(): Promise<void> {
  for (const { socket } of peers.splice(0)) socket.destroy()
  await Promise.all(servers.splice(0).map(server => new Promise<unknown>(resolve => server.close(resolve))))
}
