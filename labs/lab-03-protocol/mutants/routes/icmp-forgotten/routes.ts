// mutant: ICMP needs a route for its protocol; expect: ICMP may be sent to every advertised range
/**
 * Task 4: routes, RFC 9484 §4.7.3. Which packets the sender of the capsule is willing to forward.
 *
 *   IP Address Range {
 *     IP Version (8),
 *     Start IP Address (32..128),
 *     End IP Address (32..128),
 *     IP Protocol (8),
 *   }
 */
import { concat } from './bytes.ts'
import { MalformedError } from './errors.ts'

export interface Route {
  version: 4 | 6
  /** 4 or 16 bytes, as the end. */
  start: Uint8Array
  end: Uint8Array
  /** 0: any. */
  protocol: number
}

const ANY_PROTOCOL = 0

/** Less than 0 when `a` is the lower address, 0 when they are the same, more than 0 when `b` is. Of equal length. */
export function compareAddresses(a: Uint8Array, b: Uint8Array): number {
  for (let i = 0; i < a.length; i++) {
    if (a[i] !== b[i]) return a[i] - b[i]
  }
  return 0
}

/** The order in a capsule: by version, then protocol, then address. */
function compareRoutes(a: Route, b: Route): number {
  return a.version - b.version || a.protocol - b.protocol || compareAddresses(a.start, b.start)
}

/** The value of a ROUTE_ADVERTISEMENT. The routes come in any order; in the capsule they are in the right one. */
export function encodeRoutes(routes: readonly Route[]): Uint8Array {
  const sorted = [...routes].sort(compareRoutes)
  return concat(
    ...sorted.map(({ version, start, end, protocol }) =>
      concat(Uint8Array.of(version), start, end, Uint8Array.of(protocol)),
    ),
  )
}

/** Reads the value of a ROUTE_ADVERTISEMENT. Throws MalformedError. */
export function decodeRoutes(value: Uint8Array): Route[] {
  const routes: Route[] = []
  let at = 0
  while (at < value.length) {
    const version = value[at]
    if (version !== 4 && version !== 6) throw new MalformedError(`IP version ${version}`)
    const size = version === 4 ? 4 : 16
    const protocolAt = at + 1 + 2 * size
    if (protocolAt >= value.length) throw new MalformedError('the capsule ends inside a range')
    const start = value.slice(at + 1, at + 1 + size)
    const end = value.slice(at + 1 + size, protocolAt)
    if (compareAddresses(start, end) > 0) throw new MalformedError('a range begins after its end')
    routes.push({ version, start, end, protocol: value[protocolAt] })
    at = protocolAt + 1
  }
  for (let i = 1; i < routes.length; i++) checkOrder(routes[i - 1], routes[i])
  return routes
}

function checkOrder(before: Route, after: Route): void {
  if (compareRoutes(before, after) > 0) throw new MalformedError('the ranges are not in order')
  const sameKind = before.version === after.version && before.protocol === after.protocol
  if (sameKind && compareAddresses(before.end, after.start) >= 0) throw new MalformedError('two ranges overlap')
}

/** May a packet of this protocol be sent to this destination (4 or 16 bytes)? */
export function mayForward(routes: readonly Route[], destination: Uint8Array, protocol: number): boolean {
  const version = destination.length === 4 ? 4 : 6
  return routes.some(route => {
    if (route.version !== version) return false
    if (compareAddresses(route.start, destination) > 0 || compareAddresses(destination, route.end) > 0) return false
    return route.protocol === ANY_PROTOCOL || route.protocol === protocol
  })
}
