/**
 * The Internet checksum, RFC 1071: the one's complement of the one's complement sum of all 16-bit words. One's
 * complement addition is ordinary addition whose carry out of bit 15 is added back in at bit 0.
 *
 * The functions called `…Sum` return sums with the carries still in the upper bits. Such sums can be added
 * to each other; only the last step folds the carries in.
 */

/**
 * The sum of the big-endian 16-bit words in `bytes[offset … offset+length]`, carries not yet folded in. A last odd
 * byte counts as the upper half of a word. Allocates nothing. `length` is at most 65,535 or so: an IP packet.
 */
export function wordSum(bytes: Uint8Array, offset: number, length: number): number {
  let sum = 0
  let i = offset
  const end = offset + length
  if (length >= LONG) {
    // Two words in one read, as RFC 1071 §2(C) has it, and four reads a round: of all that we do to a packet of TCP, this takes longest.
    const view = new DataView(bytes.buffer, bytes.byteOffset, bytes.byteLength)
    for (; i + 16 <= end; i += 16) {
      sum += wordsIn(view.getInt32(i)) + wordsIn(view.getInt32(i + 4))
      sum += wordsIn(view.getInt32(i + 8)) + wordsIn(view.getInt32(i + 12))
    }
  }
  for (; i + 2 <= end; i += 2) sum += (bytes[i] << 8) | bytes[i + 1]
  if (i < end) sum += bytes[i] << 8
  return sum
}

/** Bytes from which on a view of them is worth its making. */
const LONG = 128

function wordsIn(pair: number): number {
  return (pair >>> 16) + (pair & 0xffff)
}

/**
 * The checksum of `bytes[offset … offset+length]`, ready to be stored in the header (whose checksum field must hold 0
 * meanwhile). Over data that already holds a correct checksum the result is 0: that is how a receiver verifies.
 *
 * `initial` is a sum to start from, such as that of a pseudo header.
 */
export function internetChecksum(bytes: Uint8Array, offset: number, length: number, initial = 0): number {
  return ~fold(initial + wordSum(bytes, offset, length)) & 0xffff
}

/**
 * The checksum after one 16-bit word under it changed from `oldWord` to `newWord`, RFC 1624 §3, equation 3:
 *
 *   HC' = ~(~HC + ~m + m')
 *
 * A router changes only the TTL; this spares it reading the rest of the header again. (Equation 2, from RFC 1141, looks
 * simpler and gets one case wrong: it can produce 0xffff where the sum over the header gives 0x0000.)
 */
export function incrementalUpdate(oldChecksum: number, oldWord: number, newWord: number): number {
  return ~fold((~oldChecksum & 0xffff) + (~oldWord & 0xffff) + newWord) & 0xffff
}

/**
 * The sum of the pseudo header that UDP, TCP and ICMPv6 put under their checksums, so that a packet delivered to the
 * wrong address does not pass. RFC 768 for IPv4:
 *
 *    0      7 8     15 16    23 24    31
 *   +--------+--------+--------+--------+
 *   |          source address           |
 *   +--------+--------+--------+--------+
 *   |        destination address        |
 *   +--------+--------+--------+--------+
 *   |  zero  |protocol|   UDP length    |
 *   +--------+--------+--------+--------+
 *
 * and RFC 8200 §8.1 for IPv6, where the length has 32 bits. As sums they come to the same.
 *
 * `addresses[offset…]` holds the source and then the destination address, as every IP header does: `length` is
 * 8 bytes for IPv4 and 32 for IPv6. `upperLength` is that of the upper-layer header and its data.
 */
export function pseudoHeaderSum(
  addresses: Uint8Array,
  offset: number,
  length: 8 | 32,
  protocol: number,
  upperLength: number,
): number {
  return wordSum(addresses, offset, length) + protocol + (upperLength >>> 16) + (upperLength & 0xffff)
}

/** Adds the carries back in until none is left. */
function fold(sum: number): number {
  let folded = sum
  // Division, not a shift: the sum over a 64 KiB packet can need more than 31 bits.
  while (folded > 0xffff) folded = (folded & 0xffff) + Math.floor(folded / 0x10000)
  return folded
}
