/** Task 3: ADDRESS_ASSIGN and ADDRESS_REQUEST. */

import * as varint from '../../../src/bytes/varint.ts'
import { type Call, type CallGroup, expectGroups, type Misconception, REJECTED } from '../../kit/check/calls.ts'
import type { Seeded } from '../../kit/check/seeded.ts'
import type { CheckContext, Feedback } from '../../kit/lab/types.ts'
import { inBytes, type ReadField } from '../byte-view.ts'
import { addressText } from '../text.ts'
import { encoded } from './varint.ts'

const FILE = 'addresses.ts'
const ASSIGN = 'RFC 9484 §4.7.1 ADDRESS_ASSIGN Capsule'
const REQUEST = 'RFC 9484 §4.7.2 ADDRESS_REQUEST Capsule'

export interface AddressEntry {
  requestId: bigint
  version: 4 | 6
  address: Uint8Array
  prefixLength: number
}

// Cases ---------------------------------------------------------------------------------------------------------------

const SAME_NUMBER =
  'A Request ID has up to 62 bits, and JavaScript numbers are exact up to 53: as numbers, two different IDs may be the same. Keep and compare them as bigints.'

/** Each has a Request ID in another length, and a prefix that ends inside a byte. */
const EXAMPLES: readonly AddressEntry[] = [
  { requestId: 1n, version: 4, address: Uint8Array.of(10, 89, 1, 0), prefixLength: 24 },
  { requestId: 7n, version: 4, address: Uint8Array.of(192, 0, 2, 42), prefixLength: 32 },
  { requestId: 0n, version: 4, address: Uint8Array.of(10, 89, 2, 0), prefixLength: 23 },
  {
    requestId: 5n,
    version: 6,
    address: Uint8Array.of(0x20, 0x01, 0x0d, 0xb8, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0x12, 0x34),
    prefixLength: 128,
  },
]

const HOST_BITS =
  'The bits that the prefix does not cover must be 0 (RFC 9484 §4.7.1), down to the single bit: a prefix may end inside a byte.'

const CUT = 'The value of the capsule ends inside an entry. Before each field, is there enough left?'

const OF_ASSIGN: readonly Misconception[] = [
  {
    says: 'An ADDRESS_ASSIGN may use Request ID 0, for what nobody asked for, and one Request ID several times: one request may be answered by several prefixes. Only an ADDRESS_REQUEST must not.',
    would: (value: Uint8Array) => {
      const ids = decode(value, { oneByteId: false }).map(one => one.requestId)
      if (!ids.includes(0n) && new Set(ids).size === ids.length) throw new RangeError()
      return REJECTED
    },
  },
]

const OF_IDS: readonly Misconception[] = [
  {
    says: 'Every prefix length up to that of the address is allowed: /32 in IPv4 and /128 in IPv6 are single addresses.',
    would: (value: Uint8Array) => {
      const whole = decode(value, { oneByteId: false }).some(one => one.prefixLength === one.address.length * 8)
      if (!whole) throw new RangeError()
      return REJECTED
    },
  },
  {
    says: SAME_NUMBER,
    would: (value: Uint8Array) =>
      decode(value, { oneByteId: false }).map(one => ({ ...one, requestId: BigInt(Number(one.requestId)) })),
  },
  {
    says: SAME_NUMBER,
    would: (value: Uint8Array) => {
      const ids = decode(value, { oneByteId: false }).map(one => Number(one.requestId))
      if (new Set(ids).size === ids.length) throw new RangeError()
      return REJECTED
    },
  },
  {
    says: 'A Request ID is a varint: from 64 on it takes more than one byte.',
    would: (value: Uint8Array) => decode(value, { oneByteId: true }),
  },
]

