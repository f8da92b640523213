/**
 * IPv6 link-local addresses for a QUIC library that knows no zones.
 *
 * The same link-local address may be on several links, so the system says which one it means: `fe80::1%eth0` (RFC 4007 §11).
 * quiche takes addresses without a zone only, and tells network paths apart by them. So the zone goes, as a number, where a
 * link-local address has nothing but zeros (RFC 4291 §2.5.6), as the kernels of the BSDs do it inside:
 *
 *   |   10     |         54 bits          |          64 bits           |
 *   +----------+--------------------------+----------------------------+
 *   |1111111010|      0, zone, 0          |       interface ID         |
 *   +----------+--------------------------+----------------------------+
 */

import { IpAddress } from '../../ip/address.ts'

export class Zones {
  /** A zone's number is its place in here, counted from 1. There are as many as this machine has interfaces. */
  readonly #names: string[] = []

  /** What quiche is told. undefined: there is something where a link-local address has zeros, so that it is nobody's. */
  embed(host: string): string | undefined {
    const end = host.indexOf('%')
    if (end < 0) return host
    const { bytes } = IpAddress.parse(host.slice(0, end))
    if (bytes[0] !== 0xfe || bytes[1] !== 0x80 || bytes.subarray(2, 8).some(byte => byte !== 0)) return undefined
    const zone = host.slice(end + 1)
    if (!this.#names.includes(zone)) this.#names.push(zone)
    return withZone(bytes, this.#names.indexOf(zone) + 1)
  }

  /** What the system is told: the reverse of `embed`. */
  restore(host: string): string {
    if (!host.startsWith('fe80:')) return host
    const { bytes } = IpAddress.parse(host)
    const zone = this.#names[(bytes[2] << 8) + bytes[3] - 1]
    return zone === undefined ? host : `${withZone(bytes, 0)}%${zone}`
  }
}

function withZone(bytes: Uint8Array, number: number): string {
  const changed = Uint8Array.from(bytes)
  changed[2] = number >> 8
  changed[3] = number
  return String(IpAddress.from(6, changed))
}
