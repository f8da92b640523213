/**
 * Task 6: IP packets in QUIC datagrams, RFC 9297 §2.1 and RFC 9484 §6. The payload of a QUIC DATAGRAM frame is
 *
 *   HTTP/3 Datagram {
 *     Quarter Stream ID (i),     the id of the request's stream, divided by four
 *     Context ID (i),            0: a whole IP packet follows
 *     Payload (..),
 *   }
 *
 * Requests are on client-initiated bidirectional streams: 0, 4, 8, 12 … The lower two bits of a stream id say who opened
 * the stream and whether it is bidirectional (RFC 9000 §2.1). Here they are always 0, and so are left out.
 */
import { MalformedError } from './errors.ts'
import { decodeVarint, encodeVarint } from './varint.ts'

/** For each packet that enters the tunnel. Throws MalformedError when `streamId` is not that of a request. */
export function encodeDatagram(streamId: bigint, contextId: bigint, payload: Uint8Array): Uint8Array {
  throw new Error('TODO: encodeDatagram')
}

export interface Datagram {
  streamId: bigint
  contextId: bigint
  payload: Uint8Array
}

/**
 * Throws MalformedError when the datagram ends inside one of the two numbers, and for a Quarter Stream ID of 2^60 or more:
 * four times as much is no stream id.
 */
export function decodeDatagram(datagram: Uint8Array): Datagram {
  throw new Error('TODO: decodeDatagram')
}

/**
 * The IP packet in a datagram that has arrived, when it belongs to the tunnel on `streamId`. Undefined when it is for another
 * stream, or has a context id that we know nothing of: such datagrams are dropped silently, they are no error.
 */
export function packetFor(streamId: bigint, datagram: Uint8Array): Uint8Array | undefined {
  throw new Error('TODO: packetFor')
}
