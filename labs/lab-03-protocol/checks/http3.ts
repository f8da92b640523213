/** Task 5: SETTINGS, and the header section of an Extended CONNECT request. */
import { encodeFieldSection } from '../../../src/http3/qpack/encoder.ts'
import { huffmanEncode } from '../../../src/http3/qpack/huffman.ts'
import { STATIC_TABLE } from '../../../src/http3/qpack/static-table.ts'
import { type Call, type CallGroup, describeOutcome, expectGroups, REJECTED } from '../../kit/check/calls.ts'
import { format, same } from '../../kit/check/format.ts'
import { Seeded } from '../../kit/check/seeded.ts'
import type { CheckContext, Feedback } from '../../kit/lab/types.ts'
import { inBytes, type ReadField } from '../byte-view.ts'
import { fromHex } from '../text.ts'
import { encoded } from './varint.ts'

const FILE = 'http3.ts'
const FRAMES = 'RFC 9114 §7.1 Frame Layout'
const SETTINGS = 'RFC 9114 §7.2.4 SETTINGS'
const INTEGERS = 'RFC 7541 §5.1 Integer Representation, with examples in Appendix C.1'
const LINES = 'RFC 9204 §4.5 Field Line Representations'
const REQUEST = 'RFC 9484 §4.4 HTTP/2 and HTTP/3 Requests'

type Header = [name: string, value: string]

// Cases ---------------------------------------------------------------------------------------------------------------

const HUFFMAN =
  'With H = 1 the string is Huffman-coded; the length is that of the coded bytes. H stands directly before the length: bit 3 for a name, bit 7 for a value.'

const WIDE =
  'The operators <<, >> and | of JavaScript know 32 bits only, and an integer may have more: multiply and divide by 128 instead.'

const GROUPS =
  'Behind a full prefix each byte has seven bits of the integer, the lowest seven first; its highest bit says whether another follows.'

const FORMS = {
  indexed:
    'Name and value are one entry of the static table: one integer with a 6-bit prefix behind the bits 11 says it all.',
  reference:
    'The name is in the static table, the value is not there with it: the bits 0101, the index of the name with a 4-bit prefix, then the value with its length.',
  literal:
    'The name is not in the static table: the bits 0010, the length of the name with a 3-bit prefix, the name, then the value.',
  plain: 'Without Huffman code the H bit, directly before the length, is 0.',
} as const

function frameCases(random: Seeded): CallGroup[] {
  const control = Uint8Array.from([0x00, ...frame(0x04n, Uint8Array.of(0x33, 0x01))])
  return [
    {
      text: 'writes a frame',
      file: FILE,
      name: 'encodeFrame',
      calls: [
        [0x01n, random.bytes(5)],
        [0x00n, new Uint8Array(0)],
        [0x04n, random.bytes(random.int(64, 100))],
      ].map(([type, payload]) => ({
        about: `type ${type}, ${(payload as Uint8Array).length} bytes`,
        args: [type, payload],
        returns: frame(type as bigint, payload as Uint8Array),
        because: 'Type and length are varints, and the length is that of the payload alone: as in a capsule.',
      })),
      read: [FRAMES],
    },
    {
      text: 'opens the control stream with SETTINGS',
      file: FILE,
      name: 'controlStream',
      calls: [{ about: 'stream type 0x00, SETTINGS with H3_DATAGRAM = 1', args: [], returns: control }],
      misconceptions: [
        {
          says: 'A unidirectional stream begins with its type (RFC 9114 §6.2): without it, the first byte of the frame is taken for that.',
          would: () => control.slice(1),
        },
        {
          says: 'H3_DATAGRAM has the identifier 0x33 since RFC 9297. 0xffd277 was that of a draft.',
          would: () => Uint8Array.from([0x00, ...frame(0x04n, Uint8Array.from([...encoded(0xffd277n), 1]))]),
        },
        {
          says: '0x33 is hexadecimal, 51. 33 is the identifier of another setting.',
          would: () => Uint8Array.from([0x00, ...frame(0x04n, Uint8Array.of(33, 0x01))]),
        },
        {
          says: 'ENABLE_CONNECT_PROTOCOL is for the server to say: it is the one who accepts such requests (RFC 9220 §3).',
          would: () => Uint8Array.from([0x00, ...frame(0x04n, Uint8Array.of(0x08, 0x01, 0x33, 0x01))]),
        },
      ],
      read: [SETTINGS, 'RFC 9114 §6.2.1 Control Streams', 'RFC 9297 §2.1.1 The SETTINGS_H3_DATAGRAM HTTP/3 Setting'],
      show: inBytes(call => ({
        bytes: call.returns as Uint8Array,
        fields: [
          {
            name: 'Stream Type',
            length: 1,
            text: 'control',
            path: [0],
            format: one => (one === 0 ? 'control' : format(one)),
          },
          {
            name: 'Frame Type',
            length: 1,
            text: 'SETTINGS',
            path: [1],
            format: one => (one === 4 ? 'SETTINGS' : format(one)),
          },
          { name: 'Length', length: 1, text: '2', path: [2] },
          { name: 'Identifier', length: 1, text: '51', path: [3] },
          { name: 'Value', length: 1, text: '1', path: [4] },
        ],
      })),
    },
  ]
}

