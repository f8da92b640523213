/** IP packets for the tests of forwarding. */

import { IpAddress } from '../../src/ip/address.ts'
import { internetChecksum } from '../../src/ip/checksum.ts'
import { icmpEchoRequest } from '../../src/ip/icmp.ts'
import { icmpv6EchoRequest } from '../../src/ip/icmpv6.ts'
import { encodeIpv4 } from '../../src/ip/ipv4.ts'
import { encodeIpv6 } from '../../src/ip/ipv6.ts'
import { IpProtocol } from '../../src/ip/protocol.ts'

export const UDP = IpProtocol.UDP
export const TCP = IpProtocol.TCP

/** A packet of either IP version. The payload is not a correct message of the protocol; forwarding does not look at it. */
export function packet(from: string, to: string, options: { protocol?: number; hops?: number; size?: number } = {}) {
  const { protocol = UDP, hops = 64, size = 32 } = options
  const source = IpAddress.parse(from)
  const destination = IpAddress.parse(to)
  const payload = new Uint8Array(size).fill(0x55)
  return source.version === 4
    ? encodeIpv4({ source, destination, protocol, ttl: hops }, payload)
    : encodeIpv6({ source, destination, nextHeader: protocol, hopLimit: hops }, payload)
}

/** An echo request of either IP version. */
export function ping(from: string, to: string, size = 8) {
  const fields = { source: IpAddress.parse(from), destination: IpAddress.parse(to), id: 7, seq: 1 }
  const data = new Uint8Array(size).fill(0xaa)
  return fields.source.version === 4 ? icmpEchoRequest(fields, data) : icmpv6EchoRequest(fields, data)
}

/** An IPv6 packet whose upper layer comes after hop-by-hop, destination and fragment headers. */
export function withExtensionHeaders(from: string, to: string, protocol: number) {
  const next = (header: number, rest: number[]) => [header, 0, ...rest]
  const payload = Uint8Array.from([
    ...next(IpProtocol.IPV6_OPTS, [1, 4, 0, 0, 0, 0]),
    ...next(IpProtocol.IPV6_FRAG, [1, 4, 0, 0, 0, 0]),
    ...next(protocol, [0, 0, 0, 0, 0, 1]),
    ...new Array(16).fill(0x55),
  ])
  const source = IpAddress.parse(from)
  const destination = IpAddress.parse(to)
  return encodeIpv6({ source, destination, nextHeader: IpProtocol.HOPOPT, hopLimit: 64 }, payload)
}

/** The IPv4 packet with DF = 0. Without copying. */
export function mayBeFragmented(packet: Uint8Array): Uint8Array {
  packet[6] &= ~0x40
  return withChecksum(packet)
}

/** The IPv4 packet with options, whose length is a multiple of 4, behind its header of 20 bytes. */
export function withOptions(packet: Uint8Array, options: readonly number[]): Uint8Array {
  const longer = Uint8Array.of(...packet.subarray(0, 20), ...options, ...packet.subarray(20))
  longer[0] = 0x45 + options.length / 4
  longer[2] = longer.length >> 8
  longer[3] = longer.length
  return withChecksum(longer)
}

function withChecksum(packet: Uint8Array): Uint8Array {
  packet[10] = 0
  packet[11] = 0
  const checksum = internetChecksum(packet, 0, (packet[0] & 15) * 4)
  packet[10] = checksum >> 8
  packet[11] = checksum
  return packet
}
