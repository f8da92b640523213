/**
 * Many packets in one read or write: what network cards do for Linux (TSO, USO, GRO), done for a TUN device. In front of each packet stands a
 * header of the kernel's, struct virtio_net_hdr (<linux/virtio_net.h>), in the machine's own byte order:
 *
 *    0        1          2            4          6            8             10
 *   +--------+----------+------------+----------+------------+-------------+------
 *   | flags  | GSO type | header     | segment  | checksum   | checksum    | IP packet, up to 64 KiB
 *   |        |          | length     | size     | start      | offset      |
 *   +--------+----------+------------+----------+------------+-------------+------
 *
 * Out of the system: one large TCP or UDP packet stands for many, which `splitFrame` makes. Into the system: `Coalescer` puts packets of one flow that
 * follow each other together again. Pure functions of bytes; wireguard-go does the same.
 */

import { internetChecksum, pseudoHeaderSum } from '../../ip/checksum.ts'
import { IPV4_CHECKSUM_OFFSET, IPV4_HEADER_LENGTH, IPV4_SOURCE_OFFSET } from '../../ip/ipv4.ts'
import { IPV6_HEADER_LENGTH, IPV6_SOURCE_OFFSET } from '../../ip/ipv6.ts'
import { IpProtocol } from '../../ip/protocol.ts'

export const OFFLOAD_HEADER = 10
const NEEDS_CHECKSUM = 1
const GSO_NONE = 0
const GSO_TCP4 = 1
const GSO_TCP6 = 4
const GSO_UDP = 5
/** Set beside the type when the flow uses ECN. */
const GSO_ECN = 0x80

const MAX_PACKET = 65_535
/** TCP's smallest segment has 48 bytes on Linux (TCP_MIN_SND_MSS, less options): more than this is no packet of its. */
const MAX_SEGMENTS = 65_535 / 40
/** So many packets of UDP an older kernel takes as one (UDP_MAX_SEGMENTS); of TCP, that many of usual size make 64 KiB. */
const MAX_JOINED = 64
const TCP_CHECKSUM = 16
const UDP_CHECKSUM = 6
const TCP_HEADER = 20
const UDP_HEADER = 8

const FIN = 0x01
const PSH = 0x08
const ACK = 0x10
const CWR = 0x80

/**
 * Calls `emit` with each packet that the frame stands for, with its checksums complete. The bytes given to `emit` are in `scratch`, of 64 KiB, or
 * in the frame itself, and borrowed. Returns why the frame is none, for a counter; then nothing was emitted. Never throws.
 */
export function splitFrame(
  frame: Uint8Array,
  scratch: Uint8Array,
  emit: (packet: Uint8Array) => void,
): 'truncated' | 'offload' | undefined {
  if (frame.length < OFFLOAD_HEADER) return 'truncated'
  const packet = frame.subarray(OFFLOAD_HEADER)
  const type = frame[1] & ~GSO_ECN
  const start = read16LittleEndian(frame, 6)
  const offset = read16LittleEndian(frame, 8)
  if (type === GSO_NONE) {
    if ((frame[0] & NEEDS_CHECKSUM) !== 0 && !completeChecksum(packet, start, offset)) return 'offload'
    emit(packet)
    return undefined
  }
  const size = read16LittleEndian(frame, 4)
  const layout = layoutOf(packet)
  if (layout === undefined || size === 0 || layout.start !== start || !fits(type, layout)) return 'offload'
  const payload = packet.length - layout.payload
  if (payload <= 0 || payload / size > MAX_SEGMENTS || layout.payload + size > scratch.length) return 'offload'
  for (let at = 0, index = 0; at < payload; at += size, index++) {
    const length = layout.payload + Math.min(size, payload - at)
    scratch.set(packet.subarray(0, layout.payload))
    scratch.set(packet.subarray(layout.payload + at, layout.payload + at + size), layout.payload)
    const segment = scratch.subarray(0, length)
    if (layout.isTcp) {
      write32(segment, start + 4, read32(segment, start + 4) + at)
      // The end of the data is in the last one; that the sender has slowed down is said in the first.
      if (at + size < payload) segment[start + 13] &= ~(FIN | PSH)
      if (index > 0) segment[start + 13] &= ~CWR
    }
    finish(segment, layout, read16(packet, 4) + (layout.isV4 ? index : 0))
    emit(segment)
  }
  return undefined
}

/** Where things are in a TCP or UDP packet without IP options, extension headers and fragments. */
interface Layout {
  readonly isV4: boolean
  readonly isTcp: boolean
  /** Where the TCP or UDP header begins. */
  readonly start: number
  readonly payload: number
}