function settingCases(random: Seeded): CallGroup[] {
  const grease = BigInt(random.int(1, 1 << 20)) * 0x1fn + 0x21n
  const lists: [bigint, bigint][][] = [
    [],
    [[0x33n, 1n]],
    [
      [0x01n, 0n],
      [0x08n, 1n],
      [0x33n, 1n],
    ],
    [
      [0x33n, 1n],
      [grease, (1n << 62n) - 1n],
      [0x08n, 1n],
      [0x06n, 70_000n],
    ],
    random.shuffle<[bigint, bigint]>([
      [0x06n, BigInt(random.int(1000, 100_000))],
      [0x08n, BigInt(random.int(0, 1))],
      [grease, random.bigint(60)],
      [0x33n, BigInt(random.int(0, 1))],
    ]),
    // One and the same number, if they go through a double.
    [
      [(1n << 60n) + 1n, 5n],
      [(1n << 60n) + 2n, 6n],
    ],
  ]
  const bad = (about: string, bytes: Uint8Array, because: string): Call => ({
    about,
    args: [bytes],
    returns: REJECTED,
    because,
  })
  const TWICE = 'A setting must not occur twice (RFC 9114 §7.2.4): which of the two would count?'
  const HTTP2 =
    'RFC 9114 §7.2.4.1 reserves the identifiers of HTTP/2 that have no counterpart: whoever sends them is mistaken.'
  const BOOLEAN =
    'ENABLE_CONNECT_PROTOCOL and H3_DATAGRAM are 0 or 1, everything else is an error (RFC 8441 §3, RFC 9297 §2.1.1).'
  const CUT = 'The frame ends inside a setting, so it is malformed: here the end is known, nothing more will come.'
  const whole = settings([
    [0x06n, BigInt(random.int(64, 16_000))],
    [grease, 5n],
  ])
  const ends = [encoded(0x06n).length + 2]
  return [
    {
      text: 'reads settings, known and unknown',
      file: FILE,
      name: 'decodeSettings',
      calls: lists.map(list => ({
        about: `${list.length} settings`,
        args: [settings(list)],
        returns: list,
        because:
          'Identifiers and values are varints. Unknown identifiers are allowed, and some peers send them on purpose.',
      })),
      misconceptions: [
        {
          says: 'Settings are wanted in the order in which they came.',
          would: (payload: Uint8Array) => {
            const list = lists.find(one => same(settings(one), payload))!
            return [...list].sort(([a], [b]) => (a < b ? -1 : 1))
          },
        },
        {
          says: 'An identifier has up to 62 bits, and JavaScript numbers are exact up to 53: as numbers, two different identifiers may be the same. Keep and compare them as bigints.',
          would: (payload: Uint8Array) => {
            const ids = lists.find(one => same(settings(one), payload))!.map(([id]) => Number(id))
            if (new Set(ids).size === ids.length) throw new RangeError()
            return REJECTED
          },
        },
      ],
      read: [SETTINGS],
      show: inBytes(call => ({
        bytes: call.args[0] as Uint8Array,
        fields: (call.returns as [bigint, bigint][]).flatMap(([id, value], index): ReadField[] => [
          { name: 'Identifier', length: encoded(id).length, text: `${id}n`, path: [index, 0] },
          { name: 'Value', length: encoded(value).length, text: `${value}n`, path: [index, 1] },
        ]),
      })),
    },
    {
      text: 'refuses malformed settings',
      file: FILE,
      name: 'decodeSettings',
      calls: [
        bad(
          'H3_DATAGRAM twice',
          settings([
            [0x33n, 1n],
            [0x33n, 1n],
          ]),
          TWICE,
        ),
        bad(
          'an unknown setting twice',
          settings([
            [grease, 1n],
            [0x33n, 1n],
            [grease, 2n],
          ]),
          TWICE,
        ),
        ...[0x00n, 0x02n, 0x03n, 0x04n, 0x05n].map(id => bad(`setting ${id}`, settings([[id, 0n]]), HTTP2)),
        bad('H3_DATAGRAM = 2', settings([[0x33n, 2n]]), BOOLEAN),
        bad('ENABLE_CONNECT_PROTOCOL = 2', settings([[0x08n, 2n]]), BOOLEAN),
        ...Array.from({ length: whole.length - 1 }, (_, i) => i + 1)
          .filter(end => !ends.includes(end))
          .map(end => bad(`cut after ${end} bytes`, whole.slice(0, end), CUT)),
      ],
      read: [SETTINGS],
    },
  ]
}

