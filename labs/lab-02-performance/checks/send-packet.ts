/** Task 3: SendPacket. First byte by byte, then on real connections over a link that loses, beside the article's version. */
import { fail, resultOf } from '../../kit/calls.ts'
import { format, same } from '../../kit/format.ts'
import { Seeded } from '../../kit/seeded.ts'
import type { CheckContext, Feedback, Reading } from '../../kit/types.ts'
import { type ChartRow, showChart } from '../chart.ts'
import { startLink } from '../link.ts'
import { articleActions, Peer, type SendAction } from '../peer.ts'
import { type LabServer, startServer } from '../tunnel.ts'
import { varint as varintLength } from './overhead.ts'

const FILE = 'send-packet.ts'
const READ: Reading[] = [
  'RFC 9297 §2.1 HTTP/3 Datagrams, §3.5 The DATAGRAM Capsule',
  'RFC 9484 §6 HTTP Datagram Payload Format',
  'RFC 9000 §2.2, and RFC 9221 §5: what is sent again and what is not',
  'labs/lab-02-performance/README.md, "What waits for what"',
]
const MOST_WAITING = 65_536
const STREAM_MTU = 1500

export async function checkSendPacket(context: CheckContext): Promise<Feedback> {
  const random = new Seeded(context.seed, 'send-packet')
  // Another way than datagrams is worth a try: then let the link say what it is worth.
  if (await usesDatagrams(context, random)) {
    await expectDatagrams(context, random)
    await expectCapsules(context, random)
  }
  const server = await context.do('start a proxy', () => startServer(context))
  const clean = await race(context, server, 0, PACKETS_CLEAN)
  const lossy = await race(context, server, LOSS, PACKETS)
  showRaces(context, clean, lossy)
  judge(context, clean, lossy)
  return {
    passed: true,
    expected: `at ${LOSS * 100} % loss, at most a ${FACTOR}th of the article's packets that come late`,
    found: `late: yours ${percent(lossy.yours.late)}, the article's ${percent(lossy.article.late)}, on a single stream ${percent(lossy.single.late)}; answered: yours ${percent(lossy.yours.answered)}`,
    read: READ,
  }
}

// Byte by byte ----------------------------------------------------------------------------------------------------------

export function varint(value: number): number[] {
  const length = varintLength(value)
  const bytes = Array.from({ length }, (_, i) => Math.floor(value / 256 ** (length - 1 - i)) & 0xff)
  bytes[0] |= { 1: 0, 2: 0x40, 4: 0x80, 8: 0xc0 }[length as 1 | 2 | 4 | 8]
  return bytes
}

function datagramOf(requestStream: number, packet: Uint8Array): Uint8Array {
  return Uint8Array.from([...varint(requestStream / 4), 0, ...packet])
}

function capsuleFrame(packet: Uint8Array): Uint8Array {
  const capsule = [0, ...varint(packet.length + 1), 0, ...packet]
  return Uint8Array.from([0, ...varint(capsule.length), ...capsule])
}

interface Sending {
  about: string
  packet: Uint8Array
  waiting?: number
  expected: SendAction
  because?: string
}

/** Sends packets through a new sender, and compares what it asks for. */
async function expectActions(
  context: CheckContext,
  text: string,
  options: { requestStream: number; maxDatagramLength: number },
  sendings: readonly (Sending | { newLength: number })[],
): Promise<void> {
  const sender = await context.student.create(FILE, 'PacketSender', options)
  for (const sending of sendings) {
    if ('newLength' in sending) {
      await sender.call('onMaxDatagramLength', sending.newLength)
      continue
    }
    const { about, packet, waiting = 0, expected, because } = sending
    const [outcome] = await sender.batch('sendPacket', [[packet, waiting]])
    const actions = resultOf(outcome, 'sendPacket() to return actions', READ)
    context.expect(`${text}: ${about}`, same(actions, [expected]), () => ({
      expected: `sendPacket() with a packet of ${packet.length} bytes to return ${format([expected])} (request on stream ${options.requestStream}, QUIC datagrams of up to ${options.maxDatagramLength} bytes)`,
      found: format(actions),
      ...explain(actions, expected, packet, options.requestStream, because),
      read: READ,
    }))
  }
}

