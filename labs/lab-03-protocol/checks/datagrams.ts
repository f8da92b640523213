/** Task 6: HTTP Datagrams with quarter stream id and context id. */

import { type Call, type CallGroup, expectGroups, type Misconception, REJECTED } from '../../kit/check/calls.ts'
import type { Seeded } from '../../kit/check/seeded.ts'
import type { CheckContext, Feedback } from '../../kit/lab/types.ts'
import { inBytes } from '../byte-view.ts'
import { encoded } from './varint.ts'

const FILE = 'datagrams.ts'
const READ = [
  'RFC 9297 §2.1 HTTP/3 Datagrams',
  'RFC 9484 §6 HTTP Datagram Payload Format',
  'RFC 9000 §2.1 Stream Types and Identifiers',
]

// Cases ---------------------------------------------------------------------------------------------------------------

const DOUBLE =
  'A stream id has up to 62 bits, and JavaScript numbers are exact up to 53. Calculate in bigints: streamId / 4n.'

const QUARTER = 'What is written is the stream id divided by four, not the stream id: read it times four.'

function cases(random: Seeded): CallGroup[] {
  const packet = () => random.bytes(random.int(20, 60))
  const streams = [
    0n,
    4n,
    252n,
    256n,
    BigInt(random.int(1, 15)) * 4n,
    BigInt(random.int(64, 4000)) * 4n,
    (1n << 62n) - 4n,
    (1n << 55n) + 4n * BigInt(random.int(1, 7)),
  ]
  const inputs = streams.map((streamId, index) => ({
    streamId,
    contextId: index < 3 ? 0n : random.pick([0n, 2n, BigInt(random.int(64, 16_000)), random.bigint(62)]),
    payload: index === 1 ? new Uint8Array(0) : packet(),
  }))
  const encoding: Misconception[] = [
    {
      says: DOUBLE,
      would: (streamId: bigint, contextId: bigint, payload: Uint8Array) =>
        join(encoded(BigInt(Number(streamId / 4n))), encoded(contextId), payload),
    },
    {
      says: DOUBLE,
      would: (streamId: bigint, contextId: bigint, payload: Uint8Array) =>
        join(encoded(BigInt(Number(streamId)) / 4n), encoded(contextId), payload),
    },
    {
      says: QUARTER,
      would: (streamId: bigint, contextId: bigint, payload: Uint8Array) =>
        join(encoded(streamId), encoded(contextId), payload),
    },
    {
      says: QUARTER,
      would: (streamId: bigint, contextId: bigint, payload: Uint8Array) =>
        join(encoded(streamId * 4n), encoded(contextId), payload),
    },
    {
      says: 'The Quarter Stream ID comes first: it is a part of HTTP/3, the Context ID one of CONNECT-IP inside it.',
      would: (streamId: bigint, contextId: bigint, payload: Uint8Array) =>
        join(encoded(contextId), encoded(streamId / 4n), payload),
    },
    {
      says: 'Between the Quarter Stream ID and the IP packet there is the Context ID, also when it is 0.',
      would: (streamId: bigint, _contextId: bigint, payload: Uint8Array) => join(encoded(streamId / 4n), payload),
    },
  ]
  const CUT = 'The datagram ends inside a number. A datagram is not a stream: no more will come, so it is malformed.'
  const whole = join(encoded(BigInt(random.int(64, 16_000))), encoded(BigInt(random.int(20_000, 1 << 28))))
  const own = BigInt(random.int(1, 100)) * 4n
  const content = packet()
  const DROPPED =
    'An unknown Context ID is no error: such a datagram is dropped silently (RFC 9484 §6). So can new kinds of payload be added.'
  return [
    {
      text: 'wraps packets',
      file: FILE,
      name: 'encodeDatagram',
      calls: inputs.map(({ streamId, contextId, payload }) => ({
        about: `stream ${streamId}, context ${contextId}, ${payload.length} bytes`,
        args: [streamId, contextId, payload],
        returns: join(encoded(streamId / 4n), encoded(contextId), payload),
        because: 'Both numbers are varints: from 64 on they take more than one byte.',
      })),
      misconceptions: encoding,
      read: READ,
    },
    {
      text: 'refuses streams that carry no request',
      file: FILE,
      name: 'encodeDatagram',
      calls: [1n, 2n, 3n, BigInt(random.int(2, 50)) * 4n + BigInt(random.int(1, 3))].map(streamId => ({
        about: `stream ${streamId}`,
        args: [streamId, 0n, packet()],
        returns: REJECTED,
        because:
          'Requests are on client-initiated bidirectional streams, whose ids are divisible by four. Rounded, it would be the id of another stream.',
      })),
      read: READ,
    },
    {
      text: 'unwraps datagrams',
      file: FILE,
      name: 'decodeDatagram',
      calls: inputs.map(input => ({
        about: `stream ${input.streamId}, context ${input.contextId}, ${input.payload.length} bytes`,
        args: [join(encoded(input.streamId / 4n), encoded(input.contextId), input.payload)],
        returns: input,
        because:
          input.payload.length === 0
            ? 'The payload may be empty (RFC 9297 §2.1).'
            : 'Both numbers are varints: from 64 on they take more than one byte.',
      })),
      misconceptions: [
        {
          says: DOUBLE,
          would: (bytes: Uint8Array) => {
            const found = decode(bytes)
            return { ...found, streamId: BigInt(Number(found.streamId)) }
          },
        },
        {
          says: QUARTER,
          would: (bytes: Uint8Array) => {
            const found = decode(bytes)
            return { ...found, streamId: found.streamId / 4n }
          },
        },
      ],
      read: READ,
      show: inBytes(call => viewDatagram(call)),
    },
    {
      text: 'refuses malformed datagrams',
      file: FILE,
      name: 'decodeDatagram',
      calls: [
        ...Array.from({ length: whole.length }, (_, end) => ({
          about: `${end} bytes of ${whole.length}`,
          args: [whole.slice(0, end)],
          returns: REJECTED,
          because: CUT,
        })),
        ...[1n << 60n, (1n << 62n) - 1n].map(quarter => ({
          about: `a Quarter Stream ID of ${quarter}`,
          args: [join(encoded(quarter), encoded(0n), packet())],
          returns: REJECTED,
          because: 'A stream id has at most 62 bits, so its quarter has at most 60 (RFC 9297 §2.1).',
        })),
      ],
      read: READ,
    },
    {
      text: 'takes the IP packets of its own tunnel, and no others',
      file: FILE,
      name: 'packetFor',
      calls: [
        { about: 'a packet for us', args: [own, join(encoded(own / 4n), encoded(0n), content)], returns: content },
        {
          about: 'a packet for another tunnel',
          args: [own, join(encoded(own / 4n + 1n), encoded(0n), content)],
          returns: undefined,
          because: 'One connection may carry several tunnels: the stream id says which one a packet belongs to.',
        },
        ...[2n, 1n, BigInt(random.int(64, 16_000))].map(contextId => ({
          about: `context ${contextId}`,
          args: [own, join(encoded(own / 4n), encoded(contextId), content)],
          returns: undefined,
          because: DROPPED,
        })),
      ],
      read: READ,
    },
  ]
}

