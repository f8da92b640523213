/**
 * Version Negotiation, RFC 9000 §17.2.1: the answer to a packet of a version that is not spoken here.
 *
 *   Version Negotiation Packet {
 *     Header Form (1) = 1,
 *     Unused (7),
 *     Version (32) = 0,
 *     Destination Connection ID Length (8),
 *     Destination Connection ID (0..2040),    the Source Connection ID of the packet that it answers
 *     Source Connection ID Length (8),
 *     Source Connection ID (0..2040),         its Destination Connection ID
 *     Supported Version (32) ...,
 *   }
 */
import { WireWriter } from '../wire-writer.ts'
import { appendConnectionId, FIXED_BIT, LONG_HEADER_FORM } from './long-header.ts'

/** `dcid`, `scid`: those of this packet. `unused`: 6 bits that say nothing, at random. */
export function encodeVersionNegotiation(
  dcid: Uint8Array,
  scid: Uint8Array,
  versions: readonly number[],
  unused = 0,
): Uint8Array {
  const to = new WireWriter(new Uint8Array(1 + 4 + 1 + dcid.length + 1 + scid.length + 4 * versions.length))
  // The bit in the place of the fixed bit is set, so that what tells QUIC from others by it is not misled (§17.2.1).
  to.u8(LONG_HEADER_FORM | FIXED_BIT | (unused & 0x3f))
  to.u32(0)
  appendConnectionId(to, dcid)
  appendConnectionId(to, scid)
  for (const version of versions) to.u32(version)
  return to.bytes
}
