/**
 * Drives the QUIC connections that live on one endpoint: an engine in the middle, UDP sockets and timers around it.
 *
 * The way of a packet: socket → connection id → the inbox of its connection, until everything is read that has come; then turns of the
 * connections that got some, in rotation: packets in, events out, packets out, timer. Nothing is awaited on the way. Who wants to begin a connection has
 * its turn after all who have one (`#admit`).
 *
 * Boundaries keep whatever goes wrong from reaching further: `enter`, for what concerns one connection; `#receive`, for packets that belong
 * to none; and `#serve`, for the order of turns. Nothing that a peer, the kernel or a timer can cause gets past them.
 */

import { randomBytes } from 'node:crypto'
import { Acceptor, type AcceptorHost, type AcceptPolicy } from './acceptor.ts'
import { APPLICATION_NO_ERROR, CONNECTION_REFUSED } from './close-codes.ts'
import { DrivenConnection } from './connection.ts'
import { ConnectionTable, keyOf } from './connection-table.ts'
import { newCounters } from './counters.ts'
import { CONNECTION_ID_LENGTH } from './datagram-room.ts'
import type { EcnCodepoint } from './ecn.ts'
import type { LongHeader, QuicEngine, UdpPath } from './engine.ts'
import { Inbox, InboxRoom, type OnWaiting } from './inbox.ts'
import type { DriverIo, PacketSocket, UdpTap } from './io.ts'
import type { KeptTokens } from './kept-tokens.ts'
import { KeyLog } from './key-log.ts'
import type { QuicSettings, SocketAddress } from './quic.ts'
import { ResetAnswers } from './reset-answers.ts'
import { Rotation } from './rotation.ts'
import { isUsual } from './udp/unsent.ts'
import { UnvalidatedAddresses } from './unvalidated-addresses.ts'

const LONG_HEADER_BIT = 0x80

/** Packets that are read and sent before timers and sockets have their turn; and when sockets are known to have more. */
const PACKETS_AT_ONCE = 64
const PACKETS_BEFORE_MORE = 8
const PACKETS_ALONE = 512

/** A connection begins with work: a handshake, or at least a Retry. So many begin in a turn of the event loop; the others wait behind those that are there. */
const NEWCOMERS_AT_ONCE = 2

/** More packets than this waiting in the kernel's way: stop asking QUIC for more until they are gone. */
const MAX_QUEUED_SENDS = 64

/** How often, and how many times, one looks whether the last packets have left, in ms. */
const CLOSE_LOOK_MS = 10
const CLOSE_LOOKS = 50

export interface DriverOptions {
  engine: QuicEngine
  settings: QuicSettings
  io: DriverIo
  /** At least one. Each packet leaves on the one that is bound to its path's local address. */
  sockets: readonly PacketSocket[]
  /** Of a client that may move: a socket for this remote address, which sends from this local one, if one is given. */
  openSocket?(remote: SocketAddress, local?: string): Promise<PacketSocket>
  /** Of a server. Without it nobody is let in, and the sockets close with the last connection. */
  accept?: AcceptPolicy
  /** Of a capture: only its `keys` are heard here. */
  tap?: UdpTap | undefined
  /** A handler threw: a bug of ours, which closes that connection only. */
  onError?(error: unknown): void
  /** Something beside the connections has failed, such as the key log; they go on. */
  onWarning?(sentence: string): void
}

export interface Dial {
  remote: SocketAddress
  serverName: string
  resumptionTicket?: Uint8Array
  /** Where the tokens of servers are, and are kept. */
  tokens?: KeptTokens
}

export class QuicDriver implements AcceptorHost {
  readonly counters = newCounters()
  readonly io: DriverIo
  readonly engine: QuicEngine
  readonly keyLog: KeyLog | undefined
  readonly datagramQueue: number
  readonly inboxRoom = new InboxRoom()
  readonly table = new ConnectionTable<DrivenConnection>()
  readonly handshaking = new Set<DrivenConnection>()
  /** Of a server: connections whose client may have forged its address. */
  readonly unvalidated = new UnvalidatedAddresses<DrivenConnection>()
  readonly #settings: QuicSettings
  #sockets: readonly PacketSocket[] = []
  readonly #openSocket: DriverOptions['openSocket']
  readonly #acceptor: Acceptor | undefined
  readonly #resets: ResetAnswers
  readonly #onError: (error: unknown) => void
  readonly #rotation = new Rotation<DrivenConnection>()
  /** First packets of connections that are to begin. */
  readonly #newcomers = new Inbox(this.inboxRoom)
  /** Of them: those that had their turn since connections had theirs. */
  #newcomersServed = 0
  #isRunSoon = false
  /** Packets that have come since connections had turns. */
  #arrived = 0
  #open = true
  #closed: Promise<void> | undefined
  #socketsClosed: Promise<unknown> | undefined

