/**
 * Task 7: what a router does to an IPv4 packet. RFC 791 §3.1, RFC 1071 (checksum), RFC 1624 (updating it).
 *
 *    0                   1                   2                   3
 *    0 1 2 3 4 5 6 7 8 9 0 1 2 3 4 5 6 7 8 9 0 1 2 3 4 5 6 7 8 9 0 1
 *   +-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+
 *   |Version|  IHL  |Type of Service|          Total Length         |     bytes 0 to 3
 *   +-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+
 *   |         Identification        |Flags|      Fragment Offset    |           4 to 7
 *   +-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+
 *   |  Time to Live |    Protocol   |         Header Checksum       |           8 to 11
 *   +-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+
 *   |                       Source Address                          |          12 to 15
 *   +-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+
 *   |                    Destination Address                        |          16 to 19
 *   +-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+
 *   |                    Options                    |    Padding    |          up to IHL * 4
 *   +-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+
 */
import { read16, write16 } from './bytes.ts'
import { MalformedError } from './errors.ts'

/**
 * The Internet checksum, RFC 1071: the one's complement of the one's complement sum of all 16-bit words. An odd last byte
 * counts as the upper half of a word. In one's complement addition a carry out of bit 15 is added back in at bit 0.
 *
 * Over data that contains its own correct checksum the result is 0.
 */
export function internetChecksum(bytes: Uint8Array): number {
  throw new Error('TODO: internetChecksum')
}

/**
 * The checksum after one 16-bit word under it has changed, RFC 1624 equation 3. Here ~ is the complement of 16 bits, and + is
 * one's complement addition:
 *
 *   HC' = ~(~HC + ~m + m')
 */
export function updateChecksum(checksum: number, oldWord: number, newWord: number): number {
  throw new Error('TODO: updateChecksum')
}

/**
 * Throws MalformedError unless the packet has a whole IPv4 header: version 4, IHL at least 5 (it counts words of 4 bytes)
 * and not beyond the end, Total Length as long as the packet, and a correct header checksum (of all of the header).
 */
export function checkIpv4(packet: Uint8Array): void {
  throw new Error('TODO: checkIpv4')
}

/**
 * A copy of the packet with its TTL one less and its checksum updated with updateChecksum; undefined when the TTL is used up
 * (1 or 0), because then it must not be forwarded. The packet has a whole header.
 */
export function decrementTtl(packet: Uint8Array): Uint8Array | undefined {
  throw new Error('TODO: decrementTtl')
}
