/**
 * One connection on quiche.
 *
 * quiche is sans-IO as the engine should be, but for the time: it reads a clock of its own. So the `now` of `receive` and `send` is not
 * used for the connection itself, and `deadline` is what quiche says it has left from here. `now` is used for what quiche
 * does not do and is done here: the search for the path's MTU, and looking for what quiche does not announce.
 */

import { randomBytes, X509Certificate } from 'node:crypto'
import { type Connection as NativeConnection, quiche } from '@matrixai/quic/native/index.js'
import { printable } from '../../text/printable.ts'
import { Alert, CRYPTO_ERROR } from '../../tls/alert.ts'
import { aroundDatagram, CONNECTION_ID_LENGTH } from '../datagram-room.ts'
import type {
  EngineConnection,
  EngineCounters,
  EngineEvents,
  EngineOptions,
  OutgoingPacket,
  ProbeContent,
  UdpPath,
} from '../engine.ts'
import { BASE_UDP_PAYLOAD, PathMtuSearch } from '../path-mtu.ts'
import type { QuicCloseReason, QuicPath } from '../quic.ts'
import { isSameAddress, isSamePath } from '../same-path.ts'
import type { NativePath, NativePaths } from './native-paths.ts'
import { PathMtuProbes } from './path-mtu-probe.ts'

/** Stands for whatever the application's reason is (RFC 9000 §20.1). */
const APPLICATION_ERROR = 0x0c

/** TLS alert bad_certificate as a QUIC transport error (RFC 9001 §4.8). */
const BAD_CERTIFICATE = CRYPTO_ERROR + Alert.bad_certificate

/** How often a busy connection looks for what quiche does not announce, in ms. */
const LOOK_AROUND_MS = 100
const NO_BYTES = new Uint8Array(0)

/** As many as a peer may have at a time. */
const MAX_RETIRED_IDS = 8

/** RFC 8999 §5.1. */
const LONG_HEADER_BIT = 0x80

type NativePathStats = ReturnType<NativeConnection['pathStats']>[number]

/** Shared by all connections: each call that fills one is over before the next begins. */
const streamBuffer = new Uint8Array(64 * 1024)
const datagramBuffer = new Uint8Array(64 * 1024)

export class QuicheConnection implements EngineConnection {
  readonly engineName = 'quiche'
  /** quiche counts them, and has no way to say so. */
  readonly bytesInFlight = undefined
  alpn = ''
  resumed = false
  peerCertificate: Uint8Array | undefined
  peerMaxDatagramFrameSize = 0
  maxDatagramLength = 0

  readonly #native: NativeConnection
  readonly #paths: NativePaths
  readonly #maxUdpPayload: number
  readonly #newMtuSearch: NonNullable<EngineOptions['newMtuSearch']>
  readonly #expectedIp: string | undefined
  #established = false
  /** Undefined until the handshake is over. */
  #pathMtu: PathMtuProbes | undefined
  #localClose: QuicCloseReason | undefined
  #closeReason: QuicCloseReason | undefined
  /** The peer has sent something that could be decrypted. */
  #heard = false
  #sendFailed = false
  /** Streams whose half of ours is open, as far as is known: those that the peer may stop. */
  readonly #sending = new Set<number>()
  /** Streams of which something has come, and not yet the end. */
  readonly #receiving = new Set<number>()
  /** The last buffer of the driver, and the part of it that a packet may fill: what the path is known to carry. */
  #whole: Uint8Array = new Uint8Array(0)
  #packetBuffer: Uint8Array = this.#whole
  readonly #outgoing: OutgoingPacket
  #path: UdpPath
  /** The most that was written to a stream at a time since packets were last asked for, in bytes. */
  #largestWrite = 0
  #lookAroundDue = false
  #nextLookAround = 0
  /** Of the last packet with a short header: by which id the peer calls us. */
  #calledBy: Uint8Array = NO_BYTES
  /** Ids that the peer has retired, the newest of them: the driver may have taken packets with them before it heard of it. */
  readonly #retired: Uint8Array[] = []
  /** Those of which it is still to hear. */
  readonly #untold: Uint8Array[] = []
  /** The path that is being probed, and how many packets had come on it before: some, when it is not new. */
  #probed: { path: UdpPath; received: number } | undefined

