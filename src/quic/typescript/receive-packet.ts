/**
 * The way of a datagram in: several packets, one behind the other (RFC 9000 §12.2), each opened, read and noted.
 *
 *   datagram ─> packet ─> whose, and by which keys? ─> open ─> seen before? ─> frames ─> TLS gets CRYPTO data ─> acknowledge later
 *                              │                        │
 *                              no keys yet: kept        not from the peer: as if it had never come; or a stateless reset
 */

import { CONNECTION_ID_LENGTH } from '../datagram-room.ts'
import { type EcnCodepoint, NOT_ECT } from '../ecn.ts'
import type { UdpPath } from '../engine.ts'
import { type DropReason, type ObservedPacketType, PACKET_TYPES } from '../observer.ts'
import { BASE_UDP_PAYLOAD } from '../path-mtu.ts'
import type { ConnectionParts } from './connection-parts.ts'
import { ACK_ELICITING, NON_PROBING, readFrames } from './frames/read-frames.ts'
import { APPLICATION, HANDSHAKE, INITIAL, type PacketNumberSpace } from './packet-number-space.ts'
import type {
  LongHeaderPacket,
  Packet,
  RetryPacket,
  ShortHeaderPacket,
  VersionNegotiationPacket,
} from './packets/packet.ts'
import { readPacket } from './packets/read-packet.ts'
import type { Path } from './paths.ts'
import type { OpenedPacket } from './protection/packet-keys.ts'
import { FrameReceiver } from './receive-frames.ts'
import { sameBytes } from './same-bytes.ts'
import { UndecryptablePackets } from './undecryptable.ts'

/** RFC 9000 §14.1: a client's Initial comes in a datagram of at least so many bytes. */
const MIN_INITIAL_DATAGRAM = 1200

/** In bytes: the id that a client makes up for its server. */
const MIN_ORIGINAL_ID = 8

/** So many packets of a datagram are read. Four do all that is useful; a datagram of 65 000 bytes has room for 1600, each of which costs as much as any other. */
export const MOST_COALESCED = 64

/** What is different at the two ends before there are keys. */
export interface FirstPackets {
  /** A server's first Initial: makes what is needed to open it. */
  begin?(packet: LongHeaderPacket): void
  /** The first one was not from a client: there is no connection. */
  giveUp?(): void
  /** Retry and Version Negotiation, which have no protection. */
  onUnprotected?(packet: Packet, datagram: Uint8Array, now: number): boolean
  /** The first Initial of the server has been opened: it has chosen its own connection id. */
  onServerId?(id: Uint8Array): void
}

export class PacketReceiver {
  readonly frames: FrameReceiver
  readonly #parts: ConnectionParts
  readonly #first: FirstPackets
  readonly #undecryptable = new UndecryptablePackets()
  /** By which the client called us first: only its Initials do. */
  #originalId: Uint8Array | undefined
  #isServerKnown = false
  /** The first packet was no client's. */
  #isGivenUp = false
  /** In bytes. What is larger than all before, and than what every path carries, is a probe (§14.4): for its ACK the search for the path's MTU waits. */
  #largestDatagram = BASE_UDP_PAYLOAD
  /** Of the datagram that is being read: all of its packets were in one IP packet. */
  #ecn: EcnCodepoint = NOT_ECT
  /** Of the packets that are more than a probe. */
  #largestNonProbing = -1
  /** Where our packets leave has changed, because the peer is there now. */
  hasMoved = false

  constructor(parts: ConnectionParts, first: FirstPackets) {
    this.#parts = parts
    this.#first = first
    this.frames = new FrameReceiver(parts)
  }

  /** False: nothing of it could be used. */
  receive(datagram: Uint8Array, udp: UdpPath, now: number, ecn: EcnCodepoint = NOT_ECT): boolean {
    const { close, paths, totals } = this.#parts
    const path = paths?.find(udp)
    path?.amplification.onReceived(datagram.length)
    const isFirst = paths === undefined
    if (close.isClosing && path === paths?.active) close.onLatePacket()
    if (!close.isOpen) return !close.isOver
    let isUsed = false
    try {
      this.#ecn = ecn
      isUsed = this.#receivePackets(datagram, udp, now) || this.#isReset(datagram, udp, now)
      if (isUsed) this.#receiveKept(now)
    } catch (error) {
      this.#parts.fail(error)
      isUsed = true
    }
    if (!isUsed) return false
    if (isFirst) this.#parts.paths?.active.amplification.onReceived(datagram.length)
    totals.packetsReceived++
    totals.bytesReceived += datagram.length
    return true
  }

  #receivePackets(datagram: Uint8Array, udp: UdpPath, now: number): boolean {
    let isUsed = false
    let first: Packet | undefined
    let left = MOST_COALESCED
    // To begin costs much more than to read: whatever is behind a first packet that is none begins nothing either.
    for (let start = 0; start < datagram.length && this.#parts.close.isOpen && !this.#isGivenUp && left > 0; left--) {
      const packet = readPacket(datagram, start, CONNECTION_ID_LENGTH)
      // All packets of a datagram are for the same connection (§12.2).
      if (packet === undefined || (first !== undefined && !sameBytes(packet.dcid, first.dcid))) break
      first ??= packet
      if (this.#receivePacket(packet, datagram, udp, now)) isUsed = true
      start = packet.end
    }
    return isUsed
  }

