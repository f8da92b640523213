import { DecodeError } from '../bytes/errors.ts'
import type { IpAddress } from '../ip/address.ts'
import { icmpv6EchoReplyTo } from '../ip/icmpv6.ts'
import { IPV6_SOURCE_OFFSET } from '../ip/ipv6.ts'
import { isLinkLocalUnicast, staysOnLink } from './link-scope.ts'

/**
 * The reply to an ICMPv6 echo request that was sent to everybody on the link, from `source`; undefined when the packet is
 * something else, is damaged, or comes from an address that cannot be answered.
 *
 * RFC 9484 §7.2: an endpoint that knows no address of its peer pings ff02::1 with 1232 bytes of data to find out whether the
 * tunnel carries the 1280 bytes that IPv6 requires.
 */
export function answerLinkLocalEcho(packet: Uint8Array, source: IpAddress): Uint8Array | undefined {
  const at = IPV6_SOURCE_OFFSET
  if (staysOnLink(6, packet, at) && !isLinkLocalUnicast(6, packet, at)) return undefined
  try {
    return icmpv6EchoReplyTo(packet, source)
  } catch (error) {
    if (error instanceof DecodeError) return undefined
    throw error
  }
}