function explain(
  actions: unknown,
  expected: SendAction,
  packet: Uint8Array,
  requestStream: number,
  because?: string,
): { misconception?: string } {
  const list = Array.isArray(actions) ? (actions as Partial<SendAction & { data: Uint8Array; mtu: number }>[]) : []
  const data = list[0]?.data
  const quarter =
    'The Quarter Stream ID is the id of the request divided by four, written as a varint: two bytes from 64 on.'
  if (expected.type === 'datagram' && data instanceof Uint8Array) {
    if (same(data, packet)) return { misconception: `A datagram says whose it is, and of what kind. ${quarter}` }
    if (same(data, Uint8Array.from([...varint(requestStream), 0, ...packet]))) return { misconception: quarter }
    if (same(data, Uint8Array.from([...varint(requestStream / 4), ...packet]))) {
      return {
        misconception: 'Between the Quarter Stream ID and the packet there is the Context ID, also when it is 0.',
      }
    }
    if (list[0]?.type === 'datagram' && requestStream >= 256) return { misconception: quarter }
  }
  if (expected.type === 'write' && data instanceof Uint8Array) {
    if (same(data, Uint8Array.from([0, ...varint(packet.length + 1), 0, ...packet]))) {
      return {
        misconception: 'On a stream of HTTP/3 everything is in frames: the capsule is the payload of a DATA frame.',
      }
    }
    return {
      misconception:
        'Inside out: Context ID 0 and packet; type and length of the capsule; type and length of the DATA frame. Each length counts what is inside of it.',
    }
  }
  return because === undefined ? {} : { misconception: because }
}

async function usesDatagrams(context: CheckContext, random: Seeded): Promise<boolean> {
  const sender = await context.student.create(FILE, 'PacketSender', { requestStream: 0, maxDatagramLength: 1350 })
  const [outcome] = await context.do('call sendPacket', () => sender.batch('sendPacket', [[random.bytes(60), 0]]))
  const actions = resultOf(outcome, 'sendPacket() to return actions', READ)
  if (!Array.isArray(actions))
    fail({ expected: 'sendPacket() to return a list of actions', found: format(actions), read: READ })
  return !actions.some(action =>
    ['open-stream', 'write'].includes((action as { type?: string } | undefined)?.type ?? ''),
  )
}

async function expectDatagrams(context: CheckContext, random: Seeded): Promise<void> {
  const EXACT =
    'Quarter Stream ID, Context ID and packet together must fit into a datagram. What is left for the packet is the MTU.'
  const NEW = 'The length of datagrams changes when the path does: the last one that was told holds.'
  for (const requestStream of [0, 252, 256, 4 * random.int(64, 16_000)]) {
    const maxDatagramLength = random.int(1180, 1400)
    const prefix = varintLength(requestStream / 4) + 1
    const mtu = maxDatagramLength - prefix
    const send = (about: string, length: number): Sending => {
      const packet = random.bytes(length)
      return { about, packet, expected: { type: 'datagram', data: datagramOf(requestStream, packet) }, because: EXACT }
    }
    const tooBig = (about: string, length: number, largest: number, because = EXACT): Sending => ({
      about,
      packet: random.bytes(length),
      expected: { type: 'too-big', mtu: largest },
      because,
    })
    const later = mtu - random.int(50, 100)
    await expectActions(context, `request on stream ${requestStream}`, { requestStream, maxDatagramLength }, [
      send('a packet', random.int(28, 200)),
      { ...send('the same while much waits on the stream', 100), waiting: 10 * MOST_WAITING },
      send('the largest packet', mtu),
      tooBig('a byte more', mtu + 1, mtu),
      tooBig('much more', 9000, mtu),
      { newLength: later + prefix },
      { ...send('the largest packet after the path has become narrower', later), because: NEW },
      tooBig('a byte more than that', later + 1, later, NEW),
      { newLength: maxDatagramLength + 40 },
      { ...send('the largest packet after it has become wider', mtu + 40), because: NEW },
    ])
  }
}

