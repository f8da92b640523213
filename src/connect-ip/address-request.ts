/**
 * Asking the peer for addresses, RFC 9484 §4.7.2.
 *
 *   ADDRESS_REQUEST Capsule {
 *     Type (i) = 0x02,
 *     Length (i),
 *     Requested Address (..) ...,
 *   }
 *
 * An all-zero address means "any will do"; its prefix length then still says how large a prefix is wanted.
 */

import type { IpPrefix } from '../ip/prefix.ts'
import { DEFAULT_MAX_ENTRIES, decodeAddressEntries, encodeAddressEntries } from './address-entry.ts'
import { CapsuleType, encodeCapsule } from './capsule.ts'
import { ConnectIpError } from './errors.ts'

export interface RequestedAddress {
  /** Chosen by the asking side: never 0, never used twice on a tunnel. */
  readonly requestId: bigint
  readonly prefix: IpPrefix
}

/** The whole capsule, for the stream. Throws RangeError when there is nothing to ask for: the peer would have to abort. */
export function encodeAddressRequest(requests: readonly RequestedAddress[]): Uint8Array {
  if (requests.length === 0) throw new RangeError('an ADDRESS_REQUEST needs at least one requested address')
  return encodeCapsule(CapsuleType.ADDRESS_REQUEST, encodeAddressEntries(requests))
}

/**
 * Reads the capsule's value. Throws ConnectIpError also when it is empty, has a Request ID of 0, or the same one twice.
 * That no id is used again in a later capsule is for the session to check.
 */
export function decodeAddressRequest(value: Uint8Array, maxEntries = DEFAULT_MAX_ENTRIES): RequestedAddress[] {
  const requests = decodeAddressEntries('ADDRESS_REQUEST', value, maxEntries)
  if (requests.length === 0)
    throw new ConnectIpError('ADDRESS_REQUEST without a requested address; expected one or more')
  const ids = new Set<bigint>()
  for (const { requestId } of requests) {
    if (requestId === 0n) throw new ConnectIpError('ADDRESS_REQUEST with Request ID 0; expected any other number')
    if (ids.has(requestId)) throw new ConnectIpError(`ADDRESS_REQUEST with Request ID ${requestId} twice`)
    ids.add(requestId)
  }
  return requests
}
