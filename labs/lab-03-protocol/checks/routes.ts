/** Task 4: ROUTE_ADVERTISEMENT. */
import { IpAddress } from '../../../src/ip/address.ts'
import { type Call, type CallGroup, expectGroups, type Misconception, REJECTED } from '../../kit/check/calls.ts'
import type { Seeded } from '../../kit/check/seeded.ts'
import type { CheckContext, Feedback } from '../../kit/lab/types.ts'
import { inBytes, type ReadField } from '../byte-view.ts'
import { addressText } from '../text.ts'

const FILE = 'routes.ts'
const READ = ['RFC 9484 §4.7.3 ROUTE_ADVERTISEMENT Capsule']

export interface Route {
  version: 4 | 6
  start: Uint8Array
  end: Uint8Array
  protocol: number
}

// Cases ---------------------------------------------------------------------------------------------------------------

const ORDER =
  'The order is by IP version first, of one version by protocol, and only of one version and protocol by address.'

const DISJOINT =
  'Of one version and protocol, each range has to begin after the one before has ended: the end belongs to the range, so one address in both is too much.'

const WRAPPED =
  'Behind a range that ends with the last address there is no room for another. One more than 255.255.255.255 is not 0.0.0.0 here: compare the end with the next start, and add nothing.'

const OF_ORDER: readonly Misconception[] = [
  {
    says: WRAPPED,
    would: (value: Uint8Array) => {
      const size = value[0] === 4 ? 4 : 16
      if (!value.subarray(1 + size, 1 + 2 * size).every(byte => byte === 255)) throw new RangeError()
      return (found: unknown) => Array.isArray(found) && found.length > 1
    },
  },
]

const OF_FORWARDING: readonly Misconception[] = [
  {
    says: 'This is what the first range says that contains the address. Another range, for another protocol, may contain it too: one that fits is enough.',
    would: (routes: readonly Route[], destination: Uint8Array, protocol: number) => {
      const [first, second] = routes.filter(one => contains(one, destination))
      if (first === undefined || second === undefined) throw new RangeError()
      return first.protocol === 0 || first.protocol === protocol || protocol === (destination.length === 4 ? 1 : 58)
    },
  },
]

const CUT = 'The value of the capsule ends inside a range. Is there enough left before you read?'

function cases(random: Seeded): CallGroup[] {
  const pairs = [
    ['10.0.0.1', '10.0.0.2'],
    ['9.255.255.255', '10.0.0.0'],
    ['10.0.1.0', '10.0.0.255'],
    ['200.0.0.1', '100.0.0.1'],
    ['10.89.1.7', '10.89.1.7'],
    ['fd00::1', 'fd00::1:0'],
    ['2001:db8::', 'fd00::'],
  ].map(pair => pair.map(text => IpAddress.parse(text).bytes) as [Uint8Array, Uint8Array])
  for (const version of [4, 6] as const) {
    const address = random.address(version)
    const other = address.slice()
    other[random.int(1, other.length - 1)] ^= 0x81
    pairs.push([address, other], [random.address(version), random.address(version)])
  }
  const lists = [
    [route('10.89.1.0', '10.89.1.63')],
    [route('10.90.1.7', '10.90.1.7')],
    [route('fd00:90:1::', 'fd00:90:1::ffff')],
    [route('0.0.0.0', '255.255.255.255'), route('::', 'ffff:ffff:ffff:ffff:ffff:ffff:ffff:ffff')],
    [route('10.0.0.0', '10.0.0.9'), route('10.0.0.10', '10.0.0.19')],
    // Higher addresses first, because the protocol is lower; the same range for two protocols; IPv6 last.
    [
      route('200.1.0.0', '200.1.255.255', 6),
      route('10.1.0.0', '10.1.0.255', 17),
      route('200.1.0.0', '200.1.255.255', 17),
      route('2001:db8::', '2001:db8::ff', 0),
      route('2001:da8::', '2001:da8::ff', 6),
    ],
    seededRoutes(random),
    seededRoutes(random),
  ]
  return [
    {
      text: 'compares addresses',
      file: FILE,
      name: 'compareAddresses',
      calls: pairs.flatMap(([a, b]) => [comparison(a!, b!), comparison(b!, a!)]),
      // Only the sign counts.
      accepts: (found, expected) => typeof found === 'number' && Math.sign(found) === expected,
      read: READ,
    },
    {
      text: 'reads routes that are in order',
      file: FILE,
      name: 'decodeRoutes',
      calls: [...lists, []].map(list => ({
        about: describeRoutes(list),
        args: [encodeRoutes(list)],
        returns: list,
        because:
          list.length === 0
            ? 'An empty ROUTE_ADVERTISEMENT is allowed: nothing will be forwarded any more.'
            : `${ORDER} ${DISJOINT} A single address is a range too.`,
      })),
      read: READ,
      show: inBytes(call => ({ bytes: call.args[0] as Uint8Array, fields: fieldsOf(call.returns as Route[]) })),
    },
    {
      text: 'refuses what is malformed, and what is not in order',
      file: FILE,
      name: 'decodeRoutes',
      calls: malformed(random),
      misconceptions: OF_ORDER,
      read: READ,
      show: inBytes(call => ({
        bytes: call.args[0] as Uint8Array,
        fields: [
          { name: '(malformed)', length: (call.args[0] as Uint8Array).length, text: 'MalformedError', path: [] },
        ],
      })),
    },
    {
      text: 'writes routes in order',
      file: FILE,
      name: 'encodeRoutes',
      calls: lists.map(list => ({
        about: `${describeRoutes(list)}, handed over in another order`,
        args: [random.shuffle(list)],
        returns: encodeRoutes(list),
        because: ORDER,
      })),
      read: READ,
      show: inBytes(call => ({ bytes: call.returns as Uint8Array, fields: [] })),
    },
    {
      text: 'knows what may be sent',
      file: FILE,
      name: 'mayForward',
      calls: forwarding(random),
      misconceptions: OF_FORWARDING,
      read: [...READ, 'RFC 9484 §4.8 IPv6 Extension Headers', 'RFC 9484 §7.2 Routing Operation'],
    },
  ]
}

