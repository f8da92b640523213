/** Task 2: bytes around an IP packet, calculated and then counted on the wire. */
import type { MasqueClient } from '../../../src/client/client.ts'
import type { Encapsulation } from '../../../src/config/sections.ts'
import { encodeIpv4 } from '../../../src/ip/ipv4.ts'
import { IpProtocol } from '../../../src/ip/protocol.ts'
import { encodeUdp } from '../../../src/ip/udp.ts'
import { type Call, expectCalls, type Misconception } from '../../kit/check/calls.ts'
import { Seeded } from '../../kit/check/seeded.ts'
import type { CheckContext, Feedback, Reading } from '../../kit/lab/types.ts'
import { type ChartRow, showChart } from '../chart.ts'
import { Recorder } from '../recorder.ts'
import { type LabServer, startServer } from '../tunnel.ts'

const FILE = 'overhead.ts'
const READ: Reading[] = [
  'RFC 9000 §17.3.1 1-RTT Packet, §19.8 STREAM Frames',
  'RFC 9221 §4 Datagram Frame Types',
  'RFC 9297 §2.1 HTTP/3 Datagrams, §3.2 The Capsule Protocol',
  'labs/lab-02-performance/README.md, "Around a packet"',
]
const READ_VARINT: Reading[] = ['RFC 9000 §16 Variable-Length Integer Encoding']
/** Packets of each size: some carry an acknowledgement as well, and are longer; the shortest one counts. */
const PACKETS = 8
/** The streams before are used up first, so that the ids of those that are measured take two bytes. */
const STREAMS_BEFORE = 20
const PATIENCE_MS = 10_000
const DISCARD_PORT = 9
/** Of the live tunnels: our QUIC library's connection ids, its packet numbers below 256, the first request. */
const LIVE = { connectionIdLength: 8, packetNumberLength: 1 }
const LIVE_STREAM = 0
const LIVE_PACKET_STREAM = 400
const LIVE_OFFSET = 1000
const LINK = 100e6

interface QuicPacket {
  connectionIdLength: number
  packetNumberLength: number
}

export async function check(context: CheckContext): Promise<Feedback> {
  const random = new Seeded(context.seed, 'overhead')
  await expectVarints(context, random)
  await expectOverheads(context, random)
  await expectGoodput(context, random)
  const sizes = [random.int(29, 55), random.int(100, 250), random.int(500, 800)]
  const server = await context.do('start a proxy', () => startServer(context))
  for (const [index, encapsulation] of (['datagram', 'stream-per-packet', 'single-stream'] as const).entries()) {
    context.progress(index, 3, `live: ${encapsulation}`)
    await expectWire(context, server, encapsulation, sizes)
  }
  context.progress(3, 3, 'live tunnels')
  await showGoodput(context)
  return {
    passed: true,
    expected: 'the bytes around a packet, for each of three ways to carry it',
    found: `exactly what was counted on the wire, for packets of ${sizes.join(', ')} bytes`,
    read: READ,
  }
}

// The reference ---------------------------------------------------------------------------------------------------------

export const varint = (value: number): number => (value < 2 ** 6 ? 1 : value < 2 ** 14 ? 2 : value < 2 ** 30 ? 4 : 8)
const quic = ({ connectionIdLength, packetNumberLength }: QuicPacket) =>
  1 + connectionIdLength + packetNumberLength + 16
const datagram = (packet: QuicPacket, streamId: number) => quic(packet) + 3 + varint(streamId / 4) + 1
const perPacket = (packet: QuicPacket, streamId: number, own: number) =>
  quic(packet) + 1 + varint(own) + 1 + 2 + 4 + varint(streamId / 4) + 1
const single = (packet: QuicPacket, streamId: number, offset: number, length: number) => {
  const capsule = 1 + varint(length + 1) + 1
  return quic(packet) + 1 + varint(streamId) + varint(offset) + 2 + 1 + varint(capsule + length) + capsule
}
const goodputOf = (rate: number, length: number, overhead: number, version: 4 | 6) =>
  (rate * length) / (length + overhead + (version === 4 ? 28 : 48))

