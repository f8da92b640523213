/**
 * Fragmentation of IPv4 packets, RFC 791 §2.3 and §3.2: what a router does with a packet that is larger than the next link
 * takes, if its sender allows it (DF = 0; RFC 1812 §4.2.2.7). IPv6 packets are fragmented by their senders only.
 *
 *   +--------+------------------------------+          +--------+-----------+  +--------+-----------+  +--------+------+
 *   | header |             data             |    →     | header | 8 n bytes |  | header | 8 n bytes |  | header | rest |
 *   +--------+------------------------------+          +--------+-----------+  +--------+-----------+  +--------+------+
 *                                                       MF = 1, offset 0        MF = 1, offset n        MF as before
 */

import { internetChecksum } from './checksum.ts'
import {
  IPV4_CHECKSUM_OFFSET,
  IPV4_HEADER_LENGTH,
  ipv4DontFragment,
  ipv4FragmentOffset,
  ipv4HeaderLength,
  ipv4MoreFragments,
} from './ipv4.ts'
import { copiedIpv4Options } from './ipv4-options.ts'

/** Every link takes so many bytes (RFC 791 §3.2): the longest header and eight bytes of data. */
const IPV4_MINIMUM_MTU = 68

/** May a router send this valid packet, where it is too large for the next link, in pieces? */
export function mayFragment(packet: Uint8Array): boolean {
  return packet[0] >> 4 === 4 && !ipv4DontFragment(packet)
}

/**
 * The fragments, in order, of a packet for which `mayFragment` holds and whose options are well-formed; none is longer than `mtu` bytes.
 * The packet may be a fragment itself. None where the link is too narrow for any: then it takes no packets at all.
 */
export function fragmentIpv4(packet: Uint8Array, mtu: number): Uint8Array[] {
  if (mtu < IPV4_MINIMUM_MTU) return []
  const headerLength = ipv4HeaderLength(packet)
  const firstHeader = packet.subarray(0, headerLength)
  const options = copiedIpv4Options(packet)
  const laterHeader = new Uint8Array(IPV4_HEADER_LENGTH + options.length)
  laterHeader.set(packet.subarray(0, IPV4_HEADER_LENGTH))
  laterHeader[0] = 0x40 | (laterHeader.length / 4)
  laterHeader.set(options, IPV4_HEADER_LENGTH)

  const fragments: Uint8Array[] = []
  const firstOffset = ipv4FragmentOffset(packet)
  for (let at = headerLength; at < packet.length || fragments.length === 0; ) {
    const header = fragments.length === 0 ? firstHeader : laterHeader
    const room = mtu - header.length
    const isLast = packet.length - at <= room
    const data = packet.subarray(at, isLast ? packet.length : at + (room & ~7))
    const moreFragments = !isLast || ipv4MoreFragments(packet)
    fragments.push(fragment(header, data, firstOffset + at - headerLength, moreFragments))
    at += data.length
  }
  return fragments
}

/** `offset` in bytes, a multiple of 8. */
function fragment(header: Uint8Array, data: Uint8Array, offset: number, moreFragments: boolean): Uint8Array {
  const piece = new Uint8Array(header.length + data.length)
  piece.set(header)
  piece.set(data, header.length)
  piece[2] = piece.length >> 8
  piece[3] = piece.length
  piece[6] = (moreFragments ? 0x20 : 0) | (offset >> 11)
  piece[7] = offset >> 3
  piece[IPV4_CHECKSUM_OFFSET] = 0
  piece[IPV4_CHECKSUM_OFFSET + 1] = 0
  const checksum = internetChecksum(piece, 0, header.length)
  piece[IPV4_CHECKSUM_OFFSET] = checksum >> 8
  piece[IPV4_CHECKSUM_OFFSET + 1] = checksum
  return piece
}
