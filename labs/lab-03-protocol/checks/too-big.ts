/** Task 9: Packet Too Big, in both IP versions. */
import { IpAddress } from '../../../src/ip/address.ts'
import { icmpError } from '../../../src/ip/icmp-error.ts'
import { encodeIpv4 } from '../../../src/ip/ipv4.ts'
import { encodeIpv6 } from '../../../src/ip/ipv6.ts'
import { type Call, type CallGroup, expectGroups, type Misconception } from '../../kit/check/calls.ts'
import { hex } from '../../kit/check/format.ts'
import type { Seeded } from '../../kit/check/seeded.ts'
import type { CheckContext, Feedback } from '../../kit/lab/types.ts'
import { inBytes, type ReadField } from '../byte-view.ts'
import { addressText } from '../text.ts'
import { withChecksum } from './ipv4.ts'
import { ipv6Packet } from './ipv6.ts'

const FILE = 'too-big.ts'
const READ = ['RFC 4443 §3.2 Packet Too Big Message', 'RFC 1191 §4 Router Specification']

const SILENCE = ['RFC 4443 §2.4 Message Processing Rules (e)', 'RFC 1122 §3.2.2 ICMP']

// Cases ---------------------------------------------------------------------------------------------------------------

interface Part {
  name: string
  at: number
  length: number
  /** What somebody should know who gets this part wrong. */
  because: string
  show?: (bytes: Uint8Array) => string
}

const PING = 'An echo request or reply is no ICMP error, so it is reported about.'

const FIRST =
  'A first fragment is reported about: Fragment Offset is 0, and the flag MF only says that more fragments follow. It has the upper-layer header.'

const number = (bytes: Uint8Array) => `${bytes.reduce((value, byte) => value * 256 + byte, 0)}`

const PARTS_V4: readonly Part[] = [
  {
    name: 'Version, IHL, TOS',
    at: 0,
    length: 2,
    because: 'Version 4, a header of 5 words without options, Type of Service 0xc0.',
  },
  {
    name: 'Total Length',
    at: 2,
    length: 2,
    show: number,
    because: 'Quote as much of the packet as fits 576 bytes with both headers: 548 bytes at most (RFC 1812 §4.3.2.3).',
  },
  { name: 'Identification, Flags', at: 4, length: 4, because: 'Identification and offset are 0, DF is set.' },
  { name: 'TTL', at: 8, length: 1, show: number, because: 'This is a new packet of ours: its TTL is 64.' },
  { name: 'Protocol', at: 9, length: 1, show: number, because: 'ICMP is protocol 1.' },
  { name: 'Header Checksum', at: 10, length: 2, because: 'The new header needs a header checksum of its own.' },
  {
    name: 'Source Address',
    at: 12,
    length: 4,
    show: addressText,
    because:
      'The source is our own address, the destination the sender of the packet: whoever can do something about it.',
  },
  {
    name: 'Destination Address',
    at: 16,
    length: 4,
    show: addressText,
    because:
      'The source is our own address, the destination the sender of the packet: whoever can do something about it.',
  },
  { name: 'Type, Code', at: 20, length: 2, because: 'Fragmentation needed is type 3, code 4.' },
  {
    name: 'Checksum',
    at: 22,
    length: 2,
    because:
      'ICMP of IPv4 has a checksum over its message alone, the quoted packet included; the checksum field counts as 0 meanwhile.',
  },
  {
    name: 'unused, MTU',
    at: 24,
    length: 4,
    show: number,
    because: 'In IPv4 the MTU is in the lower 16 bits of the second word, behind two unused bytes (RFC 1191 §4).',
  },
  {
    name: 'the packet',
    at: 28,
    length: Number.POSITIVE_INFINITY,
    because: 'What is quoted is the packet from its first byte on, its IP header included.',
  },
]

