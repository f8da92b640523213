// IP packets: what is in them, field by field, and the echo messages that this page makes itself.

import { checksum, concat, formatAddress } from './bytes.mjs'

const PROTOCOLS = { 1: 'ICMP', 6: 'TCP', 17: 'UDP', 58: 'ICMPv6' }
const ICMP = {
  version: 4,
  protocol: 1,
  request: 8,
  reply: 0,
  names: { 0: 'echo reply', 3: 'destination unreachable', 8: 'echo request', 11: 'time exceeded' },
}
const ICMPV6 = {
  version: 6,
  protocol: 58,
  request: 128,
  reply: 129,
  names: {
    1: 'destination unreachable',
    2: 'packet too big',
    3: 'time exceeded',
    128: 'echo request',
    129: 'echo reply',
  },
}

const IPV4_HEADER = 20
const IPV6_HEADER = 40
const ICMP_HEADER = 8
const TCP_HEADER = 20
/** From the lowest bit (RFC 9293 §3.1). */
const TCP_FLAGS = ['FIN', 'SYN', 'RST', 'PSH', 'ACK', 'URG', 'ECE', 'CWR']
const HOP_LIMIT = 64

const uint16 = (bytes, at) => (bytes[at] << 8) | bytes[at + 1]
const uint32 = (bytes, at) => uint16(bytes, at) * 0x10000 + uint16(bytes, at + 2)
const hex = (value, digits) => `0x${value.toString(16).padStart(digits, '0')}`

/**
 * What is needed to forward, answer or show a packet; undefined when it is no IP packet, or not all there. `length`: how long it was
 * before somebody kept only the beginning of it, which has all of the header; `missing` are the bytes of the payload that are gone.
 */
export function readPacket(bytes, length = bytes.length) {
  const version = bytes[0] >> 4
  if (version === 4 && bytes.length >= IPV4_HEADER) {
    const headerLength = (bytes[0] & 0x0f) * 4
    const totalLength = uint16(bytes, 2)
    if (headerLength < IPV4_HEADER || headerLength > bytes.length || totalLength > length || totalLength < headerLength)
      return undefined
    return {
      version,
      protocol: bytes[9],
      source: bytes.subarray(12, 16),
      destination: bytes.subarray(16, 20),
      payload: bytes.subarray(headerLength, totalLength),
      isFragment: (uint16(bytes, 6) & 0x3fff) !== 0,
      missing: Math.max(0, totalLength - bytes.length),
    }
  }
  if (version === 6 && bytes.length >= IPV6_HEADER && length >= IPV6_HEADER + uint16(bytes, 4)) {
    const end = IPV6_HEADER + uint16(bytes, 4)
    return {
      version,
      protocol: bytes[6],
      source: bytes.subarray(8, 24),
      destination: bytes.subarray(24, 40),
      payload: bytes.subarray(IPV6_HEADER, end),
      isFragment: false,
      missing: Math.max(0, end - bytes.length),
    }
  }
  return undefined
}

/** The echo message in a packet; undefined when it holds none, or a damaged one. */
export function readEcho(packet) {
  const icmp = packet.version === 4 ? ICMP : ICMPV6
  const { payload } = packet
  if (packet.isFragment || packet.protocol !== icmp.protocol || payload.length < ICMP_HEADER) return undefined
  if (payload[0] !== icmp.request && payload[0] !== icmp.reply) return undefined
  if (icmpChecksum(packet.source, packet.destination, payload) !== 0) return undefined
  return {
    isRequest: payload[0] === icmp.request,
    id: uint16(payload, 4),
    sequence: uint16(payload, 6),
    data: payload.subarray(ICMP_HEADER),
  }
}

/** A whole IP packet with an ICMP echo message (RFC 792, RFC 4443 §4). Addresses are bytes of one version. */
export function echoPacket({ source, destination, isRequest, id, sequence, data }) {
  const icmp = source.length === 4 ? ICMP : ICMPV6
  const message = concat(
    [isRequest ? icmp.request : icmp.reply, 0, 0, 0, id >> 8, id & 0xff, sequence >> 8, sequence & 0xff],
    data,
  )
  setUint16(message, 2, icmpChecksum(source, destination, message))
  return source.length === 4 ? ipv4Packet(source, destination, message) : ipv6Packet(source, destination, message)
}

