import { compareBytes, IpAddress, type IpVersion } from '../ip/address.ts'

/**
 * Does the address at bytes[offset…] mean something on one link or one host only? RFC 9484 §7.2: such packets are not
 * forwarded beyond the tunnel. That is link-local and multicast addresses, and those that may not be on any link at all:
 * the unspecified address, loopback, "this network" (0.0.0.0/8) and 255.255.255.255 (RFC 1812 §5.3.7, RFC 4291 §2.5).
 * A route for all addresses, 0.0.0.0/0, contains them; nobody who advertises it means his own loopback interface.
 *
 * For addresses inside packets: allocates nothing.
 */
export function staysOnLink(version: IpVersion, bytes: Uint8Array, offset: number): boolean {
  const first = bytes[offset]
  if (version === 6) {
    if (first === 0) return isUnspecifiedOrLoopback(bytes, offset)
    return first === 0xff || (first === 0xfe && (bytes[offset + 1] & 0xc0) === 0x80)
  }
  if (first === 169) return bytes[offset + 1] === 254
  return first === 0 || first === 127 || (first >= 224 && (first < 240 || isBroadcast(bytes, offset)))
}

/** fe80::/10, 169.254.0.0/16. */
export function isLinkLocalUnicast(version: IpVersion, bytes: Uint8Array, offset: number): boolean {
  if (version === 4) return bytes[offset] === 169 && bytes[offset + 1] === 254
  return bytes[offset] === 0xfe && (bytes[offset + 1] & 0xc0) === 0x80
}

/**
 * Is an ICMP message of this type for the systems on one link, whatever its addresses are? Neighbor Discovery (RFC 4861), with which a router sets
 * routes, addresses and MTUs of a host; listeners of multicast (RFC 2710, RFC 3810); IPv4's redirects (RFC 792) and its router discovery (RFC 1256).
 * In a tunnel, capsules say all that. An operating system that took such a message from its peer would let that peer change its routes.
 */
export function isLinkMessage(version: IpVersion, type: number): boolean {
  if (version === 4) return type === REDIRECT || type === ROUTER_ADVERTISEMENT || type === ROUTER_SOLICITATION
  return (type >= FIRST_OF_LISTENERS && type <= LAST_OF_NEIGHBORS) || type === LISTENER_REPORT_V2
}

const REDIRECT = 5
const ROUTER_ADVERTISEMENT = 9
const ROUTER_SOLICITATION = 10
/** 130 to 132: listeners; 133 to 137: router solicitation and advertisement, neighbor solicitation and advertisement, redirect. */
const FIRST_OF_LISTENERS = 130
const LAST_OF_NEIGHBORS = 137
const LISTENER_REPORT_V2 = 143

/** All nodes on this link (RFC 4291 §2.7.1): who is at the other end of the tunnel, whatever the address. */
export const ALL_NODES = IpAddress.parse('ff02::1')
/** All routers on this link: at the other end of the tunnel, the proxy. */
export const ALL_ROUTERS = IpAddress.parse('ff02::2')

/** Is `address`, an IPv6 one, at bytes[offset…]? */
export function isAddressAt(address: IpAddress, bytes: Uint8Array, offset: number): boolean {
  return compareBytes(address.bytes, 0, bytes, offset, address.bytes.length) === 0
}

function isUnspecifiedOrLoopback(bytes: Uint8Array, offset: number): boolean {
  for (let i = 0; i < 15; i++) if (bytes[offset + i] !== 0) return false
  return bytes[offset + 15] <= 1
}

function isBroadcast(bytes: Uint8Array, offset: number): boolean {
  for (let i = 0; i < 4; i++) if (bytes[offset + i] !== 255) return false
  return true
}

/**
 * Why nothing is sent to this address through a tunnel (RFC 9484 §7.2), as the end of a sentence; undefined: something may be. Pings to all
 * nodes and to all routers may: they are answered at the other end.
 */
export function whyUnreachable(address: IpAddress): string | undefined {
  if (!staysOnLink(address.version, address.bytes, 0)) return undefined
  if (address.equals(ALL_NODES) || address.equals(ALL_ROUTERS)) return undefined
  if (address.isUnspecified) return 'the unspecified address is nobody’s (RFC 4291 §2.5.2)'
  if (address.isLoopback) return 'a loopback address is of this host alone (RFC 4291 §2.5.3)'
  if (address.isMulticast) return 'multicast packets are not forwarded through a tunnel (RFC 9484 §7.2)'
  if (address.isLinkLocal) {
    return 'a link-local address is good on one link only, and not forwarded through a tunnel (RFC 9484 §7.2, RFC 4291 §2.5.6)'
  }
  return 'packets for such an address stay on their link (RFC 1122 §3.2.1.3)'
}
