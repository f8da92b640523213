/**
 * One connection: RFC 9000 as ../engine.ts asks for it. What happens is elsewhere, one concept a file; here it comes together.
 *
 *   receive ─> receive-packet.ts ─> receive-frames.ts ─┬─> handshake.ts ── TLS              handOut ─> events
 *                                                      ├─> recovery/  acknowledged, lost
 *                                                      ├─> streams/   data in and out
 *                                                      └─> paths.ts, …-connection-ids.ts, close.ts
 *   send <── send-packet.ts <── what each of these has to say                              deadline: the earliest of all
 */

import { aroundDatagram } from '../datagram-room.ts'
import type { EcnCodepoint } from '../ecn.ts'
import type {
  EngineConnection,
  EngineCounters,
  EngineEvents,
  EngineOptions,
  OutgoingPacket,
  ProbeContent,
  UdpPath,
} from '../engine.ts'
import type { QuicObserver } from '../observer.ts'
import { PathMtuSearch } from '../path-mtu.ts'
import type { QuicCloseReason, QuicPath } from '../quic.ts'
import type { ConnectionParts } from './connection-parts.ts'
import { earliest } from './earliest.ts'
import { datagramDataThatFits } from './frames/datagram-frame.ts'
import { APPLICATION, INITIAL, PACKET_NUMBER_SPACES } from './packet-number-space.ts'
import type { Paths } from './paths.ts'
import type { FirstPackets } from './receive-packet.ts'
import { PacketReceiver } from './receive-packet.ts'
import { PacketSender } from './send-packet.ts'
import { NO_VIABLE_PATH } from './transport-error.ts'

export class TypescriptConnection implements EngineConnection {
  readonly engineName = 'typescript'
  readonly #parts: ConnectionParts
  readonly #receiver: PacketReceiver
  readonly #sender: PacketSender
  readonly #newMtuSearch: NonNullable<EngineOptions['newMtuSearch']>
  #established = false
  #toldMaySend = false
  /** Of the last call that had a time. */
  #now = 0
  /** The last of `close` that the observer has heard of. */
  #toldState: 'open' | 'closing' | 'draining' | 'closed' = 'open'
  maxDatagramLength = 0
  pathMtuSettled = false

  constructor(parts: ConnectionParts, first: FirstPackets, newMtuSearch: EngineOptions['newMtuSearch']) {
    this.#parts = parts
    this.#receiver = new PacketReceiver(parts, first)
    this.#sender = new PacketSender(parts)
    this.#newMtuSearch = newMtuSearch ?? (search => new PathMtuSearch(search))
  }

  // -- packets and time ----------------------------------------------------------------------------------------

  receive(packet: Uint8Array, path: UdpPath, now: number, ecn?: EcnCodepoint): boolean {
    this.#now = now
    const isUsed = this.#receiver.receive(packet, path, now, ecn)
    this.#tellState(now)
    return isUsed
  }

  enableEcn(): void {
    this.#parts.recovery.enableEcn()
  }

  send(buffer: Uint8Array, now: number): OutgoingPacket | undefined {
    this.#tellState(now)
    try {
      return this.#sender.send(buffer, now)
    } catch (error) {
      return this.#onKeyExhausted(error, now)
    }
  }

  /** It shares its packet with nothing, and needs no stream. The sooner it leaves, the sooner packets of that size may. */
  readonly probesFirst = true

  sendProbe(
    buffer: Uint8Array,
    _content: (length: number) => ProbeContent | undefined,
    now: number,
  ): OutgoingPacket | undefined {
    try {
      return this.#sender.sendMtuProbe(buffer, now)
    } catch (error) {
      return this.#onKeyExhausted(error, now)
    }
  }

