/**
 * Retry, RFC 9000 §17.2.5: a server asks its client to come again with this token, which shows that packets reach it.
 *
 *   Retry Packet {
 *     Header Form (1) = 1,
 *     Fixed Bit (1) = 1,
 *     Long Packet Type (2) = 3,
 *     Unused (4),
 *     Version (32),
 *     Destination Connection ID Length (8),
 *     Destination Connection ID (0..160),
 *     Source Connection ID Length (8),
 *     Source Connection ID (0..160),
 *     Retry Token (..),
 *     Retry Integrity Tag (128),
 *   }
 *
 * The tag is of an AEAD whose key everyone knows, over this packet and the client's first Destination Connection ID (RFC 9001 §5.8):
 * whoever has not seen that client's packet cannot make one.
 *
 *   Retry Pseudo-Packet {
 *     ODCID Length (8),
 *     Original Destination Connection ID (0..160),
 *     the Retry packet without its tag (..),
 *   }
 */
import { createCipheriv, timingSafeEqual } from 'node:crypto'
import { VERSION_1, type Version } from '../version.ts'
import { WireWriter } from '../wire-writer.ts'
import { appendConnectionId, longHeaderByte } from './long-header.ts'

export const INTEGRITY_TAG_LENGTH = 16

/** `dcid`: the client's Source Connection ID; `scid`: how it is to call us; `originalDcid`: how it has called us. */
export function encodeRetry(
  dcid: Uint8Array,
  scid: Uint8Array,
  token: Uint8Array,
  originalDcid: Uint8Array,
  unused = 0,
  version: Version = VERSION_1,
): Uint8Array {
  const length = 1 + 4 + 1 + dcid.length + 1 + scid.length + token.length
  const to = new WireWriter(new Uint8Array(length + INTEGRITY_TAG_LENGTH))
  to.u8(longHeaderByte(version, 'retry') | (unused & 0x0f))
  to.u32(version.number)
  appendConnectionId(to, dcid)
  appendConnectionId(to, scid)
  to.write(token)
  to.write(integrityTag(to.bytes.subarray(0, length), originalDcid, version))
  return to.bytes
}

/** Whether packet[start … end) is a Retry from someone who has seen our first Initial. `originalDcid`: the Destination Connection ID of that. */
export function isAuthenticRetry(
  datagram: Uint8Array,
  start: number,
  end: number,
  originalDcid: Uint8Array,
  version: Version = VERSION_1,
): boolean {
  const tagOffset = end - INTEGRITY_TAG_LENGTH
  if (tagOffset < start) return false
  const expected = integrityTag(datagram.subarray(start, tagOffset), originalDcid, version)
  return timingSafeEqual(expected, datagram.subarray(tagOffset, end))
}

function integrityTag(retryWithoutTag: Uint8Array, originalDcid: Uint8Array, version: Version): Uint8Array {
  const cipher = createCipheriv('aes-128-gcm', version.retryKey, version.retryNonce)
  cipher.setAAD(Buffer.concat([Uint8Array.of(originalDcid.length), originalDcid, retryWithoutTag]))
  cipher.final()
  return cipher.getAuthTag()
}