function integerCases(random: Seeded): CallGroup[] {
  const cases: [value: number, prefixBits: number, firstBits: number, about: string][] = [
    [10, 5, 0, 'the first example of RFC 7541'],
    [1337, 5, 0, 'the second example of RFC 7541'],
    [42, 8, 0, 'the third example of RFC 7541'],
    [0, 6, 0xc0, 'the smallest'],
    [62, 6, 0xc0, 'the largest value that fits the prefix'],
    [63, 6, 0xc0, 'the smallest value that does not fit the prefix'],
    [14, 4, 0x50, 'the largest value that fits the prefix'],
    [15, 4, 0x50, 'the smallest value that does not fit the prefix'],
    [15 + 127, 4, 0x50, 'the largest value of two bytes'],
    [15 + 128, 4, 0x50, 'the smallest value of three bytes'],
    [2 ** 31 + random.int(63, 999), 6, 0xc0, 'a number of more than 31 bits'],
    [2 ** 32 + random.int(63, 999), 7, 0, 'a number of more than 32 bits'],
    [2 ** 40 - 1, 3, 0x20, 'a number of 40 bits'],
    [random.int(300, 60_000), 7, 0, 'a number of your own'],
    [random.int(300, 60_000), 3, 0x20, 'a number of your own'],
  ]
  return [
    {
      text: "writes QPACK's integers",
      file: FILE,
      name: 'encodeInteger',
      calls: cases.map(([value, prefixBits, firstBits, about]) => ({
        about,
        args: [value, prefixBits, firstBits],
        returns: integer(value, prefixBits, firstBits),
        because:
          'Only values below 2^N - 1 fit the prefix: all ones says that more bytes follow, and these hold value - (2^N - 1).',
      })),
      misconceptions: [
        {
          says: WIDE,
          would: (value: number, prefixBits: number, firstBits: number) => narrow(value, prefixBits, firstBits),
        },
        {
          says: 'What follows the full prefix is value - (2^N - 1), not the whole value again.',
          would: (value: number, prefixBits: number, firstBits: number) => {
            const full = 2 ** prefixBits - 1
            return integer(value + full, prefixBits, firstBits)
          },
        },
        {
          says: 'The lowest seven bits come first here: the other way round than in varints.',
          would: (value: number, prefixBits: number, firstBits: number) => {
            const [first, ...rest] = integer(value, prefixBits, firstBits)
            const groups = rest.map(byte => byte & 0x7f).reverse()
            return Uint8Array.from([first, ...groups.map((byte, i) => (i < groups.length - 1 ? byte | 0x80 : byte))])
          },
        },
      ],
      read: [INTEGERS],
    },
  ]
}