function malformed(random: Seeded): Call[] {
  const good = seededRoutes(random)
  const bytes = encodeRoutes(good)
  const starts = [0]
  for (const one of good) starts.push(starts.at(-1)! + 2 + 2 * one.start.length)
  const cuts = Array.from({ length: bytes.length }, (_, i) => i).filter(cut => !starts.includes(cut))
  const wrong = (about: string, list: Route[], because: string): Call => ({
    about,
    args: [encodeRoutes(list)],
    returns: REJECTED,
    because,
  })
  const base = random.int(20, 200)
  return [
    wrong(
      'a range that begins after its end',
      [route(`10.0.0.${base + 1}`, `10.0.0.${base}`)],
      'Start must be at most the end. Compared byte by byte: the first difference decides.',
    ),
    wrong(
      'a range that begins after its end, in its first byte only',
      [route('11.0.0.0', '10.255.255.255')],
      'Start must be at most the end. Compared byte by byte: the first difference decides.',
    ),
    wrong(
      'an IPv6 range that begins after its end',
      [route('fd00::2', 'fd00::1')],
      'Start must be at most the end, in both IP versions.',
    ),
    wrong('IP version 5', [{ ...route('fd00::1', 'fd00::2'), version: 5 as 6 }], 'There are IP versions 4 and 6 only.'),
    wrong('IPv6 before IPv4', [route('fd00::1', 'fd00::2'), route('10.0.0.1', '10.0.0.2')], ORDER),
    wrong('protocol 17 before 6', [route('10.0.0.1', '10.0.0.2', 17), route('10.1.0.1', '10.1.0.2', 6)], ORDER),
    wrong('protocol 2 before 1', [route('10.0.0.1', '10.0.0.2', 2), route('10.1.0.1', '10.1.0.2', 1)], ORDER),
    ...[
      [route('11.0.0.0', '11.0.0.9'), route('10.0.0.0', '10.0.0.9')],
      [route('10.0.0.1', '10.0.0.1'), route('10.0.0.0', '10.0.0.0')],
      [route('fd00::1', 'fd00::1'), route('fd00::', 'fd00::')],
    ].map(list => wrong('ranges in descending order, whose starts differ by 1', list, ORDER)),
    wrong('ranges in descending order', [route('10.2.0.0', '10.2.0.9'), route('10.1.0.0', '10.1.0.9')], ORDER),
    wrong('the same range twice', [route('10.1.0.0', '10.1.0.9'), route('10.1.0.0', '10.1.0.9')], DISJOINT),
    wrong(
      'ranges that share one address',
      [route('10.1.0.0', `10.1.0.${base}`), route(`10.1.0.${base}`, '10.1.0.255')],
      DISJOINT,
    ),
    ...[
      [route('10.0.0.0', '255.255.255.255'), route('20.0.0.0', '20.0.0.9')],
      [route('10.0.0.0', '255.255.255.255', 6), route(`200.0.0.${base}`, '255.255.255.255', 6)],
      [
        route('fd00::', 'ffff:ffff:ffff:ffff:ffff:ffff:ffff:ffff'),
        route('fe00::', 'ffff:ffff:ffff:ffff:ffff:ffff:ffff:ffff'),
      ],
    ].map(list => wrong('a range behind one that ends with the last address', list, DISJOINT)),
    wrong('a range inside another', [route('10.1.0.0', '10.1.255.255'), route('10.1.7.0', '10.1.7.9')], DISJOINT),
    wrong(
      'IPv6 ranges that overlap, with a protocol',
      [route('fd00::1', 'fd00::9', 17), route('fd00::9', 'fd00::f', 17)],
      DISJOINT,
    ),
    ...random
      .shuffle(cuts)
      .slice(0, 30)
      .map(cut => ({ about: `cut after ${cut} bytes`, args: [bytes.slice(0, cut)], returns: REJECTED, because: CUT })),
    {
      about: 'without its last byte, the protocol',
      args: [bytes.slice(0, -1)],
      returns: REJECTED,
      because: CUT,
    },
  ]
}

