/**
 * TLS 1.3 on TCP, from the proxy's end: who is let in, as quic/acceptor.ts decides for QUIC, and with the same limits.
 *
 * A connection counts from its first packet on, whether or not TLS ever comes about. Nothing that happens on one, and no error of
 * the system, gets past this file.
 */

import { createServer as createTcpServer, type Server, type Socket } from 'node:net'
import { createServer as createTlsServer, type TLSSocket, type Server as TlsServer } from 'node:tls'
import type { SocketAddress } from '../../net/udp.ts'
import { KeyLog } from '../../quic/key-log.ts'
import type { TlsMaterial } from '../../quic/quic.ts'
import type { HttpServerConnection } from '../http-connection.ts'

/** Time for a handshake and a request: so long nobody is sent away to make room for others, in ms. */
const EVICTABLE_AFTER_MS = 1000

/** How long peers get to take leave when the proxy shuts down. */
const CLOSE_MS = 500

/** Speaks a version of HTTP on a connection on which TLS is there. `startedAt`: when it began, by `performance.now`. */
export type TcpProtocol = (socket: TLSSocket, startedAt: number) => HttpServerConnection

export interface TcpListenOptions {
  readonly host: string
  readonly port: number
  readonly tls: TlsMaterial
  /** A certificate that is sent must be signed by `tls.ca`: the versions of HTTP see to it, as TLS itself cannot say so here. */
  readonly clientCertificate: 'none' | 'optional'
  readonly maxConnections: number
  readonly maxConnectionsPerAddress: number
  /** How long a TLS handshake may take, in ms. */
  readonly handshakeTimeoutMs: number
  /** What is spoken, by its name in ALPN; the first is the best. */
  readonly protocols: ReadonlyMap<string, TcpProtocol>
  readonly keyLog?: string
  /** A bug of ours. */
  onError(error: unknown): void
  onWarning(sentence: string): void
}

interface Place {
  readonly socket: Socket
  readonly address: string
  readonly startedAt: number
  /** Once TLS is there. */
  connection: HttpServerConnection | undefined
}

export class TcpListener {
  readonly counters = { accepted: 0, rejected: 0, evicted: 0, failed: 0 }
  readonly #options: TcpListenOptions
  readonly #tcp: Server
  readonly #tls: TlsServer
  /** By the peer's address and port; the oldest first. */
  readonly #places = new Map<string, Place>()

  /** Rejects with the system's error (EADDRINUSE, EACCES, …), with nothing left open. */
  static async listen(options: TcpListenOptions): Promise<TcpListener> {
    const listener = new TcpListener(options)
    await new Promise<void>((resolve, reject) => {
      listener.#tcp.once('error', reject)
      listener.#tcp.listen({ host: options.host, port: options.port }, resolve)
    })
    // The system may refuse single connections later, such as for want of descriptors: the others go on.
    listener.#tcp.removeAllListeners('error').on('error', error => {
      options.onWarning(`a TCP connection could not be accepted: ${error.message}`)
    })
    return listener
  }

  private constructor(options: TcpListenOptions) {
    this.#options = options
    const { tls, clientCertificate, keyLog } = options
    this.#tcp = createTcpServer({ noDelay: true }, socket => this.#guard(() => this.#begin(socket)))
    this.#tls = createTlsServer({
      cert: tls.certificateChain && Buffer.from(tls.certificateChain),
      key: tls.key && Buffer.from(tls.key),
      ...(tls.ca !== undefined && { ca: Buffer.from(tls.ca) }),
      requestCert: clientCertificate === 'optional',
      rejectUnauthorized: false,
      minVersion: 'TLSv1.3',
      ALPNProtocols: [...options.protocols.keys()],
      handshakeTimeout: options.handshakeTimeoutMs,
    })
    this.#tls.on('secureConnection', socket => this.#guard(() => this.#speak(socket)))
    // The socket is destroyed with it, and gives its place back.
    this.#tls.on('tlsClientError', () => {
      this.counters.failed++
    })
    if (keyLog !== undefined) {
      const log = new KeyLog(keyLog, options.onWarning)
      this.#tls.on('keylog', line => log.append(line))
    }
  }

  get local(): SocketAddress {
    const { address, port } = this.#tcp.address() as { address: string; port: number }
    return { host: address, port }
  }

  /** Closes every connection in good order, and the port. Idempotent. */
  async close(): Promise<void> {
    const closed = new Promise<void>(resolve => this.#tcp.close(() => resolve()))
    for (const { socket, connection } of this.#places.values()) {
      if (connection === undefined) socket.destroy()
      else this.#guard(() => connection.close('the proxy is shutting down'))
    }
    const timer = setTimeout(() => {
      for (const { socket } of this.#places.values()) socket.destroy()
    }, CLOSE_MS)
    await closed
    clearTimeout(timer)
  }

  #begin(socket: Socket): void {
    socket.on('error', () => {})
    const { remoteAddress: address, remotePort } = socket
    // Gone before we have looked at it.
    if (address === undefined) return void socket.destroy()
    if (!this.#hasRoomFor(address)) {
      this.counters.rejected++
      socket.destroy()
      return
    }
    this.counters.accepted++
    const key = `${address} ${remotePort}`
    const place: Place = { socket, address, startedAt: performance.now(), connection: undefined }
    this.#places.set(key, place)
    socket.on('close', () => {
      if (this.#places.get(key) === place) this.#places.delete(key)
    })
    this.#tls.emit('connection', socket)
  }

  #speak(socket: TLSSocket): void {
    socket.on('error', () => {})
    const place = this.#places.get(`${socket.remoteAddress} ${socket.remotePort}`)
    // RFC 7301 §3.2: with a peer that offers protocols, TLS has found one. One that offers none speaks HTTP/1.1.
    const speak = this.#options.protocols.get(socket.alpnProtocol || 'http/1.1')
    if (place === undefined || speak === undefined) return void socket.destroy()
    place.connection = speak(socket, place.startedAt)
  }

  /** Whether one more connection from this address is within the limits; if not, one that nobody uses makes room. */
  #hasRoomFor(address: string): boolean {
    const { maxConnections, maxConnectionsPerAddress } = this.#options
    let ofAddress = 0
    for (const place of this.#places.values()) if (place.address === address) ofAddress++
    if (ofAddress >= maxConnectionsPerAddress) return this.#evict(place => place.address === address)
    return this.#places.size < maxConnections || this.#evict(() => true)
  }

  /** Closes the oldest of these connections that is not in use. False when there is none. */
  #evict(isCandidate: (place: Place) => boolean): boolean {
    const startedBefore = performance.now() - EVICTABLE_AFTER_MS
    for (const [key, place] of this.#places) {
      if (place.startedAt > startedBefore) return false
      if (place.connection?.inUse || !isCandidate(place)) continue
      this.counters.evicted++
      // Its place is needed now, and not when it has taken leave.
      this.#places.delete(key)
      place.connection?.close('there are too many connections, and this one is not in use')
      setImmediate(() => place.socket.destroy())
      return true
    }
    return false
  }

  #guard(step: () => void): void {
    try {
      step()
    } catch (error) {
      this.#options.onError(error)
    }
  }
}