function headerCases(random: Seeded): CallGroup[] {
  const word = () => random.word(random.int(3, 12))
  const examples: [about: string, headers: Header[], because: string][] = [
    ['the example of RFC 9204 §B.1', [[':path', '/index.html']], FORMS.reference],
    [':method CONNECT, entry 15', [[':method', 'CONNECT']], FORMS.indexed],
    [':status 200, entry 25', [[':status', '200']], FORMS.indexed],
    [
      ':path /, entry 1: the table counts from 0',
      [[':path', '/']],
      'The static table of QPACK counts from 0 (that of HTTP/2 counts from 1).',
    ],
    [':authority without a value, entry 0', [[':authority', '']], FORMS.indexed],
    [':method POST, entry 20', [[':method', 'POST']], FORMS.indexed],
    [':status 304, entry 26', [[':status', '304']], FORMS.indexed],
    [
      'the last entry, 98',
      [['x-frame-options', 'sameorigin']],
      `${FORMS.indexed} Above 62 the integer needs a second byte.`,
    ],
    ['a name far down the table', [['server', word()]], `${FORMS.reference} Above 14 the index needs a second byte.`],
    [
      'a name with several entries',
      [[':method', 'PATCH']],
      'Where several entries fit, the first is taken: :method is entry 15 first.',
    ],
    ['a name that is not there', [['capsule-protocol', '?1']], FORMS.literal],
    ['a short name that is not there', [[random.word(2), word()]], `${FORMS.literal} ${FORMS.plain}`],
    ['an empty value', [[`${random.word(3)}-x`, '']], FORMS.literal],
    [
      'a long value',
      [[':authority', `${random.word(random.int(127, 200))}.example`]],
      'From 127 on the length of a value needs a second byte.',
    ],
    [
      'the longest value whose length has two bytes',
      [[':authority', random.word(127 + 127)]],
      'One byte behind the prefix holds up to 127: its highest bit says whether another follows.',
    ],
    ['a value whose length needs a third byte', [[':authority', random.word(127 + 128)]], GROUPS],
  ]
  const all: Header[] = random.shuffle(examples.flatMap(([, headers]) => headers))
  const group: Pick<CallGroup, 'file' | 'read'> = { file: FILE, read: [LINES, INTEGERS] }
  const seeded = random.list(6, (): Header => [random.pick([word(), ':authority', 'user-agent', 'x-y']), word()])
  const long = section([
    [':authority', word()],
    ['capsule-protocol', '?1'],
    ['server', word()],
  ])
  const dynamic = 'There is no dynamic table here: we announced none, so nothing can refer to it.'
  return [
    {
      ...group,
      text: 'writes field sections',
      name: 'encodeHeaders',
      calls: [
        ...examples.map(([about, headers, because]) => ({
          about,
          args: [headers],
          returns: section(headers),
          because,
        })),
        { about: 'all of them together', args: [all], returns: section(all) },
        {
          about: 'no fields',
          args: [[]],
          returns: Uint8Array.of(0, 0),
          because: 'A field section begins with two bytes, here 0.',
        },
      ],
      misconceptions: [
        {
          says: 'Before the field lines come two bytes, Required Insert Count and Base, both 0 without a dynamic table.',
          would: (headers: Header[]) => section(headers).slice(2),
        },
        {
          says: 'The bit T says which table is meant: 1 is the static one.',
          would: (headers: Header[]) => {
            const bytes = section(headers)
            if (headers.length !== 1) throw new RangeError()
            bytes[2] &= bytes[2] & 0x80 ? 0xbf : 0xef
            return bytes
          },
        },
        {
          says: 'The static table of QPACK counts from 0 (that of HTTP/2 counts from 1).',
          would: (headers: Header[]) => {
            const bytes = section(headers)
            if (headers.length !== 1) throw new RangeError()
            bytes[2] += 1
            return bytes
          },
        },
      ],
      show: inBytes(call => ({ bytes: call.returns as Uint8Array, fields: sectionFields(call.args[0] as Header[]) })),
    },

    {
      ...group,
      text: 'reads field sections',
      name: 'decodeHeaders',
      calls: [
        ...examples.map(([about, headers, because]) => ({
          about,
          args: [section(headers)],
          returns: headers,
          because,
        })),
        { about: 'several lines', args: [section(all)], returns: all },
        {
          about: 'no fields',
          args: [Uint8Array.of(0, 0)],
          returns: [],
          because: 'The two bytes at the beginning are a whole field section: one without lines.',
        },
        {
          about: 'a value whose length needs a fourth byte',
          args: [section([[':authority', 'x'.repeat(127 + 0x80 * 0x83 + 5)]])],
          returns: [[':authority', 'x'.repeat(127 + 0x80 * 0x83 + 5)]],
          because: GROUPS,
        },
        ...['a', 'via', 'x-y', 'user-agent', random.word(4), random.word(9)].flatMap((name): Call[] => [
          {
            about: 'a Huffman-coded name with a plain value',
            args: [bytesOf(0, 0, huffman(name, 3, 0x20), string('zz', 7, 0))],
            returns: [[name, 'zz']],
            because: HUFFMAN,
          },
          {
            about: 'a plain name with a Huffman-coded value',
            args: [bytesOf(0, 0, string(name, 3, 0x20), huffman('zz', 7, 0))],
            returns: [[name, 'zz']],
            because: HUFFMAN,
          },
        ]),
        {
          about: 'Huffman-coded strings',
          args: [encodeFieldSection(seeded)],
          returns: seeded,
          because: HUFFMAN,
        },
        {
          about: 'lines that must not be compressed again (N = 1)',
          args: [
            Uint8Array.from([
              0,
              0,
              ...fromHex('7f25'),
              ...string('x', 7, 0),
              ...string('ab', 3, 0x30),
              ...string('y', 7, 0),
            ]),
          ],
          returns: [
            [STATIC_TABLE[15 + 0x25][0], 'x'],
            ['ab', 'y'],
          ],
          because: 'N only says how the line may be forwarded. It is no part of the index or the length.',
        },
      ],
      show: inBytes(call => ({
        bytes: call.args[0] as Uint8Array,
        fields: sectionFields(call.returns as Header[], true),
      })),
    },
    {
      ...group,
      text: 'refuses malformed field sections',
      name: 'decodeHeaders',
      calls: (
        [
          ['no bytes', '', 'A field section has two bytes before its lines.'],
          ['one byte', '00', 'A field section has two bytes before its lines.'],
          ['a Required Insert Count of 1', '02 00 d9', dynamic],
          ['an entry of the dynamic table', '00 00 80', dynamic],
          ['entry 1 of the dynamic table', '00 00 81', dynamic],
          ['entry 2 of the dynamic table', '00 00 82', dynamic],
          ['a name of the dynamic table', '00 00 40 01 61', dynamic],
          ['name 1 of the dynamic table', '00 00 41 01 61', dynamic],
          ['name 2 of the dynamic table', '00 00 42 01 61', dynamic],
          ['an entry counted from the base', '00 00 10', dynamic],
          ['a name counted from the base', '00 00 00 01 61', dynamic],
          // Taken for a literal name of one byte, it would be a whole line.
          ['name 1 counted from the base', `00 00 01 22 ${'21'.repeat(0x22)}`, dynamic],
          ['entry 99', '00 00 ff 24', 'The static table ends at entry 98.'],
          ['entry 99 for a name', '00 00 5f 54 01 61', 'The static table ends at entry 98.'],
          [
            'an integer without end',
            '00 00 ff ff ff ff ff ff ff ff ff ff ff ff',
            'An integer may go on for ever: stop where no index and no length can be that large.',
          ],
          ...[
            'ff 80 80 80 80 10',
            'ff 80 80 80 80 80 01',
            '5f 80 80 80 80 10 01 61',
            '27 80 80 80 80 10 61626364656667 00',
          ].map(line => ['an integer of more than 32 bits', `00 00 ${line}`, WIDE] as const),
          [
            'a huge length',
            '00 00 21 61 7f ff ff ff ff 07 61',
            'Is the string all there? Its length is what the peer claims.',
          ],
          [
            'a string that ends too early',
            '00 00 51 0b 2f 69',
            'Is the string all there? Its length is what the peer claims.',
          ],
        ] as const
      )
        .map(([about, bytes, because]): Call => ({ about, args: [fromHex(bytes)], returns: REJECTED, because }))
        .concat(
          Array.from({ length: long.length - 1 }, (_, i) => i + 1)
            .filter(end => !wholeLines(long, end))
            .map(end => ({
              about: `cut after ${end} bytes`,
              args: [long.slice(0, end)],
              returns: REJECTED,
              because: 'Is the string all there? Its length is what the peer claims.',
            })),
        ),
    },
  ]
}

