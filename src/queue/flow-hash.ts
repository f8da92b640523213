/**
 * Which flow a packet belongs to, as a number: a hash of its addresses, protocol and ports (RFC 8290 §4.1.1).
 *
 *   hash = (s₁₉ + Σ sᵢ·wᵢ) mod (2³¹ − 1)     wᵢ: the flow's words of 16 bits     sᵢ: random numbers, which are the secret
 *
 * This is a universal hash (Carter and Wegman, 1979): two different flows, however somebody has chosen them, have the same hash for 1 in 2³¹ secrets, and
 * share one of 1024 queues for 1 in 1024. Of a hash that only begins with a secret that is not true: MurmurHash3 has addresses that
 * collide whatever the secret is.
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

/** A prime, so that of two flows that differ in a word the hashes differ by any number just as often. */
export const FLOW_PRIME = 2 ** 31 - 1

/** Words of a flow: 16 of its addresses (4 with IPv4), what kind it is, 2 of ports. */
const KIND = 16
const PORTS = 17
const SECRET_WORDS = 20

/** Numbers below FLOW_PRIME, one for each word and one more. */
export type FlowSecret = Float64Array

/** `random`: whole numbers from 0 to FLOW_PRIME - 1, each as likely as the others. */
export function newFlowSecret(random: () => number): FlowSecret {
  return Float64Array.from({ length: SECRET_WORDS }, random)
}

/** 31 bits. Packets that `validatePacket` would refuse are one flow. Allocates nothing. */
export function flowHash(packet: Uint8Array, secret: FlowSecret): number {
  const version = packetVersion(packet)
  // 16 bits times 31, and 20 of them: less than 2^53, so that all is exact.
  let sum = secret[SECRET_WORDS - 1]
  if (version === 0 || packet.length < (version === 4 ? 20 : 40)) return sum
  // Source and destination stand side by side in both versions.
  const start = SOURCE_OFFSET[version]
  const words = (DESTINATION_OFFSET[version] - start + (version === 4 ? 4 : 16)) / 2
  for (let i = 0; i < words; i++) sum += secret[i] * wordAt(packet, start + 2 * i)
  const protocol = protocolOf(packet)
  const ports = payloadOffset(packet)
  // Only the first fragment has ports: all of a packet go without, so that they stay together.
  const hasPorts =
    (protocol === IpProtocol.TCP || protocol === IpProtocol.UDP) && ports + 4 <= packet.length && !isFragment(packet)
  if (hasPorts) sum += secret[PORTS] * wordAt(packet, ports) + secret[PORTS + 1] * wordAt(packet, ports + 2)
  // No two flows have all words in common: what stands for nothing in one is not a zero of the other.
  const kind = (protocol & 0x1ff) | (version << 9) | (hasPorts ? 1 << 12 : 0)
  return modPrime(sum + secret[KIND] * kind)
}

function wordAt(bytes: Uint8Array, at: number): number {
  return (bytes[at] << 8) | bytes[at + 1]
}

/** Below 2^53. As 2^31 leaves 1, the upper bits count as much as the lower ones. */
function modPrime(sum: number): number {
  const upper = Math.floor(sum / 2 ** 31)
  const rest = upper + (sum - upper * 2 ** 31)
  return rest < FLOW_PRIME ? rest : rest - FLOW_PRIME
}
