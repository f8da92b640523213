// A sampled packet, layer by layer: what QUIC or TCP carries, down to what is in the IP packet. Each layer says which RFC it is from.

import { encodeVarint, Reader } from '../browser/bytes.mjs'
import { describePacket, fieldsOf, readPacket } from '../browser/packets.mjs'

/**
 * The layers of a sample, from the outside in: { name, rfc, note, fields }, each field as [name, value, bytes in hexadecimal].
 * `rfc`: [number, section]; undefined: it is in none.
 */
export function layersOf(sample) {
  const bytes = payloadOf(sample)
  const layers = carriageLayers(sample)
  const reader = new Reader(bytes)
  let contextId
  try {
    contextId = reader.varint()
  } catch {
    return [...layers, layer('CONNECT-IP payload', [9484, '6'], [['Bytes', 'no context id', hexOf(bytes)]])]
  }
  const at = bytes.length - reader.remaining
  const meaning =
    contextId === 0 ? '0: a whole IP packet follows' : `${contextId}: agreed on by both ends, not an IP packet as such`
  layers.push(layer('CONNECT-IP payload', [9484, '6'], [['Context ID', meaning, hexOf(bytes.subarray(0, at))]]))
  const rest = bytes.subarray(at)
  if (contextId !== 0)
    return [...layers, layer('Payload', undefined, [['Data', `${sample.length - at} bytes`, hexOf(rest)]])]
  return [...layers, ...packetLayers(rest, sample.length - at)]
}

/** In one line. */
export function describeSample(sample) {
  const bytes = payloadOf(sample)
  // Other contexts hold other things, and a context id may be written in more bytes than it needs.
  return bytes[0] === 0
    ? describePacket(bytes.subarray(1), sample.length - 1)
    : `on context ${bytes[0] ?? '?'}, not an IP packet as such`
}

/** What stands around the HTTP Datagram's payload. These bytes are not in the sample: they are written here as the RFCs say. */
function carriageLayers({ carrier, encapsulation, streamId, length }) {
  if (encapsulation === 'stream-per-packet') {
    return [
      {
        ...layer('A unidirectional QUIC stream for this packet alone', undefined, []),
        note: 'in no RFC: this lab’s own, to be measured against datagrams',
      },
    ]
  }
  if (encapsulation === 'single-stream') {
    const capsule = [
      ['Capsule Type', '0x00 (DATAGRAM)', hexOf(encodeVarint(0))],
      ['Capsule Length', `${length} bytes`, hexOf(encodeVarint(length))],
    ]
    return [layer(...STREAMS[carrier]), layer('DATAGRAM capsule', [9297, '3.5'], capsule)]
  }
  if (carrier !== 'h3')
    return [{ ...layer('A WebTransport datagram', undefined, []), note: 'this lab’s own carrier, not RFC 9484' }]
  const quarter = encodeVarint(streamId / 4)
  return [
    layer('QUIC DATAGRAM frame', [9221, '4'], [['Datagram Data', `${quarter.length + length} bytes`, '']]),
    layer(
      'HTTP/3 Datagram',
      [9297, '2.1'],
      [['Quarter Stream ID', `${streamId / 4}: the request on stream ${streamId}`, hexOf(quarter)]],
    ),
  ]
}

const STREAMS = {
  h3: ['HTTP/3 DATA frames on the request stream', [9114, '7.2.1'], []],
  h2: ['HTTP/2 DATA frames on the request stream', [9113, '6.1'], []],
  h1: ['The connection, after its Upgrade', [9484, '4.1'], []],
  webtransport: ['A stream of a WebTransport session', undefined, []],
}

const TRANSPORTS = {
  1: ['ICMP', [792]],
  6: ['TCP', [9293, '3.1']],
  17: ['UDP', [768]],
  58: ['ICMPv6', [4443, '2.1']],
}

function packetLayers(bytes, length) {
  const packet = readPacket(bytes, length)
  const fields = fieldsOf(bytes, length).map(([name, value, at, count]) => [
    name,
    value,
    hexOf(bytes.subarray(at, at + count)),
    at,
  ])
  if (packet === undefined) return [layer('Not an IP packet', undefined, withoutPlace(fields))]
  const payloadAt = packet.payload.byteOffset - bytes.byteOffset
  const header = layer(
    `IPv${packet.version}`,
    packet.version === 4 ? [791, '3.1'] : [8200, '3'],
    withoutPlace(fields.filter(([, , , at]) => at < payloadAt)),
  )
  const inside = withoutPlace(fields.filter(([, , , at]) => at >= payloadAt))
  if (inside.length === 0) return [header]
  const [name, rfc] = (packet.isFragment ? undefined : TRANSPORTS[packet.protocol]) ?? ['Payload', undefined]
  return [header, layer(name, rfc, inside)]
}

const withoutPlace = fields => fields.map(([name, value, hex]) => [name, value, hex])

function layer(name, rfc, fields) {
  return { name, rfc, fields }
}

function payloadOf({ payload }) {
  return Uint8Array.from(atob(payload), character => character.charCodeAt(0))
}

const LONGEST_HEX = 16

function hexOf(bytes) {
  const digits = Array.from(bytes.slice(0, LONGEST_HEX), byte => byte.toString(16).padStart(2, '0'))
  return digits.join(' ') + (bytes.length > LONGEST_HEX ? ' …' : '')
}