async function expectVarints(context: CheckContext, random: Seeded): Promise<void> {
  const values = [
    0,
    63,
    64,
    16_383,
    16_384,
    0x4d51,
    2 ** 30 - 1,
    2 ** 30,
    2 ** 52,
    random.int(65, 16_000),
    random.int(17_000, 1e9),
  ]
  await expectCalls(context, {
    text: 'lengths of varints',
    file: FILE,
    name: 'varintLength',
    calls: values.map(value => ({
      about: `the varint of ${value}`,
      args: [value],
      returns: varint(value),
      because: 'The first two bits of a varint say its length, so 6, 14, 30 or 62 bits are left for the value.',
    })),
    read: READ_VARINT,
  })
}

const SAYS = {
  tag: 'A QUIC packet ends with the tag of its encryption: 16 bytes.',
  first: 'A QUIC packet begins with a byte of flags, before the connection id.',
  outside: 'What is asked for is inside of the UDP payload: IP and UDP headers are counted in goodput().',
  quarter: 'What is written is the Quarter Stream ID: the stream id divided by four.',
  context: 'Before the IP packet there is its Context ID: 0, one byte.',
  length: 'The frame has a length, of two bytes.',
}

async function expectOverheads(context: CheckContext, random: Seeded): Promise<void> {
  const packets = (): QuicPacket => ({ connectionIdLength: random.int(0, 20), packetNumberLength: random.int(1, 4) })
  const request = () => 4 * random.pick([0, random.int(1, 63), random.int(64, 16_383)])
  const off = (reference: (...args: never[]) => number, by: number, says: string): Misconception => ({
    says,
    would: (...args: never[]) => reference(...args) + by,
  })
  const common = (reference: (...args: never[]) => number): Misconception[] => [
    off(reference, -16, SAYS.tag),
    off(reference, -1, `${SAYS.context} ${SAYS.first}`),
    off(reference, -2, SAYS.length),
    off(reference, 28, SAYS.outside),
    off(reference, 48, SAYS.outside),
  ]
  const known: QuicPacket = { connectionIdLength: 8, packetNumberLength: 2 }
  const calls = (
    reference: (...args: never[]) => number,
    lists: readonly (readonly [string, ...unknown[]])[],
  ): Call[] =>
    lists.map(([about, ...args]) => ({ about, args, returns: (reference as (...all: unknown[]) => number)(...args) }))

  await expectCalls(context, {
    text: 'a packet in a QUIC datagram',
    file: FILE,
    name: 'datagramOverhead',
    calls: calls(datagram, [
      ['the first request', known, 0],
      ['stream 252', known, 252],
      ['stream 256, whose quarter is 64', known, 256],
      ...random.list(8, () => ['one of your own', packets(), request()] as const),
    ]),
    misconceptions: [
      ...common(datagram),
      { says: SAYS.quarter, would: (packet: QuicPacket, streamId: number) => datagram(packet, streamId * 4) },
      {
        says: 'A DATAGRAM frame has neither a stream id nor an offset: it belongs to no stream.',
        would: (packet: QuicPacket, streamId: number) => datagram(packet, streamId) + varint(streamId) + 1,
      },
    ],
    read: READ,
  })
  await expectCalls(context, {
    text: 'a packet on a stream of its own',
    file: FILE,
    name: 'streamPerPacketOverhead',
    calls: calls(perPacket, [
      ['the first packet', known, 0, 14],
      ['stream 62 and then 66: the id gets longer', known, 0, 66],
      ['a tunnel that has been there for long', known, 0, 4 * 20_000 + 2],
      ...random.list(8, () => ['one of your own', packets(), request(), 4 * random.int(3, 30_000) + 2] as const),
    ]),
    misconceptions: [
      {
        says: 'A unidirectional stream of HTTP/3 begins with its type. 0x4d51 takes four bytes as a varint.',
        would: (packet: QuicPacket, streamId: number, own: number) => perPacket(packet, streamId, own) - 4,
      },
      {
        says: 'A unidirectional stream of HTTP/3 begins with its type. 0x4d51 takes four bytes as a varint: two of them hold 14 bits only.',
        would: (packet: QuicPacket, streamId: number, own: number) => perPacket(packet, streamId, own) - 2,
      },
      {
        says: SAYS.quarter,
        would: (packet: QuicPacket, streamId: number, own: number) => perPacket(packet, streamId * 4, own),
      },
      {
        says: 'The id in the STREAM frame is that of the packet stream; only in front of the packet it is the quarter of the request stream.',
        would: (packet: QuicPacket, streamId: number, own: number) =>
          perPacket(packet, streamId, own) - varint(own) + varint(streamId),
      },
      ...common(perPacket),
    ],
    read: READ,
  })
  await expectCalls(context, {
    text: 'a packet on the stream of the request',
    file: FILE,
    name: 'singleStreamOverhead',
    calls: calls(single, [
      ['a small packet', known, 0, 200, 40],
      ['a packet of 61 bytes: the DATA frame is a byte longer than the capsule', known, 0, 200, 61],
      ['a packet of 63 bytes', known, 0, 200, 63],
      ['a packet of 62 bytes', known, 0, 200, 62],
      ['a large packet', known, 0, 5000, 1300],
      ['after a gigabyte', known, 4, 2 ** 30, 1300],
      ...random.list(10, () => {
        const offset = random.pick([random.int(64, 16_000), random.int(20_000, 1e9), random.int(2 ** 30, 2 ** 31)])
        return ['one of your own', packets(), request(), offset, random.int(28, 1400)] as const
      }),
    ]),
    misconceptions: [
      {
        says: 'The lengths of DATA frame and capsule are varints: with the packet they grow from one byte to two. And each counts what is inside of it: the capsule its Context ID, the DATA frame the whole capsule.',
        would: (packet: QuicPacket, streamId: number, offset: number) => single(packet, streamId, offset, 28),
      },
      {
        says: 'The lengths of DATA frame and capsule are varints: with the packet they grow from one byte to two. And each counts what is inside of it: the capsule its Context ID, the DATA frame the whole capsule.',
        would: (packet: QuicPacket, streamId: number, offset: number, length: number) =>
          quic(packet) + 1 + varint(streamId) + varint(offset) + 2 + 1 + varint(length) + 2 + varint(length),
      },
      {
        says: 'On a stream of HTTP/3 everything is in frames: the capsule is the payload of a DATA frame.',
        would: (packet: QuicPacket, streamId: number, offset: number, length: number) =>
          quic(packet) + 1 + varint(streamId) + varint(offset) + 2 + 1 + varint(length + 1) + 1,
      },
      {
        says: 'The longer a stream has lived, the longer its offset: up to eight bytes.',
        would: (packet: QuicPacket, streamId: number, _: number, length: number) => single(packet, streamId, 0, length),
      },
      ...common(single),
    ],
    read: READ,
  })
}