function forwarding(random: Seeded): Call[] {
  const routes = [
    route('10.1.0.0', '10.1.0.99', 0),
    route('10.2.0.200', '10.2.3.10', 17),
    route('fd00::10', 'fd00::20', 6),
  ]
  // One destination in ranges for several protocols; and low addresses behind high ones, because the protocol is higher.
  const several = [
    route('10.200.0.0', '10.200.0.255', 0),
    route('10.3.0.0', '10.3.0.255', 6),
    route('10.150.0.0', '10.150.0.255', 6),
    route('10.1.0.0', '10.1.0.9', 17),
    route('10.3.0.0', '10.3.0.127', 17),
    route('10.100.0.0', '10.180.0.0', 132),
  ]
  const EVERY =
    'The list is in order by protocol first, so an address may be in several ranges, and low addresses may come after high ones: one range that fits is enough.'
  const inSeveral = (destination: string, protocol: number, returns: boolean): Call => ({
    about: `protocol ${protocol} to ${destination}, which is in ranges of several protocols`,
    args: [several, IpAddress.parse(destination).bytes, protocol],
    returns,
    because: EVERY,
  })
  const ask = (destination: string, protocol: number, returns: boolean, because: string): Call => ({
    about: `protocol ${protocol} to ${destination}`,
    args: [routes, IpAddress.parse(destination).bytes, protocol],
    returns,
    because,
  })
  const INSIDE = 'Both the start and the end belong to a range, and nothing outside of them.'
  const PROTOCOL = 'A range with a protocol is for that protocol; protocol 0 in a range stands for every one.'
  const ICMP = 'ICMP may be sent to every advertised range, whatever its protocol: protocol 1 in IPv4, 58 in IPv6.'
  return [
    ask('10.1.0.0', 6, true, INSIDE),
    ask('10.1.0.99', 17, true, INSIDE),
    ask('10.1.0.100', 17, false, INSIDE),
    ask('10.0.255.255', 17, false, INSIDE),
    ask('10.2.1.7', 17, true, 'Addresses are compared as a whole: 10.2.1.7 lies between 10.2.0.200 and 10.2.3.10.'),
    ask(`10.2.${random.int(1, 2)}.${random.int(1, 254)}`, 17, true, INSIDE),
    ask('10.2.1.7', 6, false, PROTOCOL),
    ask(`10.1.0.${random.int(1, 98)}`, random.int(2, 200), true, PROTOCOL),
    ask('10.2.1.7', 1, true, ICMP),
    ask('fd00::11', 58, true, ICMP),
    ask('10.2.1.7', 58, false, ICMP),
    ask('fd00::11', 1, false, ICMP),
    ask('10.9.0.1', 1, false, 'ICMP too needs a range that contains its destination.'),
    ask('fd00::20', 6, true, INSIDE),
    ask('fd00::21', 6, false, INSIDE),
    inSeveral('10.3.0.5', 17, true),
    inSeveral('10.3.0.5', 6, true),
    inSeveral('10.3.0.200', 17, false),
    inSeveral('10.1.0.5', 17, true),
    inSeveral('10.200.0.7', random.int(2, 250), true),
    inSeveral('10.150.0.3', 6, true),
    inSeveral('10.150.0.3', 132, true),
    inSeveral(`10.3.0.${random.int(0, 127)}`, 17, true),
    ...[
      // The bytes at the beginning are the same; what is missing must not count as 0, or as anything.
      ['0a00::1', [route('10.0.0.0', '10.255.255.255')]],
      ['0a01::', [route('10.1.0.0', '10.1.0.99')]],
      ['10.1.0.0', [route('0a00::', '0aff::')]],
    ].map(
      ([destination, advertised]): Call => ({
        about: `protocol 17 to ${destination}, with routes of the other IP version only`,
        args: [advertised, IpAddress.parse(destination as string).bytes, 17],
        returns: false,
        because: 'A range of IPv4 holds no IPv6 address, and the other way round, whatever the bytes look like.',
      }),
    ),
    {
      about: 'no routes at all',
      args: [[], random.address(4), 6],
      returns: false,
      because: 'What was not advertised is not forwarded.',
    },
  ]
}

