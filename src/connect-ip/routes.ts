/** From routes as people write them to a list that may be sent as a ROUTE_ADVERTISEMENT (RFC 9484 §4.7.3). */

import { IpAddress } from '../ip/address.ts'
import type { IpPrefix } from '../ip/prefix.ts'
import { AddressRange } from '../ip/range.ts'
import { ANY_PROTOCOL, compareRoutes, type IpAddressRange, sameKind } from './route-advertisement.ts'
import { type Scope, scopeRanges } from './scope.ts'

/**
 * The same reachability in a form that the receiver must accept: in order, overlapping and adjacent ranges merged, and
 * what a route for any protocol already covers removed from the routes for one protocol.
 */
export function normaliseRoutes(routes: readonly IpAddressRange[]): IpAddressRange[] {
  const merged = mergeRoutes(routes)
  const wildcards = merged.filter(route => route.protocol === ANY_PROTOCOL)
  return merged.flatMap(route =>
    route.protocol === ANY_PROTOCOL
      ? [route]
      : subtract(route.range, wildcards).map(range => ({ range, protocol: route.protocol })),
  )
}

/** Configured routes in the form in which they are advertised. */
export function policyRoutes(routes: readonly { prefix: IpPrefix; protocol: number }[]): IpAddressRange[] {
  return normaliseRoutes(routes.map(({ prefix, protocol }) => ({ range: prefix.toRange(), protocol })))
}

/**
 * The routes of the proxy's policy that lie inside a request's scope: what is advertised on that tunnel.
 *
 * `resolved` are the addresses of a scope that names a host; looking them up is the caller's, as it needs the network.
 * They are ignored for other scopes. The caller also leaves out the routes of an IP version in which it assigned no address.
 *
 * There are never more of them than policy routes, except with a name: each of its addresses has an entry for each protocol.
 */
export function scopeRoutes(
  scope: Scope,
  resolved: readonly IpAddress[],
  policyRoutes: readonly IpAddressRange[],
): IpAddressRange[] {
  const targets = scopeRanges(scope, resolved)
  const routes: IpAddressRange[] = []
  for (const route of policyRoutes) {
    const protocol = commonProtocol(route.protocol, scope.protocol)
    if (protocol === undefined) continue
    if (!targets) {
      routes.push({ range: route.range, protocol })
      continue
    }
    for (const target of targets) {
      const range = route.range.intersect(target)
      if (range) routes.push({ range, protocol })
    }
  }
  return normaliseRoutes(routes)
}

/** The protocol that both a route and a scope allow, or undefined when there is none. */
function commonProtocol(ofRoute: number, ofScope: number | undefined): number | undefined {
  if (ofScope === undefined || ofScope === ofRoute) return ofRoute
  return ofRoute === ANY_PROTOCOL ? ofScope : undefined
}

/** In order, and ranges of one kind that overlap or touch made one. */
function mergeRoutes(routes: readonly IpAddressRange[]): IpAddressRange[] {
  const merged: IpAddressRange[] = []
  for (const route of [...routes].sort(compareRoutes)) {
    const last = merged.at(-1)
    if (last && sameKind(last, route) && touches(last.range, route.range)) {
      const end = last.range.end.compare(route.range.end) >= 0 ? last.range.end : route.range.end
      merged[merged.length - 1] = { range: new AddressRange(last.range.start, end), protocol: route.protocol }
    } else {
      merged.push(route)
    }
  }
  return merged
}

/** Does `b`, which does not start before `a`, start inside `a` or directly after it? */
function touches(a: AddressRange, b: AddressRange): boolean {
  return b.start.toBigInt() <= a.end.toBigInt() + 1n
}

/** What remains of `range` without the routes, which are in ascending order and disjoint. */
function subtract(range: AddressRange, routes: readonly IpAddressRange[]): AddressRange[] {
  const remaining: AddressRange[] = []
  const last = range.end.toBigInt()
  let next = range.start.toBigInt()
  for (const route of routes) {
    if (!route.range.overlaps(range)) continue
    const start = route.range.start.toBigInt()
    if (start > next) remaining.push(rangeOf(range, next, start - 1n))
    next = route.range.end.toBigInt() + 1n
  }
  if (next <= last) remaining.push(rangeOf(range, next, last))
  return remaining
}

function rangeOf(like: AddressRange, start: bigint, end: bigint): AddressRange {
  return new AddressRange(IpAddress.fromBigInt(like.version, start), IpAddress.fromBigInt(like.version, end))
}