async function expectGoodput(context: CheckContext, random: Seeded): Promise<void> {
  const lists = [
    [100e6, 1300, 32, 4],
    [100e6, 1300, 32, 6],
    [1e6, 40, 32, 4],
    ...random.list(8, () => [random.int(1, 1000) * 1e6, random.int(28, 1400), random.int(25, 60), random.pick([4, 6])]),
  ] as [number, number, number, 4 | 6][]
  await expectCalls(context, {
    text: 'goodput',
    file: FILE,
    name: 'goodput',
    calls: lists.map(args => ({ about: `packets of ${args[1]} bytes`, args, returns: goodputOf(...args) })),
    misconceptions: [
      {
        says: 'On the link there are an IP and a UDP header around each payload: 20 or 40, and 8 bytes.',
        would: (rate: number, length: number, overhead: number) => (rate * length) / (length + overhead),
      },
      {
        says: 'An IPv6 header has 40 bytes, an IPv4 header 20.',
        would: (rate: number, length: number, overhead: number, version: number) =>
          (rate * length) / (length + overhead + (version === 4 ? 48 : 28)),
      },
      {
        says: 'An IPv6 header has 40 bytes, an IPv4 header 20.',
        would: (rate: number, length: number, overhead: number) => (rate * length) / (length + overhead + 28),
      },
      {
        says: 'Goodput is that of the IP packets: of each payload, what is around the packet does not count.',
        would: (rate: number, length: number, overhead: number, version: 4 | 6) =>
          (rate * (length + overhead)) / (length + overhead + (version === 4 ? 28 : 48)),
      },
      {
        says: 'bit/s in, bit/s out: bytes cancel out in the ratio.',
        would: (rate: number, length: number, overhead: number, version: 4 | 6) =>
          goodputOf(rate, length, overhead, version) / 8,
      },
    ],
    read: READ,
  })
}