  constructor(options: {
    native: NativeConnection
    paths: NativePaths
    path: UdpPath
    /** The largest UDP payload that is tried, in bytes. */
    maxUdpPayload: number
    newMtuSearch?: EngineOptions['newMtuSearch']
    /** The server is known by an IP address: its certificate has to have it. (Names are checked inside TLS.) */
    expectedIp?: string
  }) {
    this.#native = options.native
    this.#paths = options.paths
    this.#path = options.path
    this.#outgoing = { length: 0, path: options.path }
    this.#maxUdpPayload = options.maxUdpPayload
    this.#newMtuSearch = options.newMtuSearch ?? (search => new PathMtuSearch(search))
    this.#expectedIp = options.expectedIp
  }

  // -- packets and time ----------------------------------------------------------------------------------------

  receive(packet: Uint8Array, path: UdpPath): boolean {
    const info = this.#paths.toNative(path)
    if (info === undefined || !this.#isCalledRightly(packet)) return false
    try {
      this.#native.recv(packet, info)
    } catch (error) {
      // Nothing was understood, so nobody is told.
      if (!this.#heard && this.#native.isClosed()) return false
      if (this.#native.localError() === null) throw error
      // The peer broke a rule of QUIC or TLS. quiche has already prepared the CONNECTION_CLOSE that tells it so: it is the next
      // packet, and then the end of the connection.
    }
    this.#heard = true
    if (this.#established) this.#lookAroundDue = true
    return true
  }

  /**
   * Packets that were overtaken by the RETIRE_CONNECTION_ID of their own id are as good as lost. quiche 0.18 would take them for a breach of the rules, and
   * end the connection. Only where the id is another one than before can it be one that was retired.
   */
  #isCalledRightly(packet: Uint8Array): boolean {
    if ((packet[0] & LONG_HEADER_BIT) !== 0) return true
    if (isCalled(packet, this.#calledBy)) return true
    this.#findRetiredIds()
    if (this.#retired.some(id => isCalled(packet, id))) return false
    this.#calledBy = packet.slice(1, 1 + CONNECTION_ID_LENGTH)
    return true
  }

  #findRetiredIds(): void {
    const native = this.#native
    for (let id = native.retiredScidNext(); id !== null; id = native.retiredScidNext()) {
      this.#retired.push(id)
      this.#untold.push(id)
    }
    if (this.#retired.length > MAX_RETIRED_IDS) this.#retired.splice(0, this.#retired.length - MAX_RETIRED_IDS)
  }

  send(buffer: Uint8Array, now: number): OutgoingPacket | undefined {
    if (this.#largestWrite > 0) this.#noteWrite(now)
    let sent: ReturnType<NativeConnection['send']>
    try {
      sent = this.#native.send(this.#packetRoom(buffer))
    } catch (error) {
      // TLS has failed: quiche prepares its CONNECTION_CLOSE now, for the next call.
      if (this.#sendFailed || this.#native.localError() === null) throw error
      this.#sendFailed = true
      return undefined
    }
    this.#sendFailed = false
    return sent === null ? undefined : this.#toOutgoing(sent)
  }

  sendProbe(
    buffer: Uint8Array,
    content: (length: number) => ProbeContent | undefined,
    now: number,
  ): OutgoingPacket | undefined {
    if (this.#sendFailed) return undefined
    const sent = this.#pathMtu?.send(buffer, length => this.#wholeContent(content(length)), now) ?? null
    return sent === null ? undefined : this.#toOutgoing(sent)
  }

  /** On a stream that others use, a part of it would be taken for something else. */
  #wholeContent(content: ProbeContent | undefined): ProbeContent | undefined {
    if (content === undefined || content.ends || this.#takesWhole(content.streamId, content.data.length)) return content
    return undefined
  }

  #takesWhole(streamId: number, length: number): boolean {
    try {
      return this.#native.streamCapacity(streamId) >= length
    } catch {
      // Not opened yet, stopped, or over.
      return false
    }
  }

  #toOutgoing(sent: NonNullable<ReturnType<NativeConnection['send']>>): OutgoingPacket {
    this.#outgoing.length = sent[0]
    this.#outgoing.path = this.#paths.fromNative(sent[1])
    return this.#outgoing
  }

  /** The size that the path is known to carry, in bytes of UDP payload. */
  get #udpPayload(): number {
    return this.#pathMtu?.search.size ?? BASE_UDP_PAYLOAD
  }

  /** The driver's buffer, as far as the path is known to carry it. */
  #packetRoom(whole: Uint8Array): Uint8Array {
    const size = this.#udpPayload
    if (this.#whole !== whole || this.#packetBuffer.length !== size) {
      this.#whole = whole
      this.#packetBuffer = whole.subarray(0, size)
    }
    return this.#packetBuffer
  }

  judgePath(waiting: boolean, now: number): boolean {
    if (this.#pathMtu?.judge(now, waiting) !== true) return false
    this.#updateMaxDatagramLength()
    return true
  }

  deadline(now: number): number | undefined {
    let delay = this.#native.timeout()
    if (this.#closeReason === undefined) {
      for (const at of [this.#lookAroundDue ? this.#nextLookAround : undefined, this.#pathMtu?.dueAt]) {
        if (at === undefined) continue
        const wait = Math.max(0, at - now)
        delay = Math.min(delay ?? wait, wait)
      }
    }
    return delay === null ? undefined : now + delay
  }

  onDeadline(): void {
    if (this.#native.timeout() !== 0) return
    this.#native.onTimeout()
    // A path that could not be validated in time has been given up.
    if (this.#established) this.#lookAroundDue = true
  }

  // -- events --------------------------------------------------------------------------------------------------

  handOut(events: EngineEvents, now: number): void {
    if (!this.#established && !this.#begin(events, now)) return
    const native = this.#native
    for (;;) {
      const length = native.dgramRecv(datagramBuffer)
      if (length === null) break
      events.onDatagram(datagramBuffer.subarray(0, length))
    }
    if (native.isReadable()) {
      for (const streamId of native.readable()) this.#readStream(streamId, events)
    }
    // Whoever probes a path waits for its answer.
    const isSoon = now >= this.#nextLookAround || this.#probed !== undefined
    if (this.#lookAroundDue && isSoon) this.#lookAround(events, now)
  }

  /** Whether the handshake is over, and the peer is who it should be. */
  #begin(events: EngineEvents, now: number): boolean {
    const native = this.#native
    if (!native.isEstablished()) return false
    this.peerCertificate = native.peerCertChain()?.[0]
    this.resumed = native.isResumed()
    this.alpn = new TextDecoder().decode(native.applicationProto())
    if (this.#expectedIp !== undefined && !certificateNamesIp(this.peerCertificate, this.#expectedIp)) {
      this.close(false, BAD_CERTIFICATE, `the certificate does not name ${this.#expectedIp}`)
      return false
    }
    this.#established = true
    const max = Math.min(this.#maxUdpPayload, native.maxSendUdpPayloadSize())
    this.#pathMtu = new PathMtuProbes(native, this.#newMtuSearch({ max, now }))
    this.#updateMaxDatagramLength()
    // Asking for the statistics is slow; they are needed only where datagrams were not negotiated as we expect.
    this.peerMaxDatagramFrameSize =
      this.maxDatagramLength > 0 ? this.maxDatagramLength : (native.stats().peerMaxDatagramFrameSize ?? 0)
    this.#issueConnectionIds(events)
    this.#nextLookAround = now + LOOK_AROUND_MS
    this.#lookAroundDue = true
    events.onEstablished()
    return true
  }

  #readStream(streamId: number, events: EngineEvents): void {
    // Of one in both directions, ours is open too, until it is ended or stopped.
    if ((streamId & 2) === 0) this.#sending.add(streamId)
    try {
      for (;;) {
        const read = this.#native.streamRecv(streamId, streamBuffer)
        if (read === null) return
        if (read[1]) this.#receiving.delete(streamId)
        else this.#receiving.add(streamId)
        events.onStreamData(streamId, streamBuffer.subarray(0, read[0]), read[1])
        if (read[1]) return
      }
    } catch (error) {
      this.#receiving.delete(streamId)
      const code = errorArgument(error, 'StreamReset')
      if (code !== undefined) events.onStreamReset(streamId, code)
      else if (errorArgument(error, 'InvalidStreamState') === undefined) throw error
    }
  }

  /**
   * What quiche does not announce and has to be asked for: streams that the peer stopped, ends of streams, whether the peer has moved,
   * and how large a datagram may be. Asking after every packet would cost as much as the packet; a moment later is soon enough, and
   * `deadline` sees to it that the moment comes even when no further packet does.
   */
  #lookAround(events: EngineEvents, now: number): void {
    this.#nextLookAround = now + LOOK_AROUND_MS
    this.#lookAroundDue = false
    this.#findStoppedStreams(events)
    this.#findEndedStreams(events)
    this.#followPeer(events, now)
    this.#issueConnectionIds(events)
    this.#updateMaxDatagramLength()
  }

  /**
   * Gives the peer as many connection ids as it takes, and as we would; and another for each that it has retired. Each address to which it
   * moves needs one of its own, so that nobody can tell that it is the same peer (RFC 9000 §5.1.1, §9.5).
   */
  #issueConnectionIds(events: EngineEvents): void {
    const native = this.#native
    this.#findRetiredIds()
    for (const id of this.#untold.splice(0)) events.onConnectionIdRetired(id)
    while (native.sourceCidsLeft() > 0) {
      // No stateless reset is ever sent, so the token need only be one that nobody can guess.
      const resetToken = BigInt(`0x${randomBytes(16).toString('hex')}`)
      native.newSourceCid(events.newConnectionId(), resetToken, false)
    }
  }

  /** quiche keeps what happens to paths until it is asked for, and we need of it only which one is active now. */
  #followPeer(events: EngineEvents, now: number): void {
    let happened = false
    while (this.#native.pathEventNext() !== null) happened = true
    if (!happened && this.#probed === undefined) return
    const paths = this.#native.pathStats()
    const active = paths.find(path => path.active)
    if (active !== undefined) this.#follow(active, events, now)
    // At the end, as it may lead to another active path.
    this.#lookForAnswer(paths, events)
  }

  #follow({ localHost, peerHost }: NativePathStats, events: EngineEvents, now: number): void {
    const path = this.#paths.fromNative({ from: localHost, to: peerHost })
    if (isSamePath(path, this.#path)) return
    this.#path = path
    this.#pathMtu?.onMoved(now)
    events.onPathChanged(path)
  }

  /**
   * Of a client. quiche tells that a path was validated only the first time. A path that is used again has answered when a packet has come on it: the
   * server knows where to send it only from what we have sent there.
   */
  #lookForAnswer(paths: readonly NativePathStats[], events: EngineEvents): void {
    const probed = this.#probed
    const info = probed && this.#paths.toNative(probed.path)
    if (probed === undefined || info === undefined) return
    const { from, to } = info
    const hasAnswered =
      probed.received > 0 ? receivedOn(paths, info) > probed.received : this.#native.isPathValidated(to, from)
    if (!hasAnswered) return
    this.#probed = undefined
    events.onPathValidated(probed.path)
  }

  /**
   * quiche reports STOP_SENDING only through a stream that fails when it is asked for its capacity. Its list of writable streams would name
   * those too, and costs a hundred times as much.
   */
  #findStoppedStreams(events: EngineEvents): void {
    for (const streamId of this.#sending) {
      try {
        this.#native.streamCapacity(streamId)
      } catch (error) {
        this.#sending.delete(streamId)
        const code = errorArgument(error, 'StreamStopped')
        if (code !== undefined) events.onStopSending(streamId, code)
      }
    }
  }

  /**
   * The end of a stream may come with bytes that were read already: it was lost when it came alone, and then they were sent again together. quiche 0.18
   * acknowledges it then, and does not call the stream readable.
   */
  #findEndedStreams(events: EngineEvents): void {
    for (const streamId of this.#receiving) {
      if (!this.#native.streamFinished(streamId)) continue
      this.#receiving.delete(streamId)
      events.onStreamData(streamId, NO_BYTES, true)
    }
  }

  /** quiche reckons with the largest payload that is tried; what the path is known to carry may be less. */
  #updateMaxDatagramLength(): void {
    const byPeer = this.#native.dgramMaxWritableLen() ?? 0
    const around = aroundDatagram(this.#native.destinationId().length)
    const length = Math.max(0, Math.min(byPeer, this.#udpPayload - around))
    // quiche holds up all behind a datagram that does not fit.
    if (length < this.maxDatagramLength) this.#native.dgramPurgeOutgoing(waiting => waiting.length > length)
    this.maxDatagramLength = length
  }

  // -- the handshake -------------------------------------------------------------------------------------------

  get resumptionTicket(): Uint8Array | undefined {
    return this.#native.session() ?? undefined
  }

  logKeys(file: string): void {
    this.#native.setKeylog(file)
  }

  // -- streams and datagrams -----------------------------------------------------------------------------------

  streamSend(streamId: number, data: Uint8Array, fin: boolean): number | undefined {
    this.#largestWrite = Math.max(this.#largestWrite, data.length)
    this.#sending.add(streamId)
    try {
      const taken = this.#native.streamSend(streamId, data, fin) ?? 0
      if (fin && taken === data.length) this.#sending.delete(streamId)
      return taken
    } catch (error) {
      if (isError(error, 'StreamLimit')) return 0
      const isOver =
        errorArgument(error, 'StreamStopped') !== undefined ||
        errorArgument(error, 'InvalidStreamState') !== undefined ||
        isError(error, 'FinalSize')
      if (isOver) return undefined
      throw error
    }
  }

  #noteWrite(now: number): void {
    this.#pathMtu?.onStreamData(this.#largestWrite, now)
    this.#largestWrite = 0
  }

  streamReset(streamId: number, code: number): void {
    this.#sending.delete(streamId)
    this.#shutdown(streamId, quiche.Shutdown.Write, code)
  }

  streamStopSending(streamId: number, code: number): void {
    this.#receiving.delete(streamId)
    this.#shutdown(streamId, quiche.Shutdown.Read, code)
  }

  #shutdown(streamId: number, direction: number, code: number): void {
    try {
      this.#native.streamShutdown(streamId, direction, code)
    } catch {
      // The stream has ended already: there is nothing left to shut down.
    }
  }

  streamsLeft(kind: 'bidi' | 'uni'): number {
    return kind === 'bidi' ? this.#native.peerStreamsLeftBidi() : this.#native.peerStreamsLeftUni()
  }

  /** Also true of one that quiche has forgotten, which it does when all of it was acknowledged. */
  isAcknowledged(streamId: number): boolean {
    return this.#native.streamFinished(streamId)
  }

  get pathMtuSettled(): boolean {
    return this.#pathMtu?.search.settled === true
  }

  sendDatagram(data: Uint8Array): boolean {
    // null is quiche's "Done": the queue is full. It keeps what it has and refuses the new one.
    return this.#native.dgramSend(data) !== null
  }

  countDatagrams(): number {
    return this.#native.dgramSendQueueLen()
  }

  purgeDatagrams(prefix: Uint8Array): number {
    let purged = 0
    this.#native.dgramPurgeOutgoing(datagram => {
      const matches = prefix.every((byte, i) => datagram[i] === byte)
      if (matches) purged++
      return matches
    })
    return purged
  }

  ping(): void {
    this.#native.sendAckEliciting()
  }

  // -- the end -------------------------------------------------------------------------------------------------

  close(application: boolean, code: number, reason: string): void {
    if (this.#localClose !== undefined) return
    this.#localClose = { source: 'local', application, code, reason }
    // quiche would send no close at all from an application whose handshake is not over.
    const early = application && !this.#established
    try {
      if (early) this.#native.close(false, APPLICATION_ERROR, new Uint8Array(0))
      else this.#native.close(application, code, new TextEncoder().encode(reason))
    } catch {
      // Already closing.
    }
  }

  get closing(): boolean {
    return this.#localClose !== undefined
  }

  closeReason(): QuicCloseReason | undefined {
    if (this.#closeReason === undefined && (this.#native.isClosed() || this.#native.isDraining())) {
      this.#closeReason = this.#localClose ?? this.#nativeReason()
    }
    return this.#closeReason
  }

  #nativeReason(): QuicCloseReason {
    const peer = this.#native.peerError()
    const error = peer ?? this.#native.localError()
    if (error === null) {
      return { source: 'timeout', application: false, code: 0, reason: 'nothing was heard from the peer' }
    }
    return {
      source: peer === null ? 'local' : 'peer',
      application: error.isApp,
      code: error.errorCode,
      reason: printable(new TextDecoder().decode(error.reason)),
    }
  }

  get isOver(): boolean {
    return this.#native.isClosed()
  }

  // -- paths ---------------------------------------------------------------------------------------------------

  probePath(path: UdpPath): boolean {
    const info = this.#paths.toNative(path)
    if (info === undefined) return false
    const received = receivedOn(this.#native.pathStats(), info)
    try {
      this.#native.probePath(info.to, info.from)
    } catch (error) {
      if (isError(error, 'OutOfIdentifiers')) return false
      throw error
    }
    if (this.#probed === undefined || !isSamePath(this.#probed.path, path)) this.#probed = { path, received }
    return true
  }

  migrate(path: UdpPath, now: number): void {
    const info = this.#paths.toNative(path)
    if (info === undefined) return
    this.#native.migrate(info.to, info.from)
    // The server follows only what is more than a probe; it need not wait until there is something to say.
    this.#native.sendAckEliciting()
    this.#path = path
    this.#pathMtu?.onMoved(now)
  }

  paths(): QuicPath[] {
    return this.#native.pathStats().map(path => ({
      local: this.#paths.restore(path.localHost),
      remote: this.#paths.restore(path.peerHost),
      active: path.active,
      rttMs: path.rtt,
      cwnd: path.cwnd,
      lost: path.lost,
    }))
  }

  counters(): EngineCounters {
    const total = {
      packetsSent: 0,
      packetsReceived: 0,
      packetsLost: 0,
      bytesSent: 0,
      bytesReceived: 0,
      rttMs: 0,
      cwnd: 0,
    }
    // quiche forgets no path. Its statistics of the whole connection have the same sums, and cost as much again.
    for (const { active, sent, recv, lost, sentBytes, recvBytes, rtt, cwnd } of this.#native.pathStats()) {
      total.packetsSent += sent
      total.packetsReceived += recv
      total.packetsLost += lost
      total.bytesSent += sentBytes
      total.bytesReceived += recvBytes
      if (!active) continue
      total.rttMs = rtt
      total.cwnd = cwnd
    }
    return total
  }
}

/** quiche's errors arrive as their Rust names, `StreamReset(268)` for instance. */
function errorArgument(error: unknown, name: string): number | undefined {
  const text = error instanceof Error ? error.message : ''
  return text.startsWith(`${name}(`) ? Number(text.slice(name.length + 1, -1)) : undefined
}

function receivedOn(paths: readonly NativePathStats[], { from, to }: NativePath): number {
  const isIt = ({ localHost, peerHost }: NativePathStats): boolean =>
    isSameAddress(localHost, to) && isSameAddress(peerHost, from)
  return paths.find(isIt)?.recv ?? 0
}

/** Of a packet with a short header (RFC 9000 §17.3.1). */
function isCalled(packet: Uint8Array, id: Uint8Array): boolean {
  if (id.length !== CONNECTION_ID_LENGTH || packet.length <= CONNECTION_ID_LENGTH) return false
  for (let i = 0; i < CONNECTION_ID_LENGTH; i++) if (packet[1 + i] !== id[i]) return false
  return true
}

function isError(error: unknown, name: string): boolean {
  return error instanceof Error && error.message === name
}

function certificateNamesIp(der: Uint8Array | undefined, ip: string): boolean {
  return der !== undefined && new X509Certificate(der).checkIP(ip) !== undefined
}
