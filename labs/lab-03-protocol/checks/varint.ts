/** Task 1: variable-length integers. */

import { decodeVarint, encodeVarint, varintLength } from '../../../src/bytes/varint.ts'
import { type Call, type CallGroup, expectGroups, type Misconception, REJECTED } from '../../kit/check/calls.ts'
import type { Seeded } from '../../kit/check/seeded.ts'
import type { CheckContext, Feedback } from '../../kit/lab/types.ts'
import { inBytes } from '../byte-view.ts'
import { fromHex } from '../text.ts'

const FILE = 'varint.ts'
const READ = ['RFC 9000 §16 Variable-Length Integer Encoding', 'RFC 9000 §A.1 Sample Decoding Algorithm']

const MAX = (1n << 62n) - 1n

// Cases ---------------------------------------------------------------------------------------------------------------

/** RFC 9000 §A.1, and after it the second form of 37. */
const EXAMPLES: readonly [bytes: string, value: bigint][] = [
  ['c2197c5eff14e88c', 151288809941952652n],
  ['9d7f3e7d', 494878333n],
  ['7bbd', 15293n],
  ['25', 37n],
]

/** The numbers on either side of each step in length. */
const EDGES = [0n, 63n, 64n, 16_383n, 16_384n, 1_073_741_823n, 1_073_741_824n, MAX]

const LITTLE_ENDIAN =
  'This is the number with its bytes in little-endian order. The network sends the most significant byte first.'

const DOUBLE =
  'The number has gone through a JavaScript number, which is exact up to 53 bits only. Calculate in bigints throughout.'

const DECODE_MISCONCEPTIONS: readonly Misconception[] = [
  {
    says: LITTLE_ENDIAN,
    would: (bytes: Uint8Array, offset: number) => {
      const { length } = reference(bytes, offset)!
      const own = bytes.slice(offset, offset + length)
      own[0] &= 0x3f
      return { value: toBigint(own.reverse()), length }
    },
  },
  {
    says: LITTLE_ENDIAN,
    would: (bytes: Uint8Array, offset: number) => {
      const { length } = reference(bytes, offset)!
      const value = toBigint(bytes.slice(offset, offset + length).reverse())
      return { value: BigInt.asUintN(length * 8 - 2, value), length }
    },
  },
  {
    says: DOUBLE,
    would: (bytes: Uint8Array, offset: number) => {
      const { value, length } = reference(bytes, offset)!
      return { value: BigInt(Number(value)), length }
    },
  },
  {
    says: 'The two upper bits of the first byte say the length; they do not belong to the number. They have to be masked out.',
    would: (bytes: Uint8Array, offset: number) => {
      const { length } = reference(bytes, offset)!
      return { value: toBigint(bytes.subarray(offset, offset + length)), length }
    },
  },
  {
    says: 'The numbers go up to 2^62 - 1, but the operators |, & and << of numbers work on 32 bits only. Calculate in bigints throughout.',
    would: (bytes: Uint8Array, offset: number) => {
      const { value, length } = reference(bytes, offset)!
      if (value < 1n << 31n) throw new RangeError()
      return { value: BigInt.asIntN(32, value), length }
    },
  },
  {
    says: 'The two upper bits are the exponent: 00, 01, 10, 11 stand for 1, 2, 4, 8 bytes (1 << bits), not for 1, 2, 3, 4.',
    would: (bytes: Uint8Array, offset: number) => {
      const length = (bytes[offset] >> 6) + 1
      const own = bytes.slice(offset, offset + length)
      own[0] &= 0x3f
      return { value: toBigint(own), length }
    },
  },
  {
    says: 'The varint begins at bytes[offset], not at the beginning of the array.',
    would: (bytes: Uint8Array) => reference(bytes, 0),
  },
]

const ENCODE_MISCONCEPTIONS: readonly Misconception[] = [
  { says: LITTLE_ENDIAN, would: (value: bigint) => encoded(value).reverse() },
  { says: DOUBLE, would: (value: bigint) => encoded(BigInt(Number(value))) },
  {
    says: LITTLE_ENDIAN,
    would: (value: bigint) => {
      const bytes = encoded(value)
      const prefix = bytes[0] & 0xc0
      bytes[0] &= 0x3f
      bytes.reverse()
      bytes[0] |= prefix
      return bytes
    },
  },
  {
    says: 'The two upper bits of the first byte are missing: without them nobody knows how long the number is.',
    would: (value: bigint) => {
      const bytes = encoded(value)
      bytes[0] &= 0x3f
      return bytes
    },
  },
]

