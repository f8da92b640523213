/**
 * Loss detection, RFC 9002 §6: which packets have arrived, which are lost, and when it is time to ask.
 *
 *                         acknowledged ──────────────────────────────> content.onAcked
 *                        ↗
 *     sent ── on its way ── a later one was acknowledged, and ───────> content.onLost: what is to be sent again goes
 *                        ↘   3 packets or 9/8 RTT have passed           into another packet (RFC 9000 §13.3)
 *                         │  (more where packets overtake each other: see reordering.ts)
 *                         nothing was acknowledged for a PTO ────────> a probe: two packets that must be answered
 *
 * That nothing answers is no loss: only an ACK for something later is (§6.2).
 */
import { PACKET_TYPES } from '../../observer.ts'
import type { CongestionControl } from '../../quic.ts'
import type { AckFrame } from '../frames/ack-frame.ts'
import { APPLICATION, HANDSHAKE, INITIAL, type PacketNumberSpace } from '../packet-number-space.ts'
import { PROTOCOL_VIOLATION, TransportError } from '../transport-error.ts'
import type { CongestionController, ControllerOptions } from './congestion/controller.ts'
import { newController } from './congestion/controllers.ts'
import { EcnValidation } from './ecn-validation.ts'
import { PathCongestion } from './path-congestion.ts'
import { PersistentCongestion } from './persistent-congestion.ts'
import { ProbeTimeout, type PtoSituation } from './probe-timeout.ts'
import type { LossTimer, RecoveryReport } from './recovery-report.ts'
import { RecoverySpace } from './recovery-space.ts'
import { Reordering } from './reordering.ts'
import { GRANULARITY_MS, Rtt } from './rtt.ts'
import type { SentPacket } from './sent-packet.ts'
import { SkippedNumbers } from './skipped-numbers.ts'

/** After so many packets that need no ACK one should ask for it, so that the peer learns which ACKs have arrived (RFC 9000 §13.2.4). */
const ACKS_PER_PING = 20

/** RFC 9000 §14.1. */
const INITIAL_DATAGRAM_SIZE = 1200

/** The type of the ACK frame, which errors name (RFC 9000 §19.3). */
const ACK_FRAME = 0x02

export interface LossRecoveryOptions {
  role: 'client' | 'server'
  /** By name, or what makes one. */
  congestionControl: CongestionControl | ((options: ControllerOptions) => CongestionController)
  randomBytes: (length: number) => Uint8Array
}

export class LossRecovery implements PtoSituation {
  /** We have the keys to send Handshake packets. */
  hasHandshakeKeys = false
  /** RFC 9001 §4.1.2. Before it there is no PTO for 1-RTT packets. */
  handshakeConfirmed = false
  /** Of a server: it may not send because of anti-amplification; then no timer makes sense (RFC 9002 §6.2.2.1). */
  amplificationBlocked = false
  /** The peer's max_ack_delay in ms. */
  maxAckDelayMs = 25
  packetsLost = 0
  /** undefined: nobody looks. */
  report: RecoveryReport | undefined

  readonly #isClient: boolean
  readonly #options: LossRecoveryOptions
  readonly #spaces = [new RecoverySpace(INITIAL), new RecoverySpace(HANDSHAKE), new RecoverySpace(APPLICATION)] as const
  readonly #skipped: SkippedNumbers
  readonly #persistent = new PersistentCongestion()
  #congestion: PathCongestion
  /** Of the path on which packets leave now. */
  #reordering = new Reordering()
  #path = 0
  #datagramSize = INITIAL_DATAGRAM_SIZE
  readonly #ecn = new EcnValidation()
  /** Something that could only be sent after the peer had our Handshake packets was acknowledged. */
  #isHandshakeAcked = false
  readonly #pto: ProbeTimeout
  /** Of the ACK that is being read; the newest first. */
  readonly #acked: SentPacket[] = []

  constructor(options: LossRecoveryOptions) {
    this.#options = options
    this.#isClient = options.role === 'client'
    this.#pto = new ProbeTimeout(this.#spaces, this)
    this.#skipped = new SkippedNumbers(options.randomBytes)
    this.#congestion = this.#newCongestion()
  }

  /** Of the path on which packets leave now, as all that follow. */
  get rtt(): Rtt {
    return this.#congestion.rtt
  }

  get controller(): CongestionController {
    return this.#congestion.controller
  }

  get bytesInFlight(): number {
    return this.#congestion.bytesInFlight
  }

  /** In bytes per ms. */
  get pacingRate(): number {
    return this.#congestion.pacingRate
  }

