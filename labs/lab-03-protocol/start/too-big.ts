/**
 * Task 9: a packet that does not fit the tunnel. It is dropped, and its sender is told how large it may be: IPv6 by Packet Too
 * Big (RFC 4443 §3.2), IPv4 by Destination Unreachable, code 4, "fragmentation needed and DF set" (RFC 1191 §4).
 *
 *   IPv6                                      IPv4
 *   +---------+---------+-------------------+ +---------+---------+-------------------+
 *   | Type 2  | Code 0  |     Checksum      | | Type 3  | Code 4  |     Checksum      |
 *   +---------+---------+-------------------+ +---------+---------+-------------------+
 *   |                  MTU                  | |     unused = 0    |        MTU        |
 *   +---------------------------------------+ +-------------------+-------------------+
 *   |  the packet it is about, as much as   | |  the packet it is about, as much as   |
 *   |  fits 1280 bytes with all headers     | |  fits 576 bytes with all headers      |
 *
 * The ICMPv6 checksum is the Internet checksum over the message and, before it, a pseudo header (RFC 8200 §8.1):
 *
 *   source address (16 bytes), destination address (16 bytes), length of the ICMPv6 message (4 bytes), 0, 0, 0, 58
 *
 * The ICMPv4 checksum is over the message alone. While a checksum is calculated, its own field is 0.
 */
import { concat, write16 } from './bytes.ts'
import { internetChecksum } from './ipv4.ts'
import { upperLayer } from './ipv6.ts'

/**
 * The whole IP packet that tells the sender of `packet` that at most `mtu` bytes fit. `source` is our own address, 4 or 16
 * bytes, of the same IP version. `packet` has a correct header.
 *
 * The new IP header: TTL or Hop Limit 64; in IPv4 Type of Service 0xc0 (internetwork control, RFC 1812 §4.3.2.5), no options,
 * and the flag DF (don't fragment) set; everything else is 0 that is not a length, a protocol, an address or a checksum.
 *
 * Undefined when no ICMP error is to be sent about the packet (RFC 1122 §3.2.2, RFC 4443 §2.4 e):
 *   - it is an ICMP error itself: types 3, 4, 5, 11, 12 in IPv4, all below 128 and 137 in IPv6;
 *   - its destination is multicast (224.0.0.0/4, ff00::/8) or 255.255.255.255. RFC 4443 would allow Packet Too Big about ff00::/8;
 *     but multicast does not leave the tunnel;
 *   - its source is 0.0.0.0 or ::, and so nobody;
 *   - it is a fragment other than the first (a rule of RFC 1122; here it holds for IPv6 as well).
 *
 * An IPv4 packet without DF does not come here: a router may send it on in fragments (RFC 791 §3.2), and needs no message.
 */
export function packetTooBig(packet: Uint8Array, mtu: number, source: Uint8Array): Uint8Array | undefined {
  throw new Error('TODO: packetTooBig')
}
