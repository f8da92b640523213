/** Peers that speak TLS on TCP as they should and, above it, the bytes that a test writes. h1-peer.ts and h2-peer.ts understand what comes back. */

import { once } from 'node:events'
import { connect as connectTls, createServer as createTlsServer, type Server, type TLSSocket } from 'node:tls'
import type { SocketAddress } from '../../src/net/udp.ts'
import { clientTls, serverTls } from './certificates.ts'
import { until } from './loopback.ts'

export class TlsPeer {
  readonly socket: TLSSocket
  closed = false
  /** What the socket ended with, if it did not end well. */
  error: Error | undefined

  constructor(socket: TLSSocket) {
    this.socket = socket
    socket.on('error', error => {
      this.error = error
    })
    socket.on('close', () => {
      this.closed = true
    })
  }

  /** Text: a byte for each character. */
  send(...parts: (string | Uint8Array)[]): void {
    const bytes = parts.map(part => (typeof part === 'string' ? Buffer.from(part, 'latin1') : part))
    if (!this.closed) this.socket.write(Buffer.concat(bytes))
  }

  /**
   * Sends as the peer reads, until all is sent or the connection is over. Whoever wants to hear what was said last by another thread reads after each part:
   * a part that meets a closed connection makes the system forget what had come on it.
   */
  async flood(parts: Iterable<Uint8Array>, partsBetweenReads = 50): Promise<void> {
    let count = 0
    for (const part of parts) {
      if (this.closed) return
      this.socket.write(part)
      // The other end lives in this process: it has to have its turns.
      if (++count % partsBetweenReads === 0) await new Promise(setImmediate)
      // It may have drained meanwhile.
      if (this.socket.writableNeedDrain && !this.closed)
        await Promise.race([once(this.socket, 'drain'), once(this.socket, 'close')]).catch(() => {})
    }
  }
}

/** What makes a peer of a connection. */
type Kind<P extends TlsPeer> = new (socket: TLSSocket) => P

const peers: TlsPeer[] = []
const servers: Server[] = []

function newPeer<P extends TlsPeer>(Peer: Kind<P>, socket: TLSSocket): P {
  const peer = new Peer(socket)
  peers.push(peer)
  return peer
}

/** Without any protocol there is no ALPN. */
const offers = (alpn: readonly string[]) => (alpn.length > 0 ? { ALPNProtocols: [...alpn] } : {})

/** Once TLS is there, or has failed; nothing is sent yet. */
export async function connectPeer<P extends TlsPeer>(
  Peer: Kind<P>,
  { address }: { address: SocketAddress },
  alpn: readonly string[],
): Promise<P> {
  const { ca } = await clientTls()
  const peer = newPeer(Peer, connectTls({ ...address, ca: ca as Buffer, servername: 'localhost', ...offers(alpn) }))
  await until(() => peer.socket.authorized || peer.closed)
  return peer
}

/** Something at the other end of a client that does what the test says: `onConnection` when TLS is there. */
export async function startPeerProxy<P extends TlsPeer>(
  Peer: Kind<P>,
  onConnection: (peer: P) => void,
  alpn: readonly string[],
): Promise<{ address: SocketAddress }> {
  const { certificateChain, key } = await serverTls()
  const server = createTlsServer({ cert: certificateChain as Buffer, key: key as Buffer, ...offers(alpn) })
  server.on('tlsClientError', () => {})
  server.on('secureConnection', socket => onConnection(newPeer(Peer, socket)))
  servers.push(server)
  server.listen(0, '127.0.0.1')
  await once(server, 'listening')
  const { port } = server.address() as { port: number }
  return { address: { host: '127.0.0.1', port } }
}

/** Ends all that was opened here. Call it in `afterEach`. */
export async function closeTlsPeers(): Promise<void> {
  for (const { socket } of peers.splice(0)) socket.destroy()
  await Promise.all(servers.splice(0).map(server => new Promise<unknown>(resolve => server.close(resolve))))
}
