/**
 * The way of a datagram out: which packet number spaces have something to say, which frames go first, and how large it may be.
 *
 *   room = the least of   the path's MTU as far as it is known · what anti-amplification allows (RFC 9000 §8.1)
 *
 *   Initial packet │ Handshake packet │ 1-RTT packet      coalesced (§12.2), those that have something to say
 *   in each:  ACK │ CRYPTO │ control frames │ DATAGRAM and STREAM, in turns │ PING, where a probe has nothing else
 *
 * An ACK may always leave. What has to be acknowledged needs room in the congestion window and the pacer's leave, unless it is a probe
 * of loss recovery (RFC 9002 §6.2.4, §7.5). Datagrams with Initials, and those that test a path, are filled up to 1200 bytes (§14.1, §8.2.1).
 */

import { ECT_0, NOT_ECT } from '../ecn.ts'
import type { OutgoingPacket } from '../engine.ts'
import { BASE_UDP_PAYLOAD } from '../path-mtu.ts'
import { writeAck } from './ack-to-send.ts'
import type { CloseMessage } from './close.ts'
import type { ConnectionParts } from './connection-parts.ts'
import { writePathFrames } from './control-frames.ts'
import { appendConnectionClose, shortestConnectionCloseLength } from './frames/connection-close-frame.ts'
import { appendPing } from './frames/ping-frame.ts'
import { PacketDraft } from './packet-draft.ts'
import { APPLICATION, HANDSHAKE, INITIAL, PACKET_NUMBER_SPACES, type PacketNumberSpace } from './packet-number-space.ts'
import type { Path, Paths } from './paths.ts'
import { NO_CONTENT, type SentContent } from './recovery/sent-packet.ts'
import { APPLICATION_ERROR } from './transport-error.ts'
import { WireWriter } from './wire-writer.ts'

/** Of a reason that goes into several packets of one datagram, so many bytes. */
const MAX_REASON = 200

const BEFORE_1RTT: readonly PacketNumberSpace[] = [INITIAL, HANDSHAKE]
const ONLY_1RTT: readonly PacketNumberSpace[] = [APPLICATION]

/** For an ACK and a challenge, behind the longest connection id: what a path needs that is not validated. */
const MIN_ROOM = 65

const NO_BYTES = new Uint8Array(0)
const encoder = new TextEncoder()

export class PacketSender {
  readonly #parts: ConnectionParts
  readonly #out = new WireWriter(NO_BYTES)
  readonly #drafts: readonly [PacketDraft, PacketDraft, PacketDraft]
  /** Those of the datagram that is being made. */
  readonly #pending: PacketDraft[] = []
  /** Frames that test a path are in it. */
  #testsPath = false
  #datagramsFirst = true
  #isCloseSentIn1Rtt = false
  #outgoing: OutgoingPacket | undefined
  readonly #largeOnly: readonly SentContent[]