function ipv4Packet(source, destination, payload) {
  const header = new Uint8Array(IPV4_HEADER)
  header[0] = 0x45 // version 4, five words of header
  setUint16(header, 2, IPV4_HEADER + payload.length)
  header[8] = HOP_LIMIT
  header[9] = ICMP.protocol
  header.set(source, 12)
  header.set(destination, 16)
  setUint16(header, 10, checksum(header))
  return concat(header, payload)
}

function ipv6Packet(source, destination, payload) {
  const header = new Uint8Array(IPV6_HEADER)
  header[0] = 0x60
  setUint16(header, 4, payload.length)
  header[6] = ICMPV6.protocol
  header[7] = HOP_LIMIT
  header.set(source, 8)
  header.set(destination, 24)
  return concat(header, payload)
}

/** ICMPv6 covers a pseudo-header with the addresses, too (RFC 8200 §8.1); ICMP only itself. 0: the checksum inside is right. */
function icmpChecksum(source, destination, message) {
  if (source.length === 4) return checksum(message)
  const lengthAndProtocol = [0, 0, message.length >> 8, message.length & 0xff, 0, 0, 0, ICMPV6.protocol]
  return checksum(source, destination, lengthAndProtocol, message)
}

function setUint16(bytes, at, value) {
  bytes[at] = value >> 8
  bytes[at + 1] = value & 0xff
}

/** `10.89.0.2 → 10.90.0.1  ICMP echo request, sequence 1`. */
export function describePacket(bytes, length = bytes.length) {
  const packet = readPacket(bytes, length)
  if (packet === undefined) return 'not an IP packet'
  const { source, destination, protocol, payload } = packet
  return `${formatAddress(source)} → ${formatAddress(destination)}  ${describePayload(packet, protocol, payload)}`
}

function describePayload(packet, protocol, payload) {
  const name = PROTOCOLS[protocol] ?? `protocol ${protocol}`
  const echo = readEcho(packet)
  if (echo !== undefined) return `${name} echo ${echo.isRequest ? 'request' : 'reply'}, sequence ${echo.sequence}`
  const icmp = [ICMP, ICMPV6].find(each => each.protocol === protocol)
  if (icmp !== undefined && payload.length > 0) return `${name} ${icmp.names[payload[0]] ?? `type ${payload[0]}`}`
  if ((protocol === 6 || protocol === 17) && payload.length >= 4) {
    return `${name} port ${uint16(payload, 0)} → ${uint16(payload, 2)}`
  }
  return name
}

/** The fields of a packet in their order, each as [name, value, first byte, number of bytes that are here]. */
export function fieldsOf(bytes, length = bytes.length) {
  const packet = readPacket(bytes, length)
  if (packet === undefined) return [['Bytes', 'not an IP packet', 0, bytes.length]]
  const fields = packet.version === 4 ? ipv4Fields(bytes) : ipv6Fields(bytes)
  const at = packet.payload.byteOffset - bytes.byteOffset
  return [
    ...fields,
    ...payloadFields(packet).map(([name, value, offset, length]) => [name, value, at + offset, length]),
  ]
}

/** RFC 791 §3.1. */
function ipv4Fields(bytes) {
  const flags = bytes[6] >> 5
  const headerLength = (bytes[0] & 0x0f) * 4
  return [
    ['Version, header length', `4, ${headerLength} bytes`, 0, 1],
    ['DSCP, ECN', `${bytes[1] >> 2}, ${bytes[1] & 3}`, 1, 1],
    ['Total length', `${uint16(bytes, 2)} bytes`, 2, 2],
    ['Identification', hex(uint16(bytes, 4), 4), 4, 2],
    [
      'Flags, fragment offset',
      `${flags & 2 ? "don't fragment" : ''}${flags & 1 ? 'more fragments' : ''}${flags === 0 ? 'none' : ''}, ${uint16(bytes, 6) & 0x1fff}`,
      6,
      2,
    ],
    ['Time to live', String(bytes[8]), 8, 1],
    ['Protocol', `${bytes[9]} (${PROTOCOLS[bytes[9]] ?? 'unknown here'})`, 9, 1],
    [
      'Header checksum',
      `${hex(uint16(bytes, 10), 4)}, ${checksum(bytes.subarray(0, headerLength)) === 0 ? 'correct' : 'wrong'}`,
      10,
      2,
    ],
    ['Source address', formatAddress(bytes.subarray(12, 16)), 12, 4],
    ['Destination address', formatAddress(bytes.subarray(16, 20)), 16, 4],
    ...(headerLength > IPV4_HEADER
      ? [['Options', `${headerLength - IPV4_HEADER} bytes`, IPV4_HEADER, headerLength - IPV4_HEADER]]
      : []),
  ]
}