async function expectCapsules(context: CheckContext, random: Seeded): Promise<void> {
  const options = { requestStream: 4 * random.int(0, 200), maxDatagramLength: 0 }
  const because =
    'A peer that takes no QUIC datagrams still takes packets: in DATAGRAM capsules on the stream of the request.'
  const send = (about: string, length: number, waiting = 0): Sending => {
    const packet = random.bytes(length)
    const data = capsuleFrame(packet)
    return { about, packet, waiting, expected: { type: 'write', stream: 'request', data, fin: false }, because }
  }
  const bound =
    'What QUIC has not sent yet waits, and each packet behind it waits as long. A queue without a bound loses nothing, and delivers everything too late.'
  await expectActions(context, 'a peer without datagrams', options, [
    send('a packet', random.int(28, 60)),
    send('61 bytes, whose capsule has 64', 61),
    send('62 bytes', 62),
    send('63 bytes', 63),
    send('the largest packet', STREAM_MTU),
    {
      about: 'a byte more',
      packet: random.bytes(STREAM_MTU + 1),
      expected: { type: 'too-big', mtu: STREAM_MTU },
      because: 'The MTU on streams is 1500.',
    },
    send('a packet while something waits', 100, MOST_WAITING - 1),
    {
      about: 'a packet while too much waits',
      packet: random.bytes(100),
      waiting: MOST_WAITING,
      expected: { type: 'drop' },
      because: bound,
    },
    {
      about: 'a packet while far too much waits',
      packet: random.bytes(1200),
      waiting: 10 * MOST_WAITING,
      expected: { type: 'drop' },
      because: bound,
    },
  ])
  await expectActions(context, 'a peer that takes datagrams after all', options, [
    { newLength: 1200 },
    {
      about: 'a packet',
      packet: Uint8Array.of(0x45, 0, 0, 20),
      expected: { type: 'datagram', data: datagramOf(options.requestStream, Uint8Array.of(0x45, 0, 0, 20)) },
      because: 'The length of datagrams changes when the path does: the last one that was told holds.',
    },
  ])
}

// On a link -------------------------------------------------------------------------------------------------------------

const LOSS = 0.02
const RTT_MS = 160
/**
 * Small packets, and not too many: at 2 % loss cubic's window falls to its minimum of two full packets, and what is sent has to fit
 * into that, so that it is only the loss that holds anything up.
 */
const PACKETS_PER_SECOND = 120
const PING_DATA = 16
const PACKETS_CLEAN = 240
const PACKETS = 900
/** Late: more than half a round trip above the fastest. What is sent again comes more than a whole one later. */
const LATE_MS = RTT_MS / 2
/** A pause of this process in which nothing moved: packets that were on their way are not judged, of none of the three. */
const STALL_MS = 30
/** How long the slowest may take: sent again twice. */
const LAST_MS = 4 * RTT_MS
/**
 * Of 900 packets with 2 % loss, 18 are expected to be sent again; that 3 or fewer are happens less than once in 20 000 runs. Of
 * datagrams, none is late: whatever else delays them delays the others too.
 */
const FACTOR = 4
/** 900 datagrams with 2 % loss: that more than 6 % are lost happens less than once in a billion runs. */
const LEAST_ANSWERED = 0.94
const LEAST_ANSWERED_CLEAN = 0.99

interface Result {
  /** Shares of the packets that were judged. */
  late: number
  answered: number
  lateCount: number
  judged: number
  /** Of those that were answered, in ms. */
  p50: number
  p95: number
  p99: number
  max: number
  /** On the link from the client, for each packet, with everything around it. */
  bytes: number
}

interface Race {
  loss: number
  yours: Result
  article: Result
  single: Result
}

const RUNNERS = ['yours', 'article', 'single'] as const
type Runner = (typeof RUNNERS)[number]

