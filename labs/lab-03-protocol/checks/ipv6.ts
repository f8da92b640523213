/** Task 8: the walk along IPv6 extension headers. */
import { IpAddress } from '../../../src/ip/address.ts'
import { encodeIpv6, ipv6IsLaterFragment, upperLayer } from '../../../src/ip/ipv6.ts'
import { type Call, type CallGroup, expectGroups, type Misconception, REJECTED } from '../../kit/check/calls.ts'
import type { Seeded } from '../../kit/check/seeded.ts'
import type { CheckContext, Feedback } from '../../kit/lab/types.ts'
import { inBytes, type ReadField } from '../byte-view.ts'

const FILE = 'ipv6.ts'
const READ = [
  'RFC 8200 §4 IPv6 Extension Headers',
  'RFC 8200 §4.5 Fragment Header',
  'RFC 4302 §2.2 Payload Length (AH)',
]

// Cases ---------------------------------------------------------------------------------------------------------------

const NAMES: Readonly<Record<number, string>> = {
  0: 'Hop-by-Hop Options',
  6: 'TCP',
  17: 'UDP',
  43: 'Routing',
  44: 'Fragment',
  50: 'ESP',
  51: 'AH',
  58: 'ICMPv6',
  59: 'No Next Header',
  60: 'Destination Options',
  135: 'Mobility',
  139: 'HIP',
  140: 'Shim6',
}

const ORDINARY = [43, 60, 135, 139, 140]

interface Extension {
  type: number
  /** In its second byte. */
  units: number
  /** Of a Fragment header, in units of 8 bytes. */
  fragmentOffset?: number
}

/** How someone would walk who has one wrong idea. */
interface Idea {
  length?: (type: number, units: number) => number
  isExtension?: (type: number) => boolean
  laterFragments?: boolean
  /** Where it looks for Fragment Offset; default: in all 13 bits. */
  isLater?: (upperByte: number, lowerByte: number) => boolean
  once?: boolean
}

const MISCONCEPTIONS: readonly Misconception[] = [
  idea('The length does not count the first 8 bytes: it is (second byte + 1) * 8.', {
    length: (type, units) => (type === 44 ? 8 : type === 51 ? (units + 2) * 4 : units * 8),
  }),
  idea('AH counts differently from all others: (second byte + 2) * 4, RFC 4302 §2.2.', {
    length: (type, units) => (type === 44 ? 8 : (units + 1) * 8),
  }),
  idea('A Fragment header has 8 bytes always; its second byte is reserved and says nothing.', {
    length: (type, units) => (type === 51 ? (units + 2) * 4 : (units + 1) * 8),
  }),
  idea('ESP encrypts what follows it: for everyone on the way it is the upper layer.', {
    isExtension: type => type === 50 || isExtension(type),
  }),
  idea('There may be several extension headers: go on until the next header is none.', { once: true }),
  ...[(upper: number) => upper !== 0, (_: number, lower: number) => lower >> 3 !== 0].map(isLater =>
    idea('Fragment Offset has 13 bits: the 8 of one byte, and the 5 upper ones of the next.', { isLater }),
  ),
  idea(
    'In a fragment that is not the first one (Fragment Offset not 0), the rest of the chain is in another packet; what follows here is data.',
    { laterFragments: true },
  ),
  refusing(
    'There is no limit to how many extension headers a packet has, but its length.',
    (_, headers) => headers > 4,
  ),
  refusing(
    'A packet may end behind its extension headers: that is short, but nothing in it is cut off.',
    ({ offset }, _, packet) => offset === packet.length,
  ),
  refusing(
    'No Next Header (59) is the end of a chain like any other: the upper layer is number 59, and begins where it would.',
    ({ protocol }) => protocol === 59,
  ),
  ...Object.keys(NAMES)
    .map(Number)
    .filter(isExtension)
    .map(type =>
      idea(`${NAMES[type]} (${type}) is an extension header too: the upper layer comes behind it.`, {
        isExtension: other => other !== type && isExtension(other),
      }),
    ),
]

