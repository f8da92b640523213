/** Peers on TLS that send the text that a test writes: HTTP/1.1, or nearly. */

import type { TLSSocket } from 'node:tls'
import type { SocketAddress } from '../../src/net/udp.ts'
import { until } from './loopback.ts'
import { connectPeer, startPeerProxy, TlsPeer } from './tls-peer.ts'

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

export class H1Peer extends TlsPeer {
  #received = Buffer.alloc(0)

  constructor(socket: TLSSocket) {
    super(socket)
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
export const connectH1Peer = (to: { address: SocketAddress }, { alpn = ['http/1.1'] } = {}): Promise<H1Peer> =>
  connectPeer(H1Peer, to, alpn)

/** A proxy that does what the test says: `onConnection` when TLS is there. */
export const startH1Proxy = (onConnection: (peer: H1Peer) => void, { alpn = ['http/1.1'] } = {}) =>
  startPeerProxy(H1Peer, onConnection, alpn)
