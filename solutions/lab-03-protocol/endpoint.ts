/**
 * Task 10: one end of a CONNECT-IP tunnel.
 *
 *        +----------------------------------------------+
 *        | ping, answer                    IP, ICMP     |   ipv4.ts
 *        +----------------------------------------------+
 *        | addresses.ts, routes.ts   |                  |
 *        | capsules.ts               |   datagrams.ts   |
 *        | DATA frames of HTTP/3     |                  |
 *        +---------------------------+------------------+
 *        | stream of the request     | QUIC datagrams   |
 *        +---------------------------+------------------+
 */
import { type AddressEntry, decodeAddressAssign, encodeAddresses } from './addresses.ts'
import { concat, write16 } from './bytes.ts'
import { type Capsule, CapsuleParser, CapsuleType, encodeCapsule } from './capsules.ts'
import { encodeDatagram, packetFor } from './datagrams.ts'
import { MalformedError } from './errors.ts'
import { connectIpRequest, decodeHeaders, encodeFrame, encodeHeaders, FrameType } from './http3.ts'
import { checkIpv4, internetChecksum } from './ipv4.ts'
import { decodeRoutes, type Route } from './routes.ts'
import { decodeVarint } from './varint.ts'

export type TunnelEvent =
  /** `status` as it is in the header section: '200'. */
  | { type: 'response'; status: string }
  | { type: 'addresses'; addresses: AddressEntry[] }
  | { type: 'routes'; routes: Route[] }

/** HEADERS are kept until they are complete, so there has to be a limit. */
const LONGEST_HEADERS = 1 << 20

export class Endpoint {
  readonly streamId: bigint
  readonly #capsules = new CapsuleParser()
  /** The beginning of a HEADERS frame, or of the type and length of any frame. */
  #kept: Uint8Array = new Uint8Array(0)
  /** Inside another frame: its type, and how many bytes of its payload are still to come. */
  #type = 0n
  #toCome = 0n
  #lastRequestId = 0n

  /** `streamId`: that of the request, and so of the tunnel. */
  constructor(streamId: bigint) {
    this.streamId = streamId
  }

  /** The HEADERS frame that asks for the tunnel. */
  request(authority: string, path: string): Uint8Array {
    return encodeFrame(FrameType.HEADERS, encodeHeaders(connectIpRequest(authority, path)))
  }

  /** A DATA frame with an ADDRESS_REQUEST capsule for one address, whichever. */
  requestAddress(version: 4 | 6): Uint8Array {
    const address = new Uint8Array(version === 4 ? 4 : 16)
    const entry = { requestId: ++this.#lastRequestId, version, address, prefixLength: address.length * 8 }
    return encodeFrame(FrameType.DATA, encodeCapsule(CapsuleType.ADDRESS_REQUEST, encodeAddresses([entry])))
  }

  /** Takes the next bytes of the stream of the request, cut anywhere. Returns what is complete with them, in order. */
  receive(bytes: Uint8Array): TunnelEvent[] {
    const events: TunnelEvent[] = []
    let rest = concat(this.#kept, bytes)
    while (true) {
      const here = rest.subarray(0, Number(this.#toCome))
      if (this.#type === FrameType.DATA) events.push(...this.#capsules.push(here).flatMap(receiveCapsule))
      this.#toCome -= BigInt(here.length)
      rest = rest.subarray(here.length)
      const header = frameHeader(rest)
      if (header === undefined) break
      const { type, length, at } = header
      if (type !== FrameType.HEADERS) {
        this.#type = type
        this.#toCome = length
        rest = rest.subarray(at)
        continue
      }
      if (length > LONGEST_HEADERS) throw new MalformedError(`a frame of ${length} bytes`)
      const end = at + Number(length)
      if (end > rest.length) break
      events.push(receiveHeaders(rest.subarray(at, end)))
      rest = rest.subarray(end)
    }
    this.#kept = rest.slice()
    return events
  }

  /** The payload of the QUIC datagram that carries an IP packet. */
  encapsulate(packet: Uint8Array): Uint8Array {
    return encodeDatagram(this.streamId, 0n, packet)
  }

  /** The IP packet in a QUIC datagram, or undefined when there is none for this tunnel in it. */
  decapsulate(datagram: Uint8Array): Uint8Array | undefined {
    return packetFor(this.streamId, datagram)
  }
}

/** Type and length of the frame at the beginning of `bytes`, and where its payload begins. */
function frameHeader(bytes: Uint8Array): { type: bigint; length: bigint; at: number } | undefined {
  const type = decodeVarint(bytes, 0)
  const length = type && decodeVarint(bytes, type.length)
  if (type === undefined || length === undefined) return undefined
  return { type: type.value, length: length.value, at: type.length + length.length }
}

function receiveHeaders(payload: Uint8Array): TunnelEvent {
  const status = decodeHeaders(payload).find(([name]) => name === ':status')
  if (status === undefined) throw new MalformedError('a response without :status')
  return { type: 'response', status: status[1] }
}

function receiveCapsule({ type, value }: Capsule): TunnelEvent[] {
  switch (type) {
    case CapsuleType.ADDRESS_ASSIGN:
      return [{ type: 'addresses', addresses: decodeAddressAssign(value) }]
    case CapsuleType.ROUTE_ADVERTISEMENT:
      return [{ type: 'routes', routes: decodeRoutes(value) }]
    default:
      return []
  }
}

// IP and ICMP ---------------------------------------------------------------------------------------------------------

const HEADER_LENGTH = 20
const TTL = 64
const ICMP = 1
const ECHO_REQUEST = 8
const ECHO_REPLY = 0

/** A whole IPv4 packet with an ICMP echo request. Addresses are 4 bytes. */
export function ping(
  source: Uint8Array,
  destination: Uint8Array,
  identifier: number,
  sequence: number,
  data: Uint8Array,
): Uint8Array {
  const message = concat(new Uint8Array(8), data)
  message[0] = ECHO_REQUEST
  write16(message, 4, identifier)
  write16(message, 6, sequence)
  return icmpPacket(source, destination, message)
}

/** The answer to an ICMP echo request; undefined for every other packet. */
export function answer(packet: Uint8Array): Uint8Array | undefined {
  try {
    checkIpv4(packet)
  } catch {
    return undefined
  }
  const request = packet.subarray((packet[0] & 0x0f) * 4)
  if (packet[9] !== ICMP || request[0] !== ECHO_REQUEST || internetChecksum(request) !== 0) return undefined
  const reply = request.slice()
  reply[0] = ECHO_REPLY
  return icmpPacket(packet.subarray(16, 20), packet.subarray(12, 16), reply)
}

/** `message` is the ICMP message; its checksum is set here. */
function icmpPacket(source: Uint8Array, destination: Uint8Array, message: Uint8Array): Uint8Array {
  write16(message, 2, 0)
  write16(message, 2, internetChecksum(message))
  const header = concat(Uint8Array.of(0x45, 0, 0, 0, 0, 0, 0, 0, TTL, ICMP, 0, 0), source, destination)
  write16(header, 2, HEADER_LENGTH + message.length)
  write16(header, 10, internetChecksum(header))
  return concat(header, message)
}