function cases(random: Seeded): CallGroup[] {
  const entry = (version: 4 | 6, requestId = random.bigintBetween(1n, 1n << 40n)): AddressEntry => {
    const { address, length } = random.prefix(version)
    return { requestId, version, address, prefixLength: length }
  }
  const lists: AddressEntry[][] = [
    ...EXAMPLES.map(example => [example]),
    [...EXAMPLES],
    [entry(4, BigInt(random.int(64, 16_000)))],
    [entry(6)],
    random.list(random.int(3, 6), () => entry(random.pick([4, 6]))),
    [{ requestId: 7n, version: 4, address: new Uint8Array(4), prefixLength: 0 }],
    // One and the same number, if it goes through a double.
    [entry(4, (1n << 53n) + 2n * BigInt(random.int(1, 1000))), entry(6, (1n << 62n) - 1n)],
  ]
  lists.at(-1)!.push(entry(4, lists.at(-1)![0].requestId + 1n))
  const withoutRequest: AddressEntry[][] = [
    [entry(6, 0n), entry(4, 0n)],
    [entry(4, 5n), entry(6, 5n), entry(4, 5n)],
  ]

  return [
    {
      text: 'writes entries one after the other',
      file: FILE,
      name: 'encodeAddresses',
      calls: [...lists, []].map(list => ({ about: describeList(list), args: [list], returns: encodeAddresses(list) })),
      misconceptions: [
        {
          says: 'The order of the fields is Request ID, version, address, prefix length.',
          would: (list: AddressEntry[]) =>
            Uint8Array.from(
              list.flatMap(one => [...encoded(one.requestId), one.version, one.prefixLength, ...one.address]),
            ),
        },
        {
          says: 'A Request ID is a varint: from 64 on it takes more than one byte.',
          would: (list: AddressEntry[]) =>
            Uint8Array.from(
              list.flatMap(one => [Number(one.requestId & 0xffn), one.version, ...one.address, one.prefixLength]),
            ),
        },
      ],
      read: [ASSIGN],
      show: inBytes(call => ({
        bytes: call.returns as Uint8Array,
        fields: fieldsOf(call.args[0] as AddressEntry[], false),
      })),
    },
    ...['decodeAddressAssign', 'decodeAddressRequest'].flatMap((name): CallGroup[] => {
      const read = name === 'decodeAddressAssign' ? [ASSIGN] : [REQUEST, ASSIGN]
      const allowed = name === 'decodeAddressAssign' ? [...lists, ...withoutRequest, []] : lists.filter(isRequest)
      return [
        {
          text: `${name} reads what is right`,
          file: FILE,
          name,
          calls: allowed.map(list => ({
            about: describeList(list),
            args: [encodeAddresses(list)],
            returns: list,
            ...(list.length === 0
              ? { because: 'An empty ADDRESS_ASSIGN is allowed: it takes all addresses away (RFC 9484 §4.7.1).' }
              : list[0]?.prefixLength === 0
                ? { because: 'A prefix of 0 bits is allowed: all addresses.' }
                : {}),
          })),
          misconceptions: name === 'decodeAddressAssign' ? [...OF_IDS, ...OF_ASSIGN] : OF_IDS,
          read,
          show: inBytes(call => ({
            bytes: call.args[0] as Uint8Array,
            fields: fieldsOf(call.returns as AddressEntry[], true),
          })),
        },
        {
          text: `${name} refuses what is malformed`,
          file: FILE,
          name,
          calls: malformed(random, entry),
          read,
          show: inBytes(viewMalformed),
        },
      ]
    }),
    {
      text: 'decodeAddressRequest refuses requests that cannot be answered',
      file: FILE,
      name: 'decodeAddressRequest',
      calls: [
        rejected('a request without an entry', [], 'An ADDRESS_REQUEST has to ask for at least one address.'),
        rejected(
          'a Request ID of 0',
          [entry(4), entry(6, 0n)],
          'Request ID 0 is kept for assignments that nobody asked for: a request must not use it.',
        ),
        rejected(
          'the same Request ID twice',
          [entry(4, 9n), entry(6, 10n), entry(4, 9n)],
          'A Request ID is never used twice: the answer could not be told apart.',
        ),
      ],
      read: [REQUEST],
      show: inBytes(viewMalformed),
    },
  ]
}

function malformed(random: Seeded, entry: (version: 4 | 6, requestId?: bigint) => AddressEntry): Call[] {
  const [four, six] = [entry(4, 3n), entry(6, 70n)]
  const bytes = encodeAddresses([four, six])
  const cuts = [
    ...Array.from({ length: encodeAddresses([four]).length - 1 }, (_, i) => i + 1),
    ...Array.from({ length: encodeAddresses([six]).length - 1 }, (_, i) => encodeAddresses([four]).length + i + 1),
  ]
  const versions = [0, 5, random.int(7, 255)]
  return [
    ...versions.map(version => ({
      ...rejected(`IP version ${version}`, [{ ...six, version: version as 4 }], 'There are IP versions 4 and 6 only.'),
    })),
    rejected('10.1.2.3/24', [{ ...four, address: Uint8Array.of(10, 1, 2, 3), prefixLength: 24 }], HOST_BITS),
    rejected('10.1.2.64/25', [{ ...four, address: Uint8Array.of(10, 1, 2, 64), prefixLength: 25 }], HOST_BITS),
    rejected('128.0.0.0/0', [{ ...four, address: Uint8Array.of(128, 0, 0, 0), prefixLength: 0 }], HOST_BITS),
    ...random.list(4, () => withHostBit(random, entry(random.pick([4, 6])))),
    rejected(
      'an IPv4 prefix of 33 bits',
      [{ ...four, address: random.address(4), prefixLength: 33 }],
      'A prefix is at most as long as the address: 32 bits in IPv4, 128 in IPv6.',
    ),
    rejected(
      'an IPv6 prefix of 129 bits',
      [{ ...six, address: random.address(6), prefixLength: 129 }],
      'A prefix is at most as long as the address: 32 bits in IPv4, 128 in IPv6.',
    ),
    ...cuts.map(end => ({
      about: `cut after ${end} bytes`,
      args: [bytes.slice(0, end)],
      returns: REJECTED,
      because: CUT,
    })),
    {
      about: 'a stray byte behind the last entry',
      args: [Uint8Array.from([...bytes, random.int(1, 63)])],
      returns: REJECTED,
      because: CUT,
    },
  ]
}