function layoutOf(packet: Uint8Array): Layout | undefined {
  const isV4 = packet[0] === 0x45
  if (!isV4 && packet[0] >> 4 !== 6) return undefined
  const start = isV4 ? IPV4_HEADER_LENGTH : IPV6_HEADER_LENGTH
  const protocol = packet[isV4 ? 9 : 6]
  const isTcp = protocol === IpProtocol.TCP
  if (!isTcp && protocol !== IpProtocol.UDP) return undefined
  if (packet.length < start + (isTcp ? TCP_HEADER : UDP_HEADER)) return undefined
  if (isV4 && ((packet[6] & 0x3f) !== 0 || packet[7] !== 0)) return undefined
  const headerLength = isTcp ? (packet[start + 12] >> 4) * 4 : UDP_HEADER
  const payload = start + headerLength
  return headerLength < UDP_HEADER || (isTcp && headerLength < TCP_HEADER) || payload > packet.length
    ? undefined
    : { isV4, isTcp, start, payload }
}

function fits(type: number, { isV4, isTcp }: Layout): boolean {
  return isTcp ? type === (isV4 ? GSO_TCP4 : GSO_TCP6) : type === GSO_UDP
}

/** Lengths and checksums of a packet whose other fields are right. */
function finish(packet: Uint8Array, layout: Layout, identification: number): void {
  finishIp(packet, layout, identification)
  const { start, isTcp } = layout
  if (!isTcp) write16(packet, start + 4, packet.length - start)
  const field = start + (isTcp ? TCP_CHECKSUM : UDP_CHECKSUM)
  write16(packet, field, 0)
  const checksum = internetChecksum(packet, start, packet.length - start, pseudoSum(packet, layout))
  // In UDP, 0 means that there is none (RFC 768).
  write16(packet, field, checksum === 0 && !isTcp ? 0xffff : checksum)
}

function finishIp(packet: Uint8Array, { isV4 }: Layout, identification: number): void {
  if (!isV4) return write16(packet, 4, packet.length - IPV6_HEADER_LENGTH)
  write16(packet, 2, packet.length)
  write16(packet, 4, identification)
  write16(packet, IPV4_CHECKSUM_OFFSET, 0)
  write16(packet, IPV4_CHECKSUM_OFFSET, internetChecksum(packet, 0, IPV4_HEADER_LENGTH))
}

function pseudoSum(packet: Uint8Array, { isV4, isTcp, start }: Layout): number {
  const protocol = isTcp ? IpProtocol.TCP : IpProtocol.UDP
  const offset = isV4 ? IPV4_SOURCE_OFFSET : IPV6_SOURCE_OFFSET
  return pseudoHeaderSum(packet, offset, isV4 ? 8 : 32, protocol, packet.length - start)
}

/** The field holds the sum of the pseudo header; the rest is left to the card, which we are. */
function completeChecksum(packet: Uint8Array, start: number, offset: number): boolean {
  const field = start + offset
  if (start < IPV4_HEADER_LENGTH || field + 2 > packet.length) return false
  const checksum = internetChecksum(packet, start, packet.length - start)
  write16(packet, field, checksum === 0 && offset === UDP_CHECKSUM ? 0xffff : checksum)
  return true
}

/**
 * Puts packets together that follow each other in one flow. The order stays as it is: only neighbours are joined. A packet joins when
 * nothing that a receiver could notice is lost: same headers, the next sequence number, the same size (the last may be smaller), and a
 * checksum that is right, as the kernel does not look at it any more.
 */
export class Coalescer {
  /** Room for the header, then the packet that is being built. */
  readonly #frame = new Uint8Array(OFFLOAD_HEADER + MAX_PACKET)
  readonly #packet = this.#frame.subarray(OFFLOAD_HEADER)
  readonly #write: (frame: Uint8Array, packets: number) => void
  readonly #joinsUdp: boolean
  #length = 0
  #count = 0
  #size = 0
  /** Of the first; undefined: nothing can join that. */
  #layout: Layout | undefined
  /** More may join. */
  #isOpen = false

  /** `write` takes a frame, which stands for so many packets. `joinsUdp`: the kernel knows large UDP packets (Linux 6.2). */
  constructor(write: (frame: Uint8Array, packets: number) => void, joinsUdp: boolean) {
    this.#write = write
    this.#joinsUdp = joinsUdp
  }

