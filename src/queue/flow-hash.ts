/**
 * Which flow a packet belongs to, as a number: a hash of its addresses, protocol and ports (RFC 8290 §4.1.1).
 *
 * A secret goes into it, so that nobody can choose flows that collide with somebody else's, and wait or make wait with them.
 */

import {
  DESTINATION_OFFSET,
  isFragment,
  packetVersion,
  payloadOffset,
  protocolOf,
  SOURCE_OFFSET,
} from '../ip/packet.ts'
import { IpProtocol } from '../ip/protocol.ts'

/** 32 bits. `secret` has 32, too. Packets that `validatePacket` would refuse are one flow. Allocates nothing. */
export function flowHash(packet: Uint8Array, secret: number): number {
  const version = packetVersion(packet)
  if (version === 0 || packet.length < (version === 4 ? 20 : 40)) return finish(secret)
  let hash = secret
  // Source and destination stand side by side in both versions.
  const end = DESTINATION_OFFSET[version] + (version === 4 ? 4 : 16)
  for (let at = SOURCE_OFFSET[version]; at < end; at += 4) hash = mix(hash, wordAt(packet, at))
  const protocol = protocolOf(packet)
  hash = mix(hash, protocol)
  const ports = payloadOffset(packet)
  // Only the first fragment has ports: all of a packet go without, so that they stay together.
  const hasPorts = (protocol === IpProtocol.TCP || protocol === IpProtocol.UDP) && !isFragment(packet)
  if (hasPorts && ports + 4 <= packet.length) hash = mix(hash, wordAt(packet, ports))
  return finish(hash)
}

function wordAt(bytes: Uint8Array, at: number): number {
  return (bytes[at] << 24) | (bytes[at + 1] << 16) | (bytes[at + 2] << 8) | bytes[at + 3]
}

/** One step of MurmurHash3 (32 bits): every bit of the word reaches about half of the hash's. */
function mix(hash: number, word: number): number {
  let k = Math.imul(word, 0xcc9e2d51)
  k = (k << 15) | (k >>> 17)
  const h = hash ^ Math.imul(k, 0x1b873593)
  return (Math.imul((h << 13) | (h >>> 19), 5) + 0xe6546b64) | 0
}

function finish(hash: number): number {
  let h = hash ^ (hash >>> 16)
  h = Math.imul(h, 0x85ebca6b)
  h = Math.imul(h ^ (h >>> 13), 0xc2b2ae35)
  return (h ^ (h >>> 16)) >>> 0
}