/** RFC 8200 §3. */
function ipv6Fields(bytes) {
  return [
    [
      'Version, traffic class, flow label',
      `6, ${(uint16(bytes, 0) >> 4) & 0xff}, ${hex(uint32(bytes, 0) & 0xfffff, 5)}`,
      0,
      4,
    ],
    ['Payload length', `${uint16(bytes, 4)} bytes`, 4, 2],
    ['Next header', `${bytes[6]} (${PROTOCOLS[bytes[6]] ?? 'unknown here'})`, 6, 1],
    ['Hop limit', String(bytes[7]), 7, 1],
    ['Source address', formatAddress(bytes.subarray(8, 24)), 8, 16],
    ['Destination address', formatAddress(bytes.subarray(24, 40)), 24, 16],
  ]
}

function payloadFields(packet) {
  const { protocol, payload, missing } = packet
  const icmp = [ICMP, ICMPV6].find(each => each.protocol === protocol)
  const rest = at =>
    payload.length > at ? [['Data', `${payload.length - at + missing} bytes`, at, payload.length - at]] : []
  if (packet.isFragment) return rest(0)
  if (icmp !== undefined && payload.length >= ICMP_HEADER) {
    const isEcho = payload[0] === icmp.request || payload[0] === icmp.reply
    return [
      ['ICMP type', `${payload[0]} (${icmp.names[payload[0]] ?? 'unknown here'})`, 0, 1],
      ['ICMP code', String(payload[1]), 1, 1],
      ['ICMP checksum', `${hex(uint16(payload, 2), 4)}, ${judgeIcmpChecksum(packet)}`, 2, 2],
      ...(isEcho
        ? [
            ['Identifier', hex(uint16(payload, 4), 4), 4, 2],
            ['Sequence number', String(uint16(payload, 6)), 6, 2],
          ]
        : [['Rest of header', hex(uint32(payload, 4), 8), 4, 4]]),
      ...rest(ICMP_HEADER),
    ]
  }
  if (protocol === 6 && payload.length >= TCP_HEADER) {
    return [
      ['TCP source port', String(uint16(payload, 0)), 0, 2],
      ['TCP destination port', String(uint16(payload, 2)), 2, 2],
      ['Sequence number', String(uint32(payload, 4)), 4, 4],
      ['Acknowledgment number', String(uint32(payload, 8)), 8, 4],
      ['Data offset', `${(payload[12] >> 4) * 4} bytes`, 12, 1],
      ['Flags', TCP_FLAGS.filter((_, bit) => payload[13] & (1 << bit)).join(', ') || 'none', 13, 1],
      ['Window', String(uint16(payload, 14)), 14, 2],
      ['TCP checksum', hex(uint16(payload, 16), 4), 16, 2],
      ['Urgent pointer', String(uint16(payload, 18)), 18, 2],
      ...rest(TCP_HEADER).map(([, ...values]) => ['Options and data', ...values]),
    ]
  }
  if (protocol === 17 && payload.length >= 8) {
    return [
      ['UDP source port', String(uint16(payload, 0)), 0, 2],
      ['UDP destination port', String(uint16(payload, 2)), 2, 2],
      ['UDP length', `${uint16(payload, 4)} bytes`, 4, 2],
      ['UDP checksum', hex(uint16(payload, 6), 4), 6, 2],
      ...rest(8),
    ]
  }
  return rest(0)
}

function judgeIcmpChecksum({ source, destination, payload, missing }) {
  if (missing > 0) return 'not judged: not all is here'
  return icmpChecksum(source, destination, payload) === 0 ? 'correct' : 'wrong'
}