  /** At most 64 KiB. What came before is written, where this one does not join it. */
  add(packet: Uint8Array): void {
    const layout = this.#joinable(packet)
    if (layout !== undefined && this.#joins(packet, layout)) {
      const payload = packet.subarray(layout.payload)
      this.#packet.set(payload, this.#length)
      this.#length += payload.length
      this.#count++
      if (layout.isTcp) this.#packet[layout.start + 13] |= packet[layout.start + 13] & PSH
      if (payload.length < this.#size || isPushed(packet, layout)) this.#isOpen = false
      return
    }
    this.flush()
    this.#packet.set(packet)
    this.#length = packet.length
    this.#count = 1
    this.#layout = layout
    this.#isOpen = layout !== undefined && !isPushed(packet, layout)
    this.#size = layout === undefined ? 0 : packet.length - layout.payload
  }

  /** Writes what is there. */
  flush(): void {
    if (this.#count === 0) return
    this.#frame.fill(0, 0, OFFLOAD_HEADER)
    if (this.#count > 1) this.#describe(this.#layout as Layout)
    const frame = this.#frame.subarray(0, OFFLOAD_HEADER + this.#length)
    const packets = this.#count
    this.#count = 0
    this.#write(frame, packets)
  }

  /** A packet of TCP or UDP that has data and nothing unusual. */
  #joinable(packet: Uint8Array): Layout | undefined {
    const layout = layoutOf(packet)
    if (layout === undefined || layout.payload === packet.length || (!layout.isTcp && !this.#joinsUdp)) return undefined
    const { isTcp, start, isV4 } = layout
    // A length that is not the packet's would make data of what comes behind.
    if (read16(packet, isV4 ? 2 : 4) !== packet.length - (isV4 ? 0 : IPV6_HEADER_LENGTH)) return undefined
    if (isTcp && (packet[start + 13] & ~PSH) !== ACK) return undefined
    if (!isTcp && (read16(packet, start + 4) !== packet.length - start || read16(packet, start + UDP_CHECKSUM) === 0)) {
      return undefined
    }
    return internetChecksum(packet, start, packet.length - start, pseudoSum(packet, layout)) === 0 ? layout : undefined
  }

  #joins(packet: Uint8Array, layout: Layout): boolean {
    const first = this.#layout
    if (first === undefined || !this.#isOpen || this.#count === 0 || first.payload !== layout.payload) return false
    if (first.isV4 !== layout.isV4 || first.isTcp !== layout.isTcp) return false
    const payload = packet.length - layout.payload
    if (payload > this.#size || this.#length + payload > MAX_PACKET || this.#count === MAX_JOINED) return false
    const { start, isTcp, isV4 } = layout
    const mine = this.#packet
    // Without Don't Fragment, the identification has a meaning, and counts up in what the kernel makes of it (RFC 6864 §4.1).
    if (isV4 && (mine[6] & 0x40) === 0 && read16(packet, 4) !== ((read16(mine, 4) + this.#count) & 0xffff)) return false
    if (isTcp && read32(packet, start + 4) !== (read32(mine, start + 4) + this.#length - layout.payload) >>> 0)
      return false
    for (let i = 0; i < layout.payload; i++) {
      if (mine[i] !== packet[i] && !mayDiffer(i, layout)) return false
    }
    return true
  }

  #describe(layout: Layout): void {
    const { isTcp, isV4, start, payload } = layout
    const frame = this.#frame
    const packet = this.#packet.subarray(0, this.#length)
    frame[0] = NEEDS_CHECKSUM
    frame[1] = isTcp ? (isV4 ? GSO_TCP4 : GSO_TCP6) : GSO_UDP
    write16LittleEndian(frame, 2, payload)
    write16LittleEndian(frame, 4, this.#size)
    write16LittleEndian(frame, 6, start)
    write16LittleEndian(frame, 8, isTcp ? TCP_CHECKSUM : UDP_CHECKSUM)
    finishIp(packet, layout, read16(packet, 4))
    if (!isTcp) write16(packet, start + 4, packet.length - start)
    // Not complemented: whoever completes it does that.
    const field = start + (isTcp ? TCP_CHECKSUM : UDP_CHECKSUM)
    write16(packet, field, ~internetChecksum(packet, 0, 0, pseudoSum(packet, layout)) & 0xffff)
  }
}

/** Is the byte at `i` of the headers one that differs between packets of one flow, and is looked at elsewhere? */
function mayDiffer(i: number, { isV4, isTcp, start }: Layout): boolean {
  if (isV4 ? (i >= 2 && i < 6) || i === 10 || i === 11 : i === 4 || i === 5) return true
  const inHeader = i - start
  if (isTcp) return (inHeader >= 4 && inHeader < 8) || inHeader === 13 || inHeader === 16 || inHeader === 17
  return inHeader >= 4 && inHeader < 8
}

function isPushed(packet: Uint8Array, { isTcp, start }: Layout): boolean {
  return isTcp && (packet[start + 13] & PSH) !== 0
}

function read16(bytes: Uint8Array, offset: number): number {
  return (bytes[offset] << 8) | bytes[offset + 1]
}

function write16(bytes: Uint8Array, offset: number, value: number): void {
  bytes[offset] = value >> 8
  bytes[offset + 1] = value
}

function read32(bytes: Uint8Array, offset: number): number {
  return ((read16(bytes, offset) << 16) | read16(bytes, offset + 2)) >>> 0
}

function write32(bytes: Uint8Array, offset: number, value: number): void {
  write16(bytes, offset, (value >>> 16) & 0xffff)
  write16(bytes, offset + 2, value & 0xffff)
}

function read16LittleEndian(bytes: Uint8Array, offset: number): number {
  return bytes[offset] | (bytes[offset + 1] << 8)
}

function write16LittleEndian(bytes: Uint8Array, offset: number, value: number): void {
  bytes[offset] = value
  bytes[offset + 1] = value >> 8
}
