/** Task 2: bytes around an IP packet, calculated and then counted on the wire. */
import type { MasqueClient } from '../../../src/client/client.ts'
import type { Encapsulation } from '../../../src/config/sections.ts'
import { encodeIpv4 } from '../../../src/ip/ipv4.ts'
import { IpProtocol } from '../../../src/ip/protocol.ts'
import { encodeUdp } from '../../../src/ip/udp.ts'
import { type Call, type CallGroup, expectCalls, type Misconception } from '../../kit/check/calls.ts'
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

// Cases ----------------------------------------------------------------------------------------------------------------

const VARINTS = [0, 63, 64, 16_383, 16_384, 0x4d51, 2 ** 30 - 1, 2 ** 30, 2 ** 52]
const USUAL: QuicPacket = { connectionIdLength: 8, packetNumberLength: 2 }
const QUIC_PACKETS: QuicPacket[] = [
  USUAL,
  { connectionIdLength: 0, packetNumberLength: 1 },
  { connectionIdLength: 20, packetNumberLength: 4 },
]
/** On either side of where the Quarter Stream ID, and where the stream's own id, get longer. */
const REQUESTS = [0, 60, 64, 252, 256, 16_380, 16_384, 4 * 16_383, 4 * 16_384]
const PACKET_STREAMS = [14, 62, 66, 16_382, 16_386, 80_002]
const OFFSETS = [0, 20, 63, 64, 200, 16_383, 16_384, 2 ** 30 - 1, 2 ** 30]
/** Where the lengths of capsule and DATA frame, with or without what they count, get longer. */
const LENGTHS = [28, 40, 57, 58, 59, 60, 61, 62, 63, 64, 1300, ...Array.from({ length: 12 }, (_, i) => 16_374 + i)]

interface Cases {
  datagram: [QuicPacket, streamId: number][]
  perPacket: [QuicPacket, streamId: number, own: number][]
  single: [QuicPacket, streamId: number, offset: number, length: number][]
}

/** The same for everybody. */
const FIXED: Cases = {
  datagram: [
    ...QUIC_PACKETS.map((packet): [QuicPacket, number] => [packet, 0]),
    ...REQUESTS.map((id): [QuicPacket, number] => [USUAL, id]),
  ],
  perPacket: [
    ...PACKET_STREAMS.map((own): [QuicPacket, number, number] => [USUAL, 0, own]),
    ...REQUESTS.map((id): [QuicPacket, number, number] => [USUAL, id, 14]),
  ],
  single: [
    ...LENGTHS.map((length): [QuicPacket, number, number, number] => [USUAL, 0, 200, length]),
    ...OFFSETS.map((offset): [QuicPacket, number, number, number] => [USUAL, 4, offset, 1300]),
    ...REQUESTS.map((id): [QuicPacket, number, number, number] => [USUAL, id, 200, 40]),
  ],
}

function ownCases(random: Seeded): Cases {
  const packet = (): QuicPacket => ({ connectionIdLength: random.int(0, 20), packetNumberLength: random.int(1, 4) })
  const request = () => 4 * random.pick([0, random.int(1, 63), random.int(64, 16_383)])
  const offset = () => random.pick([random.int(0, 16_000), random.int(20_000, 1e9), random.int(2 ** 30, 2 ** 31)])
  return {
    datagram: random.list(8, () => [packet(), request()]),
    perPacket: random.list(8, () => [packet(), request(), 4 * random.int(3, 30_000) + 2]),
    single: random.list(10, () => [packet(), request(), offset(), random.int(28, 1400)]),
  }
}

const GOODPUTS: [rate: number, length: number, overhead: number, version: 4 | 6][] = [
  [100e6, 1300, 32, 4],
  [100e6, 1300, 32, 6],
  [1e6, 40, 32, 4],
  [1e6, 40, 31, 6],
]

const SAYS = {
  varint: 'The first two bits of a varint say its length, so 6, 14, 30 or 62 bits are left for the value.',
  tag: 'A QUIC packet ends with the tag of its encryption: 16 bytes.',
  one: 'A byte is missing. Before the IP packet there is its Context ID, 0; and a QUIC packet begins with a byte of flags, before the connection id.',
  outside: 'What is asked for is inside of the UDP payload: IP and UDP headers are counted in goodput().',
  quarter: 'What is written is the Quarter Stream ID: the stream id divided by four.',
  length: 'The frame has a length, of two bytes.',
  type: 'A unidirectional stream of HTTP/3 begins with its type. 0x4d51 takes four bytes as a varint',
  lengths:
    'The lengths of DATA frame and capsule are varints: with the packet they grow from one byte to two. And each counts what is inside of it: the capsule its Context ID, the DATA frame the whole capsule.',
  outer: 'An IPv6 header has 40 bytes, an IPv4 header 20.',
}

