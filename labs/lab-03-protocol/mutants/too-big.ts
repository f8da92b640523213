/** Wrong solutions of `too-big`. */
import { mutants } from '../../kit/grading/mutants.ts'

export default mutants('too-big.ts', {
  'about-errors': {
    misconception: 'errors are reported about errors',
    says: 'about an ICMP error',
    edits: [['[3, 4, 5, 11, 12].includes(type)', 'type > 200']],
  },
  'about-later-fragments': {
    misconception: 'later fragments are reported about',
    says: 'only the first is reported about',
    edits: [
      [
        `const fragmentOffset = read16(packet, 6) & 0x1fff
        if (fragmentOffset > 0) return false`,
        '',
      ],
    ],
  },
  'about-multicast': {
    misconception: 'multicast is reported about',
    says: 'to many receivers',
    edits: [
      [
        `const isMulticast = destination[0] >= 224 && destination[0] <= 239
        if (isMulticast || destination.every(byte => byte === 255)) return false`,
        '',
      ],
    ],
  },
  'about-ipv6-multicast': {
    misconception: 'Packet Too Big is sent about multicast, as RFC 4443 would allow',
    says: 'multicast does not leave the tunnel',
    edits: [['const isMulticast = packet[V6.destinationAt] === 0xff', 'const isMulticast = false']],
  },
  'about-no-ping': {
    misconception: 'nothing is reported about any ICMP',
    says: 'is no ICMP error',
    edits: [
      [
        `const type = packet[(packet[0] & 0x0f) * 4]
        return !(protocol === ICMP && [3, 4, 5, 11, 12].includes(type))`,
        'return !(protocol === ICMP)',
      ],
    ],
  },
  'about-nobody': {
    misconception: 'packets from nobody are reported about',
    says: 'names nobody',
    edits: [['if (isUnspecified(source)) return false', '']],
  },
  'checksum-missing': {
    misconception: 'the ICMP message of IPv4 has no checksum',
    says: 'has a checksum over its message',
    edits: [['write16(message, CHECKSUM_AT, internetChecksum(message))', '']],
  },
  'hidden-error': {
    misconception: 'an ICMPv6 error behind extension headers is not recognised',
    says: 'do not hide it',
    edits: [
      [
        'const { protocol, offset, laterFragment } = upperLayer(packet)',
        `const { laterFragment } = upperLayer(packet)
        const [protocol, offset] = [packet[6], V6.header]`,
      ],
    ],
  },
  'mtu-in-the-unused-half': {
    misconception: 'the MTU is in the upper half of the word in IPv4',
    says: 'lower 16 bits of the second word',
    edits: [['0, 0, mtu >> 8, mtu', 'mtu >> 8, mtu, 0, 0']],
  },
  'mtu-of-16-bits': {
    misconception: 'the MTU of IPv6 is cut to 16 bits',
    says: 'the MTU has 32 bits',
    edits: [['mtu >> 24, mtu >> 16', '0, 0']],
  },
  'no-pseudo-header': {
    misconception: 'the ICMPv6 checksum is over the message alone',
    says: 'there is a pseudo header',
    edits: [
      [
        `const length = Uint8Array.of(0, 0, message.length >> 8, message.length)
        const pseudoHeader = concat(source, destination, length, Uint8Array.of(0, 0, 0, ICMPV6))
        write16(message, CHECKSUM_AT, internetChecksum(concat(pseudoHeader, message)))`,
        'write16(message, CHECKSUM_AT, internetChecksum(message))',
      ],
    ],
  },
  'not-swapped': {
    misconception: 'the report goes where the packet was going',
    says: 'the destination the sender of the packet',
    edits: [
      [
        '= packet.subarray(V6.sourceAt, V6.sourceAt + 16)',
        '= packet.subarray(V6.destinationAt, V6.destinationAt + 16)',
      ],
    ],
  },
  'payload-length': {
    misconception: 'the Payload Length of IPv6 counts the header too',
    says: 'counts what follows the 40 bytes',
    edits: [['write16(header, 4, message.length)', 'write16(header, 4, header.length + message.length)']],
  },
  'protocol-of-ipv4': {
    misconception: 'the Next Header of IPv6 says ICMP of IPv4',
    says: 'ICMPv6 is 58',
    edits: [['ICMPV6, HOP_COUNT', 'ICMP, HOP_COUNT']],
  },
  'quote-without-headers': {
    misconception: 'the headers are forgotten in what is quoted',
    says: 'fits 576 bytes',
    edits: [['V4.most - V4.header - ICMP_HEADER_LENGTH', 'V4.most']],
  },
  'quotes-the-payload': {
    misconception: 'the packet is quoted without its IP header',
    says: 'its IP header included',
    edits: [['0, V6.most - V6.header', 'V6.header, V6.most']],
  },
  'quotes-too-much': {
    misconception: 'all of the packet is quoted in IPv6',
    says: 'fits 1280 bytes',
    edits: [['const quoted = packet.subarray(0, V6.most - V6.header - ICMP_HEADER_LENGTH)', 'const quoted = packet']],
  },
  'type-of-ipv4': {
    misconception: 'type and code of IPv4 in IPv6',
    says: 'type 2, code 0',
    edits: [['2, 0, 0, 0', '3, 4, 0, 0']],
  },
  'first-fragments': {
    misconception: 'first fragments are fragments, too',
    says: 'A first fragment is reported about',
    edits: [['const fragmentOffset = read16(packet, 6) & 0x1fff', 'const fragmentOffset = read16(packet, 6) & 0x3fff']],
  },
  'class-e': {
    misconception: 'addresses from 240 on are taken for multicast',
    says: 'Multicast is 224.0.0.0/4',
    edits: [['destination[0] >= 224 && destination[0] <= 239', 'destination[0] >= 224']],
  },
  'mtu-clamped': {
    misconception: 'no more than the MTU of an Ethernet',
    says: 'the MTU',
    edits: [
      [
        'return mayReportOnIpv6(packet) ? packetTooBigV6(packet, mtu, source)',
        'return mayReportOnIpv6(packet) ? packetTooBigV6(packet, Math.min(mtu, 1500), source)',
      ],
    ],
  },
  'offset-by-upper-byte': {
    misconception: 'looks for the fragment offset in one byte',
    says: 'only the first is reported about',
    edits: [['const fragmentOffset = read16(packet, 6) & 0x1fff', 'const fragmentOffset = packet[6]! & 0x1f']],
  },
  'hop-counted': {
    misconception: 'the quoted packet has one hop less',
    says: 'quoted as it came',
    edits: [
      [
        'const quoted = packet.subarray(0, V6.most - V6.header - ICMP_HEADER_LENGTH)',
        `const quoted = packet.slice(0, V6.most - V6.header - ICMP_HEADER_LENGTH)
  quoted[7]!--`,
      ],
    ],
  },
})