/** One bit is set just beyond the prefix, or anywhere behind it. */
function withHostBit(random: Seeded, entry: AddressEntry): Call {
  const bits = entry.address.length * 8
  const prefixLength = Math.min(entry.prefixLength, bits - 1)
  const address = entry.address.map((byte, index) => (index >= Math.ceil(prefixLength / 8) ? 0 : byte))
  for (let bit = prefixLength; bit < bits; bit++) address[bit >> 3] &= ~(0x80 >> (bit & 7))
  const bit = random.boolean() ? prefixLength : random.int(prefixLength, bits - 1)
  address[bit >> 3] |= 0x80 >> (bit & 7)
  return rejected(
    `bit ${bit} set, beyond the prefix of ${prefixLength} bits`,
    [{ ...entry, address, prefixLength }],
    HOST_BITS,
  )
}

function rejected(about: string, entries: readonly AddressEntry[], because: string): Call {
  return { about, args: [encodeAddresses(entries)], returns: REJECTED, because }
}

// Reference -----------------------------------------------------------------------------------------------------------

function isRequest(list: readonly AddressEntry[]): boolean {
  const ids = list.map(one => one.requestId)
  return list.length > 0 && !ids.includes(0n) && new Set(ids).size === ids.length
}

export function encodeAddresses(entries: readonly AddressEntry[]): Uint8Array {
  return Uint8Array.from(
    entries.flatMap(one => [...encoded(one.requestId), one.version, ...one.address, one.prefixLength]),
  )
}

/** How someone would read it who has a particular idea about it. */
function decode(value: Uint8Array, { oneByteId }: { oneByteId: boolean }): AddressEntry[] {
  const entries: AddressEntry[] = []
  for (let at = 0; at < value.length; ) {
    const idLength = oneByteId ? 1 : 1 << (value[at] >> 6)
    const version = value[at + idLength] as 4 | 6
    const length = version === 4 ? 4 : 16
    const address = value.slice(at + idLength + 1, at + idLength + 1 + length)
    const requestId = oneByteId ? BigInt(value[at]) : varint.decodeVarint(value, at)
    entries.push({ requestId, version, address, prefixLength: value[at + idLength + 1 + length] })
    at += idLength + length + 2
  }
  return entries
}

// Judgement -----------------------------------------------------------------------------------------------------------

export async function check(context: CheckContext): Promise<Feedback> {
  await expectGroups(context, 'addresses', cases)
  return {
    passed: true,
    expected: 'addresses read and written, and malformed capsules refused',
    found: `lists of entries read and written, every cut and every malformed field refused`,
    read: [ASSIGN, REQUEST],
  }
}

function describeList(list: readonly AddressEntry[]): string {
  if (list.length === 0) return 'an empty list'
  const each = list.slice(0, 3).map(one => `${addressText(one.address)}/${one.prefixLength}`)
  return `${each.join(', ')}${list.length > 3 ? ' …' : ''}`
}

function fieldsOf(list: readonly AddressEntry[], decoded: boolean): ReadField[] {
  return list.slice(0, 6).flatMap((one, index) => {
    const path = (key: keyof AddressEntry) => (decoded ? { path: [index, key] } : {})
    return [
      { name: 'Request ID', length: encoded(one.requestId).length, text: `${one.requestId}n`, ...path('requestId') },
      { name: 'IP Version', length: 1, text: `${one.version}`, ...path('version') },
      {
        name: 'IP Address',
        length: one.address.length,
        text: addressText(one.address),
        format: addressText,
        ...path('address'),
      },
      { name: 'IP Prefix Length', length: 1, text: `${one.prefixLength}`, ...path('prefixLength') },
    ]
  })
}

function viewMalformed(call: Call) {
  const bytes = call.args[0] as Uint8Array
  return { bytes, fields: [{ name: '(malformed)', length: bytes.length, text: 'MalformedError', path: [] }] }
}