  /** Keys have come perhaps for packets that came before them. */
  #receiveKept(now: number): void {
    if (this.#undecryptable.isEmpty || !this.#parts.close.isOpen) return
    for (const { packet, udp, ecn } of this.#undecryptable.take()) {
      this.#ecn = ecn
      this.#receivePackets(packet, udp, now)
    }
  }

  #receivePacket(packet: Packet, datagram: Uint8Array, udp: UdpPath, now: number): boolean {
    // §9: a client hears its server only where it has gone itself.
    const { role, paths } = this.#parts
    if (role === 'client' && paths?.find(udp) === undefined) return this.#drop(packet, 'unexpected_packet', now)
    switch (packet.type) {
      case 'initial':
        return this.#receiveLong(INITIAL, packet, datagram, udp, now)
      case 'handshake':
        return this.#receiveLong(HANDSHAKE, packet, datagram, udp, now)
      case '1-rtt':
        return this.#receiveShort(packet, datagram, udp, now)
      case 'retry':
      case 'version-negotiation':
        return this.#receiveUnprotected(packet, datagram, now)
      default:
        return this.#drop(packet, packet.type === '0-rtt' ? 'key_unavailable' : 'unsupported_version', now)
    }
  }

  #receiveUnprotected(packet: RetryPacket | VersionNegotiationPacket, datagram: Uint8Array, now: number): boolean {
    const isUsed = this.#first.onUnprotected?.(packet, datagram, now) === true
    return isUsed || this.#drop(packet, 'unexpected_packet', now)
  }

  /** As if it had never come. Always false. */
  #drop(packet: Packet, reason: DropReason, now: number): boolean {
    this.#parts.observer?.packetDropped(observedType(packet), packet.end - packet.start, reason, now)
    return false
  }

  #receiveLong(
    space: PacketNumberSpace,
    packet: LongHeaderPacket,
    datagram: Uint8Array,
    udp: UdpPath,
    now: number,
  ): boolean {
    const { role, spaces, localIds, version } = this.#parts
    const isFirst = this.#parts.peerIds === undefined
    // A server takes that of the first packet.
    if (packet.version !== version.number && !isFirst) return this.#drop(packet, 'unsupported_version', now)
    if (spaces[space].isDiscarded) return this.#drop(packet, 'key_unavailable', now)
    if (space === INITIAL && role === 'server') {
      if (datagram.length < MIN_INITIAL_DATAGRAM) return this.#drop(packet, 'invalid_initial', now)
      if (isFirst && !this.#beginWith(packet, now)) return this.#drop(packet, 'invalid_initial', now)
    }
    // §17.2.2: a server has no token to show.
    if (space === INITIAL && role === 'client' && packet.token.length > 0)
      return this.#drop(packet, 'invalid_initial', now)
    if (this.#parts.peerIds === undefined) return this.#drop(packet, 'unexpected_packet', now)
    const isOurs = localIds.has(packet.dcid) || (space === INITIAL && sameBytes(packet.dcid, this.#originalId))
    if (!isOurs) return this.#drop(packet, 'unknown_connection_id', now)
    if (!this.#isFromPeer(packet.scid)) return this.#drop(packet, 'unexpected_source_connection_id', now)
    const opening = spaces[space].opening
    if (opening === undefined) return this.#keep(packet, datagram, udp, now)
    const { start, packetNumberOffset, end } = packet
    const opened = opening.open(datagram, start, packetNumberOffset, end, spaces[space].received.largest)
    if (opened === undefined) {
      if (isFirst) this.#giveUp()
      return this.#drop(packet, 'payload_decrypt_error', now)
    }
    if (!this.#isServerKnown) {
      this.#isServerKnown = true
      this.#first.onServerId?.(Uint8Array.from(packet.scid))
    }
    if (spaces[space].received.isDuplicate(opened.packetNumber)) return this.#drop(packet, 'duplicate', now)
    // Only who has read our packets has these keys (§8.1); and no Initial comes any more that would be news (RFC 9001 §4.9.1). Before its frames are
    // read: if these end the connection, a close that begins with an Initial packet is one that quiche, which has no keys for it any more, reads nothing of.
    if (space === HANDSHAKE && role === 'server') {
      this.#parts.paths?.active.amplification.validate()
      this.#parts.discard(INITIAL, now)
    }
    this.#readFrames(space, opened, packet, this.#parts.paths?.find(udp), now)
    return true
  }

  #beginWith(packet: LongHeaderPacket, now: number): boolean {
    // §7.2: a shorter one could be guessed.
    if (packet.dcid.length < MIN_ORIGINAL_ID) return false
    this.#originalId = Uint8Array.from(packet.dcid)
    this.#first.begin?.(packet)
    this.#parts.tellVersion(now)
    this.#parts.tellKeys(INITIAL, now)
    return true
  }

  #giveUp(): void {
    this.#isGivenUp = true
    this.#originalId = undefined
    this.#first.giveUp?.()
  }

  /** §7.2: the id by which a peer calls itself does not change; but a client does not know it before the first packet of the server. */
  #isFromPeer(scid: Uint8Array): boolean {
    const { role, handshake } = this.#parts
    if (role === 'client' && !this.#isServerKnown) return true
    return sameBytes(scid, handshake.expected.initialSource)
  }

  #receiveShort(packet: ShortHeaderPacket, datagram: Uint8Array, udp: UdpPath, now: number): boolean {
    const { oneRtt, spaces, localIds, peerIds, close } = this.#parts
    if (!localIds.has(packet.dcid)) return this.#drop(packet, 'unknown_connection_id', now)
    if (!oneRtt.canOpen) return this.#keep(packet, datagram, udp, now)
    const { received } = spaces[APPLICATION]
    const largest = received.largest
    const opened = oneRtt.open(datagram, packet.start, packet.packetNumberOffset, packet.end, largest, now)
    if (opened === undefined) return this.#drop(packet, 'payload_decrypt_error', now)
    if (received.isDuplicate(opened.packetNumber)) return this.#drop(packet, 'duplicate', now)
    const path = this.#pathOf(udp, datagram.length, now)
    if (path === undefined) return this.#drop(packet, 'unexpected_packet', now)
    const summary = this.#readFrames(APPLICATION, opened, packet, path, now)
    if (datagram.length > this.#largestDatagram) {
      this.#largestDatagram = datagram.length
      received.hurry(now)
    }
    if ((summary & NON_PROBING) === 0 || opened.packetNumber < this.#largestNonProbing) return true
    this.#largestNonProbing = opened.packetNumber
    if (close.isOpen && peerIds !== undefined) this.#follow(path, now)
    return true
  }

  /** Asked of a datagram of which nothing could be used, whatever its first packet looks like (§10.3.1). */
  #isReset(datagram: Uint8Array, udp: UdpPath, now: number): boolean {
    const { peerIds, paths, close, ptoMs } = this.#parts
    if (paths?.find(udp) === undefined || peerIds?.isStatelessReset(datagram) !== true) return false
    const reason = 'the peer knows nothing of this connection any more (stateless reset)'
    close.onPeerClose(false, 0, reason, now, ptoMs)
    return true
  }

  /** undefined: nothing may come from there. */
  #pathOf(udp: UdpPath, bytes: number, now: number): Path | undefined {
    const { paths, role, handshake, ptoMs } = this.#parts
    const known = paths?.find(udp)
    if (known !== undefined || role === 'client' || paths === undefined) return known
    // §9: nobody moves before the handshake is confirmed.
    return handshake.confirmed ? paths.discover(udp, bytes, now, ptoMs) : paths.active
  }

  /** §9.3: the client is where its newest packet came from that is more than a probe. */
  #follow(path: Path, now: number): void {
    const { paths, role, ptoMs, recovery, mtu } = this.#parts
    if (role === 'client' || paths === undefined || path === paths.active) return
    const isOnlyPort = path.udp.remote.host === paths.active.udp.remote.host
    paths.use(path, now, ptoMs)
    recovery.onPathChange(path.number, !isOnlyPort)
    mtu.onMoved(now)
    this.hasMoved = true
  }

  #readFrames(
    space: PacketNumberSpace,
    { packetNumber, payload }: OpenedPacket,
    { dcid, start, end }: LongHeaderPacket | ShortHeaderPacket,
    path: Path | undefined,
    now: number,
  ): number {
    const { role, spaces, idle, handshake, observer } = this.#parts
    const { frames } = this
    observer?.packetReceived(PACKET_TYPES[space], packetNumber, end - start, payload, now)
    frames.space = space
    frames.dcid = dcid
    frames.path = path
    frames.now = now
    frames.hasCrypto = false
    const summary = readFrames(payload, space, role === 'client' ? 'server' : 'client', frames)
    spaces[space].received.onReceived(packetNumber, (summary & ACK_ELICITING) !== 0, now, this.#ecn)
    idle.onReceived(now)
    if (frames.hasCrypto) handshake.advance(space, now)
    return summary
  }

  #keep(packet: LongHeaderPacket | ShortHeaderPacket, datagram: Uint8Array, udp: UdpPath, now: number): boolean {
    const isKept = this.#undecryptable.add(datagram.subarray(packet.start, packet.end), udp, this.#ecn)
    if (!isKept) return this.#drop(packet, 'key_unavailable', now)
    this.#parts.observer?.packetKept(observedType(packet), packet.end - packet.start, now)
    return true
  }
}

function observedType({ type }: Packet): ObservedPacketType {
  switch (type) {
    case '0-rtt':
      return '0RTT'
    case '1-rtt':
      return '1RTT'
    case 'version-negotiation':
      return 'version_negotiation'
    case 'unknown-version':
      return 'unknown'
    default:
      return type
  }
}