  constructor(parts: ConnectionParts) {
    this.#parts = parts
    this.#drafts = [
      new PacketDraft(parts, INITIAL),
      new PacketDraft(parts, HANDSHAKE),
      new PacketDraft(parts, APPLICATION),
    ]
    this.#largeOnly = [parts.mtu.large]
  }

  /** The next datagram; undefined: there is none now. */
  send(buffer: Uint8Array, now: number): OutgoingPacket | undefined {
    const { paths, close, mtu, recovery, handshake } = this.#parts
    if (paths === undefined || close.isOver) return undefined
    this.#out.reset(buffer)
    if (!close.isOpen) return this.#sendClose(paths, buffer, now)
    const dcid = paths.activePeerId()
    const tested = paths.wanting(now)
    if (tested !== undefined && this.#parts.oneRtt.canSeal) {
      const test = this.#sendTest(tested, buffer, now)
      if (test !== undefined) return test
    }
    const path = paths.active
    const { allowance } = path.amplification
    // Initials are filled up (§14.1). What would not hold a packet waits: the next one of the peer brings more.
    recovery.amplificationBlocked = allowance < (handshake.confirmed ? MIN_ROOM : BASE_UDP_PAYLOAD)
    if (recovery.amplificationBlocked) return undefined
    const room = Math.min(buffer.length, mtu.size, allowance)
    this.#pending.length = 0
    this.#testsPath = false
    let at = 0
    for (const space of PACKET_NUMBER_SPACES) {
      if (this.#draft(space, at, room, dcid, path, now)) at += this.#drafts[space].total
    }
    if (at === 0) return undefined
    return this.#finish(buffer, path, room, now)
  }

  /** The packet of the search for the path's MTU that is due. */
  sendMtuProbe(buffer: Uint8Array, now: number): OutgoingPacket | undefined {
    const { paths, close, mtu, recovery, oneRtt } = this.#parts
    if (paths === undefined || !close.isOpen || !oneRtt.canSeal) return undefined
    const size = mtu.nextSize(now)
    if (size === undefined) return undefined
    const path = paths.active
    const hasRoom = size <= buffer.length && size <= path.amplification.allowance && recovery.hasRoom(size, now)
    this.#out.reset(buffer)
    const draft = this.#drafts[APPLICATION]
    if (!hasRoom || !draft.begin(this.#out, 0, size, paths.activePeerId(), now)) {
      mtu.onNotSent(now)
      return undefined
    }
    appendPing(this.#out)
    draft.end = this.#out.offset
    draft.padTo(buffer, size)
    draft.ackEliciting = true
    draft.isMtuProbe = true
    draft.content = [mtu.onSent()]
    const isMarked = recovery.marksEcn
    draft.seal(buffer, path.number, true, isMarked, now)
    return this.#toOutgoing(size, path, isMarked)
  }

  // -- one packet ------------------------------------------------------------------------------------------------

  /** Begins the packet of a space, if it has something to say now. */
  #draft(space: PacketNumberSpace, at: number, room: number, dcid: Uint8Array, path: Path, now: number): boolean {
    const { spaces, recovery } = this.#parts
    if (!this.#parts.canSeal(space)) return false
    const { received } = spaces[space]
    const isAckDue = received.ackDueAt !== undefined && received.ackDueAt <= now
    const isProbeDue = recovery.probesDue(space) > 0
    const mayElicit = isProbeDue || (this.#hasContent(space, path, now) && recovery.maySend(room - at, now))
    if (!isAckDue && !mayElicit) return false
    const draft = this.#drafts[space]
    const out = this.#out
    if (!draft.begin(out, at, room, dcid, now)) return false
    const ackContent = received.isAckPossible ? writeAck(received, out, space, now) : undefined
    const afterAck = out.offset
    if (mayElicit) draft.content = this.#writeContent(space, path, room, now)
    const isPingWanted = isProbeDue || (ackContent !== undefined && recovery.shouldPing(space))
    if (isPingWanted && out.offset === afterAck && out.remaining > 0) appendPing(out)
    draft.ackEliciting = out.offset > afterAck
    if (draft.ackEliciting) spaces[space].isPingDue = false
    if (draft.ackEliciting && ackContent !== undefined) draft.content = [...draft.content, ackContent]
    draft.end = out.offset
    if (draft.isEmpty) return false
    this.#pending.push(draft)
    return true
  }

  #hasContent(space: PacketNumberSpace, path: Path, now: number): boolean {
    const { spaces, streams, datagrams, control } = this.#parts
    const { crypto, isPingDue } = spaces[space]
    if (crypto.wantsToSend || isPingDue) return true
    if (space !== APPLICATION) return false
    return datagrams.waiting > 0 || streams.wantsToSend || control.wantsToSend || path.wantsToSend(now)
  }

  #writeContent(space: PacketNumberSpace, path: Path, room: number, now: number): readonly SentContent[] {
    const { spaces, control } = this.#parts
    const { crypto, isPingDue } = spaces[space]
    const out = this.#out
    const before = out.offset
    let content: SentContent[] | undefined
    if (crypto.wantsToSend) {
      content = []
      crypto.writeFrames(out, content)
    }
    if (space === APPLICATION) {
      const isFull = room >= BASE_UDP_PAYLOAD
      if (path.wantsToSend(now) && writePathFrames(path, out, isFull, now)) this.#testsPath = true
      if (control.wantsToSend) {
        content ??= []
        control.writeFrames(out, content)
      }
      content = this.#writeData(content)
    }
    if (isPingDue && out.offset === before && out.remaining > 0) appendPing(out)
    return content ?? NO_CONTENT
  }

  /** DATAGRAMs first in one packet, streams in the next: neither keeps the other waiting. */
  #writeData(before: SentContent[] | undefined): SentContent[] | undefined {
    const { streams, datagrams } = this.#parts
    const out = this.#out
    let content = before
    if (this.#datagramsFirst) while (datagrams.writeFrame(out)) {}
    if (streams.wantsToSend) {
      content ??= []
      streams.writeFrames(out, content)
    }
    if (!this.#datagramsFirst) while (datagrams.writeFrame(out)) {}
    this.#datagramsFirst = !this.#datagramsFirst
    return content
  }

  // -- the datagram ----------------------------------------------------------------------------------------------

  #finish(buffer: Uint8Array, path: Path, room: number, now: number): OutgoingPacket {
    const pending = this.#pending
    const last = pending[pending.length - 1]
    if (this.#isToBeFilledUp()) last.padTo(buffer, Math.min(BASE_UDP_PAYLOAD, room) - last.start)
    const length = last.start + last.total
    if (length > BASE_UDP_PAYLOAD) {
      last.content = last.content === NO_CONTENT ? this.#largeOnly : [...last.content, this.#parts.mtu.large]
    }
    // One IP header for all of them. Whether the peer is there is not asked by what may be dropped for its mark: the path would be given up.
    const isMarked = !this.#testsPath && this.#parts.recovery.marksEcn
    for (const draft of pending) draft.seal(buffer, path.number, true, isMarked, now)
    // RFC 9001 §4.9.1: the server has the Initials that matter.
    const isHandshake = pending.some(({ space }) => space === HANDSHAKE)
    if (isHandshake && this.#parts.role === 'client') this.#parts.discard(INITIAL, now)
    return this.#toOutgoing(last.start + last.total, path, isMarked)
  }

  #isToBeFilledUp(): boolean {
    if (this.#testsPath) return true
    const first = this.#pending[0]
    return first.space === INITIAL && (this.#parts.role === 'client' || first.ackEliciting)
  }

  /** Challenges and responses of a path that is not in use: nothing else, as all else would mean that we have moved there (RFC 9000 §9.1). */
  #sendTest(path: Path, buffer: Uint8Array, now: number): OutgoingPacket | undefined {
    const draft = this.#drafts[APPLICATION]
    const room = Math.min(buffer.length, BASE_UDP_PAYLOAD, path.amplification.allowance)
    if (!draft.begin(this.#out, 0, room, path.peerId.id, now)) {
      path.loseTests(now)
      return undefined
    }
    writePathFrames(path, this.#out, room >= BASE_UDP_PAYLOAD, now)
    draft.end = this.#out.offset
    draft.ackEliciting = true
    draft.padTo(buffer, room)
    // What becomes of it says nothing about the path that is in use.
    draft.seal(buffer, path.number, false, false, now)
    return this.#toOutgoing(draft.total, path, false)
  }

  /**
   * CONNECTION_CLOSE in a packet of each space that the peer may have keys for (RFC 9000 §10.2.3). Those of 1-RTT leave first, and alone: they say
   * most, and there are servers that ignore what is coalesced with a Handshake packet whose keys they have thrown away.
   */
  #sendClose(paths: Paths, buffer: Uint8Array, now: number): OutgoingPacket | undefined {
    const { close, handshake } = this.#parts
    const message = close.due
    if (message === undefined) return undefined
    // The keys of 1-RTT may be there before it is known who the peer is.
    const is1RttNext = handshake.complete && !this.#isCloseSentIn1Rtt
    this.#isCloseSentIn1Rtt = is1RttNext
    const spaces = is1RttNext ? ONLY_1RTT : BEFORE_1RTT
    if (!is1RttNext || handshake.confirmed) {
      this.#isCloseSentIn1Rtt = false
      close.onSent(now, this.#parts.ptoMs)
    }
    const path = paths.active
    const room = Math.min(buffer.length, this.#parts.mtu.size, path.amplification.allowance)
    const dcid = paths.activePeerId()
    this.#pending.length = 0
    this.#testsPath = false
    let at = 0
    for (const space of spaces) {
      const draft = this.#drafts[space]
      if (!this.#parts.canSeal(space) || !draft.begin(this.#out, at, room, dcid, now)) continue
      writeClose(message, space, this.#out)
      draft.end = this.#out.offset
      this.#pending.push(draft)
      at += draft.total
    }
    return at === 0 ? undefined : this.#finish(buffer, path, room, now)
  }

  #toOutgoing(length: number, path: Path, isEcnMarked: boolean): OutgoingPacket {
    const { totals } = this.#parts
    path.amplification.onSent(length)
    totals.packetsSent++
    totals.bytesSent += length
    this.#outgoing ??= { length, path: path.udp, ecn: NOT_ECT }
    this.#outgoing.length = length
    this.#outgoing.path = path.udp
    this.#outgoing.ecn = isEcnMarked ? ECT_0 : NOT_ECT
    return this.#outgoing
  }
}

function writeClose(message: CloseMessage, space: PacketNumberSpace, out: WireWriter): void {
  const isHidden = message.application && space !== APPLICATION
  const application = message.application && !isHidden
  const code = isHidden ? APPLICATION_ERROR : message.code
  const reason = isHidden ? NO_BYTES : encoder.encode(message.reason)
  if (out.remaining < shortestConnectionCloseLength(application, code, message.frameType)) return
  const cut = space === APPLICATION ? reason : reason.subarray(0, MAX_REASON)
  appendConnectionClose(out, application, code, message.frameType, cut)
}
