/**
 * Task 10: one end of a CONNECT-IP tunnel, put together from the files that you have written.
 *
 *        +----------------------------------------------+
 *        | ping, answer                    IP, ICMP     |   ipv4.ts
 *        +----------------------------------------------+
 *        | addresses.ts, routes.ts   |                  |
 *        | capsules.ts               |   datagrams.ts   |
 *        | DATA frames of HTTP/3     |                  |
 *        +---------------------------+------------------+
 *        | stream of the request     | QUIC datagrams   |   given: the check owns the QUIC connection,
 *        +---------------------------+------------------+   and calls you for every byte that goes over it
 *
 * On the stream of the request there are HTTP/3 frames (task 5). A HEADERS frame (0x01) holds the response. DATA frames (0x00)
 * hold the capsules, cut anywhere: a capsule may end in another frame than it began. Frames of other types are skipped.
 */
import { type AddressEntry, decodeAddressAssign, encodeAddresses } from './addresses.ts'
import { concat, write16 } from './bytes.ts'
import { CapsuleParser, CapsuleType, encodeCapsule } from './capsules.ts'
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

export class Endpoint {
  readonly streamId: bigint

  /** `streamId`: that of the request, and so of the tunnel. */
  constructor(streamId: bigint) {
    this.streamId = streamId
  }

  /** The HEADERS frame that asks for the tunnel. */
  request(authority: string, path: string): Uint8Array {
    throw new Error('TODO: request')
  }

  /**
   * A DATA frame with an ADDRESS_REQUEST capsule for one address, whichever: all zeros, with the full prefix length. The Request
   * IDs are 1, 2, 3 … from call to call.
   */
  requestAddress(version: 4 | 6): Uint8Array {
    throw new Error('TODO: requestAddress')
  }

  /**
   * Takes the next bytes of the stream of the request, cut anywhere. Returns what is complete with them, in order: a capsule is due
   * as soon as its own last byte is there, for its DATA frame may be as long as the tunnel lives (2^62 - 1 bytes). Throws
   * MalformedError, also for a HEADERS frame without `:status`.
   */
  receive(bytes: Uint8Array): TunnelEvent[] {
    throw new Error('TODO: receive')
  }

  /** The payload of the QUIC datagram that carries an IP packet. */
  encapsulate(packet: Uint8Array): Uint8Array {
    throw new Error('TODO: encapsulate')
  }

  /** The IP packet in a QUIC datagram, or undefined when there is none for this tunnel in it. */
  decapsulate(datagram: Uint8Array): Uint8Array | undefined {
    throw new Error('TODO: decapsulate')
  }
}

/**
 * A whole IPv4 packet (TTL 64, header of 20 bytes) with an ICMP echo request. Addresses are 4 bytes.
 *
 *   +---------+---------+-------------------+
 *   | Type 8  | Code 0  |     Checksum      |     over the ICMP message
 *   +---------+---------+-------------------+
 *   |    Identifier     |  Sequence Number  |
 *   +-------------------+-------------------+
 *   |  data ...
 */
export function ping(
  source: Uint8Array,
  destination: Uint8Array,
  identifier: number,
  sequence: number,
  data: Uint8Array,
): Uint8Array {
  throw new Error('TODO: ping')
}

/**
 * The answer to an ICMP echo request: type 0 instead of 8, source and destination exchanged, TTL 64, otherwise the same message
 * with a checksum that is right for it. Undefined for every other packet, whatever it is: IPv6, another protocol, nonsense.
 */
export function answer(packet: Uint8Array): Uint8Array | undefined {
  throw new Error('TODO: answer')
}