/** The three at the same time, each on a link of its own, with the same properties. */
async function race(context: CheckContext, server: LabServer, loss: number, packets: number): Promise<Race> {
  const title = loss === 0 ? 'without loss' : `with ${loss * 100} % loss`
  return await context.do(`${packets} packets ${title}: yours, the article's, and on a single stream`, async () => {
    const links = await Promise.all(
      RUNNERS.map(runner =>
        startLink(context, {
          to: server.address,
          seed: `${context.seed} ${runner} ${loss}`,
          link: { rttMs: RTT_MS, lossUp: loss },
        }),
      ),
    )
    const peers = await Promise.all(links.map(link => Peer.connect(context, server, link.address)))
    const plans = {
      yours: await ownPlan(context, peers[0], packets),
      article: (i: number) => articleActions(peers[1].requestStream, peers[1].ping(i, PING_DATA), i),
      single: (i: number): SendAction[] => [
        { type: 'write', stream: 'request', data: capsuleFrame(peers[2].ping(i, PING_DATA)), fin: false },
      ],
    }
    const before = links.map(link => link.counters().up[0].bytesOffered)
    const stalls = await pace(context, packets, title, i => {
      for (const [index, runner] of RUNNERS.entries()) peers[index].perform(plans[runner](i), i)
    })
    const results = RUNNERS.map((_, index) =>
      evaluate(peers[index], packets, stalls, (links[index].counters().up[0].bytesOffered - before[index]) / packets),
    )
    for (const [index, link] of links.entries()) {
      peers[index].close()
      await link.close()
    }
    return { loss, yours: results[0], article: results[1], single: results[2] }
  })
}

/** All actions of the student's sender, asked for beforehand: it knows nothing of time. */
async function ownPlan(context: CheckContext, peer: Peer, packets: number): Promise<(i: number) => SendAction[]> {
  const { requestStream, maxDatagramLength } = peer
  const sender = await context.student.create(FILE, 'PacketSender', { requestStream, maxDatagramLength })
  const outcomes = await sender.batch(
    'sendPacket',
    Array.from({ length: packets }, (_, i) => [peer.ping(i, PING_DATA), 0]),
  )
  return i => resultOf(outcomes[i], 'sendPacket() to return actions', READ) as SendAction[]
}

/** Calls `send` for each packet at its time, then waits for the last ones. Returns when this process stood still. */
async function pace(
  context: CheckContext,
  packets: number,
  title: string,
  send: (i: number) => void,
): Promise<{ from: number; to: number }[]> {
  const stalls: { from: number; to: number }[] = []
  const start = performance.now()
  const ends = (packets / PACKETS_PER_SECOND) * 1000 + LAST_MS
  let next = 0
  for (let last = start; ; ) {
    await new Promise(resolve => setTimeout(resolve, 4))
    context.signal.throwIfAborted()
    const now = performance.now()
    if (now - last > STALL_MS) stalls.push({ from: last, to: now })
    last = now
    for (; next < packets && start + (next * 1000) / PACKETS_PER_SECOND <= now; next++) send(next)
    context.progress(now - start, ends, `packets ${title}`)
    if (now - start > ends && next === packets) return stalls
  }
}

function evaluate(peer: Peer, packets: number, stalls: readonly { from: number; to: number }[], bytes: number): Result {
  const disturbed = (i: number) => {
    const until = peer.answered[i] ?? peer.sent[i] + LAST_MS
    return stalls.some(({ from, to }) => from < until && to > peer.sent[i])
  }
  const judged = Array.from({ length: packets }, (_, i) => i).filter(i => !disturbed(i))
  const delays = judged
    .filter(i => peer.answered[i] !== undefined)
    .map(i => peer.answered[i] - peer.sent[i])
    .sort((a, b) => a - b)
  const rank = (fraction: number) => delays[Math.max(0, Math.ceil(fraction * delays.length) - 1)] ?? Number.NaN
  const lateCount = delays.filter(delay => delay > RTT_MS + LATE_MS).length
  return {
    late: lateCount / Math.max(1, judged.length),
    lateCount,
    judged: judged.length,
    answered: Array.from({ length: packets }, (_, i) => i).filter(i => peer.answered[i] !== undefined).length / packets,
    p50: rank(0.5),
    p95: rank(0.95),
    p99: rank(0.99),
    max: delays.at(-1) ?? Number.NaN,
    bytes,
  }
}