// Live ------------------------------------------------------------------------------------------------------------------

/** One tunnel: packets of some sizes, one by one, and how long the UDP payloads are that carry them. */
async function expectWire(
  context: CheckContext,
  server: LabServer,
  encapsulation: Encapsulation,
  sizes: readonly number[],
): Promise<void> {
  const measured = await context.do(
    `${encapsulation}: send ${sizes.length} sizes of packets, and count bytes`,
    async () => {
      const recorder = await Recorder.start(context, server.address)
      const client = await server.connect({ tunnel: { encapsulation } }, recorder.address)
      for (let i = 0; i < STREAMS_BEFORE; i++) await sendOne(client, recorder, server, 200)
      const found: number[] = []
      for (const size of sizes) {
        let shortest = Infinity
        for (let i = 0; i < PACKETS; i++) shortest = Math.min(shortest, await sendOne(client, recorder, server, size))
        found.push(shortest)
      }
      await client.close()
      return found
    },
  )
  const predicted = await Promise.all(
    sizes.map(async size => {
      const args = {
        datagram: [LIVE, LIVE_STREAM],
        'stream-per-packet': [LIVE, LIVE_STREAM, LIVE_PACKET_STREAM],
        'single-stream': [LIVE, LIVE_STREAM, LIVE_OFFSET, size],
      }[encapsulation]
      return await context.student.call<number>(FILE, FUNCTION[encapsulation], ...args)
    }),
  )
  const rows: ChartRow[] = sizes.map((size, index) => ({
    label: `packet of ${size} bytes`,
    predicted: predicted[index],
    measured: measured[index] - size,
    good: predicted[index] === measured[index] - size,
  }))
  showChart(context, { title: `Around a packet: ${encapsulation}`, unit: 'bytes', columns: ['yours', 'counted'], rows })
  const wrong = rows.find(row => !row.good)
  context.expect(`${encapsulation}: exactly as calculated`, wrong === undefined, () => ({
    expected: `${wrong!.measured} bytes around a ${wrong!.label}, which were counted`,
    found: `${wrong!.predicted} bytes from ${FUNCTION[encapsulation]}()`,
    read: READ,
  }))
}

const FUNCTION = {
  datagram: 'datagramOverhead',
  'stream-per-packet': 'streamPerPacketOverhead',
  'single-stream': 'singleStreamOverhead',
} as const

/** Returns the length of the UDP payload that carried it. */
async function sendOne(client: MasqueClient, recorder: Recorder, server: LabServer, size: number): Promise<number> {
  const source = client.info.assigned[0].address
  const ports = { source, sourcePort: 4000, destination: server.library, destinationPort: DISCARD_PORT }
  const udp = encodeUdp(ports, new Uint8Array(size - 28))
  const packet = encodeIpv4({ source, destination: server.library, protocol: IpProtocol.UDP, ttl: 64 }, udp)
  return await recorder.next(size + 20, () => client.sendPacket(packet), PATIENCE_MS)
}

/** What it comes to: the share of a link that is left for packets of each size. */
async function showGoodput(context: CheckContext): Promise<void> {
  const sizes = [40, 100, 200, 400, 800, 1300]
  const datagrams = await context.student.batch<number>(
    FILE,
    'goodput',
    sizes.map(size => [LINK, size, datagram(LIVE, LIVE_STREAM), 4]),
  )
  const streams = await context.student.batch<number>(
    FILE,
    'goodput',
    sizes.map(size => [LINK, size, perPacket(LIVE, LIVE_STREAM, LIVE_PACKET_STREAM), 4]),
  )
  const percent = (outcome: (typeof datagrams)[number]) => (outcome.ok ? (100 * outcome.value) / LINK : Number.NaN)
  showChart(context, {
    title: 'Goodput',
    unit: '% of the link',
    columns: ['streams', 'datagrams'],
    rows: sizes.map((size, index) => ({
      label: `packets of ${size} bytes`,
      predicted: percent(streams[index]),
      measured: percent(datagrams[index]),
    })),
  })
}
