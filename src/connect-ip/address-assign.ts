/**
 * The addresses that the receiver may use as source addresses, RFC 9484 §4.7.1.
 *
 *   ADDRESS_ASSIGN Capsule {
 *     Type (i) = 0x01,
 *     Length (i),
 *     Assigned Address (..) ...,
 *   }
 *
 * Each capsule is the full list: an address that was in an earlier one and is not in this one has been taken away.
 */

import { addressLength, IpAddress, type IpVersion } from '../ip/address.ts'
import { IpPrefix } from '../ip/prefix.ts'
import { DEFAULT_MAX_ENTRIES, decodeAddressEntries, encodeAddressEntries } from './address-entry.ts'
import { CapsuleType, encodeCapsule } from './capsule.ts'

export interface AssignedAddress {
  /** The Request ID of the request that this answers; 0 when nobody asked. */
  readonly requestId: bigint
  readonly prefix: IpPrefix
}

/** The whole capsule, for the stream. */
export function encodeAddressAssign(addresses: readonly AssignedAddress[]): Uint8Array {
  return encodeCapsule(CapsuleType.ADDRESS_ASSIGN, encodeAddressEntries(addresses))
}

/** Reads the capsule's value. Throws ConnectIpError. */
export function decodeAddressAssign(value: Uint8Array, maxEntries = DEFAULT_MAX_ENTRIES): AssignedAddress[] {
  return decodeAddressEntries('ADDRESS_ASSIGN', value, maxEntries)
}

const REFUSED_V4 = IpPrefix.single(IpAddress.unspecified(4))
const REFUSED_V6 = IpPrefix.single(IpAddress.unspecified(6))

/** The answer "no address for this request": 0.0.0.0/32 or ::/128 (RFC 9484 §4.7.2). */
export function refusal(requestId: bigint, version: IpVersion): AssignedAddress {
  return { requestId, prefix: version === 4 ? REFUSED_V4 : REFUSED_V6 }
}

/**
 * Does the entry say that no address was assigned? Also without a request id it does: nobody can
 * send from the unspecified address.
 */
export function isRefusal({ prefix }: AssignedAddress): boolean {
  return prefix.length === addressLength(prefix.version) * 8 && prefix.address.isUnspecified
}
