/**
 * One QUIC connection on Cloudflare's quiche, reached through the low-level half of `@matrixai/quic`.
 *
 * quiche is sans-IO: it takes UDP payloads (`recv`), gives UDP payloads (`send`), and says when it wants to be
 * woken (`timeout`). This file turns that into the `QuicConnection` of quic.ts; the sockets are in endpoint.ts.
 */

import { randomBytes, X509Certificate } from 'node:crypto'
import { type Connection as NativeConnection, quiche, type RecvInfo } from '@matrixai/quic/native/index.js'
import { runAll } from '../../net/run-all.ts'
import { printable } from '../../text/printable.ts'
import { aroundDatagram } from '../datagram-room.ts'
import { BASE_UDP_PAYLOAD, PathMtuSearch } from '../path-mtu.ts'
import type {
  DatagramResult,
  QuicCloseReason,
  QuicConnection,
  QuicHandler,
  QuicPath,
  QuicStats,
  SocketAddress,
} from '../quic.ts'
import { PathMtuProbes, type ProbeContent } from './path-mtu-probe.ts'

/** What a connection needs from the endpoint it lives on. */
export interface ConnectionHost {
  /** Asks for `turn()` soon: after the packets that are waiting in the socket, before the process sleeps. */
  schedule(connection: QuicheConnection): void
  /** A buffer for the largest UDP payload, which quiche fills. */
  sendBuffer(): Uint8Array
  /** Sends the first `length` bytes of the send buffer for this connection, or withholds them as if they were lost. */
  transmit(connection: QuicheConnection, length: number, from: SocketAddress, to: SocketAddress): void
  readonly socketCongested: boolean
  /** quiche has forgotten the connection; so may the endpoint. */
  forget(connection: QuicheConnection): void
  handshakeDone(connection: QuicheConnection): void
  /** Makes one more connection id, whose packets belong to this connection from now on. */
  addConnectionId(connection: QuicheConnection): Uint8Array
  /** The peer uses this id no more. */
  removeConnectionId(connection: QuicheConnection, id: Uint8Array): void
  /** Where the socket is bound, as quiche knows it. */
  readonly nativeLocal: SocketAddress
  /** A peer's address as quiche has it, for people and for the system. */
  realAddress(address: SocketAddress): SocketAddress
  /**
   * The boundary of a connection: runs what a socket or a timer asks of it. Whatever escapes from `step` ends this
   * connection, and nothing else.
   */
  enter(connection: QuicheConnection, step: () => void): void
  /** Something went wrong without being in anybody's way: counted and told. Never throws. */
  onError(error: unknown): void
}

interface PendingStream {
  chunks: Uint8Array[]
  bytes: number
  fin: boolean
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

/** H3_INTERNAL_ERROR, for a bug in our own handler. */
const INTERNAL_ERROR = 0x102

/** Stands for whatever the application's reason is (RFC 9000 §20.1). */
const APPLICATION_ERROR = 0x0c

/** Packets that one connection sends before the others have their turn. */
const PACKETS_A_TURN = 512

/** So many packets in a row that are all but empty are no traffic: quiche has got stuck (see `#transmit`). */
const RUNAWAY_PACKETS = 64
const RUNAWAY_LENGTH = 100
const RUNAWAY_PAUSE_MS = 2
/** The pauses double while nothing arrives, up to this: a peer that is gone would else be flooded until the idle timeout. */
const RUNAWAY_LONGEST_PAUSE_MS = 1000

/** How many connection ids of ours the peer has at a time: the one in use, and two to spare. */
const CONNECTION_IDS = 3

/**
 * Unidirectional streams of ours that have ended and whose data the peer has not acknowledged. quiche keeps some 4 KiB for
 * each, however little it holds, and how many there are would else be up to the peer, who grants them.
 */
const MAX_UNACKNOWLEDGED_STREAMS = 256

/** How often a busy connection looks for what quiche does not announce, in ms. */
const LOOK_AROUND_MS = 5

/** TLS alert bad_certificate as a QUIC transport error (RFC 9001 §4.8). */
const BAD_CERTIFICATE = 0x100 + 42

/** Shared by all connections: each call that fills one is over before the next begins. */
const streamBuffer = new Uint8Array(64 * 1024)
const datagramBuffer = new Uint8Array(64 * 1024)

export class QuicheConnection implements QuicConnection {
  readonly role: 'client' | 'server'
  readonly id: string
  /** Where the peer is now; it changes when a NAT rebinds or the peer migrates (RFC 9000 §9). */
  remote: SocketAddress
  /** Where the peer was at first. */
  readonly firstRemote: SocketAddress
  handler: QuicHandler = ignoreAll
  inUse = false
  established = false
  closed = false
  resumed = false
  alpn = ''
  handshakeMs: number | undefined

