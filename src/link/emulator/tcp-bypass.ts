/**
 * TCP to the address at which the emulator takes UDP, passed on to the server as it is: not delayed, not lost, not even in an outage. The emulator
 * is a link for UDP. But a client that looks for a way by TCP, because UDP is blocked, looks for it at the same address.
 *
 *     client ── UDP ── emulator ── UDP ── server
 *        └───── TCP ── bypass ──── TCP ─────┘
 */

import { connect, createServer, type Server, type Socket } from 'node:net'
import type { SocketAddress } from '../../net/udp.ts'
import { explainBind } from './udp-socket.ts'

/** Connections at once; further ones are closed as they come. */
const MOST_CONNECTIONS = 256

export class TcpBypass {
  readonly #server: Server
  readonly #to: SocketAddress
  /** Both ends of each connection. */
  readonly #sockets = new Set<Socket>()

  /** Rejects with EmulatorError. Whoever opens it closes it. */
  static async open(at: SocketAddress, to: SocketAddress): Promise<TcpBypass> {
    const bypass = new TcpBypass(to)
    await new Promise<void>((resolve, reject) => {
      bypass.#server.once('error', reject).listen({ host: at.host, port: at.port }, resolve)
    }).catch(error => {
      throw explainBind(error, 'TCP', at)
    })
    // The system may refuse single connections later: the others go on.
    bypass.#server.removeAllListeners('error').on('error', () => {})
    return bypass
  }

  private constructor(to: SocketAddress) {
    this.#to = to
    this.#server = createServer({ allowHalfOpen: true, noDelay: true }, client => this.#pass(client))
    this.#server.maxConnections = MOST_CONNECTIONS
  }

  get address(): SocketAddress {
    const { address, port } = this.#server.address() as { address: string; port: number }
    return { host: address, port }
  }

  #pass(client: Socket): void {
    const server = connect({ ...this.#to, allowHalfOpen: true, noDelay: true })
    for (const [from, to] of [
      [client, server],
      [server, client],
    ]) {
      this.#sockets.add(from)
      // The end of one half is the end of the same half on the other side; an error is the end of both.
      from.on('error', () => to.destroy())
      from.on('close', hadError => {
        this.#sockets.delete(from)
        if (hadError) to.destroy()
      })
      from.pipe(to)
    }
  }

  async close(): Promise<void> {
    const closed = new Promise<void>(resolve => this.#server.close(() => resolve()))
    for (const socket of this.#sockets) socket.destroy()
    await closed
  }
}
