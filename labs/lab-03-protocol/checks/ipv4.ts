/** Task 7: IPv4 checksum, incremental update, TTL. */
import { IpAddress } from '../../../src/ip/address.ts'
import { incrementalUpdate, internetChecksum } from '../../../src/ip/checksum.ts'
import { encodeIpv4, validateIpv4 } from '../../../src/ip/ipv4.ts'
import { type Call, type CallGroup, expectGroups, type Misconception, REJECTED } from '../../kit/check/calls.ts'
import { hex } from '../../kit/check/format.ts'
import type { Seeded } from '../../kit/check/seeded.ts'
import type { CheckContext, Feedback } from '../../kit/lab/types.ts'
import { inBytes, type ReadField } from '../byte-view.ts'
import { addressText, fromHex } from '../text.ts'

const FILE = 'ipv4.ts'
const CHECKSUM = 'RFC 1071 §1 Introduction, and §3 Numerical Examples'
const UPDATE = 'RFC 1624 §3 Discussion'
const HEADER = 'RFC 791 §3.1 Internet Header Format'

// Cases ---------------------------------------------------------------------------------------------------------------

const CARRY =
  "A carry out of bit 15 is added back in at bit 0, and adding it may bring up one more. Cut off, it is two's complement."

const ZERO =
  'A checksum of 0 stays 0 here. It is in UDP only that it is sent as 0xffff, because 0 says there that there is none.'

const CHECKSUM_MISCONCEPTIONS: readonly Misconception[] = [
  {
    says: ZERO,
    would: (bytes: Uint8Array) => {
      if (internetChecksum(bytes, 0, bytes.length) !== 0) throw new RangeError()
      return 0xffff
    },
  },
  {
    says: 'This is the sum. The checksum is its complement (~), so that the sum over everything, checksum included, is all ones.',
    would: (bytes: Uint8Array) => ~internetChecksum(bytes, 0, bytes.length) & 0xffff,
  },
  {
    says: 'An odd last byte counts too: as the upper half of a word whose lower half is 0.',
    would: (bytes: Uint8Array) => {
      if (bytes.length % 2 === 0) throw new RangeError()
      return internetChecksum(bytes, 0, bytes.length - 1)
    },
  },
  {
    says: 'An odd last byte is the upper half of its word, not the lower one.',
    would: (bytes: Uint8Array) => {
      if (bytes.length % 2 === 0) throw new RangeError()
      return internetChecksum(Uint8Array.from([...bytes.subarray(0, -1), 0, bytes.at(-1)!]), 0, bytes.length + 1)
    },
  },
  {
    says: 'The words are in network byte order: the first byte is the upper half. (Summed the other way round, the two bytes of the result are exchanged.)',
    would: (bytes: Uint8Array) => {
      const checksum = internetChecksum(bytes, 0, bytes.length)
      return ((checksum & 0xff) << 8) | (checksum >> 8)
    },
  },
  {
    says: CARRY,
    would: (bytes: Uint8Array) => ~sum(bytes) & 0xffff,
  },
  {
    says: CARRY,
    would: (bytes: Uint8Array) => ~((sum(bytes) & 0xffff) + (sum(bytes) >>> 16)) & 0xffff,
  },
]

