// mutant: carries are cut off; expect: added back in at bit 0
/**
 * Task 7: what a router does to an IPv4 packet. RFC 791 §3.1, RFC 1071 (checksum), RFC 1624 (updating it).
 *
 *   |Version|  IHL  |Type of Service|          Total Length         |     bytes 0 to 3
 *   |         Identification        |Flags|      Fragment Offset    |           4 to 7
 *   |  Time to Live |    Protocol   |         Header Checksum       |           8 to 11
 *   |                       Source Address                          |          12 to 15
 *   |                    Destination Address                        |          16 to 19
 *   |                    Options                    |    Padding    |          up to IHL * 4
 */
import { read16, write16 } from './bytes.ts'
import { MalformedError } from './errors.ts'

const SHORTEST_HEADER = 20
const TOTAL_LENGTH_AT = 2
const TTL_AT = 8
const CHECKSUM_AT = 10

/** The Internet checksum, RFC 1071: the one's complement of the one's complement sum of all 16-bit words. */
export function internetChecksum(bytes: Uint8Array): number {
  let sum = 0
  for (let at = 0; at < bytes.length; at += 2) {
    const lower = at + 1 < bytes.length ? bytes[at + 1] : 0
    sum += (bytes[at] << 8) | lower
  }
  return complement(fold(sum))
}

/** The checksum after one 16-bit word under it has changed, RFC 1624 equation 3: HC' = ~(~HC + ~m + m') */
export function updateChecksum(checksum: number, oldWord: number, newWord: number): number {
  return complement(fold(complement(checksum) + complement(oldWord) + newWord))
}

/** Adds the carries back in. One addition may bring up another carry. */
function fold(sum: number): number {
  return sum & 0xffff
}

function complement(word: number): number {
  return ~word & 0xffff
}

/** Throws MalformedError unless the packet has a whole and correct IPv4 header. */
export function checkIpv4(packet: Uint8Array): void {
  if (packet.length < SHORTEST_HEADER) throw new MalformedError('shorter than an IPv4 header')
  if (packet[0] >> 4 !== 4) throw new MalformedError('not version 4')
  const headerLength = (packet[0] & 0x0f) * 4
  if (headerLength < SHORTEST_HEADER) throw new MalformedError('IHL below 5')
  if (headerLength > packet.length) throw new MalformedError('the packet ends inside its header')
  if (read16(packet, TOTAL_LENGTH_AT) !== packet.length) throw new MalformedError('wrong Total Length')
  if (internetChecksum(packet.subarray(0, headerLength)) !== 0) throw new MalformedError('wrong header checksum')
}

/** A copy of the packet with its TTL one less; undefined when the TTL is used up. */
export function decrementTtl(packet: Uint8Array): Uint8Array | undefined {
  if (packet[TTL_AT] <= 1) return undefined
  const forwarded = packet.slice()
  forwarded[TTL_AT]--
  // The TTL is the upper half of a word; the protocol is the lower one.
  const [before, after] = [read16(packet, TTL_AT), read16(forwarded, TTL_AT)]
  write16(forwarded, CHECKSUM_AT, updateChecksum(read16(packet, CHECKSUM_AT), before, after))
  return forwarded
}