  constructor(options: DriverOptions) {
    this.io = options.io
    this.engine = options.engine
    this.#settings = options.settings
    this.#openSocket = options.openSocket
    this.#onError = options.onError ?? (() => {})
    const { keyLog, datagramQueue } = options.settings
    const keys = options.tap?.keys
    const isKeyLogged = keyLog !== undefined || keys !== undefined
    this.keyLog = isKeyLogged ? new KeyLog(keyLog, options.onWarning ?? (() => {}), keys) : undefined
    this.datagramQueue = datagramQueue
    this.#acceptor = options.accept === undefined ? undefined : new Acceptor(this, options.accept)
    this.#resets = new ResetAnswers(this)
    for (const socket of options.sockets) this.addSocket(socket)
  }

  /** Starts a handshake, on the first socket. Nothing is reported before the caller's turn of the event loop is over. */
  connect({ remote, serverName, resumptionTicket, tokens }: Dial): DrivenConnection {
    const scid = randomBytes(CONNECTION_ID_LENGTH)
    const path = { local: this.#sockets[0].local, remote }
    const token = tokens?.take(serverName, remote)
    const onNewToken = (next: Uint8Array): void => tokens?.keep(serverName, remote, next)
    const engine = this.engine.connect({ id: scid, path, serverName, resumptionTicket, token, onNewToken })
    const id = scid.toString('hex')
    this.keyLog?.attach(id, file => engine.logKeys(file))
    const { datagramQueue, idleTimeoutMs, keepAliveMs = Math.floor(idleTimeoutMs / 3) } = this.#settings
    const connection = new DrivenConnection({
      engine,
      role: 'client',
      id,
      host: this,
      path,
      datagramQueue,
      keepAliveMs,
    })
    this.add(connection, [scid])
    this.schedule(connection)
    return connection
  }

  /** Closes every connection (without an error unless said otherwise), then the sockets. Idempotent. */
  close(code = APPLICATION_NO_ERROR, reason = ''): Promise<void> {
    this.#closed ??= this.#shutDown(code, reason)
    return this.#closed
  }

  async #shutDown(code: number, reason: string): Promise<void> {
    for (const connection of [...this.table.all]) {
      this.enter(connection, () => {
        connection.close(code, reason)
        connection.turn()
      })
    }
    // What the kernel would not take at once is still in the sockets' queues: let it leave, but not for ever.
    for (let i = 0; i < CLOSE_LOOKS && this.#sockets.some(socket => socket.open && socket.queued > 0); i++) {
      await new Promise<void>(resolve => this.io.setTimer(resolve, CLOSE_LOOK_MS))
    }
    this.#closeSockets()
    await this.#socketsClosed
  }

  // -- for a connection ----------------------------------------------------------------------------------------

  schedule(connection: DrivenConnection): void {
    this.#rotation.add(connection)
    this.#serveSoon()
  }

  #serveSoon(): void {
    if (this.#isRunSoon) return
    this.#isRunSoon = true
    this.io.soon(this.#serve)
  }

  readonly #serve = (): void => {
    this.#isRunSoon = false
    try {
      this.#rotation.serve(this.#packetsAtOnce(), this.#turnOf)
      this.#arrived = 0
      this.#newcomersServed = 0
      if (this.#open) this.#newcomers.serve(NEWCOMERS_AT_ONCE, this.#receiveAgain)
      if (this.#rotation.isWanted || !this.#newcomers.isEmpty) this.#serveSoon()
    } catch (error) {
      this.onError(error)
    }
  }

  /**
   * When sockets bring as many packets as they can there are more in the system's queue, where all wait behind each other. Then few of
   * them are served, and the next are fetched soon: that queue is emptied faster than it fills, also when more comes than can be served.
   */
  #packetsAtOnce(): number {
    // Who is alone keeps nobody waiting.
    if (this.table.size === 1) return PACKETS_ALONE
    const isThereMore = this.#sockets.some(({ readsAtOnce }) => this.#arrived >= readsAtOnce)
    return isThereMore ? PACKETS_BEFORE_MORE : PACKETS_AT_ONCE
  }

  /** What it costs: packets that were read and sent, and at least one, for what else there is in a turn. */
  readonly #turnOf = (connection: DrivenConnection, most: number): number => {
    let packets = 0
    // Not of one that has been refused or forgotten meanwhile.
    if (this.#open && connection.listed) {
      this.enter(connection, () => {
        packets = connection.turn(most)
      })
    }
    return Math.max(packets, 1)
  }

  enter(connection: DrivenConnection, step: () => void): void {
    try {
      step()
    } catch (error) {
      this.#failed(connection, error)
    }
  }

