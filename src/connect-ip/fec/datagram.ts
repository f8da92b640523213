/**
 * Forward error correction as an extension of CONNECT-IP on a Context ID of its own (RFC 9484 §5). It is ours and in no RFC.
 *
 * After each group of packets goes a parity, the exclusive or of them all. When one of a group is lost, it is the exclusive or of the parity and of
 * the others; when two are, both stay lost. Packets of context 0 have no number, so that those that are protected travel here, too:
 *
 *   FEC Datagram {
 *     Context ID (i),
 *     Group (24),
 *     Kind (8),
 *     Packet or Parity (..),
 *   }
 *
 *   Group: counts up from any number, and begins again with 0 behind the last.
 *   Kind:  0 to 31: the packet with this number in its group, whole.
 *          0x80 + n, n from 1 to 32: the parity of a group of n packets.
 *
 *   Parity {
 *     Lengths (16),     exclusive or of the packets' lengths in bytes
 *     Packets (..),     exclusive or of the packets, the shorter ones followed by zeros
 *   }
 */

import { DecodeError } from '../../bytes/errors.ts'

/** Packets in a group. With one, each packet would go twice; by more, one parity is too little for what a link loses. */
export const MIN_FEC_GROUP = 2
export const MAX_FEC_GROUP = 32

/** Group and kind. */
export const FEC_HEADER_LENGTH = 4
/** In front of the packets' exclusive or. */
export const PARITY_LENGTHS = 2

export const GROUP_NUMBERS = 2 ** 24
const PARITY_KIND = 0x80

/** The kind of the parity of a group of `count` packets. That of a packet is its number. */
export function parityKind(count: number): number {
  return PARITY_KIND + count
}

export function writeFecHeader(out: Uint8Array, offset: number, group: number, kind: number): void {
  out[offset] = group >> 16
  out[offset + 1] = group >> 8
  out[offset + 2] = group
  out[offset + 3] = kind
}

/** What stands behind the context id. Throws DecodeError when that is too short for a header. */
export function groupOf(bytes: Uint8Array): number {
  if (bytes.length < FEC_HEADER_LENGTH) {
    throw new DecodeError(`${bytes.length} bytes of FEC; a header of ${FEC_HEADER_LENGTH} was expected`)
  }
  return (bytes[0] << 16) | (bytes[1] << 8) | bytes[2]
}

/** How many packets this parity is for; 0: it is none, but a packet. Throws DecodeError when it is neither. */
export function parityCountOf(bytes: Uint8Array): number {
  const kind = bytes[3]
  if (kind < MAX_FEC_GROUP) return 0
  const count = kind - PARITY_KIND
  if (count < 1 || count > MAX_FEC_GROUP) {
    throw new DecodeError(
      `FEC kind ${kind}; expected 0 to ${MAX_FEC_GROUP - 1}, or ${PARITY_KIND} and a number of packets`,
    )
  }
  if (bytes.length < FEC_HEADER_LENGTH + PARITY_LENGTHS) throw new DecodeError('a parity that ends before its lengths')
  return count
}

/** Its number in the group. */
export function indexOf(source: Uint8Array): number {
  return source[3]
}
