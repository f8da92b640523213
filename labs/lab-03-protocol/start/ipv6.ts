/**
 * Task 8: the chain of IPv6 extension headers, RFC 8200 §4. A route or a scope that names an IP protocol means the upper
 * layer; before it there may be extension headers, each of which names the next (RFC 9484 §4.8).
 *
 *   +---------------+------------------------+----------------------------
 *   |  IPv6 header  | Routing header         | UDP header + data
 *   |  (40 bytes)   |                        |
 *   | Next Header = | Next Header =          |
 *   |  43, Routing  |   17, UDP              |
 *   +---------------+------------------------+----------------------------
 *
 *   0                             6             7             8               24
 *   +-----------------------------+-------------+-------------+---------------+---------------+
 *   | Version, ... Payload Length | Next Header |  Hop Limit  |    Source     |  Destination  |
 *   +-----------------------------+-------------+-------------+---------------+---------------+
 *
 * These numbers are extension headers. Every other number is the upper layer, ESP (50) too: what follows it is encrypted.
 *
 *     0  Hop-by-Hop Options     only directly after the IPv6 header
 *    43  Routing
 *    44  Fragment               always 8 bytes; its second byte is reserved and may hold anything
 *    51  AH                     its length is (second byte + 2) * 4
 *    60  Destination Options
 *   135  Mobility
 *   139  HIP
 *   140  Shim6
 *
 * The first byte of each names what comes next. The second byte is the length, (second byte + 1) * 8, but for 44 and 51.
 *
 *   Fragment header:
 *   +-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+
 *   |  Next Header  |   Reserved    |      Fragment Offset    |Res|M|
 *   +-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+
 *   |                         Identification                        |
 *   +-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+
 *
 * When the Fragment Offset is not 0, the rest of the chain is in another packet: the walk ends there, with what the
 * fragment header names, the offset behind the fragment header, and laterFragment = true.
 */
import { read16 } from './bytes.ts'
import { MalformedError } from './errors.ts'

export interface UpperLayer {
  protocol: number
  /** Where its header begins in the packet. */
  offset: number
  /** This packet is a fragment other than the first: what is at `offset` is data from the middle. */
  laterFragment: boolean
}

/**
 * The upper layer of an IPv6 packet, behind all extension headers.
 *
 * Throws MalformedError when the packet is shorter than the IPv6 header, when it ends inside an extension header, and
 * when Hop-by-Hop Options are anywhere but in the first place.
 */
export function upperLayer(packet: Uint8Array): UpperLayer {
  throw new Error('TODO: upperLayer')
}