/** What forgets, or adds, the same number of bytes each time. */
function common(reference: (...args: never[]) => number): Misconception[] {
  const off = (by: number, says: string): Misconception => ({
    says,
    would: (...args: never[]) => reference(...args) + by,
  })
  return [off(-16, SAYS.tag), off(-1, SAYS.one), off(-2, SAYS.length), off(28, SAYS.outside), off(48, SAYS.outside)]
}

const WRONG_DATAGRAM: Misconception[] = [
  { says: SAYS.quarter, would: (packet: QuicPacket, streamId: number) => datagram(packet, streamId * 4) },
  {
    says: 'A DATAGRAM frame has neither a stream id nor an offset: it belongs to no stream.',
    would: (packet: QuicPacket, streamId: number) => datagram(packet, streamId) + varint(streamId) + 1,
  },
  ...common(datagram),
]

const WRONG_PER_PACKET: Misconception[] = [
  {
    says: `${SAYS.type}.`,
    would: (packet: QuicPacket, streamId: number, own: number) => perPacket(packet, streamId, own) - 4,
  },
  {
    says: `${SAYS.type}: two of them hold 14 bits only.`,
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
]

/** `capsule` and `data`: what each length counts besides the packet; `offset`: what is written as the offset. */
const wrongSingle =
  (wrong: { capsule?: number; data?: (capsule: number) => number; end?: boolean }) =>
  (packet: QuicPacket, streamId: number, offset: number, length: number): number => {
    const capsule = 1 + varint(length + (wrong.capsule ?? 1)) + 1
    const data = 1 + varint((wrong.data?.(capsule) ?? capsule) + length)
    const written = wrong.end ? offset + data + capsule + length : offset
    return quic(packet) + 1 + varint(streamId) + varint(written) + 2 + data + capsule
  }

const WRONG_SINGLE: Misconception[] = [
  { says: SAYS.lengths, would: wrongSingle({ capsule: 0, data: () => 0 }) },
  { says: SAYS.lengths, would: wrongSingle({ capsule: 0 }) },
  { says: SAYS.lengths, would: wrongSingle({ data: () => 0 }) },
  {
    says: 'The length of a DATA frame does not count the frame’s own type and length: what is inside of it is the capsule.',
    would: (packet: QuicPacket, streamId: number, offset: number, length: number) => {
      const own = (capsule: number) => capsule + 1 + varint(capsule + length)
      return wrongSingle({ data: own })(packet, streamId, offset, length)
    },
  },
  {
    says: 'The lengths of DATA frame and capsule are varints: with the packet they grow from one byte to two.',
    would: (packet: QuicPacket, streamId: number, offset: number) => single(packet, streamId, offset, 28),
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
  {
    says: 'The offset in a STREAM frame is where its data begins in the stream: what was sent before, without what this frame brings.',
    would: wrongSingle({ end: true }),
  },
  ...common(single),
]

const WRONG_GOODPUT: Misconception[] = [
  {
    says: 'On the link there are an IP and a UDP header around each payload: 20 or 40, and 8 bytes.',
    would: (rate: number, length: number, overhead: number) => (rate * length) / (length + overhead),
  },
  {
    says: SAYS.outer,
    would: (rate: number, length: number, overhead: number, version: 4 | 6) =>
      goodputOf(rate, length, overhead, version === 4 ? 6 : 4),
  },
  {
    says: SAYS.outer,
    would: (rate: number, length: number, overhead: number) => goodputOf(rate, length, overhead, 4),
  },
  {
    says: 'Goodput is that of the IP packets: of each payload, what is around the packet does not count.',
    would: (rate: number, length: number, overhead: number, version: 4 | 6) =>
      (goodputOf(rate, length, overhead, version) * (length + overhead)) / length,
  },
  {
    says: 'bit/s in, bit/s out: bytes cancel out in the ratio.',
    would: (rate: number, length: number, overhead: number, version: 4 | 6) =>
      goodputOf(rate, length, overhead, version) / 8,
  },
  {
    says: 'A rate need not be a whole number: nothing is to be rounded.',
    would: (rate: number, length: number, overhead: number, version: 4 | 6) =>
      Math.floor(goodputOf(rate, length, overhead, version)),
  },
]

// Reference ------------------------------------------------------------------------------------------------------------

export function varint(value: number): number {
  return value < 2 ** 6 ? 1 : value < 2 ** 14 ? 2 : value < 2 ** 30 ? 4 : 8
}

function quic({ connectionIdLength, packetNumberLength }: QuicPacket): number {
  return 1 + connectionIdLength + packetNumberLength + 16
}

function datagram(packet: QuicPacket, streamId: number): number {
  return quic(packet) + 3 + varint(streamId / 4) + 1
}

function perPacket(packet: QuicPacket, streamId: number, own: number): number {
  return quic(packet) + 1 + varint(own) + 1 + 2 + 4 + varint(streamId / 4) + 1
}

function single(packet: QuicPacket, streamId: number, offset: number, length: number): number {
  const capsule = 1 + varint(length + 1) + 1
  return quic(packet) + 1 + varint(streamId) + varint(offset) + 2 + 1 + varint(capsule + length) + capsule
}

function goodputOf(rate: number, length: number, overhead: number, version: 4 | 6): number {
  return (rate * length) / (length + overhead + (version === 4 ? 28 : 48))
}

// Judgement ------------------------------------------------------------------------------------------------------------

export async function check(context: CheckContext): Promise<Feedback> {
  const random = new Seeded(context.seed, 'overhead')
  await expectFormulas(context, random)
  // Larger than what QUIC sends on its own account, so that one is not taken for the other.
  const sizes = [random.int(45, 55), random.int(100, 250), random.int(500, 800)]
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

async function expectFormulas(context: CheckContext, random: Seeded): Promise<void> {
  const own = ownCases(random)
  const varints = [...VARINTS, random.int(65, 16_000), random.int(17_000, 1e9)]
  const goodputs = [
    ...GOODPUTS,
    ...random.list(8, (): (typeof GOODPUTS)[number] => [
      random.int(1, 1000) * 1e6,
      random.int(28, 1400),
      random.int(25, 60),
      random.pick([4, 6]),
    ]),
  ]
  const calls = <Args extends unknown[]>(
    lists: Args[],
    reference: (...args: Args) => number,
    about: (...args: Args) => string,
  ) => lists.map((args): Call => ({ about: about(...args), args, returns: reference(...args) }))
  const groups: Omit<CallGroup, 'file' | 'read'>[] = [
    {
      text: 'lengths of varints',
      name: 'varintLength',
      calls: varints.map(value => ({
        about: `the varint of ${value}`,
        args: [value],
        returns: varint(value),
        because: SAYS.varint,
      })),
    },
    {
      text: 'a packet in a QUIC datagram',
      name: 'datagramOverhead',
      calls: calls([...FIXED.datagram, ...own.datagram], datagram, (_, id) => `a request on stream ${id}`),
      misconceptions: WRONG_DATAGRAM,
    },
    {
      text: 'a packet on a stream of its own',
      name: 'streamPerPacketOverhead',
      calls: calls([...FIXED.perPacket, ...own.perPacket], perPacket, (_, __, id) => `a packet on stream ${id}`),
      misconceptions: WRONG_PER_PACKET,
    },
    {
      text: 'a packet on the stream of the request',
      name: 'singleStreamOverhead',
      calls: calls(
        [...FIXED.single, ...own.single],
        single,
        (_, __, offset, length) => `a packet of ${length} bytes, after ${offset} bytes`,
      ),
      misconceptions: WRONG_SINGLE,
    },
    {
      text: 'goodput',
      name: 'goodput',
      calls: calls(goodputs, goodputOf, (_, length) => `packets of ${length} bytes`),
      misconceptions: WRONG_GOODPUT,
    },
  ]
  for (const group of groups) {
    await expectCalls(context, {
      ...group,
      exact: true,
      file: FILE,
      read: group.name === 'varintLength' ? READ_VARINT : READ,
    })
  }
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
  return await recorder.next(size + 26, () => client.sendPacket(packet), PATIENCE_MS)
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
