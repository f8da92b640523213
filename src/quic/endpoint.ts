/**
 * A UDP socket with the QUIC connections that live on it.
 *
 * The way of a packet: socket → connection id → connection (`receive`), then, once for all packets that were
 * waiting, a turn of each connection that got some: events out, packets out, timer. Nothing is awaited on the way.
 */

import { randomBytes } from 'node:crypto'
import { createSocket, type Socket } from 'node:dgram'
import { isIP, isIPv6 } from 'node:net'
import { rootCertificates } from 'node:tls'
import { type Header, type Config as NativeConfig, quiche } from '@matrixai/quic/native/index.js'
import { type ConnectionHost, QuicheConnection } from './engine.ts'
import { KeyLog } from './key-log.ts'
import type { QuicConnection, QuicHandler, QuicSettings, SocketAddress, TlsMaterial } from './quic.ts'
import { RetryTokens } from './retry-token.ts'

/** Ours are always this long, so that a short header's connection id can be found (RFC 9000 §5.2). */
const CONNECTION_ID_LENGTH = 8
/** RFC 9000 §14.1: an Initial arrives in a datagram of at least so many bytes. */
const MIN_INITIAL_DATAGRAM = 1200
const LONG_HEADER_BIT = 0x80
const TRANSPORT_CONNECTION_REFUSED = 0x02
const TRANSPORT_INVALID_TOKEN = 0x0b
const H3_NO_ERROR = 0x100

/**
 * How many connection ids of the peer we keep, and so how many of its addresses: quiche keeps each address that a peer
 * had, and hears nothing from one more. It must be at least 2 (RFC 9000 §18.2); some peers issue one id too many.
 */
const ACTIVE_CONNECTION_IDS = 8

/** More packets than this waiting in the kernel's way: stop asking QUIC for more until they are gone. */
const MAX_QUEUED_SENDS = 64

export interface ListenOptions {
  host: string
  port: number
  tls: TlsMaterial
  settings: QuicSettings
  /** Whether a client certificate is asked for; one that is sent must verify against `tls.ca`. */
  clientCertificate: 'none' | 'optional' | 'required'
  /** When to make a client prove its address by a Retry: `auto` means while many handshakes are under way. */
  retry: 'always' | 'auto' | 'never'
  maxConnections: number
  maxConnectionsPerAddress: number
  /** A connection attempt has begun; the handler hears the rest. */
  onConnection(connection: QuicConnection): QuicHandler
  /** A handler threw: a bug of ours, which closes that connection only. */
  onError?(error: unknown): void
}

export interface ConnectOptions {
  /** An IP address: resolve names first. */
  remote: SocketAddress
  /**
   * The name or IP address that the server's certificate must be for, wherever `remote` is (RFC 9110 §4.3.4). A name is
   * also sent as SNI; an IP address never is (RFC 6066 §3).
   */
  serverName: string
  tls: TlsMaterial
  settings: QuicSettings
  /** Accept any certificate. Only for looking at broken set-ups. */
  insecure?: boolean
  /** A ticket from `QuicConnection.session` of an earlier connection to the same server. */
  session?: Uint8Array
  onError?(error: unknown): void
}

export interface EndpointCounters {
  accepted: number
  retried: number
  /** By reason: a connection attempt that was not let in. */
  rejected: { limit: number; token: number; version: number }
  /** UDP payloads that belong to no connection and start none. */
  stray: number
}

export class QuicEndpoint implements ConnectionHost {
  readonly counters: EndpointCounters = {
    accepted: 0,
    retried: 0,
    rejected: { limit: 0, token: 0, version: 0 },
    stray: 0,
  }
  local: SocketAddress = { host: '', port: 0 }

