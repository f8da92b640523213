/**
 * A UDP socket with the QUIC connections that live on it.
 *
 * The way of a packet: socket → connection id → connection (`receive`), then, once for all packets that were
 * waiting, a turn of each connection that got some: events out, packets out, timer. Nothing is awaited on the way.
 *
 * Two boundaries keep whatever goes wrong from reaching further: `enter`, for what concerns one connection, and `#receive`, for
 * packets that belong to none. Nothing that a peer, the kernel or a timer can cause gets past them.
 */

import { randomBytes } from 'node:crypto'
import type { Socket } from 'node:dgram'
import { isIP, isIPv6 } from 'node:net'
import { rootCertificates } from 'node:tls'
import { type Header, type Config as NativeConfig, quiche } from '@matrixai/quic/native/index.js'
import { bindUdp, connectUdp } from '../net/udp.ts'
import { CONNECTION_ID_LENGTH } from './datagram-room.ts'
import { KeyLog } from './key-log.ts'
import type { QuicConnection, QuicHandler, QuicSettings, SocketAddress, TlsMaterial } from './quic.ts'
import { type ConnectionHost, QuicheConnection } from './quiche/quiche-connection.ts'
import { Zones } from './quiche/zones.ts'
import { RetryTokens } from './retry-token.ts'
import { setDontFragment } from './udp/dont-fragment.ts'

/** RFC 9000 §14.1: an Initial arrives in a datagram of at least so many bytes. */
const MIN_INITIAL_DATAGRAM = 1200
/** RFC 9000 §8.1: what may be sent to an address that has not been validated, as a multiple of what came from there. */
const AMPLIFICATION_LIMIT = 3
const LONG_HEADER_BIT = 0x80
const TRANSPORT_CONNECTION_REFUSED = 0x02
const TRANSPORT_INVALID_TOKEN = 0x0b
const H3_NO_ERROR = 0x100
const H3_EXCESSIVE_LOAD = 0x107

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
  /** Something beside the connections has failed, such as the key log; they go on. */
  onWarning?(sentence: string): void
  /** Something that is worth a line of the log for whoever looks closely. */
  debug?(message: string): void
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
  /** As of a server. */
  onWarning?(sentence: string): void
  /** Something that is worth a line of the log for whoever looks closely. */
  debug?(message: string): void
}

export interface EndpointCounters {
  accepted: number
  retried: number
  /** By reason: a connection attempt that was not let in. */
  rejected: { limit: number; token: number; version: number }
  /** UDP payloads that belong to no connection and start none, or that nobody could answer. */
  stray: number
  /** Packets that were not sent, because an address that is not validated gets three times what came from it (RFC 9000 §8.1). */
  withheld: number
  /** Connections that were not in use and had to make room for new ones. */
  evicted: number
  /** Packets whose reading failed in an unforeseen way, connections that were ended by an error of ours. */
  faults: number
}

/** Why a connection is not let in, with a code of RFC 9000 §20.1. */
type Refusal = [code: number, reason: string]

/** Bytes of UDP payload from and to an address that is not validated. */
interface Unvalidated {
  /** The connection id that we chose, as a key of the routes: who uses it has read our answer. */
  readonly ownId: string
  received: number
  sent: number
}

