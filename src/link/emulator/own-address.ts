import { isIPv6 } from 'node:net'
import { networkInterfaces } from 'node:os'
import { IpAddress } from '../../ip/address.ts'
import type { SocketAddress } from '../../net/udp.ts'

/**
 * Whether what is sent to `to` comes back to the socket at `own`: then a datagram would go round for ever. `own` is where a
 * socket is bound, 0.0.0.0 and :: included; both hosts are IP addresses. `mine`: the addresses of this machine.
 */
export function reachesItself(
  own: SocketAddress,
  to: SocketAddress,
  mine: readonly string[] = ownAddresses(),
): boolean {
  if (own.port !== to.port) return false
  const here = plain(own.host)
  const there = plain(to.host)
  // Sent to the unspecified address, a datagram goes to this machine's loopback address (Linux, macOS).
  const targets = isUnspecified(there) ? ['127.0.0.1', '::1'] : [there]
  return targets.some(target => {
    if (here === target) return true
    // A socket on :: also takes IPv4; one on 0.0.0.0 takes nothing else.
    if (!isUnspecified(here) || (here === '0.0.0.0' && isIPv6(target))) return false
    return target.startsWith('127.') || target === '::1' || mine.some(address => plain(address) === target)
  })
}

function ownAddresses(): string[] {
  return Object.values(networkInterfaces()).flatMap(addresses => (addresses ?? []).map(({ address }) => address))
}

/** One text for one address: no zone, and an IPv4 address that is mapped into IPv6 (RFC 4291 §2.5.5.2) as itself. */
function plain(host: string): string {
  const address = IpAddress.parse(host.replace(/%.*$/, ''))
  const mapped = address.version === 6 && address.bytes.subarray(0, 12).every((byte, i) => byte === (i < 10 ? 0 : 0xff))
  return String(mapped ? IpAddress.from(4, address.bytes.subarray(12)) : address)
}

function isUnspecified(host: string): boolean {
  return host === '0.0.0.0' || host === '::'
}