const PARTS_V6: readonly Part[] = [
  { name: 'Version, Class, Label', at: 0, length: 4, because: 'Version 6, and nothing else.' },
  {
    name: 'Payload Length',
    at: 4,
    length: 2,
    show: number,
    because:
      'Payload Length counts what follows the 40 bytes of the header. Quote as much of the packet as fits 1280 bytes with both headers: 1232 bytes at most (RFC 4443 §2.4 c).',
  },
  { name: 'Next Header', at: 6, length: 1, show: number, because: 'ICMPv6 is 58; 1 is the ICMP of IPv4.' },
  { name: 'Hop Limit', at: 7, length: 1, show: number, because: 'This is a new packet of ours: its Hop Limit is 64.' },
  {
    name: 'Source Address',
    at: 8,
    length: 16,
    show: addressText,
    because:
      'The source is our own address, the destination the sender of the packet: whoever can do something about it.',
  },
  {
    name: 'Destination Address',
    at: 24,
    length: 16,
    show: addressText,
    because:
      'The source is our own address, the destination the sender of the packet: whoever can do something about it.',
  },
  { name: 'Type, Code', at: 40, length: 2, because: 'Packet Too Big is type 2, code 0.' },
  {
    name: 'Checksum',
    at: 42,
    length: 2,
    because:
      'Under the ICMPv6 checksum there is a pseudo header: both addresses of the new packet, the length of the ICMPv6 message, and 58. The checksum field counts as 0 meanwhile.',
  },
  { name: 'MTU', at: 44, length: 4, show: number, because: 'In IPv6 the MTU has 32 bits.' },
  {
    name: 'the packet',
    at: 48,
    length: Number.POSITIVE_INFINITY,
    because: 'What is quoted is the packet from its first byte on, its IP header included.',
  },
]

