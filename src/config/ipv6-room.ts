/** Is `quic.max_udp_payload` enough for IPv6, whose packets of 1280 bytes each link has to carry? RFC 9484 §7.2. */

import { IPV6_MINIMUM_MTU } from '../ip/ipv6.ts'
import { aroundDatagram, CONNECTION_ID_LENGTH } from '../quic/datagram-room.ts'
import type { KeyProblem } from './config-error.ts'
import type { LinkProbe } from './sections.ts'

/** Before the packet in an HTTP Datagram: quarter stream id and context id, a byte each on a connection's first streams. */
const DATAGRAM_PREFIX = 2

/**
 * The least UDP payload that carries 1280 bytes of IPv6: 1314 bytes, to a peer whose connection ids are as long as ours. One with
 * longer ids needs a byte more for each; that shows when the tunnel is there.
 */
export const IPV6_UDP_PAYLOAD = IPV6_MINIMUM_MTU + DATAGRAM_PREFIX + aroundDatagram(CONNECTION_ID_LENGTH)

/** A tunnel that has to end as soon as it is there is a mistake in the configuration. `otherwise`: what else would mend it. */
export function ipv6RoomProblems(options: {
  maxUdpPayload: number
  linkProbe: LinkProbe
  ipv6: boolean
  datagrams: boolean
  otherwise: string
}): KeyProblem[] {
  const { maxUdpPayload, linkProbe, ipv6, datagrams, otherwise } = options
  if (maxUdpPayload >= IPV6_UDP_PAYLOAD || linkProbe === 'off' || !ipv6 || !datagrams) return []
  const expected = `at least ${IPV6_UDP_PAYLOAD} bytes where a tunnel carries IPv6, whose packets of ${IPV6_MINIMUM_MTU} bytes have to fit (RFC 9484 §7.2)`
  return [
    { key: 'quic.max_udp_payload', message: `found ${maxUdpPayload}; expected ${expected}, or else ${otherwise}` },
  ]
}