  /** Never throws: it is called from where a packet or a timer comes in, and there is nobody above. */
  #failed(connection: DrivenConnection, error: unknown): void {
    this.onError(error)
    for (const step of [() => connection.fail(), () => this.forget(connection)]) {
      try {
        return step()
      } catch (another) {
        this.onError(another)
      }
    }
  }

  room(socket: PacketSocket): Uint8Array {
    return socket.room(this.#settings.maxUdpPayload)
  }

  socketAt({ host, port }: SocketAddress): PacketSocket {
    const isBoundThere = ({ local }: PacketSocket): boolean => local.port === port && local.host === host
    return this.#sockets.find(isBoundThere) ?? this.#sockets[0]
  }

  async openSocket(remote: SocketAddress, local?: string): Promise<PacketSocket> {
    if (this.#openSocket === undefined || !this.#open) throw new Error('this endpoint opens no further sockets')
    const socket = await this.#openSocket(remote, local)
    if (this.#open) return socket
    await this.#closeSocket(socket)
    throw new Error('the endpoint was closed')
  }

  addSocket(socket: PacketSocket): void {
    this.#sockets = [...this.#sockets, socket]
    socket.start({
      onPacket: (packet, host, port, ecn) => this.#receive(packet, socket, host, port, ecn),
      onError: error => this.#heardError(error, socket),
    })
  }

  removeSocket(socket: PacketSocket): void {
    this.#sockets = this.#sockets.filter(other => other !== socket)
    void this.#closeSocket(socket)
  }

  isCongested(socket: PacketSocket): boolean {
    return !socket.open || socket.queued > MAX_QUEUED_SENDS
  }

  transmit(
    connection: DrivenConnection,
    length: number,
    socket: PacketSocket,
    to: SocketAddress,
    ecn?: EcnCodepoint,
  ): void {
    if (this.unvalidated.maySend(connection, length)) socket.send(length, to, ecn)
    else this.counters.withheld++
  }

  flush(): void {
    for (const socket of this.#sockets) socket.flush()
  }

  add(connection: DrivenConnection, ids: readonly Uint8Array[]): void {
    connection.listed = true
    this.table.add(connection, ids)
    this.handshaking.add(connection)
  }

  forget(connection: DrivenConnection): void {
    connection.listed = false
    if (!this.table.remove(connection)) return
    this.handshaking.delete(connection)
    this.unvalidated.forget(connection)
    if (this.#acceptor === undefined && this.table.size === 0) this.#closeSockets()
  }

  addConnectionId(connection: DrivenConnection): Uint8Array {
    const id = randomBytes(CONNECTION_ID_LENGTH)
    this.table.addId(connection, id)
    return id
  }

  unusable(): void {
    this.counters.stray++
  }

  removeConnectionId(connection: DrivenConnection, id: Uint8Array): void {
    this.table.removeId(connection, id)
  }

  handshakeDone(connection: DrivenConnection): void {
    // One that has failed is unfinished until it is forgotten: a flood of those is one, too.
    if (connection.established) this.handshaking.delete(connection)
    this.keyLog?.collect(connection.id)
  }

  maySpeakEarly(connection: DrivenConnection): boolean {
    return this.#acceptor?.maySpeakEarly(connection) !== false
  }

  /** Something went wrong without being in anybody's way: counted and told. Never throws. */
  onError(error: unknown): void {
    this.counters.faults++
    try {
      this.#onError(error)
    } catch {
      // Whoever was to be told cannot be told. It has been counted.
    }
  }

  // -- packets in ----------------------------------------------------------------------------------------------

  #receive(packet: Buffer, socket: PacketSocket, host: string, port: number, ecn?: EcnCodepoint): void {
    try {
      this.#arrived++
      // RFC 768: who sets no source port wants no answer, and none can be sent to port 0.
      if (port === 0 || packet.length < 1 + CONNECTION_ID_LENGTH) this.counters.stray++
      else this.#route(packet, socket.local, host, port, ecn)
    } catch (error) {
      this.onError(error)
    }
  }

  #route(packet: Buffer, local: SocketAddress, host: string, port: number, ecn?: EcnCodepoint): void {
    const isLong = (packet[0] & LONG_HEADER_BIT) !== 0
    let header: LongHeader | undefined
    if (isLong) {
      header = this.engine.parseHeader(packet)
      if (header === undefined) {
        this.counters.stray++
        return
      }
    }
    const id = header === undefined ? packet.toString('latin1', 1, 1 + CONNECTION_ID_LENGTH) : keyOf(header.dcid)
    const connection = this.table.find(id)
    if (connection !== undefined) {
      this.unvalidated.heard(connection, id, packet.length, host, port)
      this.#arrive(connection, packet, local, host, port, ecn)
    } else if (header !== undefined) this.#admit(packet, header, { local, remote: { host, port } }, ecn)
    else this.#receiveOfNobody(packet, local, host, port)
  }

  #arrive(
    connection: DrivenConnection,
    packet: Buffer,
    local: SocketAddress,
    host: string,
    port: number,
    ecn?: EcnCodepoint,
  ): void {
    try {
      if (!connection.arrive(packet, local, host, port, ecn)) this.counters.crowdedOut++
    } catch (error) {
      this.#failed(connection, error)
    }
  }

  /** A short header, with a connection id that nobody has here: one of the two ends has lost the connection (RFC 9000 §10.3). */
  #receiveOfNobody(packet: Buffer, local: SocketAddress, host: string, port: number): void {
    if (this.#closed !== undefined) this.counters.stray++
    else if (this.#acceptor === undefined) this.#offerReset(packet, local, host, port)
    else this.#resets.receive(packet, { local, remote: { host, port } })
  }

  /** Of a client: only its connection with whoever has sent that knows whether it is a stateless reset, which has no connection id (§10.3.1). */
  #offerReset(packet: Buffer, local: SocketAddress, host: string, port: number): void {
    for (const connection of this.table.all) {
      const { remote } = connection
      if (remote.port === port && remote.host === host) {
        this.#arrive(connection, packet, local, host, port)
        return
      }
    }
    this.counters.stray++
  }

  #admit(packet: Buffer, header: LongHeader, path: UdpPath, ecn?: EcnCodepoint): void {
    if (this.#acceptor === undefined || this.#closed !== undefined) {
      this.counters.stray++
      return
    }
    if (this.#acceptor.mayBegin(packet, header)) {
      this.#serveSoon()
      if (this.#newcomersServed === NEWCOMERS_AT_ONCE) {
        const { local, remote } = path
        if (!this.#newcomers.put(packet, local, remote.host, remote.port, ecn)) this.counters.crowdedOut++
        return
      }
      this.#newcomersServed++
    }
    this.#acceptor.receive(packet, header, path, ecn)
  }

  /** One that had to wait. Meanwhile its connection may have begun, by a packet before it. */
  readonly #receiveAgain: OnWaiting = (packet, local, host, port, ecn) => {
    try {
      this.#route(Buffer.from(packet.buffer, packet.byteOffset, packet.length), local, host, port, ecn)
    } catch (error) {
      this.onError(error)
    }
  }

  answer(packet: Uint8Array, path: UdpPath): void {
    const socket = this.socketAt(path.local)
    if (!socket.open) return
    socket.room(packet.length).set(packet)
    socket.send(packet.length, path.remote)
    socket.flush()
  }

  // -- the sockets ---------------------------------------------------------------------------------------------

  #heardError(error: NodeJS.ErrnoException, socket: PacketSocket): void {
    try {
      this.#socketFailed(error, socket)
      // The last socket has ended, which no peer can cause: neither can any connection go on.
      if (this.#open && !this.#sockets.some(({ open }) => open)) this.#closeSockets()
    } catch (another) {
      this.onError(another)
    }
  }

  /** A client hears here that nobody listens (ECONNREFUSED). A server's sockets go on: the error was one packet's. */
  #socketFailed(error: NodeJS.ErrnoException, socket: PacketSocket): void {
    if (this.#acceptor !== undefined) {
      // Of what the system may answer to any packet the socket has counted how often (udp/unsent.ts). QUIC takes such a packet for lost; a probe that is
      // too large for the interface is what the search for the path's MTU learns from.
      if (!isUsual(error.code)) this.onError(error)
      return
    }
    for (const connection of [...this.table.all]) {
      if (connection.established) {
        if (error.code === 'ECONNREFUSED') this.enter(connection, () => connection.doubt(socket))
        continue
      }
      this.enter(connection, () => {
        connection.abandon({ source: 'local', application: false, code: CONNECTION_REFUSED, reason: error.message })
        this.forget(connection)
      })
    }
  }

  #closeSockets(): void {
    if (!this.#open) return
    this.#open = false
    this.#socketsClosed = Promise.allSettled(this.#sockets.map(socket => this.#closeSocket(socket))).then(() =>
      this.#closeKeyLog(),
    )
    for (const connection of [...this.table.all]) {
      this.enter(connection, () =>
        connection.abandon({
          source: 'local',
          application: true,
          code: APPLICATION_NO_ERROR,
          reason: 'the endpoint was closed',
        }),
      )
    }
    this.table.clear()
    this.#newcomers.clear()
  }

  async #closeSocket(socket: PacketSocket): Promise<void> {
    try {
      await socket.close()
    } catch (error) {
      this.onError(error)
    }
  }

  #closeKeyLog(): void {
    try {
      this.keyLog?.close()
    } catch (error) {
      this.onError(error)
    }
  }
}
