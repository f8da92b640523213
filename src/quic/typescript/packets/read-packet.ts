/**
 * From a datagram to its packets, RFC 9000 §12.2: packets with a long header say how long they are, so that others may follow.
 *
 *   │ Initial       Length │ Handshake      Length │ 1-RTT, up to the end │
 *   ↑ start                ↑ end = next start      ↑                      ↑
 */
import { decodeSmallVarint, varintLengthFromFirstByte } from '../../../bytes/varint.ts'
import { type LongPacketType, type Version, versionOf } from '../version.ts'
import { FIXED_BIT, LONG_HEADER_FORM, LONGEST_CONNECTION_ID } from './long-header.ts'
import type { Packet, VersionNegotiationPacket } from './packet.ts'
import { INTEGRITY_TAG_LENGTH } from './retry-packet.ts'

const NOTHING: Uint8Array = new Uint8Array(0)
const VERSION_NEGOTIATION = 0

/**
 * The packet at `start`; the next one is at its `end`. `cidLength`: how long our connection ids are, which a short header does not
 * say. undefined: what is there is no packet, and neither is what follows it.
 */
export function readPacket(datagram: Uint8Array, start: number, cidLength: number): Packet | undefined {
  if (start >= datagram.length) return undefined
  if (datagram[start] & LONG_HEADER_FORM) return readLongHeader(datagram, start)
  if (!(datagram[start] & FIXED_BIT)) return undefined
  const packetNumberOffset = start + 1 + cidLength
  const end = datagram.length
  if (packetNumberOffset >= end) return undefined
  return { type: '1-rtt', dcid: datagram.subarray(start + 1, packetNumberOffset), start, packetNumberOffset, end }
}

/** What all versions have in common (RFC 8999 §5.1) comes first. */
function readLongHeader(datagram: Uint8Array, start: number): Packet | undefined {
  const end = datagram.length
  const dcidOffset = start + 6
  if (dcidOffset > end) return undefined
  const number = readVersion(datagram, start + 1)
  const dcidEnd = dcidOffset + datagram[dcidOffset - 1]
  if (dcidEnd >= end) return undefined
  const scidOffset = dcidEnd + 1
  const scidEnd = scidOffset + datagram[dcidEnd]
  if (scidEnd > end) return undefined
  const dcid = datagram.subarray(dcidOffset, dcidEnd)
  const scid = datagram.subarray(scidOffset, scidEnd)
  if (number === VERSION_NEGOTIATION) return readVersionNegotiation(datagram, start, dcid, scid, scidEnd)
  const version = versionOf(number)
  if (version === undefined) return { type: 'unknown-version', version: number, dcid, scid, start, end }

  if (!(datagram[start] & FIXED_BIT)) return undefined
  if (dcid.length > LONGEST_CONNECTION_ID || scid.length > LONGEST_CONNECTION_ID) return undefined
  const type = version.longPacketTypes[(datagram[start] >> 4) & 0x03]
  if (type === 'retry') return readRetry(datagram, start, version, dcid, scid, scidEnd)
  return readProtected(datagram, start, version, type, dcid, scid, scidEnd)
}

/** Initial, 0-RTT, Handshake: what stands behind the connection ids. */
function readProtected(
  datagram: Uint8Array,
  start: number,
  { number: version }: Version,
  type: Exclude<LongPacketType, 'retry'>,
  dcid: Uint8Array,
  scid: Uint8Array,
  offset: number,
): Packet | undefined {
  let at = offset
  let token: Uint8Array = NOTHING
  if (type === 'initial') {
    const tokenLength = decodeSmallVarint(datagram, at)
    if (tokenLength < 0) return undefined
    at += varintLengthFromFirstByte(datagram[at])
    if (tokenLength > datagram.length - at) return undefined
    token = datagram.subarray(at, at + tokenLength)
    at += tokenLength
  }
  const length = decodeSmallVarint(datagram, at)
  if (length < 0) return undefined
  const packetNumberOffset = at + varintLengthFromFirstByte(datagram[at])
  const end = packetNumberOffset + length
  if (end > datagram.length) return undefined
  return { type, version, dcid, scid, token, start, packetNumberOffset, end }
}

/** Nothing can follow it: it does not say how long it is. */
function readRetry(
  datagram: Uint8Array,
  start: number,
  { number: version }: Version,
  dcid: Uint8Array,
  scid: Uint8Array,
  offset: number,
): Packet | undefined {
  const end = datagram.length
  const tokenEnd = end - INTEGRITY_TAG_LENGTH
  // A client discards one without a token (RFC 9000 §17.2.5.2).
  if (tokenEnd <= offset) return undefined
  return { type: 'retry', version, dcid, scid, token: datagram.subarray(offset, tokenEnd), start, end }
}

function readVersionNegotiation(
  datagram: Uint8Array,
  start: number,
  dcid: Uint8Array,
  scid: Uint8Array,
  offset: number,
): VersionNegotiationPacket | undefined {
  const end = datagram.length
  if (end === offset || (end - offset) % 4 !== 0) return undefined
  const versions: number[] = []
  for (let at = offset; at < end; at += 4) versions.push(readVersion(datagram, at))
  return { type: 'version-negotiation', dcid, scid, versions, start, end }
}

function readVersion(bytes: Uint8Array, at: number): number {
  return ((bytes[at] << 24) | (bytes[at + 1] << 16) | (bytes[at + 2] << 8) | bytes[at + 3]) >>> 0
}