  /** PTOs in a row without an answer. */
  get ptoCount(): number {
    return this.#pto.count
  }

  /** The path on which packets leave now; what is sent on others says nothing about it. */
  get path(): number {
    return this.#path
  }

  // -- sending -------------------------------------------------------------------------------------------------

  /** Takes the number of the next packet; now and then one is left out, to catch who acknowledges what has not arrived. */
  nextPacketNumber(space: PacketNumberSpace): number {
    const state = this.#spaces[space]
    const number = space === APPLICATION ? this.#skipped.pass(state.nextNumber) : state.nextNumber
    state.nextNumber = number + 1
    return number
  }

  /** The largest that was acknowledged, for the length of the next packet number (RFC 9000 appendix A.2); -1: none. */
  largestAcked(space: PacketNumberSpace): number {
    return this.#spaces[space].largestAcked
  }

  /** How many ack-eliciting packets are to be sent in this space whatever the window and the pacer say; `onSent` counts them. */
  probesDue(space: PacketNumberSpace): number {
    return this.#spaces[space].probesDue
  }

  /** Whether a packet of so many bytes that counts may leave now. */
  maySend(bytes: number, now: number): boolean {
    return this.#congestion.maySend(bytes, now)
  }

  /** The same for a packet for which nothing waits. */
  hasRoom(bytes: number, now: number): boolean {
    return this.#congestion.hasRoom(bytes, now)
  }

  /** Whoever sends the packets can mark them. Called before the first one. */
  enableEcn(): void {
    this.#ecn.enable()
  }

  /**
   * The next packets are to leave with the ECN codepoint ECT(0) (RFC 9000 §13.4). Not while nobody answers: perhaps something on the path drops what is marked. And
   * not where a mark would slow nothing down, as it is a promise that it will (RFC 3168 §5).
   */
  get marksEcn(): boolean {
    return this.#ecn.marks && this.#pto.count === 0 && this.controller.ignoresMarks !== true
  }

  /** A packet with nothing but an ACK should also have a PING: not while the peer owes an answer, as one that never gives it could make us keep any number. */
  shouldPing(space: PacketNumberSpace): boolean {
    const { notElicitingInRow, elicitingInFlight } = this.#spaces[space]
    return notElicitingInRow >= ACKS_PER_PING && elicitingInFlight === 0
  }