  readonly #native: NativeConnection
  readonly #host: ConnectionHost
  readonly #expectedIp: string | undefined
  readonly #datagramQueue: number
  readonly #maxUdpPayload: number
  readonly #keepAliveMs: number
  #keepAlive: NodeJS.Timeout | undefined
  /** ms of `performance.now()`. */
  readonly startedAt = performance.now()
  readonly #pending = new Map<number, PendingStream>()
  #stopped = new Set<number>()
  #recvInfo: RecvInfo
  #timer: NodeJS.Timeout | undefined
  #timerDeadline = 0
  #maxDatagramLength = 0
  /** Undefined until the handshake is over. */
  #pathMtu: PathMtuProbes | undefined
  /** The part of the host's send buffer that a packet may fill: what the path is known to carry. */
  #packetBuffer: Uint8Array = new Uint8Array(0)
  #peerMaxDatagramFrameSize = 0
  #peerCertificate: Uint8Array | undefined
  #session: Uint8Array | undefined
  #localClose: QuicCloseReason | undefined
  #failed = false
  #sendFailed = false
  /** The pause before quiche is asked for packets again, in ms, and until when it lasts; 0: none. */
  #runawayPauseMs = 0
  #runawayUntil = 0
  #datagramsSent = 0
  #datagramsReceived = 0
  #datagramsDropped = 0
  /** How many wait in quiche's queue: counted here, because asking for every packet would cost too much. */
  #datagramsQueued = 0
  #streamsOpened = 0
  readonly #nextStreamIds = [0, 1, 2, 3]
  /** Unidirectional, ended, and as far as we know not acknowledged. */
  readonly #unacknowledged = new Set<number>()
  /** What arrived since they were last looked through may have acknowledged some of them. */
  #mayBeAcknowledged = false
  #packetsArrived = false
  /** The peer has sent something that could be decrypted. */
  #heard = false
  /** Handlers are being called; what they send leaves at the end of this turn and needs no other one. */
  #inTurn = false
  #lookAroundDue = false
  #nextLookAround = 0
  /** Set by the endpoint while the connection waits for its turn. */
  scheduled = false

  constructor(options: {
    native: NativeConnection
    role: 'client' | 'server'
    id: string
    host: ConnectionHost
    remote: SocketAddress
    /** The length of the queues that were configured, in datagrams. */
    datagramQueue: number
    /** The largest UDP payload that is tried, in bytes. */
    maxUdpPayload: number
    /** 0: none is sent. */
    keepAliveMs: number
    /** The server is known by an IP address: its certificate has to have it. (Names are checked inside TLS.) */
    expectedIp?: string
  }) {
    this.#native = options.native
    this.role = options.role
    this.id = options.id
    this.#host = options.host
    this.remote = options.remote
    this.firstRemote = options.remote
    this.#expectedIp = options.expectedIp
    this.#datagramQueue = options.datagramQueue
    this.#maxUdpPayload = options.maxUdpPayload
    this.#keepAliveMs = options.keepAliveMs
    this.#recvInfo = { from: { ...options.remote }, to: { ...options.host.nativeLocal } }
  }