function cases(random: Seeded): CallGroup[] {
  const packet = (options: { ttl?: number; words?: number; payload?: number } = {}): Uint8Array =>
    ipv4Packet(random, options)

  const inputs: [about: string, bytes: Uint8Array][] = [
    ['the example of RFC 1071', fromHex('0001 f203 f4f5 f6f7')],
    ['no carry', fromHex('1234 4321')],
    ['one carry', fromHex('ffff 0001')],
    ['a carry that brings up another', fromHex('ffff ffff ffff 0003 fffd')],
    ['nothing but zeros', new Uint8Array(20)],
    ['a single byte', Uint8Array.of(random.int(1, 255))],
    ['an odd number of bytes', random.bytes(2 * random.int(5, 30) + 1)],
    ['an IPv4 header with its checksum', packet({ payload: 0 })],
    ['64 KiB of ones', new Uint8Array(65_535).fill(0xff)],
    ...random.list(4, (): [string, Uint8Array] => ['bytes of your own', random.bytes(2 * random.int(4, 700))]),
  ]
  // The second one is the example for which equation 2 goes wrong.
  const updates = [
    [0xdd2f, 0x5555, 0x3285],
    // ~HC + ~m + m' is 0x1ffff: the carry that is added back in brings up another.
    [0, 0x7fff, 0x8000],
    [0, 0, 1],
    [0x1234, 0x4321, 0x5556],
    ...random.list(8, () => [random.int(0, 0xffff), random.int(0, 0xffff), random.int(0, 0xffff)]),
  ]
  const good = [packet({}), packet({ ttl: 255 }), packet({ words: 6 }), packet({ words: 15 }), packet({ payload: 0 })]
  const broken = (about: string, change: (bytes: Uint8Array) => Uint8Array | undefined, because: string): Call => {
    const bytes = packet({ payload: 30 })
    return { about, args: [change(bytes) ?? bytes], returns: REJECTED, because }
  }
  const WHOLE = 'Every field is looked at before what it promises is used: a packet may end anywhere.'
  const forwarded = [
    packet({ ttl: 64 }),
    packet({ ttl: 2 }),
    packet({ ttl: 255, words: 7 }),
    ...random.list(6, () => packet({ ttl: random.int(2, 255) })),
    carryPacket(random),
  ]
  const damaged = flipped(packet({ ttl: 60 }), 10)
  return [
    {
      text: 'calculates the Internet checksum',
      file: FILE,
      name: 'internetChecksum',
      calls: inputs.map(([about, bytes]) => ({
        about,
        args: [bytes],
        returns: internetChecksum(bytes, 0, bytes.length),
        because: CARRY,
      })),
      misconceptions: CHECKSUM_MISCONCEPTIONS,
      read: [CHECKSUM],
    },

    {
      text: 'updates a checksum without the rest of the data',
      file: FILE,
      name: 'updateChecksum',
      calls: updates.map(([checksum, oldWord, newWord], index) => ({
        about: index === 0 ? 'the example of RFC 1624 §4' : 'a change of your own',
        args: [checksum, oldWord, newWord],
        returns: incrementalUpdate(checksum, oldWord, newWord),
        because: `HC' = ~(~HC + ~m + m'), each ~ of 16 bits. ${CARRY}`,
      })),
      misconceptions: [
        {
          says: "That is equation 2, HC' = HC + m + ~m', as RFC 1141 has it: RFC 1624 exists because it gives 0xffff where the sum over the data gives 0x0000.",
          would: (checksum: number, oldWord: number, newWord: number) => fold(checksum + oldWord + (~newWord & 0xffff)),
        },
        { says: CARRY, would: carryLost(0) },
        { says: CARRY, would: carryLost(1) },
        {
          says: 'The old word is taken out (~m), the new one put in (m): here it is the other way round.',
          would: (checksum: number, oldWord: number, newWord: number) => incrementalUpdate(checksum, newWord, oldWord),
        },
      ],
      read: [UPDATE],
    },

    {
      text: 'accepts whole headers, with and without options',
      file: FILE,
      name: 'checkIpv4',
      calls: good.map(bytes => ({
        about: `a packet of ${bytes.length} bytes, IHL ${bytes[0] & 15}`,
        args: [bytes],
        returns: undefined,
        because: 'The header checksum is over IHL * 4 bytes: the options are part of the header, the payload is not.',
      })),
      read: [HEADER],
      show: inBytes(call => headerView(call.args[0] as Uint8Array)),
    },
    {
      text: 'refuses broken ones',
      file: FILE,
      name: 'checkIpv4',
      calls: [
        broken('no bytes', () => new Uint8Array(0), WHOLE),
        broken('19 bytes', bytes => bytes.slice(0, 19), WHOLE),
        broken('version 6', bytes => repaired(bytes, 0, 0x65), 'The version is the upper half of the first byte.'),
        broken(
          'IHL 4',
          bytes => repaired(bytes, 0, 0x44),
          'IHL counts words of 4 bytes; the shortest header has 5 of them.',
        ),
        broken(
          'an IHL beyond the end of the packet',
          () => {
            const short = packet({ payload: 8 })
            short[0] = 0x4f
            return short
          },
          WHOLE,
        ),
        ...[24, 40, 59].map(length =>
          broken(
            `an IHL of 15 words in a packet of ${length} bytes whose checksum is right as far as it goes`,
            () => {
              const short = packet({ payload: length - 20 })
              short[0] = 0x4f
              return withChecksum(short)
            },
            WHOLE,
          ),
        ),
        broken(
          'one byte too many',
          bytes => Uint8Array.from([...bytes, 0]),
          'In a tunnel there is no padding: Total Length is the length of the packet exactly.',
        ),
        broken(
          'one byte too few',
          bytes => bytes.slice(0, -1),
          'In a tunnel there is no padding: Total Length is the length of the packet exactly.',
        ),
        broken(
          'a bit flipped in an address',
          bytes => flipped(bytes, random.int(12, 19)),
          'The header checksum has to be verified: that is what it is for.',
        ),
        broken(
          'a bit flipped in the options',
          () => flipped(packet({ words: 8, payload: 4 }), random.int(20, 31)),
          'The header checksum is over IHL * 4 bytes: the options are part of the header.',
        ),
      ],
      read: [HEADER, 'RFC 1812 §5.2.2 IP Header Validation'],
      show: inBytes(call => headerView(call.args[0] as Uint8Array)),
    },

    {
      text: 'decrements the TTL and keeps the checksum right',
      file: FILE,
      name: 'decrementTtl',
      calls: forwarded.map(bytes => ({
        about: `TTL ${bytes[8]}`,
        args: [bytes],
        returns: decremented(bytes),
        because:
          "The TTL is byte 8, the upper half of a word whose lower half is the protocol. m and m' are that whole word, before and after.",
      })),
      misconceptions: [
        { says: CARRY, would: (bytes: Uint8Array) => decremented(bytes, carryLost(0)) },
        { says: CARRY, would: (bytes: Uint8Array) => decremented(bytes, carryLost(1)) },
        {
          says: 'The header changed, so the checksum changes too: the next router would drop this packet.',
          would: (bytes: Uint8Array) => {
            const copy = bytes.slice()
            copy[8]--
            return copy
          },
        },
      ],
      read: [UPDATE, 'RFC 1812 §5.3.1 Time to Live (TTL)'],
      show: inBytes(call => headerView(call.returns as Uint8Array, true)),
    },
    {
      text: 'forwards nothing whose TTL is used up',
      file: FILE,
      name: 'decrementTtl',
      calls: [packet({ ttl: 1 }), packet({ ttl: 0 })].map(bytes => ({
        about: `TTL ${bytes[8]}`,
        args: [bytes],
        returns: undefined,
        because: 'A packet that arrives with TTL 1 (or 0) may not be forwarded: with 0 it would have no hop left.',
      })),
      read: ['RFC 1812 §5.3.1 Time to Live (TTL)'],
    },
    {
      text: 'does not hide an error that was there before',
      file: FILE,
      name: 'decrementTtl',
      calls: [
        {
          about: 'a packet whose checksum is wrong already',
          args: [damaged],
          returns: decremented(damaged),
          because:
            'Calculated afresh, the checksum would come out right over data that are wrong. Updated, it stays as wrong as it was, and the receiver notices.',
        },
      ],
      read: [UPDATE],
    },
  ]
}