function cases(random: Seeded): CallGroup[] {
  const upper = () => random.pick([6, 17, 58])
  const extension = (type: number): Extension => ({
    type,
    units: type === 51 ? 2 * random.int(1, 3) : random.int(0, 3),
  })
  const chains: [about: string, extensions: Extension[], upper: number][] = [
    ['no extension header', [], 17],
    ['Routing', [{ type: 43, units: 2 }], 17],
    ['Hop-by-Hop Options', [{ type: 0, units: 0 }], 58],
    ['AH of 24 bytes', [{ type: 51, units: 4 }], 6],
    ['the first fragment', [{ type: 44, units: 0, fragmentOffset: 0 }], 17],
    ['Fragment with something in its reserved byte', [{ type: 44, units: random.int(1, 5), fragmentOffset: 0 }], 17],
    ['ESP', [], 50],
    ['ESP behind Destination Options', [{ type: 60, units: 1 }], 50],
    ['No Next Header', [{ type: 60, units: 0 }], 59],
    ['an unknown protocol', [], random.int(150, 250)],
    ...ORDINARY.map((type): [string, Extension[], number] => [`${NAMES[type]}`, [extension(type)], upper()]),
    [
      'the order that RFC 8200 recommends',
      [0, 60, 43, 44, 51, 60].map(type => ({ ...extension(type), fragmentOffset: 0 })),
      6,
    ],
    ...[9, 17, 60].map((count): [string, Extension[], number] => [
      `${count} extension headers`,
      Array.from({ length: count }, () => extension(random.pick(ORDINARY))),
      17,
    ]),
    ...random.list(5, (): [string, Extension[], number] => [
      'a chain of your own',
      random.list(random.int(2, 5), () => ({ ...extension(random.pick([...ORDINARY, 44, 51])), fragmentOffset: 0 })),
      upper(),
    ]),
  ]
  const bare = ipv6Packet(random, [{ type: 60, units: 0 }], 59, new Uint8Array(0))
  const later = random.int(1, 8191)
  const whole = ipv6Packet(
    random,
    [
      { type: 60, units: 1 },
      { type: 51, units: 4 },
    ],
    17,
    new Uint8Array(0),
  )
  const FLAGS = 'Fragment Offset is 13 bits: the three lower bits of the field are reserved and the flag M.'
  const INSIDE = 'The packet ends inside an extension header. Before you read or skip one: is it all there?'
  return [
    {
      text: 'finds the upper layer behind extension headers',
      file: FILE,
      name: 'upperLayer',
      calls: [
        ...chains.map(([about, extensions, protocol]) => walk(about, ipv6Packet(random, extensions, protocol))),
        walk('nothing behind the extension headers', bare),
        walk('nothing behind the IPv6 header', ipv6Packet(random, [], 59, new Uint8Array(0))),
      ],
      misconceptions: MISCONCEPTIONS,
      read: READ,
      show: inBytes(viewWalk),
    },
    {
      text: 'stops at a later fragment',
      file: FILE,
      name: 'upperLayer',
      calls: [
        ...[8191, 1, 31, 32, 256, 8160, later].map(fragmentOffset =>
          walk(
            `a later fragment of UDP, at ${fragmentOffset} units of 8 bytes`,
            ipv6Packet(random, [{ type: 44, units: 0, fragmentOffset }], 17),
          ),
        ),
        walk(
          'a later fragment that names Destination Options, which are in the first one',
          ipv6Packet(random, [{ type: 44, units: 0, fragmentOffset: later }], 60, new Uint8Array(4).fill(0xff)),
        ),
        walk(
          'a first fragment with the flag M',
          withFragmentFlags(
            ipv6Packet(
              random,
              [
                { type: 44, units: 0, fragmentOffset: 0 },
                { type: 60, units: 0 },
              ],
              17,
            ),
            1,
          ),
          FLAGS,
        ),
        ...[2, 4, 6].map(bits =>
          walk(
            'a first fragment with something in its reserved bits',
            withFragmentFlags(ipv6Packet(random, [{ type: 44, units: 0, fragmentOffset: 0 }], 17), bits),
            FLAGS,
          ),
        ),
      ],
      misconceptions: MISCONCEPTIONS,
      read: READ,
      show: inBytes(viewWalk),
    },
    {
      text: 'refuses malformed chains',
      file: FILE,
      name: 'upperLayer',
      calls: [
        ...[0, 6, 7, 39].map(length =>
          malformed(`${length} bytes`, whole.slice(0, length), 'The packet is shorter than an IPv6 header, 40 bytes.'),
        ),
        ...[40, 41, 47, 55, 56, 57, 70, 79].map(length =>
          malformed(`cut after ${length} bytes`, whole.slice(0, length), INSIDE),
        ),
        malformed(
          'a length beyond the end of the packet',
          ipv6Packet(random, [{ type: 43, units: 200 }], 17).slice(0, 200),
          INSIDE,
        ),
        malformed(
          'a fragment header that is cut short',
          ipv6Packet(random, [{ type: 44, units: 0, fragmentOffset: 0 }], 17).slice(0, 44),
          INSIDE,
        ),
        malformed(
          'Hop-by-Hop Options behind Destination Options',
          ipv6Packet(
            random,
            [
              { type: 60, units: 0 },
              { type: 0, units: 0 },
            ],
            17,
          ),
          'Hop-by-Hop Options are for every router on the way, and so allowed directly after the IPv6 header only (RFC 8200 §4.1).',
        ),
      ],
      read: READ,
    },
  ]
}

function walk(about: string, packet: Uint8Array, because?: string): Call {
  return { about, args: [packet], returns: reference(packet), ...(because ? { because } : {}) }
}

function malformed(about: string, packet: Uint8Array, because: string): Call {
  return { about, args: [packet], returns: REJECTED, because }
}