// Reference -----------------------------------------------------------------------------------------------------------

export function frame(type: bigint, payload: Uint8Array): Uint8Array {
  return Uint8Array.from([...encoded(type), ...encoded(BigInt(payload.length)), ...payload])
}

function settings(list: readonly (readonly [bigint, bigint])[]): Uint8Array {
  return Uint8Array.from(list.flatMap(([id, value]) => [...encoded(id), ...encoded(value)]))
}

function integer(value: number, prefixBits: number, firstBits: number): Uint8Array {
  const full = 2 ** prefixBits - 1
  if (value < full) return Uint8Array.of(firstBits | value)
  const bytes = [firstBits | full]
  let rest = value - full
  for (; rest >= 0x80; rest = Math.floor(rest / 0x80)) bytes.push(0x80 | (rest & 0x7f))
  return Uint8Array.from([...bytes, rest])
}

/** With the operators of 32 bits. */
function narrow(value: number, prefixBits: number, firstBits: number): Uint8Array {
  const full = 2 ** prefixBits - 1
  if (value - full < 2 ** 31) throw new RangeError()
  const bytes = [firstBits | full]
  let rest = value - full
  for (; rest >= 0x80; rest >>= 7) bytes.push(0x80 | (rest & 0x7f))
  return Uint8Array.from([...bytes, rest])
}

