/**
 * One QUIC connection: an engine's connection with what it needs around it, turns, a timer, streams that wait.
 *
 * A turn serves all packets that have arrived since the last: events out, packets out, timer. The sockets are in driver.ts.
 */

import { runAll } from '../net/run-all.ts'
import { APPLICATION_INTERNAL_ERROR, APPLICATION_NO_ERROR } from './close-codes.ts'
import type { EcnCodepoint } from './ecn.ts'
import type { EngineConnection, EngineCounters, EngineEvents, OutgoingPacket, ProbeContent, UdpPath } from './engine.ts'
import { Inbox, type InboxRoom, type OnWaiting } from './inbox.ts'
import type { DriverIo, PacketSocket } from './io.ts'
import { Migration } from './migration.ts'
import type { QuicObserver } from './observer.ts'
import { OpenStreams } from './open-streams.ts'
import { PendingStreams } from './pending-streams.ts'
import type {
  DatagramResult,
  EngineName,
  MigrateOptions,
  MigrateResult,
  QuicCloseReason,
  QuicConnection,
  QuicHandler,
  QuicPath,
  QuicStats,
  SocketAddress,
} from './quic.ts'
import type { Turning } from './rotation.ts'
import { RunawayGuard } from './runaway-guard.ts'
import { UnacknowledgedStreams } from './unacknowledged-streams.ts'

/** What a connection needs from the endpoint it lives on. */
export interface ConnectionHost {
  readonly io: DriverIo
  /** For the packets that wait. */
  readonly inboxRoom: InboxRoom
  /** Asks for `turn()` soon: after the packets that are waiting in the sockets, before the process sleeps. */
  schedule(connection: DrivenConnection): void
  /** Where the engine writes the next packet for this socket: room for the largest UDP payload. */
  room(socket: PacketSocket): Uint8Array
  /** The socket that is bound to this address; if none is, any. */
  socketAt(local: SocketAddress): PacketSocket
  /** For a client that moves: a socket of its own. Rejects as the system says. It is to be added, or closed. */
  openSocket(remote: SocketAddress, local?: string): Promise<PacketSocket>
  addSocket(socket: PacketSocket): void
  /** Closes it, too. */
  removeSocket(socket: PacketSocket): void
  /** Whether nothing should be sent on this socket now, because it is closed or has much to send. */
  isCongested(socket: PacketSocket): boolean
  /** Sends the first `length` bytes of the socket's room for this connection, or withholds them as if they were lost. */
  transmit(
    connection: DrivenConnection,
    length: number,
    socket: PacketSocket,
    to: SocketAddress,
    ecn?: EcnCodepoint,
  ): void
  /** What was transmitted leaves now: packets that can leave together do. */
  flush(): void
  /** The engine has forgotten the connection; so may the endpoint. */
  forget(connection: DrivenConnection): void
  handshakeDone(connection: DrivenConnection): void
  /** Whether what an application has to say before the handshake is over may be made ready now, for a client that is perhaps none. */
  maySpeakEarly(connection: DrivenConnection): boolean
  /** Nothing of a packet could be used: counts it. */
  unusable(): void
  /** Makes one more connection id, whose packets belong to this connection from now on. */
  addConnectionId(connection: DrivenConnection): Uint8Array
  /** The peer uses this id no more. */
  removeConnectionId(connection: DrivenConnection, id: Uint8Array): void
  /**
   * The boundary of a connection: runs what a socket or a timer asks of it. Whatever escapes from `step` ends this
   * connection, and nothing else.
   */
  enter(connection: DrivenConnection, step: () => void): void
}

export interface ConnectionOptions {
  engine: EngineConnection
  role: 'client' | 'server'
  id: string
  host: ConnectionHost
  path: UdpPath
  /** The length of the queues that were configured, in datagrams. */
  datagramQueue: number
  /** 0: none is sent. */
  keepAliveMs: number
}

const ignoreAll: QuicHandler = {
  onEstablished() {},
  onStreamData() {},
  onStreamReset() {},
  onStopSending() {},
  onStreamDrained() {},
  onDatagram() {},
  onMaxDatagramLength() {},
  onClosed() {},
}