function cases(random: Seeded): CallGroup[] {
  const seeded = (bits: number) => random.bigintBetween(1n << BigInt(bits - 1), (1n << BigInt(bits)) - 1n)
  const hidden = [5, 13, 14, 22, 30, 31, 45, 54, 62].map(seeded)

  return [
    {
      text: 'reads the examples of RFC 9000 §A.1',
      file: FILE,
      name: 'decodeVarint',
      calls: EXAMPLES.map(([bytes]) =>
        decoding(fromHex(bytes), 0, `an example of the RFC, of ${bytes.length / 2} bytes`),
      ),
      misconceptions: DECODE_MISCONCEPTIONS,
      read: READ,
      show: inBytes(viewDecoding),
    },
    {
      text: 'reads a number that does not stand at the beginning',
      file: FILE,
      name: 'decodeVarint',
      calls: hidden.map(value => {
        const offset = random.int(1, 6)
        const bytes = Uint8Array.from([...random.bytes(offset), ...encoded(value), ...random.bytes(random.int(0, 4))])
        return decoding(bytes, offset, `${varintLength(value)} bytes, from bytes[${offset}]`)
      }),
      misconceptions: DECODE_MISCONCEPTIONS,
      read: READ,
      show: inBytes(viewDecoding),
    },
    {
      text: 'reads a small number in a longer form',
      file: FILE,
      name: 'decodeVarint',
      calls: [
        decoding(fromHex('4025'), 0, '37 again, in two bytes: the RFC gives it as an example'),
        decoding(fromHex('80000000'), 0, '0 in four bytes'),
        decoding(Uint8Array.from([0xc0, 0, 0, 0, 0, 0, 0, random.int(1, 63)]), 0, 'a small number in eight bytes'),
      ].map(call => ({ ...call, because: 'A number may be written longer than needed (RFC 9000 §16).' })),
      misconceptions: DECODE_MISCONCEPTIONS,
      read: READ,
      show: inBytes(viewDecoding),
    },
    {
      text: 'says undefined when the end of the number has not arrived',
      file: FILE,
      name: 'decodeVarint',
      calls: [
        missing(new Uint8Array(0), 0, 'no bytes at all'),
        missing(fromHex('25'), 1, 'nothing from bytes[1] on'),
        ...hidden.flatMap(value => {
          const bytes = encoded(value)
          return Array.from({ length: bytes.length - 1 }, (_, i) =>
            missing(bytes.slice(0, i + 1), 0, `${i + 1} of its ${bytes.length} bytes`),
          )
        }),
      ],
      read: READ,
      show: inBytes(viewDecoding),
    },
    {
      text: 'knows how many bytes a number takes',
      file: FILE,
      name: 'varintLength',
      calls: [...EDGES, ...hidden].map(value => ({
        about: 'the shortest form',
        args: [value],
        returns: varintLength(value),
        because: `${value} ${value === 0n ? 'fits 6 bits' : `needs ${value.toString(2).length} bits`}. With 1, 2, 4, 8 bytes there are 6, 14, 30, 62 bits for the number: the other two say the length.`,
      })),
      read: READ,
    },
    {
      text: 'writes numbers in their shortest form',
      file: FILE,
      name: 'encodeVarint',
      calls: [...EXAMPLES.map(([, value]) => value), ...EDGES, ...hidden].map(value => ({
        about: `${varintLength(value)} bytes`,
        args: [value],
        returns: encoded(value),
      })),
      misconceptions: ENCODE_MISCONCEPTIONS,
      read: READ,
    },
    ...['varintLength', 'encodeVarint'].map(
      (name): CallGroup => ({
        text: `${name} refuses what cannot be written`,
        file: FILE,
        name,
        calls: [MAX + 1n, 1n << 63n, (1n << 64n) + seeded(40), -1n].map(value => ({
          about: value < 0n ? 'a negative number' : 'more than 62 bits',
          args: [value],
          returns: REJECTED,
          because: 'What does not fit 62 bits cannot be written: silently cut off, it would be another number.',
        })),
        read: READ,
      }),
    ),
  ]
}

function decoding(bytes: Uint8Array, offset: number, about: string): Call {
  return { about, args: [bytes, offset], returns: reference(bytes, offset) }
}

function missing(bytes: Uint8Array, offset: number, about: string): Call {
  return {
    about,
    args: [bytes, offset],
    returns: undefined,
    because: 'The bytes end before the number does; beyond the end of an array there is only undefined.',
  }
}

// Reference -----------------------------------------------------------------------------------------------------------

function reference(bytes: Uint8Array, offset: number): { value: bigint; length: number } | undefined {
  const length = 1 << (bytes[offset] >> 6)
  if (offset >= bytes.length || offset + length > bytes.length) return undefined
  return { value: decodeVarint(bytes, offset), length }
}

/** The shortest form. */
export function encoded(value: bigint): Uint8Array {
  const bytes = new Uint8Array(varintLength(value))
  encodeVarint(value, bytes, 0)
  return bytes
}

function toBigint(bytes: Uint8Array): bigint {
  return bytes.reduce((value, byte) => (value << 8n) | BigInt(byte), 0n)
}

// Judgement -----------------------------------------------------------------------------------------------------------

export async function check(context: CheckContext): Promise<Feedback> {
  await expectGroups(context, 'varint', cases)
  return {
    passed: true,
    expected: 'varints read and written as RFC 9000 §16 has them',
    found: `${EXAMPLES.length} examples of the RFC, numbers of every length, every cut`,
    read: READ,
  }
}

function viewDecoding(call: Call) {
  const [bytes, offset] = call.args as [Uint8Array, number]
  const read = call.returns as { value: bigint; length: number } | undefined
  return {
    bytes,
    fields: [
      ...(offset > 0 ? [{ name: '(before the offset)', length: offset, text: '' }] : []),
      {
        name: 'number',
        length: read?.length ?? bytes.length - offset,
        text: read === undefined ? 'nothing' : `${read.value}n`,
        path: ['value'],
      },
    ],
  }
}