function huffman(text: string, prefixBits: number, firstBits: number): Uint8Array {
  const coded = huffmanEncode(new TextEncoder().encode(text))
  return bytesOf(integer(coded.length, prefixBits, firstBits | (1 << prefixBits)), coded)
}

function bytesOf(...parts: readonly (number | Uint8Array)[]): Uint8Array {
  return Uint8Array.from(parts.flatMap(part => (typeof part === 'number' ? [part] : [...part])))
}

function string(text: string, prefixBits: number, firstBits: number): Uint8Array {
  return Uint8Array.from([...integer(text.length, prefixBits, firstBits), ...new TextEncoder().encode(text)])
}

/** The parts of a line: first what says which line, or its name; then the value, if it is written out. */
function lineParts([name, value]: Header): { first: Uint8Array; value?: Uint8Array } {
  const line = STATIC_TABLE.findIndex(entry => entry[0] === name && entry[1] === value)
  if (line >= 0) return { first: integer(line, 6, 0xc0) }
  const index = STATIC_TABLE.findIndex(entry => entry[0] === name)
  return { first: index >= 0 ? integer(index, 4, 0x50) : string(name, 3, 0x20), value: string(value, 7, 0) }
}

export function section(headers: readonly Header[]): Uint8Array {
  const lines = headers.map(lineParts)
  return Uint8Array.from([0, 0, ...lines.flatMap(line => [...line.first, ...(line.value ?? [])])])
}

// Judgement -----------------------------------------------------------------------------------------------------------

export async function check(context: CheckContext): Promise<Feedback> {
  await expectGroups(context, 'http3', random => [
    ...frameCases(random),
    ...settingCases(random),
    ...integerCases(random),
    ...headerCases(random),
  ])
  await expectRequest(context, new Seeded(context.seed, 'http3'))
  return {
    passed: true,
    expected: 'SETTINGS and header sections read and written',
    found:
      'the examples of RFC 7541 and RFC 9204, field sections of your own with and without Huffman code, no dynamic table',
    read: [SETTINGS, LINES],
  }
}