/** A whole packet with a correct header of as many words as asked for. */
function ipv4Packet(
  random: Seeded,
  {
    ttl = 64,
    words = 5,
    payload = random.int(8, 40),
    protocol = random.pick([1, 6, 17]),
  }: { ttl?: number; words?: number; payload?: number; protocol?: number } = {},
): Uint8Array {
  const [source, destination] = [random.address(4), random.address(4)].map(bytes => IpAddress.from(4, bytes))
  const fields = { source, destination, protocol, ttl, identification: random.int(0, 0xffff) }
  const options = random.bytes((words - 5) * 4)
  const packet = encodeIpv4(fields, Uint8Array.from([...options, ...random.bytes(payload)]))
  packet[0] = 0x40 | words
  return withChecksum(packet)
}

/** One whose checksum needs the carry when it is updated. */
function carryPacket(random: Seeded): Uint8Array {
  for (;;) {
    const packet = ipv4Packet(random, { ttl: random.int(2, 255) })
    packet[4] = random.int(0, 255)
    packet[5] = random.int(0, 255)
    withChecksum(packet)
    if (packet[10] === 0xff) return packet
  }
}

// Reference -----------------------------------------------------------------------------------------------------------

export function withChecksum(packet: Uint8Array): Uint8Array {
  packet[10] = 0
  packet[11] = 0
  const checksum = internetChecksum(packet, 0, Math.min(packet.length, (packet[0] & 15) * 4))
  packet[10] = checksum >> 8
  packet[11] = checksum
  return packet
}

