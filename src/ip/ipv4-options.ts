/**
 * Options of an IPv4 header, RFC 791 §3.1. Each is a type, and mostly a length that counts both of these bytes:
 *
 *   +--------+--------+---//---+
 *   |  Type  | Length |  Data  |
 *   +--------+--------+---//---+
 *
 * End of Option List (0) and No Operation (1) are the type alone. The type's highest bit says that the option is copied into
 * all fragments. Of all options only source routes matter here:
 *
 *   +--------+--------+---------+------//------+
 *   |131, 137| Length | Pointer |  Route data  |
 *   +--------+--------+---------+------//------+
 *
 * The pointer, from 4 on, is to the next address of the route; beyond the length, the route has been travelled.
 */

import { IPV4_HEADER_LENGTH, ipv4HeaderLength } from './ipv4.ts'

const Ipv4Option = { END: 0, NOP: 1, LOOSE_SOURCE_ROUTE: 131, STRICT_SOURCE_ROUTE: 137 } as const

const COPIED_FLAG = 0x80

/**
 *   malformed      an option does not fit the header; `pointer` is the offset in the packet of the byte that says so
 *   source-route   the sender chose the packet's way; `travelled`: to its end
 */
export type Ipv4OptionsFinding =
  | { readonly kind: 'malformed'; readonly pointer: number }
  | { readonly kind: 'source-route'; readonly travelled: boolean }

/** What is remarkable about the options of a valid packet; undefined: nothing, or there are none. */
export function inspectIpv4Options(packet: Uint8Array): Ipv4OptionsFinding | undefined {
  const end = ipv4HeaderLength(packet)
  let finding: Ipv4OptionsFinding | undefined
  for (let at = IPV4_HEADER_LENGTH; at < end && packet[at] !== Ipv4Option.END; ) {
    const type = packet[at]
    const length = optionLength(packet, at, end)
    if (length === 0) return { kind: 'malformed', pointer: Math.min(at + 1, end - 1) }
    if (type === Ipv4Option.LOOSE_SOURCE_ROUTE || type === Ipv4Option.STRICT_SOURCE_ROUTE) {
      if (length < 3 || packet[at + 2] < 4) return { kind: 'malformed', pointer: Math.min(at + 2, end - 1) }
      finding = { kind: 'source-route', travelled: packet[at + 2] > length }
    }
    at += length
  }
  return finding
}

/** The options that belong into every fragment, padded to whole 32-bit words; the packet's options are well-formed. */
export function copiedIpv4Options(packet: Uint8Array): Uint8Array {
  const end = ipv4HeaderLength(packet)
  const copied: number[] = []
  for (let at = IPV4_HEADER_LENGTH; at < end && packet[at] !== Ipv4Option.END; ) {
    const length = optionLength(packet, at, end)
    if ((packet[at] & COPIED_FLAG) !== 0) copied.push(...packet.subarray(at, at + length))
    at += length
  }
  while (copied.length % 4 !== 0) copied.push(Ipv4Option.END)
  return Uint8Array.from(copied)
}

/** In bytes; 0 when the option does not fit before `end`. */
function optionLength(packet: Uint8Array, at: number, end: number): number {
  if (packet[at] === Ipv4Option.NOP) return 1
  if (at + 1 >= end) return 0
  const length = packet[at + 1]
  return length >= 2 && at + length <= end ? length : 0
}