async function expectRequest(context: CheckContext, random: Seeded): Promise<void> {
  const authority = `${random.word(6)}.example:${random.int(1024, 65_535)}`
  const path = '/.well-known/masque/ip/*/*/'
  const expected: Header[] = [
    [':method', 'CONNECT'],
    [':protocol', 'connect-ip'],
    [':scheme', 'https'],
    [':authority', authority],
    [':path', path],
    ['capsule-protocol', '?1'],
  ]
  const [outcome] = await context.do('call connectIpRequest once', () =>
    context.student.batch(FILE, 'connectIpRequest', [[authority, path]]),
  )
  const lines: unknown[] = outcome.ok && Array.isArray(outcome.value) ? outcome.value : []
  const headers = lines.filter(
    (line): line is Header => Array.isArray(line) && line.every(part => typeof part === 'string'),
  )
  const sorted = (list: readonly Header[]) => [...list].sort((a, b) => (a[0] < b[0] ? -1 : a[0] > b[0] ? 1 : 0))
  const missing = expected.find(line => !headers.some(other => same(other, line)))
  const found = missing && headers.find(line => line[0] === missing[0])
  const rules: Record<string, string> = {
    ':method': 'The method of a tunnel is CONNECT, in capitals: methods are case-sensitive.',
    ':protocol': 'An Extended CONNECT names its protocol in :protocol: here connect-ip (connect-udp is another RFC).',
    ':scheme': 'Other than a plain CONNECT, an Extended CONNECT has :scheme and :path (RFC 8441 §4).',
    ':path': 'Other than a plain CONNECT, an Extended CONNECT has :scheme and :path (RFC 8441 §4).',
    'capsule-protocol':
      'Capsule-Protocol is a boolean of structured fields: true is written ?1, and names are in lower case.',
  }
  context.expect('asks for a CONNECT-IP tunnel', same(sorted(headers), sorted(expected)), () => ({
    expected: missing ? `a line ${format(missing)}` : `${expected.length} lines, and no other`,
    found: outcome.ok ? (found ? `the line ${format(found)}` : format(outcome.value)) : describeOutcome(outcome),
    ...(missing && outcome.ok && rules[missing[0]] ? { misconception: rules[missing[0]] } : {}),
    read: [REQUEST],
  }))
  const firstField = headers.findIndex(([name]) => !name.startsWith(':'))
  context.expect('with the pseudo-header fields first', firstField === headers.length - 1, {
    expected: 'all names with a colon before the others',
    found: format(headers.map(([name]) => name)),
    misconception: 'Pseudo-header fields come before all others; else the message is malformed (RFC 9114 §4.3).',
    read: ['RFC 9114 §4.3 HTTP Control Data'],
  })
}

/** Does the section end with a whole line when it is cut there? */
function wholeLines(bytes: Uint8Array, end: number): boolean {
  let at = 2
  const skipString = (bits: number): void => {
    const length = bytes[at] & (2 ** bits - 1)
    at += 1 + length
  }
  while (at < end) {
    if (bytes[at] & 0x40) at += (bytes[at] & 0x0f) === 0x0f ? 2 : 1
    else if ((bytes[at] & 7) === 7) at += 2 + 7 + bytes[at + 1]
    else skipString(3)
    skipString(7)
  }
  return at === end
}

/** `decoded`: the student's function returns the lines, not the bytes. */
function sectionFields(headers: readonly Header[], decoded = false): ReadField[] {
  const fields: ReadField[] = [{ name: 'Insert Count, Base', length: 2, text: '0, 0' }]
  headers.slice(0, 5).forEach((header, index) => {
    const { first, value } = lineParts(header)
    const name = value === undefined ? 'Indexed Field Line' : 'Name'
    fields.push({
      name,
      length: first.length,
      text: value === undefined ? header.join(': ') : header[0],
      ...(decoded ? { path: value === undefined ? [index] : [index, 0] } : {}),
      format: one => (Array.isArray(one) ? one.join(': ') : String(one)),
    })
    if (value) {
      const path = decoded ? { path: [index, 1] } : {}
      fields.push({ name: 'Value', length: value.length, text: header[1], ...path, format: String })
    }
  })
  return fields
}