  onSent(packet: SentPacket): void {
    const state = this.#spaces[packet.space]
    state.nextNumber = Math.max(state.nextNumber, packet.number + 1)
    if (packet.ackEliciting) {
      state.notElicitingInRow = 0
      state.elicitingInFlight++
      state.lastElicitingAt = packet.sentAt
      if (state.probesDue > 0) state.probesDue--
    } else state.notElicitingInRow++
    if (packet.isEcnMarked) this.#ecn.onMarkedSent(packet.space)
    // Nothing depends on what becomes of an ACK alone, and there may be any number of them.
    if (!packet.inFlight) return
    state.sent.push(packet)
    if (packet.path === this.#path) this.#congestion.onSent(packet)
    this.report?.update(packet.sentAt)
  }

  // -- acknowledgments -----------------------------------------------------------------------------------------

  /** `delayMs`: its ACK Delay. Throws TransportError for packets that were never sent. */
  onAck(space: PacketNumberSpace, ack: AckFrame, delayMs: number, now: number): void {
    const state = this.#spaces[space]
    this.#refuseInvented(state, ack)
    this.#congestion.onAckBegun()
    const acked = this.#acked
    acked.length = 0
    state.sent.takeAcked(ack.ranges, acked)
    // Only one that knows the server's Handshake packets to be ours can have answered ours (RFC 9002 §6.2.2.1).
    if (space !== INITIAL) this.#isHandshakeAcked = true
    const largestBefore = state.largestAcked
    state.largestAcked = Math.max(largestBefore, ack.largest)
    if (space === APPLICATION) this.#learnReordering(state, ack, now)
    if (acked.length === 0) return
    this.report?.onAcked(acked[0])
    this.#measure(space, ack, delayMs, now)
    if (ack.largest > largestBefore) this.#countMarks(space, ack, now)
    this.#detectLost(state, largestBefore, now)
    for (let i = acked.length - 1; i >= 0; i--) this.#onPacketAcked(state, acked[i], now)
    acked.length = 0
    this.#congestion.onAckDone(now)
    for (const each of this.#spaces) each.probesDue = 0
    if (this.isPeerSureOfUs) this.#pto.count = 0
    this.#pto.noteQuiet(now)
    this.report?.update(now)
  }

  /** The peer knows that our address is not forged, and may send as much as it likes. A server need not prove its address. */
  get isPeerSureOfUs(): boolean {
    return !this.#isClient || this.#isHandshakeAcked || this.handshakeConfirmed
  }

  /** RFC 9000 §13.1: who acknowledges what was not sent has not received it. */
  #refuseInvented(state: RecoverySpace, { largest, ranges }: AckFrame): void {
    const isInvented = largest >= state.nextNumber || (state.space === APPLICATION && this.#skipped.isAnyIn(ranges))
    if (isInvented)
      throw new TransportError(PROTOCOL_VIOLATION, 'a packet was acknowledged that was never sent', ACK_FRAME)
  }

  /** RFC 9002 §5.1, §5.3. */
  #measure(space: PacketNumberSpace, ack: AckFrame, delayMs: number, now: number): void {
    const newest = this.#acked[0]
    if (newest.number !== ack.largest || newest.path !== this.#path) return
    if (!this.#acked.some(packet => packet.ackEliciting)) return
    let delay = space === INITIAL ? 0 : delayMs
    if (this.handshakeConfirmed) delay = Math.min(delay, this.maxAckDelayMs)
    this.rtt.onSample(now - newest.sentAt, delay, now)
  }

  #countMarks(space: PacketNumberSpace, { ecn }: AckFrame, now: number): void {
    let marked = 0
    let markedHere = 0
    for (const packet of this.#acked) {
      if (!packet.isEcnMarked) continue
      marked++
      if (packet.congestion === this.#congestion) markedHere++
    }
    if (!this.#ecn.onAck(space, ecn, marked, markedHere)) return
    // RFC 9000 §9.4: what was sent on another path says nothing about this one.
    const newest = this.#acked.find(({ congestion }) => congestion === this.#congestion)
    if (newest === undefined) return
    const { window } = this.controller
    this.controller.onCongestion(newest.sentAt, 0, now)
    this.report?.onCongestion(window, 'ECN', now)
  }

  /** What was taken for lost may have been late only. */
  #learnReordering({ largestAcked }: RecoverySpace, { ranges }: AckFrame, now: number): void {
    const patience = this.rtt.probeTimeout + this.maxAckDelayMs
    this.#reordering.onAck(ranges, largestAcked, this.#recentRtt, patience, now)
  }

  get #recentRtt(): number {
    return Math.max(this.rtt.smoothed, this.rtt.latest, GRANULARITY_MS)
  }

  #onPacketAcked(state: RecoverySpace, packet: SentPacket, now: number): void {
    if (packet.ackEliciting) state.elicitingInFlight--
    packet.congestion?.onAcked(packet, now)
    for (const content of packet.content) content.onAcked(now)
  }

  // -- losses --------------------------------------------------------------------------------------------------

  /** RFC 9002 §6.1. `acknowledgedBefore`: the largest, before the ACK that is being read. */
  #detectLost(state: RecoverySpace, acknowledgedBefore: number, now: number): void {
    state.lossAt = undefined
    const { sent, largestAcked } = state
    const { packetThreshold, timeThreshold } = this.#reordering
    const delay = timeThreshold * this.#recentRtt
    let lostBytes = 0
    let newestLost: SentPacket | undefined
    this.#persistent.begin(this.#acked, acknowledgedBefore)
    for (let packet = sent.first; packet !== undefined && packet.number < largestAcked; packet = sent.first) {
      if (packet.number > largestAcked - packetThreshold && packet.sentAt + delay > now) {
        state.lossAt = packet.sentAt + delay
        break
      }
      sent.removeFirst()
      this.report?.observer.packetLost(
        PACKET_TYPES[state.space],
        packet.number,
        packet.number <= largestAcked - packetThreshold ? 'reordering_threshold' : 'time_threshold',
        now,
      )
      this.#onPacketLost(state, packet, now)
      // That one of this size is lost says that it is too large (RFC 9000 §14.4).
      if (packet.congestion !== this.#congestion || packet.isMtuProbe) continue
      if (state.space === APPLICATION) this.#reordering.onLost(packet)
      this.#persistent.onLost(packet, this.rtt, this.maxAckDelayMs)
      lostBytes += packet.bytes
      newestLost = packet
    }
    if (newestLost === undefined) return
    const { controller } = this.#congestion
    const { window } = controller
    controller.onCongestion(newestLost.sentAt, lostBytes, now)
    if (this.#persistent.isFound) controller.onPersistentCongestion(now)
    this.report?.onCongestion(window, this.#persistent.isFound ? 'persistent_congestion' : undefined, now)
  }

  #onPacketLost(state: RecoverySpace, packet: SentPacket, now: number): void {
    if (packet.ackEliciting) state.elicitingInFlight--
    this.packetsLost++
    packet.congestion?.onLost(packet)
    if (packet.isEcnMarked && packet.congestion === this.#congestion) this.#ecn.onMarkedLost()
    if (packet.isContentSentAgain) return
    for (const content of packet.content) content.onLost(now)
  }

  // -- time ----------------------------------------------------------------------------------------------------

  /** When `onDeadline` is to be called; and when the pacer lets the next packet go, if `maySend` has refused one. */
  deadline(): number | undefined {
    const paced = this.#congestion.pacedUntil
    const next = this.#lossSpace()?.lossAt ?? this.#pto.at(this.#pto.space)
    if (paced === undefined || next === undefined) return paced ?? next
    return Math.min(paced, next)
  }

  /** Takes packets for lost, or asks for probes. Called too early it does nothing. */
  onDeadline(now: number): void {
    this.#congestion.onDeadline(now)
    const late = this.#lossSpace()
    if (late?.lossAt !== undefined) {
      if (late.lossAt > now) return
      this.report?.onExpired({ type: 'ack', space: late.space, at: late.lossAt }, now)
      this.#detectLost(late, late.largestAcked, now)
      this.#pto.noteQuiet(now)
      this.report?.update(now)
      return
    }
    const space = this.#pto.space
    const at = this.#pto.at(space)
    if (space === undefined || at === undefined || at > now) return
    this.report?.onExpired({ type: 'pto', space: space.space, at }, now)
    this.#pto.expire(space, now)
    if (this.#pto.count === 1) this.#ecn.onSilence()
    this.report?.update(now)
  }

  /** The loss timer: what `deadline` waits for, without the pacer. */
  get timer(): LossTimer | undefined {
    const late = this.#lossSpace()
    if (late?.lossAt !== undefined) return { type: 'ack', space: late.space, at: late.lossAt }
    const { space } = this.#pto
    const at = this.#pto.at(space)
    return space === undefined || at === undefined ? undefined : { type: 'pto', space: space.space, at }
  }

  #lossSpace(): RecoverySpace | undefined {
    let first: RecoverySpace | undefined
    for (const state of this.#spaces) {
      if (state.lossAt !== undefined && state.lossAt < (first?.lossAt ?? Number.POSITIVE_INFINITY)) first = state
    }
    return first
  }

  // -- the course of a connection ------------------------------------------------------------------------------

  /** The keys of a space were thrown away (RFC 9001 §4.9): nothing of it is waited for any more. */
  discard(space: PacketNumberSpace, now: number): void {
    const state = this.#spaces[space]
    if (state.isDiscarded) return
    this.#forget(state)
    state.discard()
    this.#pto.count = 0
    this.#pto.noteQuiet(now)
    this.report?.update(now)
  }

  /** Of a client that got a Retry: what was sent is to be sent again, and says nothing about the path (RFC 9002 §6.3). */
  onRetry(now: number): void {
    const state = this.#spaces[INITIAL]
    for (const packet of this.#forget(state)) for (const content of packet.content) content.onLost(now)
    state.elicitingInFlight = 0
    state.probesDue = 0
    this.#pto.count = 0
    this.#pto.noteQuiet(now)
    this.report?.update(now)
  }

  #forget({ sent }: RecoverySpace): SentPacket[] {
    const packets: SentPacket[] = []
    for (let packet = sent.removeFirst(); packet !== undefined; packet = sent.removeFirst()) {
      packet.congestion?.onForgotten(packet)
      packets.push(packet)
    }
    return packets
  }

  /** The path carries UDP payloads of this size. */
  onDatagramSize(bytes: number): void {
    this.#datagramSize = bytes
    this.#congestion.onDatagramSize(bytes)
  }

  /** Packets leave on another path from now on. `isNew`: of which nothing is known; else only the port may have changed (RFC 9000 §9.4). */
  onPathChange(path: number, isNew: boolean): void {
    this.#path = path
    if (!isNew) return
    this.#congestion = this.#newCongestion()
    this.#reordering = new Reordering()
    this.#ecn.restart()
    this.#pto.count = 0
    this.report?.onPathChange()
  }

  #newCongestion(): PathCongestion {
    const { congestionControl, randomBytes } = this.#options
    const options = { datagramSize: this.#datagramSize, rtt: new Rtt(), random: () => randomBytes(1)[0] / 256 }
    const controller =
      typeof congestionControl === 'function' ? congestionControl(options) : newController(congestionControl, options)
    return new PathCongestion(options.rtt, controller, this.#datagramSize)
  }
}
