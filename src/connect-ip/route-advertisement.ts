/**
 * The destinations that the sender is willing to forward packets to, RFC 9484 §4.7.3.
 *
 *   ROUTE_ADVERTISEMENT Capsule {
 *     Type (i) = 0x03,
 *     Length (i),
 *     IP Address Range (..) ...,
 *   }
 *
 *   IP Address Range {
 *     IP Version (8),
 *     Start IP Address (32..128),
 *     End IP Address (32..128),
 *     IP Protocol (8),
 *   }
 *
 * Each capsule is the full list and supersedes the earlier one.
 */

import { Reader } from '../bytes/reader.ts'
import { Writer } from '../bytes/writer.ts'
import { AddressRange } from '../ip/range.ts'
import { DEFAULT_MAX_ENTRIES, readAddress, readEntries, readIpVersion } from './address-entry.ts'
import { CapsuleType, encodeCapsule } from './capsule.ts'
import { ConnectIpError } from './errors.ts'

export interface IpAddressRange {
  readonly range: AddressRange
  /** The protocol that may be sent there, 1 to 255; 0: any. ICMP may be sent there in any case. */
  readonly protocol: number
}

/** In an IP Address Range: every protocol is allowed. */
export const ANY_PROTOCOL = 0

/** The whole capsule, for the stream. Throws RangeError when the list breaks a rule that the receiver would abort for. */
export function encodeRouteAdvertisement(routes: readonly IpAddressRange[]): Uint8Array {
  const problem = routeListProblem(routes)
  if (problem) throw new RangeError(`${problem}; normaliseRoutes() makes a list that can be sent`)
  const writer = new Writer(routes.length * 34)
  for (const { range, protocol } of routes) {
    writer.u8(range.version).bytes(range.start.bytes).bytes(range.end.bytes).u8(protocol)
  }
  return encodeCapsule(CapsuleType.ROUTE_ADVERTISEMENT, writer.finish())
}

/** Reads the capsule's value and checks the order of its ranges. Throws ConnectIpError. */
export function decodeRouteAdvertisement(value: Uint8Array, maxEntries = DEFAULT_MAX_ENTRIES): IpAddressRange[] {
  const reader = new Reader(value)
  const routes = readEntries('ROUTE_ADVERTISEMENT', reader, maxEntries, () => {
    const version = readIpVersion(reader)
    const start = readAddress(reader, version)
    // AddressRange refuses a start above the end.
    const range = new AddressRange(start, readAddress(reader, version))
    return { range, protocol: reader.u8() }
  })
  const problem = routeListProblem(routes)
  if (problem) throw new ConnectIpError(problem)
  return routes
}

/** Why a receiver has to abort on this list (RFC 9484 §4.7.3), or undefined when it is fine. */
export function routeListProblem(routes: readonly IpAddressRange[]): string | undefined {
  for (let i = 1; i < routes.length; i++) {
    const before = routes[i - 1]
    const after = routes[i]
    if (compareRoutes(before, after) > 0) {
      return `route ${describeRoute(after)} after ${describeRoute(before)}; expected order by version, protocol, address`
    }
    if (sameKind(before, after) && before.range.end.compare(after.range.start) >= 0) {
      return `routes ${describeRoute(before)} and ${describeRoute(after)} overlap; expected disjoint ranges`
    }
  }
  const overlap = overlapWithAnyProtocol(routes)
  return overlap && `route ${describeRoute(overlap)} overlaps one for any protocol; expected it to be left out`
}

/**
 * The first route that is already covered, in part at least, by a route for any protocol. Checking that is optional for
 * receivers, but never sending it is not, and with the list in order it is cheap. The list must be in order.
 */
function overlapWithAnyProtocol(routes: readonly IpAddressRange[]): IpAddressRange | undefined {
  const wildcards = routes.filter(route => route.protocol === ANY_PROTOCOL)
  return routes.find(route => {
    if (route.protocol === ANY_PROTOCOL) return false
    // Binary search for the first wildcard that does not end before the route: no later one can start earlier.
    let low = 0
    let high = wildcards.length
    while (low < high) {
      const middle = (low + high) >> 1
      if (wildcards[middle].range.end.compare(route.range.start) < 0) low = middle + 1
      else high = middle
    }
    return low < wildcards.length && wildcards[low].range.overlaps(route.range)
  })
}

/** The order that ranges must be sent in: by version, then protocol, then address. */
export function compareRoutes(a: IpAddressRange, b: IpAddressRange): number {
  return a.range.version - b.range.version || a.protocol - b.protocol || a.range.start.compare(b.range.start)
}

/** Same IP version and same protocol: the ranges for which order and overlap are judged together. */
export function sameKind(a: IpAddressRange, b: IpAddressRange): boolean {
  return a.range.version === b.range.version && a.protocol === b.protocol
}

/** "10.89.0.0-10.89.0.255", "10.89.0.1 (protocol 17)". */
export function describeRoute({ range, protocol }: IpAddressRange): string {
  return protocol === ANY_PROTOCOL ? range.toString() : `${range} (protocol ${protocol})`
}
