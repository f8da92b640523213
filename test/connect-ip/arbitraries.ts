/** Random values for property tests. */

import fc from 'fast-check'
import { addressLength, IpAddress, type IpVersion } from '../../src/ip/address.ts'
import { IpPrefix } from '../../src/ip/prefix.ts'
import { AddressRange } from '../../src/ip/range.ts'

export const version = fc.constantFrom<IpVersion>(4, 6)

export const bytes = fc.uint8Array({ maxLength: 200 })

export const requestId = fc.bigInt({ min: 1n, max: (1n << 62n) - 1n })

export function addressOf(ipVersion: IpVersion) {
  const length = addressLength(ipVersion)
  return fc
    .uint8Array({ minLength: length, maxLength: length })
    .map(addressBytes => IpAddress.from(ipVersion, addressBytes))
}

/** Few different addresses, so that ranges often touch and overlap. */
export function closeAddressOf(ipVersion: IpVersion) {
  const base = ipVersion === 4 ? 0x0a000000n : 0x20010db8n << 96n
  return fc.integer({ min: 0, max: 40 }).map(n => IpAddress.fromBigInt(ipVersion, base + BigInt(n)))
}

export const prefix = version.chain(ipVersion =>
  fc
    .tuple(addressOf(ipVersion), fc.integer({ min: 0, max: addressLength(ipVersion) * 8 }))
    .map(([address, length]) => IpPrefix.containing(address, length)),
)

export const entry = fc.record({ requestId, prefix })

export function rangeOf(ipVersion: IpVersion, address = closeAddressOf) {
  return fc
    .tuple(address(ipVersion), address(ipVersion))
    .map(([a, b]) => (a.compare(b) <= 0 ? new AddressRange(a, b) : new AddressRange(b, a)))
}

/** Routes in any order, overlapping as they come. */
export const unorderedRoutes = fc.array(
  fc.record({ range: version.chain(v => rangeOf(v)), protocol: fc.constantFrom(0, 6, 17) }),
  { maxLength: 12 },
)