/** Read as an extension header from any even offset, it names UDP and has 8 bytes: so every wrong walk ends soon. */
function filler(length: number): Uint8Array {
  return Uint8Array.from({ length }, (_, index) => (index % 2 === 0 ? 17 : 0))
}

/** An IPv6 packet with these extension headers, and 64 bytes of the upper layer unless told otherwise. */
export function ipv6Packet(
  random: Seeded,
  extensions: readonly Extension[],
  upper: number,
  payload = filler(64),
): Uint8Array {
  const types = [...extensions.map(one => one.type), upper]
  const headers = extensions.flatMap((one, index) => {
    const bytes = filler(lengthOf(one.type, one.units))
    bytes[0] = types[index + 1]
    bytes[1] = one.units
    if (one.type === 44) {
      bytes[2] = (one.fragmentOffset ?? 0) >> 5
      bytes[3] = ((one.fragmentOffset ?? 0) << 3) & 0xff
    }
    return [...bytes]
  })
  const [source, destination] = [random.address(6), random.address(6)].map(bytes => IpAddress.from(6, bytes))
  const fields = { source, destination, nextHeader: types[0], hopLimit: 64 }
  return encodeIpv6(fields, Uint8Array.from([...headers, ...payload]))
}

/** In the lower three bits of the field, of a Fragment header directly behind the IPv6 header. */
function withFragmentFlags(packet: Uint8Array, bits: number): Uint8Array {
  packet[43] |= bits
  return packet
}

function idea(says: string, wrong: Idea): Misconception {
  return { says, would: (packet: Uint8Array) => walkWith(packet, wrong) }
}

/** The idea that a right packet is malformed when this holds. */
function refusing(
  says: string,
  when: (found: ReturnType<typeof walkWith>, headers: number, packet: Uint8Array) => boolean,
): Misconception {
  return {
    says,
    would: (packet: Uint8Array) => {
      let headers = 0
      const found = walkWith(packet, {
        length: (type, units) => {
          headers++
          return lengthOf(type, units)
        },
      })
      if (!when(found, headers, packet)) throw new RangeError()
      return REJECTED
    },
  }
}

// Reference -----------------------------------------------------------------------------------------------------------

function reference(packet: Uint8Array) {
  return { ...upperLayer(packet)!, laterFragment: ipv6IsLaterFragment(packet) }
}

function lengthOf(type: number, units: number): number {
  return type === 44 ? 8 : type === 51 ? (units + 2) * 4 : (units + 1) * 8
}

function isExtension(type: number): boolean {
  return [0, 43, 44, 51, 60, 135, 139, 140].includes(type)
}

function walkWith(packet: Uint8Array, wrong: Idea): { protocol: number; offset: number; laterFragment: boolean } {
  const length = wrong.length ?? lengthOf
  const extension = wrong.isExtension ?? isExtension
  let protocol = packet[6]
  let offset = 40
  let laterFragment = false
  for (let count = 0; extension(protocol) && count < 100; count++) {
    if (wrong.once && count === 1) break
    const [upper, lower] = [packet[offset + 2], packet[offset + 3]]
    const isLater = protocol === 44 && (wrong.isLater ?? ((a, b) => ((a << 8) | b) >> 3 !== 0))(upper, lower)
    const next = packet[offset]
    offset += length(protocol, packet[offset + 1])
    protocol = next
    laterFragment = isLater && !wrong.laterFragments
    if (laterFragment) break
  }
  return { protocol, offset, laterFragment }
}

// Judgement -----------------------------------------------------------------------------------------------------------

export async function check(context: CheckContext): Promise<Feedback> {
  await expectGroups(context, 'ipv6', cases)
  return {
    passed: true,
    expected: 'the upper layer found behind every chain of extension headers',
    found: `chains of every kind, later fragments, and packets that end in the middle`,
    read: READ,
  }
}

function viewWalk(call: Call) {
  const packet = call.args[0] as Uint8Array
  const { protocol, offset } = call.returns as { protocol: number; offset: number }
  const fields: ReadField[] = [{ name: 'IPv6 header', length: 40, text: nameOf(packet[6]) }]
  let type = packet[6]
  let at = 40
  while (at < offset) {
    const length = lengthOf(type, packet[at + 1])
    fields.push({ name: nameOf(type), length, text: `next: ${nameOf(packet[at])}` })
    type = packet[at]
    at += length
  }
  if (offset < packet.length) {
    const show = (value: unknown) => {
      const found = value as { protocol?: number; offset?: number }
      return `${nameOf(Number(found?.protocol))} at ${found?.offset}`
    }
    fields.push({
      name: 'upper layer',
      length: packet.length - offset,
      text: show({ protocol, offset }),
      path: [],
      format: show,
    })
  }
  return { bytes: packet, fields }
}

function nameOf(type: number): string {
  return NAMES[type] ?? `protocol ${type}`
}