function judge(context: CheckContext, clean: Race, lossy: Race): void {
  context.expect('without loss, all your packets are answered', clean.yours.answered >= LEAST_ANSWERED_CLEAN, () => ({
    expected: `at least ${percent(LEAST_ANSWERED_CLEAN)} answered on a link that loses nothing`,
    found: percent(clean.yours.answered),
    misconception: 'The proxy drops what it does not understand, in silence. Compare your bytes with RFC 9297 §2.1.',
    read: READ,
  }))
  context.expect(
    `with ${LOSS * 100} % loss, nearly all of your packets are answered`,
    lossy.yours.answered >= LEAST_ANSWERED,
    () => ({
      expected: `at least ${percent(LEAST_ANSWERED)} answered; ${percent(LOSS)} are lost on the link`,
      found: percent(lossy.yours.answered),
      misconception: 'To send fewer packets is not to send them faster.',
      read: READ,
    }),
  )
  const most = lossy.article.lateCount / FACTOR
  const found = `${lossy.yours.lateCount} of ${lossy.yours.judged} late; the article's ${lossy.article.lateCount} of ${lossy.article.judged}, on a single stream ${lossy.single.lateCount} of ${lossy.single.judged}`
  context.expect(
    `with ${LOSS * 100} % loss, your packets are late ${FACTOR} times less often than the article's`,
    lossy.yours.lateCount <= most,
    () => ({
      expected: `at most ${Math.floor(most)} packets that come more than ${LATE_MS} ms late, a ${FACTOR}th of the article's ${lossy.article.lateCount}`,
      found,
      misconception:
        lossy.yours.late > 3 * lossy.article.late
          ? 'On one stream everything arrives in order: a packet that is lost holds up all that come after it, until it was sent again (head-of-line blocking).'
          : 'What is lost on a stream is sent again, and comes a round trip too late. Whoever has sent the IP packet has a transport of its own for that, or does not want it any more. QUIC datagrams are not sent again.',
      read: READ,
    }),
  )
}

const NAMES: Record<Runner, string> = { yours: 'yours', article: 'stream per packet', single: 'single stream' }

function showRaces(context: CheckContext, clean: Race, lossy: Race): void {
  showChart(context, {
    title: 'Bytes on the link, from the client',
    unit: 'for each packet of 44 bytes',
    columns: ['no loss', '2 % loss'],
    rows: RUNNERS.map(runner => ({
      label: NAMES[runner],
      predicted: clean[runner].bytes,
      measured: lossy[runner].bytes,
    })),
  })
  const row = (label: string, of: (result: Result) => number): ChartRow[] =>
    RUNNERS.map(runner => ({
      label: `${label}, ${NAMES[runner]}`,
      predicted: of(clean[runner]),
      measured: of(lossy[runner]),
    }))
  showChart(context, {
    title: 'Round trips through the tunnel',
    unit: 'ms',
    columns: ['no loss', '2 % loss'],
    rows: [...row('p50', r => r.p50), ...row('p95', r => r.p95), ...row('p99', r => r.p99), ...row('max', r => r.max)],
  })
  showChart(context, {
    title: `Late by more than ${LATE_MS} ms`,
    unit: '% of the packets',
    columns: ['no loss', '2 % loss'],
    rows: RUNNERS.map(runner => ({
      label: NAMES[runner],
      predicted: 100 * clean[runner].late,
      measured: 100 * lossy[runner].late,
      ...(runner === 'yours' ? { good: lossy.yours.lateCount <= lossy.article.lateCount / FACTOR } : {}),
    })),
  })
}

function percent(share: number): string {
  return `${(100 * share).toFixed(1)} %`
}
