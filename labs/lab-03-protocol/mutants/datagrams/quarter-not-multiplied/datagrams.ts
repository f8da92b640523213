// mutant: the quarter stream id is taken for the stream id; expect: divided by four
/**
 * Task 6: IP packets in QUIC datagrams, RFC 9297 §2.1 and RFC 9484 §6.
 *
 *   HTTP/3 Datagram {
 *     Quarter Stream ID (i),     the id of the request's stream, divided by four
 *     Context ID (i),            0: a whole IP packet follows
 *     Payload (..),
 *   }
 */
import { concat } from './bytes.ts'
import { MalformedError } from './errors.ts'
import { decodeVarint, encodeVarint } from './varint.ts'

/** The context id of IP packets. */
const IP_PACKETS = 0n

/** The largest stream id is 2^62 - 1; a quarter of it: */
const MAX_QUARTER_STREAM_ID = (1n << 60n) - 1n

/** For each packet that enters the tunnel. Throws MalformedError when `streamId` is not that of a request. */
export function encodeDatagram(streamId: bigint, contextId: bigint, payload: Uint8Array): Uint8Array {
  if (streamId % 4n !== 0n) throw new MalformedError(`stream ${streamId} is not client-initiated and bidirectional`)
  return concat(encodeVarint(streamId / 4n), encodeVarint(contextId), payload)
}

export interface Datagram {
  streamId: bigint
  contextId: bigint
  payload: Uint8Array
}

/** Throws MalformedError. */
export function decodeDatagram(datagram: Uint8Array): Datagram {
  const quarter = decodeVarint(datagram, 0)
  if (quarter === undefined) throw new MalformedError('the datagram ends inside the Quarter Stream ID')
  if (quarter.value > MAX_QUARTER_STREAM_ID) throw new MalformedError(`a Quarter Stream ID of ${quarter.value}`)
  const context = decodeVarint(datagram, quarter.length)
  if (context === undefined) throw new MalformedError('the datagram ends inside the Context ID')
  return {
    streamId: quarter.value,
    contextId: context.value,
    payload: datagram.slice(quarter.length + context.length),
  }
}

/** The IP packet in a datagram that has arrived, when it belongs to the tunnel on `streamId`. */
export function packetFor(streamId: bigint, datagram: Uint8Array): Uint8Array | undefined {
  const { streamId: arrivedFor, contextId, payload } = decodeDatagram(datagram)
  return arrivedFor === streamId && contextId === IP_PACKETS ? payload : undefined
}
