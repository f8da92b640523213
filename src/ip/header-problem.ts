/**
 * What keeps the destination of an IPv6 packet from reading it: extension headers and options that it does not know and may
 * not skip (RFC 8200 §4). Routers are not asked: they look at Hop-by-Hop Options only where they are configured to
 * (§4.3), and at the other headers never.
 */

import { Icmpv6ParameterProblem } from './icmpv6.ts'
import { IPV6_HEADER_LENGTH, IPV6_NEXT_HEADER_OFFSET, ipv6NextHeader } from './ipv6.ts'
import { IpProtocol } from './protocol.ts'

export interface HeaderProblem {
  /** Code of the ICMPv6 Parameter Problem that is due; undefined: the packet is dropped silently. */
  readonly code: number | undefined
  /** The offset of the byte that is the problem, in bytes from the packet's start. */
  readonly pointer: number
  /** The error is also due for a packet that was sent to a multicast address. */
  readonly evenToMulticast: boolean
}

/**
 * The first problem in a valid packet whose chain of extension headers is in order, or undefined. `known` are the upper-layer protocols that the destination has a use for.
 * In a fragment everything behind the Fragment header has to wait for reassembly.
 */
export function ipv6HeaderProblem(packet: Uint8Array, known: readonly number[]): HeaderProblem | undefined {
  let nextHeader = ipv6NextHeader(packet)
  let namedAt = IPV6_NEXT_HEADER_OFFSET
  let offset = IPV6_HEADER_LENGTH
  for (;;) {
    switch (nextHeader) {
      case IpProtocol.HOPOPT:
      case IpProtocol.IPV6_OPTS: {
        const problem = optionProblem(packet, offset)
        if (problem !== undefined) return problem
        break
      }
      case IpProtocol.IPV6_ROUTE:
        // §4.4, and RFC 5095 §3 for type 0: no routing type is known here. At its last stop the header is ignored.
        if (packet[offset + 3] > 0) return problemAt(offset + 2, Icmpv6ParameterProblem.HEADER_FIELD)
        break
      case IpProtocol.IPV6_FRAG:
        if (packet[offset + 2] !== 0 || (packet[offset + 3] & 0xf9) !== 0) return undefined
        break
      case IpProtocol.IPV6_NONXT:
        return undefined
      default:
        return known.includes(nextHeader) ? undefined : problemAt(namedAt, Icmpv6ParameterProblem.NEXT_HEADER)
    }
    namedAt = offset
    const length = nextHeader === IpProtocol.IPV6_FRAG ? 8 : (packet[offset + 1] + 1) * 8
    nextHeader = packet[offset]
    offset += length
  }
}

const PAD1 = 0
const PADN = 1

/**
 * The options of a Hop-by-Hop or Destination Options header, §4.2:
 *
 *   +-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+- - - - - - - - -
 *   |  Option Type  |  Opt Data Len |  Option Data
 *   +-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+- - - - - - - - -
 *
 * What a node does with a type that it does not know, here all but the paddings, is in the type's two highest bits:
 *
 *   00   skip the option
 *   01   discard the packet
 *   10   discard the packet and send a Parameter Problem, code 2
 *   11   the same, unless the packet was sent to a multicast address
 */
function optionProblem(packet: Uint8Array, header: number): HeaderProblem | undefined {
  const end = header + (packet[header + 1] + 1) * 8
  for (let at = header + 2; at < end; ) {
    const type = packet[at]
    if (type === PAD1) {
      at++
      continue
    }
    // An option without its length, or longer than the header.
    if (at + 1 >= end) return problemAt(at, Icmpv6ParameterProblem.HEADER_FIELD)
    const next = at + 2 + packet[at + 1]
    if (next > end) return problemAt(at + 1, Icmpv6ParameterProblem.HEADER_FIELD)
    if (type !== PADN && type >> 6 !== 0) {
      const action = type >> 6
      const code = action === 1 ? undefined : Icmpv6ParameterProblem.OPTION
      return { code, pointer: at, evenToMulticast: action === 2 }
    }
    at = next
  }
  return undefined
}

function problemAt(pointer: number, code: number): HeaderProblem {
  return { code, pointer, evenToMulticast: false }
}
