/**
 * A packet on its way out: header, then frames, at last protection. What it will carry decides only at the end how long it is, so that its
 * Length field and its protection come last.
 *
 *   | header          | frames                  | PADDING | room for the tag |
 *   start             start + headerLength      end       end + 16
 */

import { CONNECTION_ID_LENGTH } from '../datagram-room.ts'
import { PACKET_TYPES, type QuicObserver } from '../observer.ts'
import type { ConnectionParts } from './connection-parts.ts'
import { packetNumberLength } from './packet-number.ts'
import { APPLICATION, INITIAL, type PacketNumberSpace } from './packet-number-space.ts'
import { appendLongHeader, finishLongHeader, longHeaderLength } from './packets/long-header.ts'
import { appendShortHeader, shortHeaderLength } from './packets/short-header.ts'
import { TAG_LENGTH } from './protection/lengths.ts'
import { NO_CONTENT, type SentContent, SentPacket } from './recovery/sent-packet.ts'
import { LONGER_THAN_ID } from './stateless-reset.ts'
import type { WireWriter } from './wire-writer.ts'

/** Header protection samples what is 4 bytes behind the beginning of the packet number (RFC 9001 §5.4.2). */
const MIN_NUMBER_AND_PAYLOAD = 4

/** A packet is not begun where there is room for less than so many bytes of frames. */
const MIN_PAYLOAD_ROOM = 24

/** In bytes: a packet that the peer can answer with a stateless reset that looks like the packets that it sends us (RFC 9000 §10.3). */
const MIN_RESETTABLE = CONNECTION_ID_LENGTH + LONGER_THAN_ID

const NO_BYTES = new Uint8Array(0)

export class PacketDraft {
  readonly space: PacketNumberSpace
  readonly #parts: ConnectionParts
  start = 0
  /** Where the frames end. */
  end = 0
  ackEliciting = false
  isPadded = false
  isMtuProbe = false
  content: readonly SentContent[] = NO_CONTENT
  #number = 0
  #numberLength = 0
  #headerLength = 0
  #lengthOffset = 0

  constructor(parts: ConnectionParts, space: PacketNumberSpace) {
    this.#parts = parts
    this.space = space
  }

  /** Writes the header at `start`, and leaves `out` where the frames begin, with the room that they have. False: there is too little. */
  begin(out: WireWriter, start: number, end: number, dcid: Uint8Array, now: number): boolean {
    const { recovery, spaces, oneRtt, ownId, version } = this.#parts
    const space = spaces[this.space]
    const token = this.space === INITIAL ? this.#parts.token : NO_BYTES
    const type = this.space === INITIAL ? 'initial' : 'handshake'
    const longest =
      this.space === APPLICATION
        ? shortHeaderLength(dcid.length, 4)
        : longHeaderLength(type, dcid.length, ownId.length, token.length, 4)
    if (end - start < longest + MIN_PAYLOAD_ROOM + TAG_LENGTH) return false
    const number = space.spareNumber ?? recovery.nextPacketNumber(this.space)
    space.spareNumber = number
    this.#number = number
    this.#numberLength = packetNumberLength(number, recovery.largestAcked(this.space))
    out.reset(out.bytes, start, end - TAG_LENGTH)
    if (this.space === APPLICATION) {
      appendShortHeader(out, dcid, oneRtt.nextKeyPhase(now), 0, number, this.#numberLength)
    } else this.#lengthOffset = appendLongHeader(out, type, dcid, ownId, token, number, this.#numberLength, version)
    this.start = start
    this.#headerLength = out.offset - start
    this.end = out.offset
    this.ackEliciting = false
    this.isPadded = false
    this.isMtuProbe = false
    this.content = NO_CONTENT
    return true
  }

  get isEmpty(): boolean {
    return this.end === this.start + this.#headerLength
  }

  /** What it will take of the datagram. */
  get total(): number {
    return this.end + TAG_LENGTH - this.start
  }

  /** PADDING up to this many bytes in all. */
  padTo(buffer: Uint8Array, total: number): void {
    if (total <= this.total) return
    const end = this.start + total - TAG_LENGTH
    buffer.fill(0, this.end, end)
    this.end = end
    this.isPadded = true
  }

  /** Protects it. It is sent from now on: nobody sends another packet with its number. `isEcnMarked`: with ECT(0) in the IP header of its datagram. */
  seal(buffer: Uint8Array, path: number, isCounted: boolean, isEcnMarked: boolean, now: number): void {
    const { spaces, oneRtt, recovery, idle, observer } = this.#parts
    const space = spaces[this.space]
    const numberLength = this.#numberLength
    this.padTo(buffer, this.#headerLength + MIN_NUMBER_AND_PAYLOAD - numberLength + TAG_LENGTH)
    // Not what only acknowledges: filled up, it would count as in flight, and nobody acknowledges it.
    if (this.space === APPLICATION && this.ackEliciting) this.padTo(buffer, MIN_RESETTABLE)
    const payloadLength = this.end - this.start - this.#headerLength
    // What is told of here is not protected yet.
    if (observer !== undefined) this.#tell(observer, buffer, now)
    const packet = this.start === 0 ? buffer : buffer.subarray(this.start)
    if (this.space === APPLICATION) {
      oneRtt.seal(packet, this.#headerLength, payloadLength, this.#number, numberLength)
    } else {
      finishLongHeader(buffer, this.#lengthOffset, numberLength + payloadLength + TAG_LENGTH)
      space.sealing?.seal(packet, this.#headerLength, payloadLength, this.#number, numberLength)
    }
    space.spareNumber = undefined
    const counts = isCounted && (this.ackEliciting || this.isPadded)
    const elicits = isCounted && this.ackEliciting
    const { total, content, isMtuProbe } = this
    const sent = new SentPacket(this.space, this.#number, now, total, elicits, counts, content, path, isMtuProbe)
    sent.isEcnMarked = isEcnMarked
    recovery.onSent(sent)
    this.content = NO_CONTENT
    idle.onSent(this.ackEliciting, now)
  }

  #tell(observer: QuicObserver, buffer: Uint8Array, now: number): void {
    const isProbe = this.ackEliciting && this.#parts.recovery.probesDue(this.space) > 0
    const frames = buffer.subarray(this.start + this.#headerLength, this.end)
    observer.packetSent(PACKET_TYPES[this.space], this.#number, this.total, frames, isProbe, now)
  }
}