  readonly #socket: Socket
  readonly #config: NativeConfig
  readonly #settings: QuicSettings
  readonly #keyLog: KeyLog | undefined
  readonly #onError: (error: unknown) => void
  readonly #listen: ListenOptions | undefined
  readonly #retryTokens = new RetryTokens(randomBytes(32))
  /** Connection id (as latin1 text, which is cheap to make and to compare) → connection. */
  readonly #routes = new Map<string, QuicheConnection>()
  readonly #connections = new Map<QuicheConnection, string[]>()
  readonly #perAddress = new Map<string, number>()
  readonly #handshaking = new Set<QuicheConnection>()
  readonly #scheduled: QuicheConnection[] = []
  #sendBuffer: Uint8Array
  #connected = false
  #closed: Promise<void> | undefined

  private constructor(options: {
    settings: QuicSettings
    socket: Socket
    config: NativeConfig
    listen?: ListenOptions
    onError?: (error: unknown) => void
  }) {
    this.#settings = options.settings
    this.#socket = options.socket
    this.#config = options.config
    this.#listen = options.listen
    this.#onError = options.onError ?? (() => {})
    this.#keyLog = options.settings.keyLog === undefined ? undefined : new KeyLog(options.settings.keyLog)
    if (this.#keyLog !== undefined) this.#config.logKeys()
    this.#sendBuffer = new Uint8Array(options.settings.maxUdpPayload)
  }

  /** Opens a server socket. Rejects with the system's error (EADDRINUSE, EACCES, …) when that cannot be. */
  static async listen(options: ListenOptions): Promise<QuicEndpoint> {
    const config = makeConfig(options.settings, options.tls, options.clientCertificate !== 'none', false)
    // `withBoringSslCtx` turns verification into "required"; this call makes it "optional" again.
    if (options.clientCertificate === 'optional') config.verifyPeer(true)
    config.setTicketKey(randomBytes(48))
    const socket = await openSocket(options.host, options.port)
    const endpoint = new QuicEndpoint({
      settings: options.settings,
      socket,
      config,
      listen: options,
      onError: options.onError,
    })
    endpoint.#start()
    return endpoint
  }

  /**
   * Opens a socket of its own and starts a handshake on it. The socket closes with the connection.
   *
   * Set the connection's `handler` at once: nothing is reported before the caller's turn of the event loop is over.
   */
  static async connect(options: ConnectOptions): Promise<QuicConnection> {
    const config = makeConfig(options.settings, options.tls, !options.insecure, options.insecure === true)
    const socket = await openSocket(isIPv6(options.remote.host) ? '::' : '0.0.0.0', 0)
    // A connected socket hears the ICMP error when nobody listens at the other end.
    await new Promise<void>((resolve, reject) => {
      socket.once('error', reject)
      socket.connect(options.remote.port, options.remote.host, () => {
        socket.off('error', reject)
        resolve()
      })
    }).catch(error => {
      socket.close()
      throw error
    })
    const endpoint = new QuicEndpoint({ settings: options.settings, socket, config, onError: options.onError })
    endpoint.#connected = true
    endpoint.#start()
    return endpoint.#dial(options)
  }

  get connections(): Iterable<QuicConnection> {
    return this.#connections.keys()
  }

  /** Closes every connection (H3_NO_ERROR unless said otherwise), then the socket. Idempotent. */
  close(code = H3_NO_ERROR, reason = ''): Promise<void> {
    this.#closed ??= this.#shutDown(code, reason)
    return this.#closed
  }

  async #shutDown(code: number, reason: string): Promise<void> {
    for (const connection of this.#connections.keys()) {
      connection.close(code, reason)
      connection.turn()
    }
    // What the kernel would not take at once is still in the socket's queue: let it leave, but not for ever.
    for (let i = 0; i < 50 && this.#socket.getSendQueueCount() > 0; i++) {
      await new Promise(resolve => setTimeout(resolve, 10))
    }
    this.#closeSocket()
    await new Promise<void>(resolve => this.#socket.once('close', resolve))
  }

  // -- ConnectionHost ------------------------------------------------------------------------------------------

  schedule(connection: QuicheConnection): void {
    if (connection.scheduled) return
    connection.scheduled = true
    // setImmediate runs when the packets that wait in the socket have been read, so that one turn serves them all.
    if (this.#scheduled.push(connection) === 1) setImmediate(this.#runScheduled)
  }

  readonly #runScheduled = (): void => {
    for (const connection of this.#scheduled.splice(0)) {
      connection.scheduled = false
      if (this.#socketOpen) connection.turn()
    }
  }

  sendBuffer(): Uint8Array {
    return this.#sendBuffer
  }

  get socketCongested(): boolean {
    return !this.#socketOpen || this.#socket.getSendQueueCount() > MAX_QUEUED_SENDS
  }

  transmit(length: number, _from: SocketAddress, to: SocketAddress): void {
    const packet = this.#sendBuffer.subarray(0, length)
    if (this.#connected) this.#socket.send(packet)
    else this.#socket.send(packet, to.port, to.host)
    // Nearly always the kernel has taken the packet by now. If not, Node still needs the buffer: leave it to Node.
    if (this.#socket.getSendQueueCount() > 0) this.#sendBuffer = new Uint8Array(this.#settings.maxUdpPayload)
  }

  forget(connection: QuicheConnection): void {
    const ids = this.#connections.get(connection)
    if (ids === undefined) return
    for (const id of ids) this.#routes.delete(id)
    this.#connections.delete(connection)
    this.#handshaking.delete(connection)
    const address = connection.firstRemote.host
    const others = (this.#perAddress.get(address) ?? 1) - 1
    if (others > 0) this.#perAddress.set(address, others)
    else this.#perAddress.delete(address)
    if (this.#listen === undefined) this.#closeSocket()
  }

  handshakeDone(connection: QuicheConnection): void {
    this.#handshaking.delete(connection)
    this.#keyLog?.collect(connection.id)
  }

  onError(error: unknown): void {
    this.#onError(error)
  }

  // -- packets in ----------------------------------------------------------------------------------------------

  #socketOpen = true

  #start(): void {
    const { address, port } = this.#socket.address()
    this.local = { host: address, port }
    this.#socket.on('message', (packet, from) => this.#receive(packet, from.address, from.port))
    this.#socket.on('error', error => this.#socketFailed(error))
    this.#socket.on('close', () => {
      this.#socketOpen = false
      this.#keyLog?.close()
    })
  }

  #receive(packet: Buffer, host: string, port: number): void {
    if (packet.length < 1 + CONNECTION_ID_LENGTH) {
      this.counters.stray++
      return
    }
    if ((packet[0] & LONG_HEADER_BIT) === 0) {
      const connection = this.#routes.get(packet.toString('latin1', 1, 1 + CONNECTION_ID_LENGTH))
      if (connection === undefined) this.counters.stray++
      else connection.receive(packet, host, port)
      return
    }
    let header: Header
    try {
      header = quiche.Header.fromSlice(packet, CONNECTION_ID_LENGTH)
    } catch {
      this.counters.stray++
      return
    }
    const connection = this.#routes.get(key(header.dcid)) ?? this.#accept(packet, header, { host, port })
    connection?.receive(packet, host, port)
  }

  /** Decides about a packet with a long header that belongs to no connection (RFC 9000 §5.2.2). */
  #accept(packet: Buffer, header: Header, from: SocketAddress): QuicheConnection | undefined {
    const listen = this.#listen
    if (listen === undefined || this.#closed !== undefined || packet.length < MIN_INITIAL_DATAGRAM) {
      this.counters.stray++
      return undefined
    }
    if (!quiche.versionIsSupported(header.version)) {
      this.counters.rejected.version++
      const out = new Uint8Array(MIN_INITIAL_DATAGRAM)
      this.#sendTo(out.subarray(0, quiche.negotiateVersion(header.scid, header.dcid, out)), from)
      return undefined
    }
    if (header.ty !== quiche.Type.Initial) {
      this.counters.stray++
      return undefined
    }

    const hasToken = header.token !== undefined && header.token.length > 0
    if (!hasToken && this.#wantsRetry()) {
      this.counters.retried++
      const newDcid = randomBytes(CONNECTION_ID_LENGTH)
      const token = this.#retryTokens.issue(from, header.dcid, newDcid, Date.now())
      const out = new Uint8Array(MIN_INITIAL_DATAGRAM)
      const length = quiche.retry(header.scid, header.dcid, newDcid, token, header.version, out)
      this.#sendTo(out.subarray(0, length), from)
      return undefined
    }

    let originalDcid: Uint8Array | undefined
    let refusal: [code: number, reason: string] | undefined
    if (hasToken) {
      originalDcid = this.#retryTokens.verify(header.token as Uint8Array, from, header.dcid, Date.now())
      if (originalDcid === undefined) {
        this.counters.rejected.token++
        refusal = [TRANSPORT_INVALID_TOKEN, 'the address validation token is not valid']
      }
    }
    if (
      this.#connections.size >= listen.maxConnections ||
      (this.#perAddress.get(from.host) ?? 0) >= listen.maxConnectionsPerAddress
    ) {
      this.counters.rejected.limit++
      refusal ??= [TRANSPORT_CONNECTION_REFUSED, 'too many connections']
    }

    // After a Retry the client addresses us by the id the Retry gave it, and quiche checks that it stays ours.
    const scid = originalDcid === undefined ? randomBytes(CONNECTION_ID_LENGTH) : header.dcid
    const native = quiche.Connection.accept(scid, originalDcid, this.local, from, this.#config)
    const id = Buffer.from(scid).toString('hex')
    const connection = new QuicheConnection({
      native,
      role: 'server',
      id,
      host: this,
      remote: from,
      datagramQueue: this.#settings.datagramQueue,
      // Keeping a tunnel alive is for whoever wants it: the client.
      keepAliveMs: 0,
    })
    if (refusal !== undefined) {
      // Tells the client why, once, and keeps nothing.
      try {
        native.recv(Uint8Array.from(packet), { from, to: this.local })
      } catch {}
      connection.refuse(...refusal)
      connection.abandon({ source: 'local', application: false, code: refusal[0], reason: refusal[1] })
      return undefined
    }
    this.counters.accepted++
    if (this.#keyLog !== undefined) native.setKeylog(this.#keyLog.fileFor(id))
    this.#add(connection, [key(scid), key(header.dcid)])
    connection.handler = listen.onConnection(connection)
    return connection
  }

  #wantsRetry(): boolean {
    switch (this.#listen?.retry) {
      case 'always':
        return true
      case 'auto':
        return this.#handshaking.size >= RETRY_ABOVE_HANDSHAKES
      default:
        return false
    }
  }

  #dial(options: ConnectOptions): QuicConnection {
    const scid = randomBytes(CONNECTION_ID_LENGTH)
    const byAddress = isIP(options.serverName) !== 0
    const sni = byAddress ? undefined : options.serverName
    const native = quiche.Connection.connect(sni, scid, this.local, options.remote, this.#config)
    if (options.session !== undefined) native.setSession(options.session)
    const id = scid.toString('hex')
    if (this.#keyLog !== undefined) native.setKeylog(this.#keyLog.fileFor(id))
    const connection = new QuicheConnection({
      native,
      role: 'client',
      id,
      host: this,
      remote: options.remote,
      datagramQueue: this.#settings.datagramQueue,
      keepAliveMs: this.#settings.keepAliveMs ?? Math.floor(this.#settings.idleTimeoutMs / 3),
      expectedIp: byAddress && !options.insecure ? options.serverName : undefined,
    })
    this.#add(connection, [key(scid)])
    this.schedule(connection)
    return connection
  }

  #add(connection: QuicheConnection, ids: string[]): void {
    this.#connections.set(connection, ids)
    for (const id of ids) this.#routes.set(id, connection)
    this.#handshaking.add(connection)
    const address = connection.firstRemote.host
    this.#perAddress.set(address, (this.#perAddress.get(address) ?? 0) + 1)
  }

  #sendTo(packet: Uint8Array, to: SocketAddress): void {
    if (this.#socketOpen) this.#socket.send(packet, to.port, to.host)
  }

  /** A client hears here that nobody listens (ECONNREFUSED). A server's socket goes on: the error was one packet's. */
  #socketFailed(error: Error): void {
    if (this.#listen !== undefined) return this.#onError(error)
    for (const connection of this.#connections.keys()) {
      if (connection.established) continue
      connection.abandon({
        source: 'local',
        application: false,
        code: TRANSPORT_CONNECTION_REFUSED,
        reason: error.message,
      })
      this.forget(connection)
    }
  }

  #closeSocket(): void {
    if (!this.#socketOpen) return
    this.#socketOpen = false
    this.#socket.close()
    for (const connection of this.#connections.keys()) {
      connection.abandon({ source: 'local', application: true, code: H3_NO_ERROR, reason: 'the endpoint was closed' })
    }
    this.#connections.clear()
    this.#routes.clear()
  }
}

/** In `auto`, this many unfinished handshakes are taken for a flood. */
const RETRY_ABOVE_HANDSHAKES = 64

function key(connectionId: Uint8Array): string {
  return Buffer.from(connectionId.buffer, connectionId.byteOffset, connectionId.length).toString('latin1')
}

function openSocket(host: string, port: number): Promise<Socket> {
  const socket = createSocket({
    type: isIPv6(host) ? 'udp6' : 'udp4',
    ipv6Only: false,
    // Addresses here are never names; answering at once saves Node a trip through its event loop for every packet.
    lookup: ((address: string, family: unknown, callback: (error: null, address: string, family: number) => void) =>
      callback(null, address, family as number)) as never,
  })
  return new Promise((resolve, reject) => {
    socket.once('error', error => {
      socket.close()
      reject(error)
    })
    socket.bind(port, host, () => {
      socket.removeAllListeners('error')
      // As much as the system grants: a burst waits in the kernel instead of being dropped there.
      for (const grow of [() => socket.setRecvBufferSize(4 << 20), () => socket.setSendBufferSize(4 << 20)]) {
        try {
          grow()
        } catch {}
      }
      resolve(socket)
    })
  })
}

function makeConfig(settings: QuicSettings, tls: TlsMaterial, verify: boolean, insecure: boolean): NativeConfig {
  // Without one quiche never sends a packet, and never says why.
  if (settings.alpn.length === 0)
    throw new Error('QUIC needs an application protocol (ALPN), and settings.alpn has none')
  // quiche would look for the system's certificates where they are on its build machine; Node brings its own list.
  const ca = tls.ca ?? (verify ? Buffer.from(rootCertificates.join('\n')) : undefined)
  const config = quiche.Config.withBoringSslCtx(
    verify,
    insecure,
    ca,
    tls.key === undefined ? undefined : [tls.key],
    tls.certificateChain === undefined ? undefined : [tls.certificateChain],
  )
  config.setApplicationProtos([...settings.alpn])
  config.setMaxIdleTimeout(settings.idleTimeoutMs)
  config.setMaxSendUdpPayloadSize(settings.maxUdpPayload)
  config.setMaxRecvUdpPayloadSize(65527)
  config.setInitialMaxData(settings.connectionWindow)
  config.setMaxConnectionWindow(settings.connectionWindow * 2)
  config.setInitialMaxStreamDataBidiLocal(settings.streamWindow)
  config.setInitialMaxStreamDataBidiRemote(settings.streamWindow)
  config.setInitialMaxStreamDataUni(settings.streamWindow)
  config.setMaxStreamWindow(settings.streamWindow * 2)
  config.setInitialMaxStreamsBidi(settings.maxStreamsBidi)
  config.setInitialMaxStreamsUni(settings.maxStreamsUni)
  config.setCcAlgorithmName(settings.congestionControl)
  // Pacing would only stamp packets with the time they should leave; nothing here waits for it.
  config.enablePacing(false)
  config.enableDgram(true, settings.datagramQueue, settings.datagramQueue)
  config.setActiveConnectionIdLimit(ACTIVE_CONNECTION_IDS)
  return config
}