// Reference -----------------------------------------------------------------------------------------------------------

function join(...parts: Uint8Array[]): Uint8Array {
  return Uint8Array.from(parts.flatMap(part => [...part]))
}

function decode(bytes: Uint8Array): { streamId: bigint; contextId: bigint; payload: Uint8Array } {
  const varint = (at: number) => {
    const length = 1 << (bytes[at] >> 6)
    const digits = bytes.slice(at, at + length)
    digits[0] &= 0x3f
    return { value: digits.reduce((value, byte) => (value << 8n) | BigInt(byte), 0n), end: at + length }
  }
  const quarter = varint(0)
  const contextId = varint(quarter.end)
  return { streamId: quarter.value * 4n, contextId: contextId.value, payload: bytes.slice(contextId.end) }
}

// Judgement -----------------------------------------------------------------------------------------------------------

export async function check(context: CheckContext): Promise<Feedback> {
  await expectGroups(context, 'datagrams', cases)
  return {
    passed: true,
    expected: 'IP packets wrapped into datagrams and unwrapped from them',
    found: `datagrams each way; unknown contexts dropped, malformed ones refused`,
    read: READ,
  }
}

function viewDatagram(call: Call) {
  const { streamId, contextId, payload } = call.returns as ReturnType<typeof decode>
  return {
    bytes: call.args[0] as Uint8Array,
    fields: [
      {
        name: 'Quarter Stream ID',
        length: encoded(streamId / 4n).length,
        text: `stream ${streamId}`,
        path: ['streamId'],
        format: (id: unknown) => `stream ${id}`,
      },
      { name: 'Context ID', length: encoded(contextId).length, text: `${contextId}n`, path: ['contextId'] },
      ...(payload.length > 0
        ? [
            {
              name: 'Payload',
              length: payload.length,
              text: `${payload.length} bytes`,
              path: ['payload'],
              format: (value: unknown) => (value instanceof Uint8Array ? `${value.length} bytes` : String(value)),
            },
          ]
        : []),
    ],
  }
}
