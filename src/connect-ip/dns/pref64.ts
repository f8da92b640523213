/**
 * The prefixes of a NAT64 that can be reached through the tunnel, draft-ietf-masque-connect-ip-dns-06 §4.1: an IPv6 address made
 * of such a prefix and an IPv4 address (RFC 6052 §2.2) reaches the host with that IPv4 address.
 *
 *   PREF64 Capsule {
 *     Type (i) = 0x274C0FBC,
 *     Length (i),
 *     NAT64 Prefix (104) ...,
 *   }
 *
 *   NAT64 Prefix {
 *     Prefix Length (8),
 *     Prefix (96),
 *   }
 *
 * Each capsule is the full list and supersedes the earlier one; an empty one says that there is no NAT64 (any more). The type is
 * the draft's provisional one: an RFC will have another.
 */

import { Reader } from '../../bytes/reader.ts'
import { Writer } from '../../bytes/writer.ts'
import { IpAddress } from '../../ip/address.ts'
import { IpPrefix } from '../../ip/prefix.ts'
import { DEFAULT_MAX_ENTRIES } from '../address-entry.ts'
import { encodeCapsule } from '../capsule.ts'
import { ConnectIpError, excessiveLoad } from '../errors.ts'

export const PREF64 = 0x274c0fbcn

/** RFC 6052 §2.2: where the IPv4 address stands is only defined for these. */
export const NAT64_PREFIX_LENGTHS: readonly number[] = [32, 40, 48, 56, 64, 96]

/** On the wire a prefix has 96 bits, whatever its length. */
const PREFIX_BYTES = 12
const ENTRY_BYTES = 1 + PREFIX_BYTES

/** The whole capsule, for the stream. Throws RangeError when a receiver would refuse it. */
export function encodePref64(prefixes: readonly IpPrefix[]): Uint8Array {
  const writer = new Writer(prefixes.length * ENTRY_BYTES)
  for (const prefix of prefixes) {
    if (prefix.version !== 6 || !NAT64_PREFIX_LENGTHS.includes(prefix.length)) {
      throw new RangeError(`${prefix} is not a NAT64 prefix; expected IPv6 and a length of ${NAT64_PREFIX_LENGTHS}`)
    }
    writer.u8(prefix.length).bytes(prefix.address.bytes.subarray(0, PREFIX_BYTES))
  }
  return encodeCapsule(PREF64, writer.finish())
}

/** Reads the capsule's value. Bits beyond a prefix's length mean nothing and come out as zero. Throws ConnectIpError. */
export function decodePref64(value: Uint8Array, maxEntries = DEFAULT_MAX_ENTRIES): IpPrefix[] {
  if (value.length % ENTRY_BYTES !== 0) {
    throw new ConnectIpError(`PREF64 of ${value.length} bytes; expected ${ENTRY_BYTES} for each prefix`)
  }
  if (value.length / ENTRY_BYTES > maxEntries) {
    throw excessiveLoad(`PREF64 with more than ${maxEntries} prefixes; send fewer`)
  }
  const reader = new Reader(value)
  const prefixes: IpPrefix[] = []
  while (reader.remaining > 0) {
    const length = reader.u8()
    if (!NAT64_PREFIX_LENGTHS.includes(length)) {
      throw new ConnectIpError(`PREF64 with prefix length ${length}; expected one of ${NAT64_PREFIX_LENGTHS}`)
    }
    const address = new Uint8Array(16)
    address.set(reader.take(PREFIX_BYTES))
    prefixes.push(IpPrefix.containing(IpAddress.from(6, address), length))
  }
  return prefixes
}
