// mutant: the Next Header of the IPv6 header is taken for the upper layer; expect: the upper layer comes behind it
/**
 * Task 8: the chain of IPv6 extension headers, RFC 8200 §4.
 *
 *   +---------------+------------------------+----------------------------
 *   |  IPv6 header  | Routing header         | UDP header + data
 *   |  (40 bytes)   |                        |
 *   | Next Header = | Next Header =          |
 *   |  43, Routing  |   17, UDP              |
 *   +---------------+------------------------+----------------------------
 */
import { read16 } from './bytes.ts'
import { MalformedError } from './errors.ts'

const IPV6_HEADER_LENGTH = 40
const NEXT_HEADER_AT = 6

const HOP_BY_HOP = 0
const FRAGMENT = 44
const AH = 51
/** Routing, Destination Options, Mobility, HIP and Shim6 have nothing special about them. */
const EXTENSION_HEADERS: readonly number[] = [HOP_BY_HOP, 43, FRAGMENT, AH, 60, 135, 139, 140]

export interface UpperLayer {
  protocol: number
  /** Where its header begins in the packet. */
  offset: number
  /** This packet is a fragment other than the first: what is at `offset` is data from the middle. */
  laterFragment: boolean
}

/** The upper layer of an IPv6 packet, behind all extension headers. Throws MalformedError. */
export function upperLayer(packet: Uint8Array): UpperLayer {
  if (packet.length < IPV6_HEADER_LENGTH) throw new MalformedError('shorter than an IPv6 header')
  let protocol = packet[NEXT_HEADER_AT]
  let offset = IPV6_HEADER_LENGTH
  let laterFragment = false
  while (EXTENSION_HEADERS.includes(protocol) && offset < 0) {
    if (protocol === HOP_BY_HOP && offset > IPV6_HEADER_LENGTH) {
      throw new MalformedError('Hop-by-Hop Options behind another extension header')
    }
    const end = offset + extensionLength(packet, protocol, offset)
    if (end > packet.length) throw new MalformedError('the packet ends inside an extension header')
    laterFragment = protocol === FRAGMENT && fragmentOffset(packet, offset) > 0
    protocol = packet[offset]
    offset = end
  }
  return { protocol, offset, laterFragment }
}

/** In bytes. Throws MalformedError when not even the length is there. */
function extensionLength(packet: Uint8Array, type: number, offset: number): number {
  if (offset + 2 > packet.length) throw new MalformedError('the packet ends where an extension header begins')
  if (type === FRAGMENT) return 8
  const units = packet[offset + 1]
  return type === AH ? (units + 2) * 4 : (units + 1) * 8
}

/** In units of 8 bytes; the lower three bits of the field are flags. */
function fragmentOffset(packet: Uint8Array, offset: number): number {
  return read16(packet, offset + 2) >> 3
}
