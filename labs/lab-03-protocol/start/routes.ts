/**
 * Task 4: routes, RFC 9484 §4.7.3. Which packets the sender of the capsule is willing to forward.
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
 * The end belongs to the range. Protocol 0 stands for every protocol.
 *
 * The ranges have to be in order, so that a receiver can check them, and look things up in them, without sorting:
 *
 *   - by IP version, IPv4 first;
 *   - of one version, by IP protocol;
 *   - of one version and protocol, by address; and there each range begins after the one before has ended.
 *
 * And what a range for every protocol contains must not be sent once more for a single one. To notice that is optional: your
 * `decodeRoutes` may refuse it, and need not.
 */
import { MalformedError } from './errors.ts'

export interface Route {
  version: 4 | 6
  /** 4 or 16 bytes, as the end. */
  start: Uint8Array
  end: Uint8Array
  /** 0: any. */
  protocol: number
}

/** Less than 0 when `a` is the lower address, 0 when they are the same, more than 0 when `b` is. Of equal length. */
export function compareAddresses(a: Uint8Array, b: Uint8Array): number {
  throw new Error('TODO: compareAddresses')
}

/** The value of a ROUTE_ADVERTISEMENT. The routes come in any order; in the capsule they are in the right one. */
export function encodeRoutes(routes: readonly Route[]): Uint8Array {
  throw new Error('TODO: encodeRoutes')
}

/**
 * Reads the value of a ROUTE_ADVERTISEMENT. An empty list is allowed.
 *
 * Throws MalformedError when a range is cut short, has another IP version than 4 and 6, or begins after its end; and when
 * the ranges are not in order.
 */
export function decodeRoutes(value: Uint8Array): Route[] {
  throw new Error('TODO: decodeRoutes')
}

/**
 * May a packet of this protocol be sent to this destination (4 or 16 bytes)? It may when a range of its IP version
 * contains the destination, with this protocol or for any. ICMP (protocol 1 in IPv4, 58 in IPv6) may be sent
 * to every range, whatever its protocol (RFC 9484 §4.7.3).
 */
export function mayForward(routes: readonly Route[], destination: Uint8Array, protocol: number): boolean {
  throw new Error('TODO: mayForward')
}
