/**
 * What stands in front of each packet of a `utun` device (<net/if_utun.h>): its address family, as a number in network byte order.
 *
 *      0                   1                   2                   3
 *     +---------------------------------------------------------------+
 *     |                 address family: AF_INET 2, AF_INET6 30        |
 *     +---------------------------------------------------------------+
 *     |                 the IP packet ...
 */

import { packetVersion } from '../../../ip/packet.ts'

export const FAMILY_HEADER = 4

/** <sys/socket.h> of macOS: not the numbers of other systems. */
const AF_INET = 2
const AF_INET6 = 30

/** Puts header and packet into `into`. Returns how many bytes that are; 0: this is no IP packet, or there is no room for it. */
export function frame(packet: Uint8Array, into: Buffer): number {
  const version = packetVersion(packet)
  if (version === 0 || packet.length + FAMILY_HEADER > into.length) return 0
  into.writeUInt32BE(version === 4 ? AF_INET : AF_INET6, 0)
  into.set(packet, FAMILY_HEADER)
  return packet.length + FAMILY_HEADER
}

/** The packet behind the header, as a view; or why there is none, for a counter. */
export function unframe(bytes: Buffer): Uint8Array | 'truncated' | 'malformed' {
  if (bytes.length <= FAMILY_HEADER) return 'truncated'
  const packet = bytes.subarray(FAMILY_HEADER)
  const expected = { [AF_INET]: 4, [AF_INET6]: 6 }[bytes.readUInt32BE(0)]
  return packetVersion(packet) === expected ? packet : 'malformed'
}