  /** No key may protect more packets than its cipher bears (RFC 9001 §6.6): then not even a close can be sent. */
  #onKeyExhausted(error: unknown, now: number): undefined {
    this.#parts.fail(error)
    this.#parts.close.vanish({ source: 'local', application: false, code: 0, reason: '' })
    this.#tellState(now)
  }

  judgePath(waiting: boolean, now: number): boolean {
    if (!this.#established || !this.#parts.mtu.judge(waiting, now)) return false
    this.#parts.recovery.onDatagramSize(this.#parts.mtu.size)
    this.#updateMaxDatagramLength()
    this.pathMtuSettled = this.#parts.mtu.settled
    return true
  }

  deadline(now: number): number | undefined {
    const { close, idle, recovery, paths, mtu, ptoMs } = this.#parts
    if (!close.isOpen) return close.due === undefined ? close.deadline : now
    let next = earliest(idle.deadline(ptoMs), recovery.deadline())
    next = earliest(next, paths?.deadline())
    if (!recovery.amplificationBlocked) {
      for (const space of PACKET_NUMBER_SPACES) {
        if (this.#parts.canSeal(space)) next = earliest(next, this.#parts.spaces[space].received.ackDueAt)
      }
    }
    return this.#established ? earliest(next, mtu.dueAt) : next
  }

  onDeadline(now: number): void {
    this.#now = now
    this.#onDeadline(now)
    this.#tellState(now)
  }

  #onDeadline(now: number): void {
    const { close, idle, recovery, ptoMs } = this.#parts
    close.onDeadline(now)
    if (!close.isOpen) return
    const idleAt = idle.deadline(ptoMs)
    if (idleAt !== undefined && idleAt <= now) {
      close.vanish({ source: 'timeout', application: false, code: 0, reason: 'nothing was heard from the peer' })
      return
    }
    try {
      recovery.onDeadline(now)
      this.#losePaths(now)
    } catch (error) {
      // A path that ends retires a connection id, and the peer has perhaps let none of those before be retired.
      this.#parts.fail(error)
    }
  }

  #losePaths(now: number): void {
    const { paths, recovery, mtu, close, ptoMs } = this.#parts
    const loss = paths?.onDeadline(now, ptoMs)
    if (paths === undefined || loss === undefined || loss === 'none') return
    if (loss === 'no-path') {
      const end = { application: false, code: NO_VIABLE_PATH, reason: 'no path answers' }
      // RFC 9000 §8.2.4: a peer that is there, on a path that carries too little, is told. §9.3.2: whoever has never answered is not.
      if (paths.active.amplification.validated) close.begin({ ...end, frameType: 0 })
      else close.vanish({ source: 'local', ...end })
      return
    }
    recovery.onPathChange(paths.active.number, true)
    mtu.onMoved(now)
    this.#receiver.hasMoved = true
  }

  // -- events --------------------------------------------------------------------------------------------------

  handOut(events: EngineEvents, now: number): void {
    this.#now = now
    const { handshake, streams, datagrams, close } = this.#parts
    if (!this.#established && !this.#establish(events, now)) {
      this.#tellMaySend(events)
      return
    }
    datagrams.handOut(events)
    streams.handOut(events, now)
    this.#tellOfPaths(events)
    if (close.isOpen && handshake.complete) this.#changeConnectionIds(events)
  }

  /** False: the handshake is not over. */
  #establish(events: EngineEvents, now: number): boolean {
    const { handshake, settings, mtu, close } = this.#parts
    if (!handshake.complete || close.isClosing) return false
    this.#established = true
    const theirs = handshake.peerParameters?.maxUdpPayloadSize ?? settings.maxUdpPayload
    mtu.begin(this.#newMtuSearch({ max: Math.min(settings.maxUdpPayload, theirs), now }))
    this.#updateMaxDatagramLength()
    events.onEstablished()
    return true
  }

  /** RFC 9001 §5.7: a server has the keys to send with before the client has finished, unless TLS keeps them back (../../tls/server.ts). A client has them with the end. */
  #tellMaySend(events: EngineEvents): void {
    const { oneRtt, close } = this.#parts
    if (this.#toldMaySend || !oneRtt.canSeal || !close.isOpen) return
    this.#toldMaySend = true
    events.onMaySend?.()
  }

  #tellOfPaths(events: EngineEvents): void {
    const { frames } = this.#receiver
    if (this.#receiver.hasMoved) {
      this.#receiver.hasMoved = false
      this.#updateMaxDatagramLength()
      events.onPathChanged((this.#parts.paths as Paths).active.udp)
    }
    for (const path of frames.validated.splice(0)) {
      if (!path.isProbed) continue
      path.isProbed = false
      events.onPathValidated(path.udp)
    }
  }

  /** Each address to which the peer moves needs one of its own, so that nobody can tell that it is the same peer (RFC 9000 §5.1.1, §9.5). */
  #changeConnectionIds(events: EngineEvents): void {
    const { localIds } = this.#parts
    for (const id of this.#receiver.frames.retired.splice(0)) events.onConnectionIdRetired(id)
    for (let wanted = localIds.wanted; wanted > 0; wanted--) localIds.add(events.newConnectionId())
  }

  #updateMaxDatagramLength(): void {
    const { mtu, paths, datagrams } = this.#parts
    const idLength = paths?.active.peerId.id.length ?? 0
    const byPath = mtu.size - aroundDatagram(idLength)
    const length = Math.max(0, Math.min(byPath, datagramDataThatFits(this.peerMaxDatagramFrameSize)))
    // What does not fit any more would hold up all behind it.
    if (length < this.maxDatagramLength) datagrams.purgeLongerThan(length)
    this.maxDatagramLength = length
  }

  // -- the handshake -------------------------------------------------------------------------------------------

  get alpn(): string {
    return this.#parts.handshake.alpn
  }

  get resumed(): boolean {
    return this.#parts.handshake.resumed
  }

  get peerCertificate(): Uint8Array | undefined {
    return this.#parts.handshake.peerCertificate
  }

  get peerMaxDatagramFrameSize(): number {
    return this.#parts.handshake.peerParameters?.maxDatagramFrameSize ?? 0
  }

  get resumptionTicket(): Uint8Array | undefined {
    return this.#parts.handshake.ticket
  }

  /** How often the keys were updated (RFC 9001 §6). */
  get keyUpdates(): number {
    return this.#parts.oneRtt.updates
  }

  logKeys(file: string): void {
    this.#parts.handshake.logKeys(file)
  }

  // -- streams and datagrams -----------------------------------------------------------------------------------

  streamSend(streamId: number, data: Uint8Array, fin: boolean): number | undefined {
    return this.#parts.streams.send(streamId, data, fin)
  }

  streamReset(streamId: number, code: number): void {
    this.#parts.streams.reset(streamId, code)
  }

  streamStopSending(streamId: number, code: number): void {
    this.#parts.streams.stopSending(streamId, code, this.#now)
  }

  streamsLeft(kind: 'bidi' | 'uni'): number {
    return this.#parts.streams.left(kind)
  }

  isAcknowledged(streamId: number): boolean {
    return this.#parts.streams.isAcknowledged(streamId)
  }

  sendDatagram(data: Uint8Array): boolean {
    return this.#parts.datagrams.send(data)
  }

  countDatagrams(): number {
    return this.#parts.datagrams.waiting
  }

  purgeDatagrams(prefix: Uint8Array): number {
    return this.#parts.datagrams.purge(prefix)
  }

  ping(): void {
    this.#parts.spaces[APPLICATION].isPingDue = true
  }

  // -- the end -------------------------------------------------------------------------------------------------

  close(application: boolean, code: number, reason: string): void {
    this.#parts.closeBy(application, code, reason)
  }

  get closing(): boolean {
    return !this.#parts.close.isOpen
  }

  closeReason(): QuicCloseReason | undefined {
    return this.#parts.close.reason
  }

  get isOver(): boolean {
    return this.#parts.close.isOver
  }

  // -- paths ---------------------------------------------------------------------------------------------------

  probePath(path: UdpPath, now: number): boolean {
    const { paths, ptoMs, handshake } = this.#parts
    // RFC 9000 §9: nobody moves before. §18.2: to the address of the handshake a client then sends from one address only.
    if (!handshake.confirmed || handshake.peerParameters?.disableActiveMigration === true) return false
    try {
      return paths?.probe(path, now, ptoMs) !== undefined
    } catch (error) {
      this.#parts.fail(error)
      return false
    }
  }

  migrate(udp: UdpPath, now: number): void {
    const { paths, recovery, mtu, ptoMs } = this.#parts
    const path = paths?.find(udp)
    if (paths === undefined || path === undefined || path === paths.active) return
    paths.use(path, now, ptoMs)
    recovery.onPathChange(path.number, true)
    mtu.onMoved(now)
    this.#updateMaxDatagramLength()
    // The server follows only what is more than a probe; it need not wait until there is something to say.
    this.ping()
  }

  paths(): QuicPath[] {
    const { paths, recovery } = this.#parts
    if (paths === undefined) return []
    const { rtt, controller, packetsLost } = recovery
    return paths.all.map(path => {
      const active = path === paths.active
      return {
        ...path.udp,
        active,
        rttMs: active ? rtt.smoothed : 0,
        cwnd: active ? controller.window : 0,
        lost: active ? packetsLost : 0,
      }
    })
  }

  counters(): EngineCounters {
    const { totals, recovery } = this.#parts
    const { packetsSent, packetsReceived, bytesSent, bytesReceived } = totals
    return {
      packetsSent,
      packetsReceived,
      packetsLost: recovery.packetsLost,
      bytesSent,
      bytesReceived,
      rttMs: recovery.rtt.smoothed,
      cwnd: recovery.controller.window,
    }
  }

  get bytesInFlight(): number {
    return this.#parts.recovery.bytesInFlight
  }

  // -- looking on ----------------------------------------------------------------------------------------------

  observe(observer: QuicObserver, now: number): void {
    this.#parts.observe(observer)
    // A server does not know it before the client's first packet.
    if (this.#parts.peerIds !== undefined) this.#parts.tellVersion(now)
    observer.state('attempted', now)
    // A client has made them when it was made.
    if (this.#parts.spaces[INITIAL].sealing !== undefined) this.#parts.tellKeys(INITIAL, now)
  }

  /** Of the end: how far the handshake is, it says by itself. */
  #tellState(now: number): void {
    const { observer, close } = this.#parts
    if (observer === undefined || close.state === this.#toldState) return
    this.#toldState = close.state
    if (close.state !== 'open') observer.state(close.state, now)
  }
}