/** Another value in one byte, and the checksum right for it. */
function repaired(packet: Uint8Array, at: number, value: number): Uint8Array {
  const copy = packet.slice()
  copy[at] = value
  return withChecksum(copy)
}

function flipped(packet: Uint8Array, at: number): Uint8Array {
  packet[at] ^= 0x10
  return packet
}

type Update = (checksum: number, oldWord: number, newWord: number) => number

/** Adds a carry back in so many times and no more. */
const carryLost =
  (times: 0 | 1): Update =>
  (checksum, oldWord, newWord) => {
    const total = (~checksum & 0xffff) + (~oldWord & 0xffff) + newWord
    return ~(times === 0 ? total : (total & 0xffff) + (total >>> 16)) & 0xffff
  }

function decremented(packet: Uint8Array, update: Update = incrementalUpdate): Uint8Array {
  const copy = packet.slice()
  copy[8]--
  const word = (bytes: Uint8Array, at: number) => (bytes[at] << 8) | bytes[at + 1]
  const checksum = update(word(packet, 10), word(packet, 8), word(copy, 8))
  copy[10] = checksum >> 8
  copy[11] = checksum
  return copy
}

function sum(bytes: Uint8Array): number {
  let total = 0
  for (let at = 0; at < bytes.length; at += 2) total += (bytes[at] << 8) | (bytes[at + 1] ?? 0)
  return total
}

function fold(total: number): number {
  return total > 0xffff ? fold((total & 0xffff) + (total >>> 16)) : total
}

// Judgement -----------------------------------------------------------------------------------------------------------

export async function check(context: CheckContext): Promise<Feedback> {
  await expectGroups(context, 'ipv4', cases)
  return {
    passed: true,
    expected: 'headers checked, TTL decremented, checksums updated',
    found: `the examples of RFC 1071 and RFC 1624, packets of your own forwarded`,
    read: [HEADER, CHECKSUM, UPDATE],
  }
}

/** `returned`: the student's function returns a packet of the same form. */
export function headerView(packet: Uint8Array, returned = false): { bytes: Uint8Array; fields: ReadField[] } {
  if (packet.length < 20 || validateIpv4(packet) === 'IPv4 header length below 20 bytes') {
    return { bytes: packet, fields: [{ name: '(no whole header)', length: packet.length, text: '', path: [] }] }
  }
  const field = (name: string, at: number, length: number, show: (bytes: Uint8Array) => string): ReadField => ({
    name,
    length,
    text: show(packet.subarray(at, at + length)),
    ...(returned
      ? { path: [], format: value => (value instanceof Uint8Array ? show(value.subarray(at, at + length)) : 'nothing') }
      : {}),
  })
  const number = (bytes: Uint8Array) => `${bytes.reduce((value, byte) => value * 256 + byte, 0)}`
  const header = Math.min(packet.length, (packet[0] & 15) * 4)
  return {
    bytes: packet,
    fields: [
      field('Version, IHL', 0, 1, ([byte]) => `${byte >> 4}, ${byte & 15}`),
      field('Type of Service', 1, 1, number),
      field('Total Length', 2, 2, number),
      field('Identification', 4, 2, number),
      field('Flags, Offset', 6, 2, bytes => hex(bytes)),
      field('Time to Live', 8, 1, number),
      field('Protocol', 9, 1, number),
      field('Header Checksum', 10, 2, bytes => hex(bytes)),
      field('Source Address', 12, 4, addressText),
      field('Destination Address', 16, 4, addressText),
      ...(header > 20 ? [field('Options', 20, header - 20, bytes => hex(bytes, 8))] : []),
      ...(packet.length > header ? [field('Payload', header, packet.length - header, bytes => hex(bytes, 8))] : []),
    ],
  }
}