/**
 * In order, with gaps. What is for every protocol is in the upper half of the addresses, all else in the lower one: such ranges must not overlap
 * (RFC 9484 §4.7.3), and whoever notices that they do may refuse them.
 */
function seededRoutes(random: Seeded): Route[] {
  const kinds: [4 | 6, number][] = [
    [4, 0],
    [4, random.int(2, 16)],
    [4, random.int(17, 250)],
    [6, 0],
    [6, random.int(1, 250)],
  ]
  return kinds
    .filter(() => random.int(0, 3) > 0)
    .concat([[6, 255]])
    .flatMap(([version, protocol]) => {
      const ends = random
        .list(2 * random.int(1, 3), () => IpAddress.from(version, inHalf(random.address(version), protocol === 0)))
        .sort((a, b) => a.compare(b))
      return Array.from({ length: ends.length / 2 }, (_, i) => ({
        version,
        start: ends[2 * i].bytes.slice(),
        end: ends[2 * i + 1].bytes.slice(),
        protocol,
      }))
    })
}

function inHalf(address: Uint8Array, isUpper: boolean): Uint8Array {
  address[1] = isUpper ? address[1]! | 0x80 : address[1]! & 0x7f
  return address
}

function route(start: string, end: string, protocol = 0): Route {
  const first = IpAddress.parse(start)
  return { version: first.version, start: first.bytes.slice(), end: IpAddress.parse(end).bytes.slice(), protocol }
}

// Reference -----------------------------------------------------------------------------------------------------------

function comparison(a: Uint8Array, b: Uint8Array): Call {
  const returns = Math.sign(IpAddress.from(versionOf(a), a).compare(IpAddress.from(versionOf(b), b)))
  return {
    about: `${addressText(a)} and ${addressText(b)}: ${returns < 0 ? 'less than 0' : returns > 0 ? 'more than 0' : '0'}`,
    args: [a, b],
    returns,
    because:
      'Compare as numbers, byte by byte from the left; the first difference decides. With << 24 an address above 127 becomes negative, and as text "9" comes after "10".',
  }
}

function contains({ start, end }: Route, address: Uint8Array): boolean {
  if (start.length !== address.length) return false
  return Buffer.compare(start, address) <= 0 && Buffer.compare(address, end) <= 0
}

/** As they come, in order or not. */
export function encodeRoutes(routes: readonly Route[]): Uint8Array {
  return Uint8Array.from(routes.flatMap(one => [one.version, ...one.start, ...one.end, one.protocol]))
}

function versionOf(address: Uint8Array): 4 | 6 {
  return address.length === 4 ? 4 : 6
}

// Judgement -----------------------------------------------------------------------------------------------------------

export async function check(context: CheckContext): Promise<Feedback> {
  await expectGroups(context, 'routes', cases)
  return {
    passed: true,
    expected: 'routes read, checked, written in order and applied',
    found: `lists of routes; everything out of order, overlapping or cut short refused`,
    read: READ,
  }
}

function describeRoutes(list: readonly Route[]): string {
  if (list.length === 0) return 'no routes'
  const each = list.slice(0, 2).map(one => {
    const protocol = one.protocol === 0 ? '' : ` protocol ${one.protocol}`
    return `${addressText(one.start)} to ${addressText(one.end)}${protocol}`
  })
  return list.length > 2 ? `${each.join(', ')} and ${list.length - 2} more` : each.join(', ')
}

function fieldsOf(list: readonly Route[]): ReadField[] {
  return list.slice(0, 4).flatMap((one, index) => [
    { name: 'IP Version', length: 1, text: `${one.version}`, path: [index, 'version'] },
    {
      name: 'Start IP Address',
      length: one.start.length,
      text: addressText(one.start),
      path: [index, 'start'],
      format: addressText,
    },
    {
      name: 'End IP Address',
      length: one.end.length,
      text: addressText(one.end),
      path: [index, 'end'],
      format: addressText,
    },
    { name: 'IP Protocol', length: 1, text: `${one.protocol}`, path: [index, 'protocol'] },
  ])
}