export class QuicEndpoint implements ConnectionHost {
  readonly counters: EndpointCounters = {
    accepted: 0,
    retried: 0,
    rejected: { limit: 0, token: 0, version: 0 },
    stray: 0,
    withheld: 0,
    evicted: 0,
    faults: 0,
  }
  local: SocketAddress = { host: '', port: 0 }
  /** The same as quiche knows it. */
  nativeLocal: SocketAddress = this.local

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
  /** Of a server: connections whose client may have forged its address. */
  readonly #unvalidated = new Map<QuicheConnection, Unvalidated>()
  readonly #zones = new Zones()
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
    onWarning?: (sentence: string) => void
    debug?: (message: string) => void
  }) {
    this.#settings = options.settings
    this.#socket = options.socket
    this.#config = options.config
    this.#listen = options.listen
    this.#onError = options.onError ?? (() => {})
    const { keyLog } = options.settings
    this.#keyLog = keyLog === undefined ? undefined : new KeyLog(keyLog, options.onWarning ?? (() => {}))
    if (this.#keyLog !== undefined) this.#config.logKeys()
    this.#sendBuffer = new Uint8Array(options.settings.maxUdpPayload)
    const fragmented = setDontFragment(options.socket)
    if (fragmented !== undefined) options.debug?.(`packets may be fragmented: Don't Fragment is not set, ${fragmented}`)
  }

  /** Opens a server socket. Rejects with the system's error (EADDRINUSE, EACCES, …) when that cannot be. */
  static async listen(options: ListenOptions): Promise<QuicEndpoint> {
    const config = makeConfig(options.settings, options.tls, options.clientCertificate !== 'none', false)
    // `withBoringSslCtx` turns verification into "required"; this call makes it "optional" again.
    if (options.clientCertificate === 'optional') config.verifyPeer(true)
    config.setTicketKey(randomBytes(48))
    const socket = await bindUdp(options)
    try {
      const endpoint = new QuicEndpoint({
        settings: options.settings,
        socket,
        config,
        listen: options,
        onError: options.onError,
        onWarning: options.onWarning,
        debug: options.debug,
      })
      endpoint.#start()
      return endpoint
    } catch (error) {
      socket.close()
      throw error
    }
  }

  /**
   * Opens a socket of its own and starts a handshake on it. The socket closes with the connection. Rejects with the
   * system's error when there is no way to `remote` (ENETUNREACH, EACCES, …).
   *
   * Set the connection's `handler` at once: nothing is reported before the caller's turn of the event loop is over.
   */
  static async connect(options: ConnectOptions): Promise<QuicConnection> {
    const config = makeConfig(options.settings, options.tls, !options.insecure, options.insecure === true)
    const socket = await bindUdp({ host: isIPv6(options.remote.host) ? '::' : '0.0.0.0', port: 0 })
    // A connected socket hears the ICMP error when nobody listens at the other end.
    await connectUdp(socket, options.remote)
    try {
      const endpoint = new QuicEndpoint({
        settings: options.settings,
        socket,
        config,
        onError: options.onError,
        onWarning: options.onWarning,
        debug: options.debug,
      })
      endpoint.#connected = true
      endpoint.#start()
      return endpoint.#dial(options)
    } catch (error) {
      socket.close()
      throw error
    }
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
    for (const connection of [...this.#connections.keys()]) {
      this.enter(connection, () => {
        connection.close(code, reason)
        connection.turn()
      })
    }
    // What the kernel would not take at once is still in the socket's queue: let it leave, but not for ever.
    for (let i = 0; i < 50 && this.#socketOpen && this.#socket.getSendQueueCount() > 0; i++) {
      await new Promise(resolve => setTimeout(resolve, 10))
    }
    this.#closeSocket()
    await this.#socketClosed
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
      // Not one that has been refused or forgotten meanwhile.
      if (this.#socketOpen && this.#connections.has(connection)) this.enter(connection, () => connection.turn())
    }
  }

  enter(connection: QuicheConnection, step: () => void): void {
    try {
      step()
    } catch (error) {
      this.#failed(connection, error)
    }
  }

  #failed(connection: QuicheConnection, error: unknown): void {
    this.onError(error)
    try {
      connection.fail()
    } catch (another) {
      this.onError(another)
      this.forget(connection)
    }
  }

  sendBuffer(): Uint8Array {
    return this.#sendBuffer
  }

  get socketCongested(): boolean {
    return !this.#socketOpen || this.#socket.getSendQueueCount() > MAX_QUEUED_SENDS
  }

  transmit(connection: QuicheConnection, length: number, _from: SocketAddress, to: SocketAddress): void {
    if (this.#unvalidated.size > 0 && !this.#maySend(connection, length)) return
    const packet = this.#sendBuffer.subarray(0, length)
    if (this.#connected) this.#socket.send(packet)
    else this.#socket.send(packet, to.port, this.#zones.restore(to.host))
    // Nearly always the kernel has taken the packet by now. If not, Node still needs the buffer: leave it to Node.
    if (this.#socket.getSendQueueCount() > 0) this.#sendBuffer = new Uint8Array(this.#settings.maxUdpPayload)
  }

  /**
   * The limit of RFC 9000 §8.1. quiche has one too, but its probes for a client that never answers exceed it: six times what
   * came, in 21 s. What is too much is not sent; to QUIC it is lost.
   */
  #maySend(connection: QuicheConnection, length: number): boolean {
    const account = this.#unvalidated.get(connection)
    if (account === undefined) return true
    if (account.sent + length > AMPLIFICATION_LIMIT * account.received) {
      this.counters.withheld++
      return false
    }
    account.sent += length
    return true
  }

  realAddress({ host, port }: SocketAddress): SocketAddress {
    return { host: this.#zones.restore(host), port }
  }

  forget(connection: QuicheConnection): void {
    const ids = this.#connections.get(connection)
    if (ids === undefined) return
    for (const id of ids) this.#routes.delete(id)
    this.#connections.delete(connection)
    this.#handshaking.delete(connection)
    this.#unvalidated.delete(connection)
    const address = connection.firstRemote.host
    const others = (this.#perAddress.get(address) ?? 1) - 1
    if (others > 0) this.#perAddress.set(address, others)
    else this.#perAddress.delete(address)
    if (this.#listen === undefined) this.#closeSocket()
  }

  addConnectionId(connection: QuicheConnection): Uint8Array {
    const id = randomBytes(CONNECTION_ID_LENGTH)
    const ids = this.#connections.get(connection)
    if (ids !== undefined) {
      ids.push(key(id))
      this.#routes.set(key(id), connection)
    }
    return id
  }

  removeConnectionId(connection: QuicheConnection, id: Uint8Array): void {
    const ids = this.#connections.get(connection)
    const at = ids?.indexOf(key(id)) ?? -1
    if (at >= 0) ids?.splice(at, 1)
    this.#routes.delete(key(id))
  }

  handshakeDone(connection: QuicheConnection): void {
    this.#handshaking.delete(connection)
    this.#keyLog?.collect(connection.id)
  }

  onError(error: unknown): void {
    this.counters.faults++
    try {
      this.#onError(error)
    } catch {
      // Whoever was to be told cannot be told. It has been counted.
    }
  }

  // -- packets in ----------------------------------------------------------------------------------------------

  #socketOpen = true
  #socketClosed: Promise<void> | undefined

  #start(): void {
    const { address, port } = this.#socket.address()
    this.local = { host: address, port }
    this.nativeLocal = { host: this.#zones.embed(address) ?? address, port }
    this.#socket.on('message', (packet, from) => this.#receive(packet, from.address, from.port))
    this.#socket.on('error', error => this.#socketFailed(error))
    this.#socketClosed = new Promise(resolve => {
      this.#socket.once('close', () => {
        this.#socketOpen = false
        try {
          this.#keyLog?.close()
        } catch (error) {
          this.onError(error)
        }
        resolve()
      })
    })
  }

  #receive(packet: Buffer, host: string, port: number): void {
    try {
      const from = this.#zones.embed(host)
      // RFC 768: who sets no source port wants no answer, and none can be sent to port 0.
      if (port === 0 || from === undefined || packet.length < 1 + CONNECTION_ID_LENGTH) this.counters.stray++
      else this.#route(packet, from, port)
    } catch (error) {
      this.onError(error)
    }
  }

  /** `host` as quiche knows it: see zones.ts. */
  #route(packet: Buffer, host: string, port: number): void {
    const isLong = (packet[0] & LONG_HEADER_BIT) !== 0
    let id: string
    let header: Header | undefined
    if (isLong) {
      try {
        header = quiche.Header.fromSlice(packet, CONNECTION_ID_LENGTH)
      } catch {
        this.counters.stray++
        return
      }
      id = key(header.dcid)
    } else id = packet.toString('latin1', 1, 1 + CONNECTION_ID_LENGTH)
    const connection = this.#routes.get(id)
    if (connection !== undefined) {
      if (this.#unvalidated.size > 0) this.#heardFrom(connection, id, packet.length, host, port)
      try {
        connection.receive(packet, host, port)
      } catch (error) {
        this.#failed(connection, error)
      }
    } else if (header !== undefined) this.#accept(packet, header, { host, port })
    else this.counters.stray++
  }

  /**
   * RFC 9000 §8.1: whoever uses a connection id of 64 random bits that we have chosen has read our answer, so the address is
   * its own. Until then all bytes count that come for this connection, whether or not they can be read.
   */
  #heardFrom(connection: QuicheConnection, id: string, length: number, host: string, port: number): void {
    const account = this.#unvalidated.get(connection)
    if (account === undefined) return
    account.received += length
    const first = connection.firstRemote
    if (id === account.ownId && port === first.port && this.#zones.restore(host) === first.host) {
      this.#unvalidated.delete(connection)
    }
  }

  /** Decides about a packet with a long header that belongs to no connection (RFC 9000 §5.2.2). */
  #accept(packet: Buffer, header: Header, from: SocketAddress): void {
    const listen = this.#listen
    // Version 0 is a Version Negotiation packet, which is never answered with another (RFC 9000 §6.1).
    const isTooSmall = packet.length < MIN_INITIAL_DATAGRAM
    if (listen === undefined || this.#closed !== undefined || isTooSmall || header.version === 0) {
      this.counters.stray++
      return
    }
    if (!quiche.versionIsSupported(header.version)) {
      this.counters.rejected.version++
      const out = new Uint8Array(MIN_INITIAL_DATAGRAM)
      this.#sendTo(out.subarray(0, quiche.negotiateVersion(header.scid, header.dcid, out)), from)
      return
    }
    if (header.ty !== quiche.Type.Initial) {
      this.counters.stray++
      return
    }

    const hasToken = header.token !== undefined && header.token.length > 0
    const token = hasToken
      ? this.#retryTokens.verify(header.token as Uint8Array, from, header.dcid, Date.now())
      : undefined
    const isBadToken = hasToken && !(token instanceof Uint8Array)
    if (isBadToken) this.counters.rejected.token++
    // RFC 9000 §8.1.3: a token that is not ours is as good as none. Nor may it be a way around the Retry.
    if (token === undefined && this.#wantsRetry()) {
      this.counters.retried++
      const newDcid = randomBytes(CONNECTION_ID_LENGTH)
      const issued = this.#retryTokens.issue(from, header.dcid, newDcid, Date.now())
      const out = new Uint8Array(MIN_INITIAL_DATAGRAM)
      const length = quiche.retry(header.scid, header.dcid, newDcid, issued, header.version, out)
      this.#sendTo(out.subarray(0, length), from)
      return
    }
    const originalDcid = token instanceof Uint8Array ? token : undefined
    // §8.1.2: this client has had its Retry, and would not accept another one.
    const refusal: Refusal | undefined =
      token === 'expired'
        ? [TRANSPORT_INVALID_TOKEN, 'the address validation token is not valid any more: it came too late']
        : undefined
    const remote = this.realAddress(from)

    // After a Retry the client addresses us by the id the Retry gave it, and quiche checks that it stays ours.
    const scid = originalDcid === undefined ? randomBytes(CONNECTION_ID_LENGTH) : header.dcid
    const native = quiche.Connection.accept(scid, originalDcid, this.nativeLocal, from, this.#config)
    const id = Buffer.from(scid).toString('hex')
    const connection = new QuicheConnection({
      native,
      role: 'server',
      id,
      host: this,
      remote,
      datagramQueue: this.#settings.datagramQueue,
      maxUdpPayload: this.#settings.maxUdpPayload,
      // Keeping a tunnel alive is for whoever wants it: the client.
      keepAliveMs: 0,
    })
    if (originalDcid === undefined) {
      this.#unvalidated.set(connection, { ownId: key(scid), received: packet.length, sent: 0 })
    }
    if (refusal === undefined) this.#keyLog?.attach(id, file => native.setKeylog(file))
    this.#begin(connection, [key(scid), key(header.dcid)], packet, from, refusal)
  }

  /** Whether one more connection from this address is within the limits; if not, one that nobody uses makes room. */
  #hasRoomFor(host: string): boolean {
    const { maxConnections, maxConnectionsPerAddress } = this.#listen as ListenOptions
    const isAddressFull = (this.#perAddress.get(host) ?? 0) >= maxConnectionsPerAddress
    if (isAddressFull) return this.#evict(connection => connection.firstRemote.host === host)
    return this.#connections.size < maxConnections || this.#evict(() => true)
  }

  /** Closes the oldest of these connections that is not in use. False when there is none. */
  #evict(isCandidate: (connection: QuicheConnection) => boolean): boolean {
    const startedBefore = performance.now() - EVICTABLE_AFTER_MS
    for (const connection of this.#connections.keys()) {
      if (connection.startedAt > startedBefore) return false
      if (connection.inUse || !isCandidate(connection)) continue
      this.counters.evicted++
      this.enter(connection, () => {
        connection.close(H3_EXCESSIVE_LOAD, 'there are too many connections, and this one is not in use')
        connection.turn()
      })
      // Without the time in which a closed connection answers late packets: its place is needed now.
      this.enter(connection, () =>
        connection.abandon({ source: 'local', application: true, code: H3_EXCESSIVE_LOAD, reason: '' }),
      )
      this.forget(connection)
      return true
    }
    return false
  }

  /** Reads the packet that a connection begins with, and refuses the connection or hands it to the application. */
  #begin(
    connection: QuicheConnection,
    ids: string[],
    packet: Buffer,
    from: SocketAddress,
    tokenRefusal: Refusal | undefined,
  ): void {
    let isConnection = false
    let refusal = tokenRefusal
    this.enter(connection, () => {
      isConnection = connection.receive(packet, from.host, from.port)
      if (!isConnection) return
      // Not before it was read: nobody makes room for noise.
      if (refusal === undefined && !this.#hasRoomFor(connection.firstRemote.host)) {
        this.counters.rejected.limit++
        refusal = [TRANSPORT_CONNECTION_REFUSED, 'too many connections']
      }
      if (refusal === undefined) return
      // Tells the client why, once, and keeps nothing.
      connection.refuse(...refusal)
      connection.abandon({ source: 'local', application: false, code: refusal[0], reason: refusal[1] })
    })
    if (!isConnection || refusal !== undefined) {
      this.#unvalidated.delete(connection)
      this.#keyLog?.collect(connection.id)
      if (!isConnection) this.counters.stray++
      return
    }
    this.counters.accepted++
    this.#add(connection, ids)
    this.enter(connection, () => {
      connection.handler = (this.#listen as ListenOptions).onConnection(connection)
    })
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
    const host = this.#zones.embed(options.remote.host) ?? options.remote.host
    const remote = { host, port: options.remote.port }
    const native = quiche.Connection.connect(sni, scid, this.nativeLocal, remote, this.#config)
    if (options.session !== undefined) native.setSession(options.session)
    const id = scid.toString('hex')
    this.#keyLog?.attach(id, file => native.setKeylog(file))
    const connection = new QuicheConnection({
      native,
      role: 'client',
      id,
      host: this,
      remote: options.remote,
      datagramQueue: this.#settings.datagramQueue,
      maxUdpPayload: this.#settings.maxUdpPayload,
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

  /** Answers without a connection are smaller than what they answer. */
  #sendTo(packet: Uint8Array, to: SocketAddress): void {
    if (this.#socketOpen) this.#socket.send(packet, to.port, this.#zones.restore(to.host))
  }

  /** A client hears here that nobody listens (ECONNREFUSED). A server's socket goes on: the error was one packet's. */
  #socketFailed(error: NodeJS.ErrnoException): void {
    if (this.#listen !== undefined) {
      // A probe that the interface does not take is lost, and the search for the path's MTU learns from that.
      if (error.code !== 'EMSGSIZE') this.onError(error)
      return
    }
    for (const connection of [...this.#connections.keys()]) {
      if (connection.established) continue
      this.enter(connection, () => {
        connection.abandon({
          source: 'local',
          application: false,
          code: TRANSPORT_CONNECTION_REFUSED,
          reason: error.message,
        })
        this.forget(connection)
      })
    }
  }

  #closeSocket(): void {
    if (!this.#socketOpen) return
    this.#socketOpen = false
    try {
      this.#socket.close()
    } catch (error) {
      this.onError(error)
    }
    for (const connection of [...this.#connections.keys()]) {
      this.enter(connection, () =>
        connection.abandon({
          source: 'local',
          application: true,
          code: H3_NO_ERROR,
          reason: 'the endpoint was closed',
        }),
      )
    }
    this.#connections.clear()
    this.#routes.clear()
  }
}

/** Time for a handshake and a request: so long nobody is sent away to make room for others, in ms. */
const EVICTABLE_AFTER_MS = 1000

/** In `auto`, this many unfinished handshakes are taken for a flood. */
const RETRY_ABOVE_HANDSHAKES = 64

function key(connectionId: Uint8Array): string {
  return Buffer.from(connectionId.buffer, connectionId.byteOffset, connectionId.length).toString('latin1')
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
  config.setMaxConnectionWindow(settings.maxConnectionWindow)
  config.setInitialMaxStreamDataBidiLocal(settings.streamWindow)
  config.setInitialMaxStreamDataBidiRemote(settings.streamWindow)
  config.setInitialMaxStreamDataUni(settings.streamWindow)
  config.setMaxStreamWindow(settings.maxStreamWindow)
  config.setInitialMaxStreamsBidi(settings.maxStreamsBidi)
  config.setInitialMaxStreamsUni(settings.maxStreamsUni)
  config.setCcAlgorithmName(settings.congestionControl)
  // Pacing would only stamp packets with the time they should leave; nothing here waits for it.
  config.enablePacing(false)
  config.enableDgram(true, settings.datagramQueue, settings.datagramQueue)
  config.setActiveConnectionIdLimit(ACTIVE_CONNECTION_IDS)
  return config
}