/**
 * An engine reckons in probe timeouts, which may be tens of seconds after a lossy path. A client closes its socket after this time: then late
 * packets meet nobody, which RFC 9000 §10.2 allows in place of answering them.
 */
const LONGEST_LINGER_MS = 1000

/** How long a peer has to show that it is there when the system says that it is not. */
const DOUBT_AT_LEAST_MS = 200
const DOUBT_ROUND_TRIPS = 4

/** Packets that one connection sends before the others have their turn. */
const PACKETS_A_TURN = 128

export class DrivenConnection implements QuicConnection, EngineEvents, Turning {
  readonly role: 'client' | 'server'
  readonly id: string
  /** Where the peer was at first. */
  readonly firstRemote: SocketAddress
  handler: QuicHandler = ignoreAll
  inUse = false
  established = false
  closed = false
  handshakeMs: number | undefined
  /** In ms of the host's clock. */
  readonly startedAt: number
  /** Set by the endpoint: about its turns, and while it is one of the endpoint's. */
  wantsTurn = false
  inRotation = false
  credit = 0
  listed = false

  readonly #engine: EngineConnection
  readonly #host: ConnectionHost
  readonly #io: DriverIo
  readonly #datagramQueue: number
  /** What has come, and waits for the next turn. */
  readonly #inbox: Inbox
  readonly #keepAliveMs: number
  readonly #pending = new PendingStreams()
  readonly #unacknowledged = new UnacknowledgedStreams()
  readonly #runaway = new RunawayGuard()
  #isForgotten = false
  /** Of one that was asked to migrate. */
  #migration: Migration | undefined
  /** On which packets leave. */
  #path: UdpPath
  #socket: PacketSocket
  /** On which the last packet came: nearly always the next one comes on it too. */
  #pathIn: UdpPath
  #stopTimer: (() => void) | undefined
  #timerAt = 0
  /** The timer has rung while packets waited. */
  #isDeadlineDue = false
  #stopKeepAlive = (): void => {}
  #stopLinger: (() => void) | undefined
  #resumptionTicket: Uint8Array | undefined
  #failed = false
  /** Handlers are being called; what they send leaves at the end of this turn and needs no other one. */
  #inTurn = false
  #stopDoubt: (() => void) | undefined
  #packetsSent = 0
  /** Of those that could be used. */
  #packetsReceived = 0
  #datagramsSent = 0
  #datagramsReceived = 0
  #datagramsDropped = 0
  /** How many wait in the engine: counted here, because asking for every packet would cost too much. */
  #datagramsQueued = 0
  #pathChanges = 0
  readonly #streams: OpenStreams
  /** What the engine has counted, when it was last asked: it cannot be asked any more once it has failed. */
  #counted: EngineCounters = {
    packetsSent: 0,
    packetsReceived: 0,
    packetsLost: 0,
    bytesSent: 0,
    bytesReceived: 0,
    rttMs: 0,
    cwnd: 0,
  }

  constructor(options: ConnectionOptions) {
    this.#engine = options.engine
    this.role = options.role
    this.#streams = new OpenStreams(options.role)
    this.id = options.id
    this.#host = options.host
    this.#io = options.host.io
    this.#path = options.path
    this.#pathIn = options.path
    this.#socket = options.host.socketAt(options.path.local)
    if (this.#socket.carriesEcn) this.#engine.enableEcn?.()
    this.firstRemote = options.path.remote
    this.#datagramQueue = options.datagramQueue
    this.#inbox = new Inbox(options.host.inboxRoom)
    this.#keepAliveMs = options.keepAliveMs
    this.startedAt = this.#io.now()
  }

  // -- towards the application ---------------------------------------------------------------------------------

  /** Where packets are sent: it changes when a NAT rebinds or the peer migrates (RFC 9000 §9). */
  get remote(): SocketAddress {
    return this.#path.remote
  }

  get local(): SocketAddress {
    return this.#path.local
  }

  get alpn(): string {
    return this.#engine.alpn
  }

  get resumed(): boolean {
    return this.#engine.resumed
  }

  get peerCertificate(): Uint8Array | undefined {
    return this.#engine.peerCertificate
  }

  get peerMaxDatagramFrameSize(): number {
    return this.#engine.peerMaxDatagramFrameSize
  }

  canOpenStream(kind: 'bidi' | 'uni'): boolean {
    return this.#ask(false, engine => {
      if (kind === 'bidi') return engine.streamsLeft('bidi') > 0
      return engine.streamsLeft('uni') > 0 && this.#unacknowledged.hasRoom(id => engine.isAcknowledged(id))
    })
  }

  get bidiStreamsLeft(): number {
    return this.closed ? 0 : this.#engine.streamsLeft('bidi')
  }

  streamSend(streamId: number, data: Uint8Array, fin: boolean): void {
    if (this.closed) return
    this.#streams.touch(streamId)
    if (fin) this.#streams.endedByUs(streamId)
    if (fin && (streamId & 2) !== 0) this.#unacknowledged.add(streamId)
    this.#ask(undefined, () => this.#pending.send(streamId, data, fin, this.#write))
    this.#wake()
  }

  streamBuffered(streamId: number): number {
    return this.#pending.buffered(streamId)
  }

  streamReset(streamId: number, code: number): void {
    this.#pending.drop(streamId)
    if (this.closed) return
    this.#streams.endedByUs(streamId)
    this.#engine.streamReset(streamId, code)
    this.#wake()
  }

  streamStopSending(streamId: number, code: number): void {
    if (this.closed) return
    this.#streams.endedByPeer(streamId)
    this.#engine.streamStopSending(streamId, code)
    this.#wake()
  }

  get maxDatagramLength(): number {
    return this.#engine.maxDatagramLength
  }

  get pathMtuSettled(): boolean {
    return this.#engine.pathMtuSettled
  }

  get datagramsWaiting(): number {
    return this.#datagramsQueued
  }

  get datagramQueueRoom(): number {
    return this.#datagramQueue - this.#datagramsQueued
  }

  sendDatagram(data: Uint8Array): DatagramResult {
    if (data.length > this.#engine.maxDatagramLength) return 'too-large'
    try {
      if (this.closed || !this.#engine.sendDatagram(data)) {
        this.#datagramsDropped++
        return 'dropped'
      }
    } catch (error) {
      // As `#ask`, but written out: this runs for every packet.
      this.#host.enter(this, () => {
        throw error
      })
      return 'dropped'
    }
    this.#datagramsSent++
    this.#datagramsQueued++
    this.#wake()
    return 'sent'
  }

  transmit(): void {
    if (!this.closed) this.#transmit()
  }

  purgeDatagrams(prefix: Uint8Array): number {
    if (this.closed || this.#datagramsQueued === 0) return 0
    const purged = this.#engine.purgeDatagrams(prefix)
    this.#datagramsQueued -= purged
    this.#datagramsSent -= purged
    this.#datagramsDropped += purged
    return purged
  }

  ping(): void {
    if (this.closed) return
    this.#ask(undefined, engine => engine.ping())
    this.#wake()
  }

  close(code: number, reason: string): void {
    this.#host.enter(this, () => this.#close(true, code, reason))
  }

  vanish(): void {
    this.#host.enter(this, () => {
      this.abandon({ source: 'local', application: true, code: APPLICATION_NO_ERROR, reason: '' })
      this.#forget()
    })
  }

  get resumptionTicket(): Uint8Array | undefined {
    return this.#resumptionTicket ?? (this.closed ? undefined : this.#ask(undefined, engine => engine.resumptionTicket))
  }

  migrate(options: MigrateOptions = {}): Promise<MigrateResult> {
    this.#migration ??= new Migration({
      host: this.#host,
      whyNot: () => this.#whyNotMigrate(),
      path: () => this.#path,
      rttMs: () => this.#rttMs,
      probe: path => this.#probePath(path),
      migrate: path => {
        this.#engine.migrate(path, this.#io.now())
        this.onPathChanged(path)
      },
      wake: () => this.#wake(),
    })
    return this.#migration.migrate(options)
  }

  #whyNotMigrate(): string | undefined {
    if (this.role === 'server') return 'only a client moves to another path (RFC 9000 §9)'
    if (this.closed || this.#engine.closing) return 'the connection has ended'
    return this.established ? undefined : 'the handshake is not over'
  }

  #probePath(path: UdpPath): boolean {
    const possible = this.#ask(false, engine => engine.probePath(path, this.#io.now()))
    this.#wake()
    return possible
  }

  observe(observer: QuicObserver): boolean {
    if (this.#engine.observe === undefined) return false
    this.#engine.observe(observer, this.#io.now())
    return true
  }

  get engineName(): EngineName {
    return this.#engine.engineName
  }

  get bytesInFlight(): number | undefined {
    return this.#ask(undefined, engine => engine.bytesInFlight)
  }

  paths(): QuicPath[] {
    return this.#ask([], engine => engine.paths())
  }

  /** Of the path on which packets leave; 0 before it was measured. */
  get #rttMs(): number {
    return this.paths().find(({ active }) => active)?.rttMs ?? 0
  }

  stats(): QuicStats {
    this.#counted = this.#ask(this.#counted, engine => engine.counters())
    return this.lastStats
  }

  get lastStats(): QuicStats {
    const { packetsSent, packetsReceived, packetsLost, bytesSent, bytesReceived, rttMs, cwnd } = this.#counted
    // Field by field: to spread an object takes ten times as long, which a thousand connections notice.
    return {
      packetsSent,
      packetsReceived,
      packetsLost,
      bytesSent,
      bytesReceived,
      rttMs,
      cwnd,
      datagramsSent: this.#datagramsSent,
      datagramsReceived: this.#datagramsReceived,
      datagramsDropped: this.#datagramsDropped,
      streamsOpened: this.#streams.opened,
      streamsOpen: this.#streams.size,
      pathChanges: this.#pathChanges,
    }
  }

  /**
   * Asks the engine on somebody's behalf. Whoever sends on this connection may be in the middle of serving another one, which must
   * not suffer when the engine fails: that ends this connection, and the answer is `otherwise`.
   */
  #ask<T>(otherwise: T, question: (engine: EngineConnection) => T): T {
    let answer = otherwise
    this.#host.enter(this, () => {
      answer = question(this.#engine)
    })
    return answer
  }

  // -- towards the endpoint ------------------------------------------------------------------------------------

  /** One UDP payload has arrived, and waits for the next turn. False: it is lost, because too many wait already. */
  arrive(packet: Uint8Array, local: SocketAddress, host: string, port: number, ecn?: EcnCodepoint): boolean {
    if (!this.#inbox.put(packet, local, host, port, ecn)) return false
    this.#wake()
    return true
  }

  /**
   * Reads a packet, which is decrypted in place. Everything else about it happens in `turn()`. False: nothing of it could be used, and if
   * it is the first, this is no connection.
   */
  receive(packet: Uint8Array, local: SocketAddress, host: string, port: number, ecn?: EcnCodepoint): boolean {
    const last = this.#pathIn
    if (last.remote.port !== port || last.remote.host !== host || last.local !== local) {
      this.#pathIn = { local, remote: { host, port } }
    }
    this.#unacknowledged.onPacket()
    if (!this.#engine.receive(packet, this.#pathIn, this.#io.now(), ecn)) return false
    this.#packetsReceived++
    this.#runaway.reset()
    this.#wake()
    return true
  }

  /**
   * Reads packets that have arrived, at most so many, hands out what was in them, sends what is to be sent, and sets the timer. Returns how
   * many packets it has read and sent. Without `most` it reads none: one whose timer rings often does not get more than its share.
   */
  turn(most = 0): number {
    if (this.#isForgotten) return 0
    const sent = this.#packetsSent
    try {
      const read = this.#readInbox(most)
      if (this.#isDeadlineDue && most > 0) this.#judgeDeadline()
      this.#act()
      return read + this.#packetsSent - sent
    } finally {
      if (!this.#inbox.isEmpty) this.#host.schedule(this)
    }
  }

  /** No more than the engine has room for: its queue of datagrams would lose the next ones. */
  #readInbox(most: number): number {
    if (this.#inbox.isEmpty) return 0
    this.#inTurn = true
    try {
      return this.#inbox.serve(Math.min(most, Math.ceil(this.#datagramQueue / 2)), this.#read)
    } finally {
      this.#inTurn = false
    }
  }

  readonly #read: OnWaiting = (packet, local, host, port, ecn) => {
    if (!this.receive(packet, local, host, port, ecn)) this.#host.unusable()
  }

  #act(): void {
    if (this.closed) return this.#lingerOrForget()
    this.#inTurn = true
    try {
      // What has failed once is not tried again: only the close is still to leave.
      if (!this.#failed) {
        // First: what has come by now may want an answer of a size that this has just proven.
        if (this.#engine.judgePath(this.#datagramsQueued > 0, this.#io.now())) this.handler.onMaxDatagramLength()
        this.#engine.handOut(this, this.#io.now())
        this.#pending.flush(this.#write, streamId => this.handler.onStreamDrained(streamId))
      }
    } finally {
      this.#inTurn = false
    }
    this.#transmit()
    this.#checkClosed()
    this.#setTimer()
  }

  /**
   * A bug of ours or of the engine's: the connection ends. The peer is told, unless that is what fails; then the connection is
   * buried without a word.
   */
  fail(): void {
    const isFirst = !this.#failed && !this.closed
    this.#failed = true
    try {
      if (isFirst && !this.#engine.closing) {
        this.#close(true, APPLICATION_INTERNAL_ERROR, 'internal error')
        return
      }
    } catch {
      // Told already that something is broken; what else breaks on the way out adds nothing.
    }
    this.abandon({ source: 'local', application: true, code: APPLICATION_INTERNAL_ERROR, reason: 'internal error' })
    this.#forget()
  }

  /**
   * The system says that nobody listens where the peer was: its program has ended. But anybody can send such a message, so the peer is asked. One that does not
   * answer is gone.
   */
  doubt(socket: PacketSocket): void {
    if (this.closed || socket !== this.#socket || this.#stopDoubt !== undefined) return
    const heard = this.#packetsReceived
    this.#stopDoubt = this.#io.setTimer(
      () => {
        this.#stopDoubt = undefined
        if (this.closed || this.#packetsReceived > heard) return
        this.#host.enter(this, () => {
          this.abandon({ source: 'timeout', application: false, code: 0, reason: 'nobody listens there any more' })
          this.#forget()
        })
      },
      Math.max(DOUBT_AT_LEAST_MS, DOUBT_ROUND_TRIPS * this.#rttMs),
    )
    this.ping()
  }

  /** Ends the connection without a word on the wire, because the socket below is gone. */
  abandon(reason: QuicCloseReason): void {
    this.#clearTimer()
    this.#stopLinger?.()
    this.#report(reason)
  }

  /**
   * Refuses a connection with a transport error before anything else happens on it. The handshake's first flight goes
   * ahead, because quiche encrypts the close with the newest keys, which the client has only after a ServerHello.
   */
  refuse(code: number, reason: string): void {
    this.#transmit()
    this.#close(false, code, reason)
    this.turn()
  }

  #wake(): void {
    if (!this.#inTurn) this.#host.schedule(this)
  }

  // -- what the engine reports ---------------------------------------------------------------------------------

  onMaySend(): void {
    if (this.#host.maySpeakEarly(this)) this.handler.onMaySend?.()
  }

  onEstablished(): void {
    this.handshakeMs = this.#io.now() - this.startedAt
    this.established = true
    this.#host.handshakeDone(this)
    this.#keepAlive()
    this.handler.onEstablished()
  }

  onDatagram(data: Uint8Array): void {
    this.#datagramsReceived++
    this.handler.onDatagram(data)
  }

  onStreamData(streamId: number, data: Uint8Array, fin: boolean): void {
    this.#streams.touch(streamId)
    if (fin) this.#streams.endedByPeer(streamId)
    this.handler.onStreamData(streamId, data, fin)
  }

  onStreamReset(streamId: number, code: number): void {
    this.#streams.touch(streamId)
    this.#streams.endedByPeer(streamId)
    this.handler.onStreamReset(streamId, code)
  }

  onStopSending(streamId: number, code: number): void {
    this.#pending.drop(streamId)
    this.#streams.touch(streamId)
    this.#streams.endedByUs(streamId)
    this.handler.onStopSending(streamId, code)
  }

  onPathChanged(path: UdpPath): void {
    this.#leaveOn(path)
    this.#pathChanges++
    this.handler.onPathChanged?.(path.remote)
  }

  onPathValidated(path: UdpPath): void {
    this.#migration?.onValidated(path)
  }

  newConnectionId(): Uint8Array {
    return this.#host.addConnectionId(this)
  }

  onConnectionIdRetired(id: Uint8Array): void {
    this.#host.removeConnectionId(this, id)
  }

  // -- the steps of a turn -------------------------------------------------------------------------------------

  #transmit(): void {
    try {
      this.#transmitPackets()
    } finally {
      this.#host.flush()
    }
  }

  #transmitPackets(): void {
    const host = this.#host
    const now = this.#io.now()
    if (this.#runaway.isPausing(now)) return
    // Also before the answer to a request that came with the end of the handshake: what makes the peer send large packets. It is acknowledged before the first of them is answered.
    if (this.#engine.probesFirst) this.#sendProbe(now)
    let packets = 0
    let bytes = 0
    while (!host.isCongested(this.#socket)) {
      const room = host.room(this.#socket)
      const packet = this.#engine.send(room, now)
      if (packet === undefined) {
        if (this.#datagramsQueued > 0) this.#datagramsQueued = this.#engine.countDatagrams()
        if (this.#takeMoreDatagrams()) continue
        if (!this.#engine.probesFirst && this.#pending.isEmpty && this.#datagramsQueued === 0) this.#sendProbe(now)
        return
      }
      this.#sendPacket(packet, room)
      packets++
      bytes += packet.length
      const pauseMs = this.#runaway.judge(packets, bytes, now)
      if (pauseMs > 0) {
        this.#io.setTimer(() => host.enter(this, () => this.#wake()), pauseMs)
        return
      }
      // One tunnel does not keep all others waiting.
      if (packets >= PACKETS_A_TURN) break
    }
    this.#datagramsQueued = this.#engine.countDatagrams()
    host.schedule(this)
  }

  /** Lets the application hand over DATAGRAMs that it has kept back. False: there were none. */
  #takeMoreDatagrams(): boolean {
    const { handler } = this
    if (handler.onDatagramsSent === undefined || this.closed) return false
    const before = this.#datagramsQueued
    // What it sends leaves in this transmission, and needs no turn.
    const inTurn = this.#inTurn
    this.#inTurn = true
    try {
      handler.onDatagramsSent()
    } finally {
      this.#inTurn = inTurn
    }
    return this.#datagramsQueued > before
  }

  #sendPacket({ length, path, ecn }: OutgoingPacket, room: Uint8Array): void {
    this.#packetsSent++
    let socket = this.#socket
    if (path.local !== this.#path.local) {
      // A probe of another path leaves there, and the next packet where it belongs.
      socket = this.#host.socketAt(path.local)
      if (socket !== this.#socket) this.#host.room(socket).set(room.subarray(0, length))
    }
    this.#host.transmit(this, length, socket, path.remote, ecn)
  }

  #leaveOn(path: UdpPath): void {
    if (path.local !== this.#path.local) this.#socket = this.#host.socketAt(path.local)
    this.#path = path
  }

  /** Sends a probe when one is due. Where it would have to share its packet with what waits, nothing does. */
  #sendProbe(now: number): void {
    if (!this.established || this.#engine.closing) return
    // It leaves alone: virtual links let a batch pass whose packets are too large for them.
    this.#host.flush()
    const room = this.#host.room(this.#socket)
    const probe = this.#engine.sendProbe(room, length => this.#probeContent(length), now)
    if (probe === undefined) return
    this.#sendPacket(probe, room)
    this.#host.flush()
    // The end of the probe's stream is still to be sent.
    this.#wake()
  }

  #probeContent(length: number): ProbeContent | undefined {
    if (!this.canOpenStream('uni')) {
      const ignored = this.handler.ignoredBytes?.(length)
      return ignored === undefined ? undefined : { ...ignored, ends: false }
    }
    const streamId = this.handler.openProbeStream?.()
    if (streamId === undefined) return undefined
    // By the engine, which does not tell.
    this.#streams.endedByUs(streamId)
    return { streamId, data: new Uint8Array(length), ends: true }
  }

  #checkClosed(): void {
    const reason = this.#engine.closeReason()
    if (reason === undefined) return
    this.#report(reason)
    this.#lingerOrForget()
  }

  #report(reason: QuicCloseReason): void {
    if (this.closed) return
    this.closed = true
    this.#host.enter(this, () =>
      runAll([
        () => this.#stopKeepAlive(),
        () => this.#migration?.stop(),
        () => this.#stopDoubt?.(),
        () => this.#pending.clear(),
        () => this.#streams.clear(),
        () => {
          this.#resumptionTicket = this.#engine.resumptionTicket
        },
        () => this.#host.handshakeDone(this),
        () => this.handler.onClosed(reason),
      ]),
    )
  }

  /** After its close a connection stays long enough to answer late packets with the close again (RFC 9000 §10.2). */
  #lingerOrForget(): void {
    if (this.#engine.isOver) return this.#forget()
    this.#transmit()
    this.#setTimer()
    this.#boundLinger()
  }

  /** `reason`: of a close that perhaps never left, because the congestion window was full. */
  #boundLinger(reason?: QuicCloseReason): void {
    if (this.role === 'server') return
    const end = (): void =>
      runAll([
        // In a process that had to wait so long the turn in which the close leaves is still to come.
        () => this.#transmit(),
        () => reason !== undefined && this.#report(reason),
        () => this.#forget(),
      ])
    this.#stopLinger ??= this.#io.setTimer(() => this.#host.enter(this, end), LONGEST_LINGER_MS)
  }

  /** The last that happens: whatever fails on the way, no turn and no timer comes after it. */
  #forget(): void {
    this.#isForgotten = true
    runAll([
      () => this.#clearTimer(),
      () => this.#stopLinger?.(),
      () => this.#inbox.clear(),
      () => this.#host.forget(this),
    ])
  }

  // -- timers --------------------------------------------------------------------------------------------------

  #setTimer(): void {
    if (this.#isForgotten) return
    const now = this.#io.now()
    const deadline = this.#engine.deadline(now)
    if (deadline === undefined) return this.#clearTimer()
    const delay = Math.max(deadline - now, 1)
    // A timer that rings early only looks again, which is cheaper than moving it after every packet.
    if (this.#stopTimer !== undefined && this.#timerAt <= now + delay) return
    this.#clearTimer()
    this.#timerAt = now + delay
    this.#stopTimer = this.#io.setTimer(() => this.#host.enter(this, () => this.#ring()), delay)
  }

  #clearTimer(): void {
    this.#stopTimer?.()
    this.#stopTimer = undefined
  }

  #ring(): void {
    this.#stopTimer = undefined
    if (!this.#inbox.isEmpty) {
      // A process that had to wait finds packets and timers at once: what has come may be what the deadline was for.
      this.#isDeadlineDue = true
      return this.#host.schedule(this)
    }
    // The deadline may have moved since the timer was set.
    if (this.#judgeDeadline()) this.turn()
    else this.#setTimer()
  }

  /** False: there is time left. */
  #judgeDeadline(): boolean {
    this.#isDeadlineDue = false
    const now = this.#io.now()
    if ((this.#engine.deadline(now) ?? Number.POSITIVE_INFINITY) > now) return false
    this.#engine.onDeadline(now)
    return true
  }

  /** Something that the peer must answer, again and again, so that neither it nor a NAT takes this connection for dead. */
  #keepAlive(): void {
    if (this.#keepAliveMs === 0) return
    this.#stopKeepAlive = this.#io.setTimer(() => {
      this.#keepAlive()
      this.ping()
    }, this.#keepAliveMs)
  }

  // -- small helpers -------------------------------------------------------------------------------------------

  readonly #write = (streamId: number, data: Uint8Array, fin: boolean): number | undefined =>
    this.#engine.streamSend(streamId, data, fin)

  #close(application: boolean, code: number, reason: string): void {
    if (this.closed || this.#engine.closing) return
    // What was said before leaves first: an engine that closes sends only the close, and the ends and resets of streams would be
    // lost.
    if (application) this.#transmit()
    this.#engine.close(application, code, reason)
    this.#boundLinger({ source: 'local', application, code, reason })
    this.#wake()
  }
}