  // -- towards the application ---------------------------------------------------------------------------------

  get peerCertificate(): Uint8Array | undefined {
    return this.#peerCertificate
  }

  get peerMaxDatagramFrameSize(): number {
    return this.#peerMaxDatagramFrameSize
  }

  canOpenStream(kind: 'bidi' | 'uni'): boolean {
    return this.#ask(false, native => {
      if (kind === 'bidi') return native.peerStreamsLeftBidi() > 0
      return native.peerStreamsLeftUni() > 0 && this.#hasRoomForStream()
    })
  }

  #hasRoomForStream(): boolean {
    if (this.#unacknowledged.size < MAX_UNACKNOWLEDGED_STREAMS) return true
    if (!this.#mayBeAcknowledged) return false
    this.#mayBeAcknowledged = false
    for (const streamId of this.#unacknowledged) {
      // Also true of one that quiche has forgotten, which it does when all of it was acknowledged.
      if (this.#native.streamFinished(streamId)) this.#unacknowledged.delete(streamId)
    }
    return this.#unacknowledged.size < MAX_UNACKNOWLEDGED_STREAMS
  }

  get bidiStreamsLeft(): number {
    return this.closed ? 0 : this.#native.peerStreamsLeftBidi()
  }

  streamSend(streamId: number, data: Uint8Array, fin: boolean): void {
    if (this.closed) return
    this.#countStream(streamId)
    if (fin && (streamId & 2) !== 0) this.#unacknowledged.add(streamId)
    this.#pathMtu?.onStreamData(data.length, performance.now())
    const pending = this.#pending.get(streamId)
    if (pending !== undefined) {
      // Order within a stream: nothing overtakes what already waits.
      this.#keep(pending, data, fin)
      return
    }
    const written = this.#ask(undefined, () => this.#write(streamId, data, fin))
    if (written !== undefined && (written < data.length || (written === 0 && fin && data.length > 0))) {
      const kept = { chunks: [], bytes: 0, fin: false }
      this.#pending.set(streamId, kept)
      this.#keep(kept, data.subarray(written), fin)
    }
    this.#wake()
  }

  streamBuffered(streamId: number): number {
    return this.#pending.get(streamId)?.bytes ?? 0
  }

  streamReset(streamId: number, code: number): void {
    this.#pending.delete(streamId)
    this.#shutdown(streamId, quiche.Shutdown.Write, code)
  }

  streamStopSending(streamId: number, code: number): void {
    this.#shutdown(streamId, quiche.Shutdown.Read, code)
  }

  get maxDatagramLength(): number {
    return this.#maxDatagramLength
  }

  get pathMtuSettled(): boolean {
    return this.#pathMtu?.search.settled === true
  }

  get datagramQueueRoom(): number {
    return this.#datagramQueue - this.#datagramsQueued
  }

  sendDatagram(data: Uint8Array): DatagramResult {
    if (data.length > this.#maxDatagramLength) return 'too-large'
    try {
      // null is quiche's "Done": the queue is full. It keeps what it has and refuses the new one.
      if (this.closed || this.#native.dgramSend(data) === null) {
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
    let purged = 0
    this.#native.dgramPurgeOutgoing(datagram => {
      const matches = prefix.every((byte, i) => datagram[i] === byte)
      if (matches) purged++
      return matches
    })
    this.#datagramsQueued -= purged
    this.#datagramsSent -= purged
    this.#datagramsDropped += purged
    return purged
  }

  close(code: number, reason: string): void {
    this.#host.enter(this, () => this.#close(true, code, reason))
  }

  get session(): Uint8Array | undefined {
    return this.#session ?? (this.closed ? undefined : this.#ask(undefined, native => native.session() ?? undefined))
  }

  paths(): QuicPath[] {
    const paths = this.#ask([], native => native.pathStats())
    return paths.map(path => ({
      local: path.localHost,
      remote: this.#host.realAddress(path.peerHost),
      active: path.active,
      rttMs: path.rtt,
      cwnd: path.cwnd,
      lost: path.lost,
    }))
  }

  stats(): QuicStats {
    const stats = this.#ask(undefined, native => native.stats())
    return {
      packetsSent: stats?.sent ?? 0,
      packetsReceived: stats?.recv ?? 0,
      packetsLost: stats?.lost ?? 0,
      bytesSent: stats?.sentBytes ?? 0,
      bytesReceived: stats?.recvBytes ?? 0,
      datagramsSent: this.#datagramsSent,
      datagramsReceived: this.#datagramsReceived,
      datagramsDropped: this.#datagramsDropped,
      streamsOpened: this.#streamsOpened,
    }
  }

  /**
   * Asks quiche on somebody's behalf. Whoever sends on this connection may be in the middle of serving another one, which must
   * not suffer when quiche fails: that ends this connection, and the answer is `otherwise`.
   */
  #ask<T>(otherwise: T, question: (native: NativeConnection) => T): T {
    let answer = otherwise
    this.#host.enter(this, () => {
      answer = question(this.#native)
    })
    return answer
  }

  // -- towards the endpoint ------------------------------------------------------------------------------------

  /**
   * One UDP payload has arrived; quiche decrypts it in place. Everything else about it happens in `turn()`. False: it is the
   * first, and cannot be decrypted, so this is no connection.
   */
  receive(packet: Uint8Array, fromHost: string, fromPort: number): boolean {
    const from = this.#recvInfo.from
    if (from.port !== fromPort || from.host !== fromHost) {
      this.#recvInfo = { from: { host: fromHost, port: fromPort }, to: this.#recvInfo.to }
    }
    this.#packetsArrived = true
    this.#mayBeAcknowledged = true
    try {
      this.#native.recv(packet, this.#recvInfo)
    } catch (error) {
      // Nothing was understood, so nobody is told.
      if (!this.#heard && this.#native.isClosed()) return false
      if (this.#native.localError() === null) throw error
      // The peer broke a rule of QUIC or TLS. quiche has already prepared the CONNECTION_CLOSE that tells it so;
      // the turn sends it and reports the end of the connection.
    }
    this.#heard = true
    this.#runawayPauseMs = 0
    this.#runawayUntil = 0
    this.#wake()
    return true
  }

  /** Hands out what has arrived, sends what is to be sent, and sets the timer. */
  turn(): void {
    if (this.closed) return this.#lingerOrForget()
    this.#inTurn = true
    try {
      // What has failed once is not tried again: only the close is still to leave.
      if (!this.#failed) {
        if (!this.established) this.#checkEstablished()
        if (this.established) this.#handOut()
        this.#sendKept()
      }
    } finally {
      this.#inTurn = false
    }
    this.#transmit()
    this.#judgePathMtu()
    this.#checkClosed()
    this.#setTimer()
  }

  /**
   * A bug of ours or of quiche's: the connection ends. The peer is told, unless that is what fails; then the connection is
   * buried without a word.
   */
  fail(): void {
    const canTell = !this.#failed && !this.closed && this.#localClose === undefined
    this.#failed = true
    if (canTell) {
      try {
        this.#close(true, INTERNAL_ERROR, 'internal error')
        return
      } catch {
        // Told already that something is broken; what else breaks on the way out adds nothing.
      }
    }
    this.abandon({ source: 'local', application: true, code: INTERNAL_ERROR, reason: 'internal error' })
    this.#host.forget(this)
  }

  /** Ends the connection without a word on the wire, because the socket below is gone. */
  abandon(reason: QuicCloseReason): void {
    clearTimeout(this.#timer)
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

  #sendPing(): void {
    this.#native.sendAckEliciting()
    this.#wake()
  }

  #wake(): void {
    if (!this.#inTurn) this.#host.schedule(this)
  }

  // -- the steps of a turn -------------------------------------------------------------------------------------

  #checkEstablished(): void {
    if (!this.#native.isEstablished()) return
    this.handshakeMs = performance.now() - this.startedAt
    this.#peerCertificate = this.#native.peerCertChain()?.[0]
    this.resumed = this.#native.isResumed()
    this.alpn = new TextDecoder().decode(this.#native.applicationProto())
    this.#host.handshakeDone(this)
    if (this.#expectedIp !== undefined && !certificateNamesIp(this.#peerCertificate, this.#expectedIp)) {
      this.#close(false, BAD_CERTIFICATE, `the certificate does not name ${this.#expectedIp}`)
      return
    }
    this.established = true
    const max = Math.min(this.#maxUdpPayload, this.#native.maxSendUdpPayloadSize())
    const search = new PathMtuSearch({ max, now: performance.now() })
    this.#pathMtu = new PathMtuProbes(this.#native, search, length => this.#probeContent(length))
    this.#updateMaxDatagramLength()
    // Asking for the statistics is slow; they are needed only where datagrams were not negotiated as we expect.
    this.#peerMaxDatagramFrameSize =
      this.#maxDatagramLength > 0 ? this.#maxDatagramLength : (this.#native.stats().peerMaxDatagramFrameSize ?? 0)
    this.#issueConnectionIds()
    this.#nextLookAround = performance.now() + LOOK_AROUND_MS
    if (this.#keepAliveMs > 0)
      this.#keepAlive = setInterval(() => this.#host.enter(this, () => this.#sendPing()), this.#keepAliveMs)
    this.handler.onEstablished()
  }

  #handOut(): void {
    const native = this.#native
    for (;;) {
      const length = native.dgramRecv(datagramBuffer)
      if (length === null) break
      this.#datagramsReceived++
      this.handler.onDatagram(datagramBuffer.subarray(0, length))
    }
    if (native.isReadable()) {
      for (const streamId of native.readable()) this.#readStream(streamId)
    }
    if (this.#packetsArrived) {
      this.#packetsArrived = false
      this.#lookAroundDue = true
    }
    if (this.#lookAroundDue) this.#lookAround()
  }

  /**
   * What quiche does not announce and has to be asked for: streams that the peer stopped, whether the peer has moved,
   * and how large a datagram may be. Asking after every packet would cost as much as the packet; a moment later is soon enough, and `#setTimer` sees
   * to it that the moment comes even when no further packet does.
   */
  #lookAround(): void {
    const now = performance.now()
    if (now < this.#nextLookAround) return
    this.#nextLookAround = now + LOOK_AROUND_MS
    this.#lookAroundDue = false
    this.#findStoppedStreams()
    this.#followPeer()
    this.#issueConnectionIds()
    this.#updateMaxDatagramLength()
  }

  /**
   * Gives the peer spare connection ids, one for each that it has retired: a peer that moves to another address should take another
   * id, so that nobody can tell that it is the same one (RFC 9000 §5.1.1, §9.5).
   */
  #issueConnectionIds(): void {
    const native = this.#native
    for (let id = native.retiredScidNext(); id !== null; id = native.retiredScidNext()) {
      this.#host.removeConnectionId(this, id)
    }
    while (native.activeSourceCids() < CONNECTION_IDS && native.sourceCidsLeft() > 0) {
      // No stateless reset is ever sent, so the token need only be one that nobody can guess.
      const resetToken = BigInt(`0x${randomBytes(16).toString('hex')}`)
      native.newSourceCid(this.#host.addConnectionId(this), resetToken, false)
    }
  }

  /** quiche keeps what happens to paths until it is asked for, and we need of it only that the peer has moved. */
  #followPeer(): void {
    let happened = false
    while (this.#native.pathEventNext() !== null) happened = true
    if (!happened) return
    const active = this.#native.pathStats().find(path => path.active)
    if (active === undefined) return
    this.remote = this.#host.realAddress(active.peerHost)
    // Another path may be a narrower one.
    this.#pathMtu?.search.suspect(performance.now())
  }

  // -- path MTU ------------------------------------------------------------------------------------------------

  /** The size that the path is known to carry, in bytes of UDP payload. */
  get #udpPayload(): number {
    return this.#pathMtu?.search.size ?? BASE_UDP_PAYLOAD
  }

  #probeContent(length: number): ProbeContent | undefined {
    if (this.canOpenStream('uni')) {
      const streamId = this.handler.openProbeStream?.()
      return streamId === undefined ? undefined : { streamId, data: new Uint8Array(length), ends: true }
    }
    const ignored = this.handler.ignoredBytes?.(length)
    // A part of them would be taken for something else.
    if (ignored === undefined || !this.#takesWhole(ignored.streamId, ignored.data.length)) return undefined
    return { ...ignored, ends: false }
  }

  #takesWhole(streamId: number, length: number): boolean {
    try {
      return this.#native.streamCapacity(streamId) >= length
    } catch {
      // Not opened yet, stopped, or over.
      return false
    }
  }

  /** Sends a probe when one is due and nothing else waits, whose packet it would have to share. */
  #sendProbe(): void {
    if (!this.established || this.#localClose !== undefined || this.#pending.size > 0 || this.#datagramsQueued > 0)
      return
    const sent = this.#pathMtu?.send(this.#host.sendBuffer(), performance.now()) ?? null
    if (sent === null) return
    this.#host.transmit(this, sent[0], sent[1].from, sent[1].to)
    // The end of the probe's stream is still to be sent.
    this.#wake()
  }

  #judgePathMtu(): void {
    if (this.#pathMtu?.judge(performance.now(), this.#datagramsQueued > 0) !== true) return
    this.#updateMaxDatagramLength()
    this.handler.onMaxDatagramLength()
  }

  /** quiche reckons with the largest payload that is tried; what the path is known to carry may be less. */
  #updateMaxDatagramLength(): void {
    const byPeer = this.#native.dgramMaxWritableLen() ?? 0
    const around = aroundDatagram(this.#native.destinationId().length)
    const length = Math.max(0, Math.min(byPeer, this.#udpPayload - around))
    // quiche holds up all behind a datagram that does not fit.
    if (length < this.#maxDatagramLength) this.#native.dgramPurgeOutgoing(waiting => waiting.length > length)
    this.#maxDatagramLength = length
  }

  #readStream(streamId: number): void {
    this.#countStream(streamId)
    try {
      for (;;) {
        const read = this.#native.streamRecv(streamId, streamBuffer)
        if (read === null) return
        this.handler.onStreamData(streamId, streamBuffer.subarray(0, read[0]), read[1])
        if (read[1]) return
      }
    } catch (error) {
      const code = errorArgument(error, 'StreamReset')
      if (code !== undefined) this.handler.onStreamReset(streamId, code)
      else if (errorArgument(error, 'InvalidStreamState') === undefined) throw error
    }
  }

  /** quiche reports STOP_SENDING only through a stream that is suddenly writable, and fails when written to. */
  #findStoppedStreams(): void {
    const stillStopped = new Set<number>()
    for (const streamId of this.#native.writable()) {
      if (this.#stopped.has(streamId) || this.#pathMtu?.owns(streamId)) {
        stillStopped.add(streamId)
        continue
      }
      try {
        this.#native.streamCapacity(streamId)
      } catch (error) {
        const code = errorArgument(error, 'StreamStopped')
        if (code === undefined) continue
        stillStopped.add(streamId)
        this.#pending.delete(streamId)
        this.handler.onStopSending(streamId, code)
      }
    }
    this.#stopped = stillStopped
  }

  #sendKept(): void {
    for (const [streamId, kept] of this.#pending) {
      while (kept.chunks.length > 0) {
        const chunk = kept.chunks[0]
        const last = kept.chunks.length === 1
        const written = this.#write(streamId, chunk, kept.fin && last)
        if (written === undefined) break
        kept.bytes -= written
        if (written < chunk.length) {
          kept.chunks[0] = chunk.subarray(written)
          break
        }
        kept.chunks.shift()
      }
      if (kept.chunks.length === 0) {
        this.#pending.delete(streamId)
        this.handler.onStreamDrained(streamId)
      }
    }
  }

  #transmit(): void {
    if (this.#runawayUntil > 0 && performance.now() < this.#runawayUntil) return
    const host = this.#host
    let packets = 0
    let bytes = 0
    while (!host.socketCongested) {
      let sent: ReturnType<NativeConnection['send']>
      try {
        sent = this.#native.send(this.#packetRoom())
      } catch (error) {
        // TLS has failed: quiche prepares its CONNECTION_CLOSE now, for the next call.
        if (this.#sendFailed || this.#native.localError() === null) throw error
        this.#sendFailed = true
        return
      }
      this.#sendFailed = false
      if (sent === null) {
        if (this.#datagramsQueued > 0) this.#datagramsQueued = this.#native.dgramSendQueueLen()
        this.#sendProbe()
        return
      }
      host.transmit(this, sent[0], sent[1].from, sent[1].to)
      packets++
      bytes += sent[0]
      if (packets >= RUNAWAY_PACKETS && bytes < packets * RUNAWAY_LENGTH) {
        // quiche 0.18, when a probe timeout falls between a CRYPTO frame and its acknowledgement, can send empty CRYPTO
        // frames without end. Reading what has arrived since puts an end to it: let the socket have its turn.
        this.#runawayPauseMs = Math.min(this.#runawayPauseMs * 2 || RUNAWAY_PAUSE_MS, RUNAWAY_LONGEST_PAUSE_MS)
        this.#runawayUntil = performance.now() + this.#runawayPauseMs
        setTimeout(() => host.enter(this, () => this.#wake()), this.#runawayPauseMs)
        return
      }
      // One tunnel does not keep all others waiting.
      if (packets >= PACKETS_A_TURN) break
    }
    this.#datagramsQueued = this.#native.dgramSendQueueLen()
    host.schedule(this)
  }

  /** The host's buffer, as far as the path is known to carry it. */
  #packetRoom(): Uint8Array {
    const whole = this.#host.sendBuffer()
    const size = this.#udpPayload
    if (this.#packetBuffer.buffer !== whole.buffer || this.#packetBuffer.length !== size) {
      this.#packetBuffer = whole.subarray(0, size)
    }
    return this.#packetBuffer
  }

  #checkClosed(): void {
    const native = this.#native
    if (!native.isClosed() && !native.isDraining()) return
    const peer = native.peerError()
    const local = native.localError()
    const toReason = (source: 'local' | 'peer', error: NonNullable<typeof peer>): QuicCloseReason => ({
      source,
      application: error.isApp,
      code: error.errorCode,
      reason: printable(new TextDecoder().decode(error.reason)),
    })
    if (this.#localClose !== undefined) this.#report(this.#localClose)
    else if (peer !== null) this.#report(toReason('peer', peer))
    else if (local !== null) this.#report(toReason('local', local))
    else this.#report({ source: 'timeout', application: false, code: 0, reason: 'nothing was heard from the peer' })
    this.#lingerOrForget()
  }

  #report(reason: QuicCloseReason): void {
    if (this.closed) return
    this.closed = true
    clearInterval(this.#keepAlive)
    this.#pending.clear()
    this.#host.enter(this, () =>
      runAll([
        () => {
          this.#session = this.#native.session() ?? undefined
        },
        () => this.#host.handshakeDone(this),
        () => this.handler.onClosed(reason),
      ]),
    )
  }

  /** After its close a connection stays long enough to answer late packets with the close again (RFC 9000 §10.2). */
  #lingerOrForget(): void {
    if (this.#native.isClosed()) {
      clearTimeout(this.#timer)
      this.#host.forget(this)
      return
    }
    this.#transmit()
    this.#setTimer()
  }

  #setTimer(): void {
    let delay = this.#native.timeout()
    if (this.#lookAroundDue) delay = Math.min(delay ?? LOOK_AROUND_MS, LOOK_AROUND_MS)
    const probeAt = this.#pathMtu?.dueAt
    if (probeAt !== undefined && !this.closed) {
      const wait = Math.max(0, probeAt - performance.now())
      delay = Math.min(delay ?? wait, wait)
    }
    if (delay === null) {
      clearTimeout(this.#timer)
      this.#timer = undefined
      return
    }
    const deadline = performance.now() + Math.max(delay, 1)
    // A timer that rings early only looks again, which is cheaper than moving it after every packet.
    if (this.#timer !== undefined && this.#timerDeadline <= deadline) return
    clearTimeout(this.#timer)
    this.#timerDeadline = deadline
    this.#timer = setTimeout(() => this.#host.enter(this, () => this.#ring()), Math.max(delay, 1))
  }

  #ring(): void {
    this.#timer = undefined
    if (this.#native.timeout() === 0) this.#native.onTimeout()
    this.turn()
  }

  /** Stream ids of each of the four kinds are used in ascending order (RFC 9000 §2.1): a higher one is a new stream. */
  #countStream(streamId: number): void {
    const kind = streamId & 3
    if (streamId < this.#nextStreamIds[kind]) return
    this.#streamsOpened += (streamId - this.#nextStreamIds[kind]) / 4 + 1
    this.#nextStreamIds[kind] = streamId + 4
  }

  // -- small helpers -------------------------------------------------------------------------------------------

  /** Bytes that quiche took, or undefined when the stream takes no more because it was stopped or has ended. */
  #write(streamId: number, data: Uint8Array, fin: boolean): number | undefined {
    try {
      const written = this.#native.streamSend(streamId, data, fin) ?? 0
      return written
    } catch (error) {
      const stopped = errorArgument(error, 'StreamStopped')
      if (
        stopped !== undefined ||
        errorArgument(error, 'InvalidStreamState') !== undefined ||
        isError(error, 'FinalSize')
      ) {
        this.#pending.delete(streamId)
        return undefined
      }
      if (isError(error, 'StreamLimit')) return 0
      throw error
    }
  }

  #keep(pending: PendingStream, data: Uint8Array, fin: boolean): void {
    pending.chunks.push(Uint8Array.from(data))
    pending.bytes += data.length
    pending.fin ||= fin
  }

  #shutdown(streamId: number, direction: number, code: number): void {
    if (this.closed) return
    try {
      this.#native.streamShutdown(streamId, direction, code)
    } catch {
      // The stream has ended already: there is nothing left to shut down.
    }
    this.#wake()
  }

  #close(application: boolean, code: number, reason: string): void {
    if (this.closed || this.#localClose !== undefined) return
    // What was said before leaves first: from now on quiche sends only the close, and the ends and resets of streams
    // would be lost.
    if (application) this.#transmit()
    this.#localClose = { source: 'local', application, code, reason }
    // RFC 9000 §10.2.3: during the handshake, applications do not show in a close. quiche would send none at all.
    const early = application && !this.established
    try {
      if (early) this.#native.close(false, APPLICATION_ERROR, new Uint8Array(0))
      else this.#native.close(application, code, new TextEncoder().encode(reason))
    } catch {
      // Already closing.
    }
    this.#wake()
  }
}

/** quiche's errors arrive as their Rust names, `StreamReset(268)` for instance. */
function errorArgument(error: unknown, name: string): number | undefined {
  const text = error instanceof Error ? error.message : ''
  return text.startsWith(`${name}(`) ? Number(text.slice(name.length + 1, -1)) : undefined
}

function isError(error: unknown, name: string): boolean {
  return error instanceof Error && error.message === name
}

function certificateNamesIp(der: Uint8Array | undefined, ip: string): boolean {
  return der !== undefined && new X509Certificate(der).checkIP(ip) !== undefined
}