function cases(random: Seeded): CallGroup[] {
  const [own4, own6] = [random.address(4), random.address(6)]
  const mtu = () => random.int(1281, 1499)

  const v4 = (
    length: number,
    options: Partial<{ protocol: number; source: Uint8Array; destination: Uint8Array }> = {},
  ) =>
    encodeIpv4(
      {
        source: IpAddress.from(4, options.source ?? random.address(4)),
        destination: IpAddress.from(4, options.destination ?? random.address(4)),
        protocol: options.protocol ?? 17,
        ttl: random.int(2, 255),
      },
      random.bytes(length - 20),
    )
  const v6 = (
    length: number,
    options: Partial<{ protocol: number; source: Uint8Array; destination: Uint8Array }> = {},
  ) =>
    encodeIpv6(
      {
        source: IpAddress.from(6, options.source ?? random.address(6)),
        destination: IpAddress.from(6, options.destination ?? random.address(6)),
        nextHeader: options.protocol ?? 17,
        hopLimit: random.int(2, 255),
      },
      random.bytes(length - 40),
    )

  const silent = (about: string, packet: Uint8Array, because: string): Call => ({
    about,
    args: [packet, 1280, packet[0] >> 4 === 4 ? own4 : own6],
    returns: undefined,
    because,
  })
  const ERROR = 'No ICMP error is sent about an ICMP error: two routers could go on for ever telling each other.'
  const MANY = 'A packet to many receivers would draw an answer from each of them: nobody reports about it.'
  const MANY_OF_IPV6 =
    'Multicast does not leave the tunnel, so here nobody reports about it. (RFC 4443 §2.4 e.3 would allow Packet Too Big, by which multicast finds the MTU of its paths.)'
  const NOBODY = 'The unspecified address names nobody: a report would have no receiver.'
  const LATER =
    'Of the fragments of a packet only the first is reported about (RFC 1122 §3.2.2 says so of IPv4, the task of IPv6 as well): it alone has the upper-layer header by which the sender knows what it was.'
  const fragment4 = (flagsAndOffset: number) => {
    const packet = v4(1500)
    packet[6] = flagsAndOffset >> 8
    packet[7] = flagsAndOffset
    return withChecksum(packet)
  }
  const fragment6 = (fragmentOffset: number, more = false) => {
    const packet = ipv6Packet(random, [{ type: 44, units: 0, fragmentOffset }], 17, random.bytes(1300))
    if (more) packet[43] |= 1
    return packet
  }
  return [
    reports(
      'reports IPv6 packets',
      own6,
      [1400, 1501, 2000 + random.int(0, 3), 1233, 1231].map((length, i) => [
        v6(length),
        [1280, 1400, 9000][i] ?? mtu(),
      ]),
    ),
    reports(
      'reports IPv4 packets',
      own4,
      [1400, 1501, 2000 + random.int(0, 3), 549, 547].map((length, i) => [
        v4(length),
        [68, 1400, 9000, 65_535][i] ?? mtu(),
      ]),
    ),
    reports('reports IPv6 packets with an odd number of bytes', own6, [
      [v6(1001), 1280],
      [v6(777), 65_536 + random.int(1, 999)],
      // No two of its four bytes are the same.
      [v6(1003), 0x01_02_03_04],
    ]),
    reports('reports IPv4 packets with an odd number of bytes', own4, [
      [v4(301), 576],
      [v4(33), random.int(68, 300)],
    ]),
    reports(
      'reports pings: they are no errors',
      own4,
      [0, 8].map(type => [typed(v4(1500, { protocol: 1 }), 20, type), 1400]),
      PING,
    ),
    reports(
      'reports pings of IPv6',
      own6,
      [
        [typed(v6(1500, { protocol: 58 }), 40, 128), 1400],
        [typed(ipv6Packet(random, [{ type: 60, units: 0 }], 58, random.bytes(1400)), 48, 129), 1400],
      ],
      PING,
    ),
    reports(
      'reports UDP, whatever its first byte is',
      own4,
      [3, 4, 5, 11, 12].map(type => [typed(v4(1500), 20, type), 1400]),
      'A type of ICMP is in packets of protocol 1 only: in UDP the first byte is half a port.',
    ),
    reports(
      'reports UDP in IPv6, whatever its first byte is',
      own6,
      [1, 137].map(type => [typed(v6(1500), 40, type), 1400]),
      'A type of ICMPv6 is in packets of protocol 58 only: in UDP the first byte is half a port.',
    ),
    reports(
      'reports packets from addresses that begin like the unspecified one',
      own6,
      [[v6(1500, { source: IpAddress.parse('::7').bytes }), 1400]],
      'The unspecified address has 128 bits that are 0.',
    ),
    // DF and MF: of a packet without DF, a router makes more fragments, and reports nothing.
    reports('reports first fragments in IPv4', own4, [[fragment4(0x6000), 1400]], FIRST),
    reports('reports first fragments in IPv6', own6, [[fragment6(0, true), 1400]], FIRST),
    reports(
      'reports packets to every single receiver',
      own4,
      ['223.255.255.255', '240.0.0.1', `${random.int(241, 254)}.1.2.3`, '255.255.255.254'].map(to => [
        v4(1500, { destination: IpAddress.parse(to).bytes }),
        1400,
      ]),
      'Multicast is 224.0.0.0/4, up to 239.255.255.255; broadcast is 255.255.255.255 alone.',
    ),
    {
      text: 'keeps quiet where no error may be sent',
      file: FILE,
      name: 'packetTooBig',
      calls: [
        ...[3, 4, 5, 11, 12].map(type =>
          silent(`about ICMP type ${type}`, typed(v4(1500, { protocol: 1 }), 20, type), ERROR),
        ),
        ...[1, 2, 3, 4, 127, 137].map(type =>
          silent(`about ICMPv6 type ${type}`, typed(v6(1500, { protocol: 58 }), 40, type), ERROR),
        ),
        silent(
          'about an ICMPv6 error behind an extension header',
          typed(ipv6Packet(random, [{ type: 60, units: 1 }], 58, random.bytes(1400)), 56, 1),
          `${ERROR} Extension headers do not hide it: task 8.`,
        ),
        silent(
          'about an ICMP error behind IPv4 options',
          withOptions(typed(v4(1500, { protocol: 1 }), 24, 3)),
          `${ERROR} IHL says where it begins.`,
        ),
        silent('about IPv4 multicast', v4(1500, { destination: Uint8Array.of(random.int(224, 239), 0, 0, 1) }), MANY),
        silent(
          'about the lowest IPv4 multicast addresses',
          v4(1500, { destination: Uint8Array.of(224, 0, 0, 1) }),
          MANY,
        ),
        silent('about IPv4 broadcast', v4(1500, { destination: Uint8Array.of(255, 255, 255, 255) }), MANY),
        silent(
          'about IPv6 multicast',
          v6(1500, { destination: Uint8Array.of(0xff, 2, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 1) }),
          MANY_OF_IPV6,
        ),
        silent('about a packet from 0.0.0.0', v4(1500, { source: new Uint8Array(4) }), NOBODY),
        silent('about a packet from ::', v6(1500, { source: new Uint8Array(16) }), NOBODY),
        silent(
          'about the highest IPv4 multicast address',
          v4(1500, { destination: Uint8Array.of(239, 255, 255, 255) }),
          MANY,
        ),
        ...[0x0001, 0x0100, 0x1f00, 0x1fff, 0x2005, 0x2100, random.int(1, 0x1fff)].map(field =>
          silent('about a later fragment in IPv4', fragment4(field), LATER),
        ),
        ...[1, 31, 32, 256, 8160, 8191, random.int(1, 8191)].flatMap(offset =>
          [false, true].map(more => silent('about a later fragment in IPv6', fragment6(offset, more), LATER)),
        ),
      ],
      read: SILENCE,
    },
  ]
}

