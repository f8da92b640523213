/**
 * An IP packet on the request stream, for when QUIC datagrams are not available or not wanted, RFC 9297 §3.5:
 *
 *   Datagram Capsule {
 *     Type (i) = 0x00,
 *     Length (i),
 *     HTTP Datagram Payload (..),
 *   }
 *
 * The payload is the one of RFC 9484 §6: a context id, here 0, and the packet.
 */

import { encodeVarint, varintLength } from '../bytes/varint.ts'

/** The whole capsule with context id 0, for the stream. */
export function encodeDatagramCapsule(packet: Uint8Array): Uint8Array {
  const length = 1 + packet.length
  const out = new Uint8Array(1 + varintLength(length) + length)
  // out[0] is the type and out[offset] the context id, both 0.
  const offset = encodeVarint(length, out, 1)
  out.set(packet, offset + 1)
  return out
}