/** With another type in its ICMP message. The checksum is not looked at. */
function typed(packet: Uint8Array, at: number, type: number): Uint8Array {
  packet[at] = type
  return packet
}

/** The header becomes one of 6 words. Its checksum is not looked at. */
function withOptions(packet: Uint8Array): Uint8Array {
  packet[0] = 0x46
  return packet
}

// Reference -----------------------------------------------------------------------------------------------------------

function reports(
  text: string,
  own: Uint8Array,
  packets: readonly (readonly [packet: Uint8Array, mtu: number])[],
  because?: string,
): CallGroup {
  const version = own.length === 4 ? 4 : 6
  const parts = version === 4 ? PARTS_V4 : PARTS_V6
  return {
    text,
    file: FILE,
    name: 'packetTooBig',
    calls: packets.map(([packet, mtu]) => ({
      about: `a packet of ${packet.length} bytes, MTU ${mtu}`,
      args: [packet, mtu, own],
      returns: icmpError('too-big', packet, IpAddress.from(version, own), mtu),
      because,
    })),
    misconceptions: [hopCounted(parts), ...parts.map(part => differsAt(part, parts))],
    read: READ,
    show: inBytes(call => viewReport(call.returns as Uint8Array, parts)),
  }
}

// Judgement -----------------------------------------------------------------------------------------------------------

export async function check(context: CheckContext): Promise<Feedback> {
  await expectGroups(context, 'too-big', cases)
  return {
    passed: true,
    expected: 'senders told how large their packets may be, and silence where it is due',
    found:
      'reports of both IP versions with the right checksums, none about errors, multicast, nobody and later fragments',
    read: READ,
  }
}

/** The quoted packet has one hop less; its header checksum may have been updated or not. */
function hopCounted(parts: readonly Part[]): Misconception {
  const { at } = parts.at(-1)!
  const hops = parts === PARTS_V4 ? [8, 10, 11] : [7]
  return {
    says: 'The packet is quoted as it came: it is not forwarded, so it has no hop less to live.',
    would: (packet: Uint8Array) => (found: unknown) =>
      found instanceof Uint8Array &&
      found[at + hops[0]] === packet[hops[0]] - 1 &&
      found.subarray(at).every((byte, i) => byte === packet[i] || hops.includes(i)),
  }
}

/** Of several parts that differ, the first is the one to explain; but checksums follow from the rest, so they come last. */
function differsAt(part: Part, parts: readonly Part[]): Misconception {
  return {
    says: part.because,
    would: (packet: Uint8Array, mtu: number, own: Uint8Array) => (found: unknown) => {
      if (!(found instanceof Uint8Array)) return false
      if (part === parts.at(-1) && !beginsLater(packet, cut(found, part))) return false
      const expected = icmpError('too-big', packet, IpAddress.from(own.length === 4 ? 4 : 6, own), mtu)!
      const wrong = parts.filter(candidate => !sameBytes(cut(expected, candidate), cut(found, candidate)))
      return part === (wrong.find(candidate => !candidate.name.includes('Checksum')) ?? wrong[0])
    },
  }
}

/** Is what is quoted the packet from behind its header on? */
function beginsLater(packet: Uint8Array, quoted: Uint8Array): boolean {
  const from = packet.length === 0 ? 0 : packet[0] >> 4 === 4 ? (packet[0] & 15) * 4 : 40
  return quoted.length > 0 && quoted.every((byte, i) => byte === packet[from + i])
}

function cut(packet: Uint8Array, part: Part): Uint8Array {
  return packet.subarray(part.at, part.at + part.length)
}

function sameBytes(a: Uint8Array, b: Uint8Array): boolean {
  return a.length === b.length && a.every((byte, index) => byte === b[index])
}

function viewReport(packet: Uint8Array, parts: readonly Part[]) {
  const fields = parts.map((part): ReadField => {
    const show = (bytes: Uint8Array) => (part.show ?? ((own: Uint8Array) => hex(own, 8)))(bytes)
    const length = Math.min(part.length, packet.length - part.at)
    return {
      name: part.name,
      length,
      text: show(cut(packet, part)),
      path: [],
      format: value => (value instanceof Uint8Array ? show(cut(value, part)) : 'nothing'),
    }
  })
  return { bytes: packet, fields }
}
