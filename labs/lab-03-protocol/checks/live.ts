/**
 * Task 10: the student's code is one end of a live tunnel.
 *
 * The proxy at the other end is ours, on loopback. The QUIC connection belongs to this check; every byte on the streams
 * and in the datagrams of the tunnel is written and read by the student's code, in its own process.
 *
 * In front of the student, where Go is installed, there is a second tunnel: to the proxy of connect-ip-go, which nobody of us wrote. It is
 * strict where ours is not.
 */

import { join } from 'node:path'
import { makeTestCertificates } from '../../../src/cert/make-certificates.ts'
import { IpAddress } from '../../../src/ip/address.ts'
import { decodeIcmp, IcmpType, icmpEchoReplyTo, icmpEchoRequest } from '../../../src/ip/icmp.ts'
import { describePacket, packetVersion } from '../../../src/ip/packet.ts'
import { GoUnavailable } from '../../../src/process/go-program.ts'
import { median } from '../../../src/stats/statistics.ts'
import { newTestClient } from '../../../src/testbed/proxy-and-client.ts'
import { describeOutcome, expectCalls, fail, isMalformed, manners, sources } from '../../kit/check/calls.ts'
import { CheckFailure } from '../../kit/check/check-failure.ts'
import { format, same } from '../../kit/check/format.ts'
import { Seeded } from '../../kit/check/seeded.ts'
import type { CheckContext, Feedback, Reading } from '../../kit/lab/types.ts'
import type { Outcome, StudentObject } from '../../kit/student-code/student-code.ts'
import { showMessage } from '../byte-view.ts'
import { GO, GoProxy } from '../connect-ip-go.ts'
import { AUTHORITY, type Network, PATH, startNetwork, Wire } from '../network.ts'
import { addressText } from '../text.ts'
import type { AddressEntry } from './addresses.ts'
import { encodeAddresses } from './addresses.ts'
import { encodeCapsule } from './capsules.ts'
import { frame, section } from './http3.ts'
import { headerView, withChecksum } from './ipv4.ts'
import { encodeRoutes, type Route } from './routes.ts'
import { encoded } from './varint.ts'

const FILE = 'endpoint.ts'
const READ = ['RFC 9484 §4 Tunnelling IP over HTTP', 'labs/lab-03-protocol/README.md, "What happens in task 10"']

/** Long enough for a machine that is busy with something else. */
const PATIENCE_MS = 8000
const PINGS = 5
/** Half a minute of computing, once; more on a machine that is busy. */
const BUILD_TIMEOUT_MS = 90_000
/** Bytes of data in the pings of connect-ip-go. */
const FOREIGN_PINGS = [56, 0, 999]
const CONTROL_STREAM = 2

type TunnelEvent =
  | { type: 'response'; status: string }
  | { type: 'addresses'; addresses: AddressEntry[] }
  | { type: 'routes'; routes: Route[] }

// Reference -----------------------------------------------------------------------------------------------------------

/** The same packet with so many words of options, all of them No Operation (1). */
function withOptions(packet: Uint8Array, words: number): Uint8Array {
  const longer = Uint8Array.from([...packet.subarray(0, 20), ...Array(words * 4).fill(1), ...packet.subarray(20)])
  longer[0] = 0x45 + words
  longer[2] = longer.length >> 8
  longer[3] = longer.length
  return withChecksum(longer)
}

function addressRequest(requestId: bigint, version: 4 | 6 = 4): Uint8Array {
  const address = new Uint8Array(version === 4 ? 4 : 16)
  const entry = { requestId, version, address, prefixLength: address.length * 8 }
  return frame(0x00n, encodeCapsule(0x02n, encodeAddresses([entry])))
}

// Judgement -----------------------------------------------------------------------------------------------------------

export async function check(context: CheckContext): Promise<Feedback> {
  const stranger = context.withOthers ? new Stranger(context) : undefined
  for (const random of sources(context, 'live, without a network')) {
    await expectPings(context, random)
    await expectFrames(context, random)
    await expectDatagrams(context, random)
  }
  await expectApart(context)
  const random = new Seeded(context.seed, 'live')
  const network = await context.do('start a proxy', () => startNetwork(context, random))
  const tunnel = await Tunnel.open(context, random, network)
  await tunnel.request()
  const own = await tunnel.askForAddress()
  const times: number[] = []
  for (let sequence = 1; sequence <= PINGS; sequence++) times.push(await tunnel.ping(own, network.library, sequence))
  await tunnel.bePinged(own)
  tunnel.close()
  const found = `address ${own} from the proxy, ${PINGS} of ${PINGS} pings to ${network.library} answered (${median(times).toFixed(1)} ms), and a ping of another client answered by you`
  const met = await stranger?.meet(random)
  return {
    passed: true,
    expected: 'a tunnel of your own code that carries pings both ways',
    found: met?.found === undefined ? found : `${found}; ${met.found}`,
    ...(met?.leftOut === undefined ? {} : { leftOut: met.leftOut }),
    read: READ,
  }
}

async function expectPings(context: CheckContext, random: Seeded): Promise<void> {
  const echo = (length: number) => {
    const [source, destination] = [IpAddress.from(4, random.address(4)), IpAddress.from(4, random.address(4))]
    const fields = { source, destination, id: random.int(0, 0xffff), seq: random.int(0, 0xffff) }
    return { fields, data: random.bytes(length) }
  }
  const HEADER: Reading[] = ['RFC 792, page 14: Echo or Echo Reply Message', 'RFC 791 §3.1']
  const echoes = [echo(56), echo(0), echo(random.int(1, 30) * 2 + 1)]
  const outcomes = await context.do(`call ping ${echoes.length} times`, () =>
    context.student.batch(
      FILE,
      'ping',
      echoes.map(({ fields, data }) => [fields.source.bytes, fields.destination.bytes, fields.id, fields.seq, data]),
    ),
  )
  for (const [index, { fields, data }] of echoes.entries()) {
    const reference = icmpEchoRequest(fields, data)
    // Identification and DF are the student's to choose; so everything else is compared by what a receiver reads.
    const problem = echoProblem(outcomes[index], reference, IcmpType.ECHO_REQUEST)
    showPacket(context, `ping: ${data.length} bytes of data`, reference, outcomes[index])
    context.expect(`ping() with ${data.length} bytes of data is a whole packet`, problem === undefined, () => ({
      expected: `ping(…) to return ${describePacket(reference)}`,
      ...problem!,
      read: HEADER,
    }))
  }
  const requests = [echo(56), echo(33)].map(({ fields, data }) => icmpEchoRequest(fields, data))
  requests.push(...[1, 10].map(words => withOptions(requests[0], words)))
  const answers = await context.do('call answer with echo requests', () =>
    context.student.batch(
      FILE,
      'answer',
      requests.map(request => [request]),
    ),
  )
  for (const [index, request] of requests.entries()) {
    const reference = icmpEchoReplyTo(request)
    const problem = echoProblem(answers[index], reference, IcmpType.ECHO_REPLY)
    showPacket(context, 'answer', reference, answers[index])
    context.expect('answer() is the reply to a ping', problem === undefined, () => ({
      expected: `answer(${describePacket(request)}${(request[0] & 15) > 5 ? ' (with options in its header)' : ''}) to return ${describePacket(reference)}`,
      ...(answers[index]?.ok && answers[index].value === undefined && (request[0] & 15) > 5
        ? {
            ...problem!,
            misconception: 'The ICMP message begins behind the options, if there are any: at (packet[0] & 15) * 4.',
          }
        : problem!),
      read: HEADER,
    }))
  }
  const reply = icmpEchoReplyTo(requests[0])
  const damaged = requests[0].slice()
  damaged[30] ^= 1
  const broken = requests[0].slice()
  broken[14] ^= 1
  const udp = requests[0].slice()
  udp[9] = 17
  withChecksum(udp)
  await expectCalls(context, {
    text: 'answer() answers nothing but pings',
    file: FILE,
    name: 'answer',
    calls: (
      [
        ['an echo reply', reply, 'An answer to an answer would be answered in turn, for ever.'],
        [
          'an IPv6 packet',
          Uint8Array.from([0x60, ...random.bytes(60)]),
          'Other packets come out of a tunnel too: they are no error.',
        ],
        ['no bytes', new Uint8Array(0), 'Other packets come out of a tunnel too: they are no error.'],
        [
          'a ping with a wrong header checksum',
          broken,
          'A damaged header is dropped with its packet: checkIpv4 says so.',
        ],
        ['a UDP packet whose payload looks like a ping', udp, 'Only ICMP (protocol 1) is ICMP.'],
        ['a ping with a wrong ICMP checksum', damaged, 'A damaged message is dropped: its checksum says so.'],
      ] as const
    ).map(([about, packet, because]) => ({ about, args: [packet], returns: undefined, because })),
    read: HEADER,
  })
}

/** What a receiver of the packet would find wrong with it. */
function echoProblem(
  outcome: Outcome,
  reference: Uint8Array,
  type: number,
): { found: string; misconception?: string } | undefined {
  if (!outcome.ok) return { found: describeOutcome(outcome), ...manners(outcome) }
  const packet = outcome.value
  if (!(packet instanceof Uint8Array)) return { found: format(packet), misconception: 'A ping has to be answered.' }
  try {
    const found = decodeIcmp(packet)
    const wanted = decodeIcmp(reference)
    if (found.type !== type)
      return { found: `ICMP type ${found.type}`, misconception: 'An echo request is type 8, its reply type 0.' }
    if (!same(packet.subarray(12, 20), reference.subarray(12, 20))) {
      return {
        found: `${addressText(packet.slice(12, 16))} → ${addressText(packet.slice(16, 20))}`,
        misconception: 'Source first, then destination; in the answer to a packet they are exchanged.',
      }
    }
    if (found.id !== wanted.id || found.seq !== wanted.seq || !same(found.data, wanted.data)) {
      return {
        found: describePacket(packet),
        misconception:
          'Identifier, sequence number and data of a reply are those of the request: by them the sender knows its own.',
      }
    }
    if (packet[8] !== 64)
      return { found: `TTL ${packet[8]}`, misconception: 'A packet that is made here begins with TTL 64.' }
  } catch (error) {
    const { message } = error as Error
    const CHECKSUMS =
      'There are two checksums: one over the IP header, one over the ICMP message. Both are calculated with 0 in their own place, and last.'
    return {
      found: `${format(packet)}: ${message}`,
      ...(/checksum/i.test(message) ? { misconception: CHECKSUMS } : {}),
    }
  }
  return undefined
}

const FRAMES =
  'Frames are to the stream what capsules are to the DATA frames: type, length, payload. Keep an incomplete frame; skip unknown types; and give the payload of every DATA frame to one and the same CapsuleParser, because a capsule may go on in the next.'

/** Frames and capsules on the stream, cut anywhere: a proxy on loopback would hardly ever cut them. */
async function expectFrames(context: CheckContext, random: Seeded): Promise<void> {
  const addresses: AddressEntry[] = [{ requestId: 1n, version: 4, address: random.address(4), prefixLength: 32 }]
  const end = random.address(4)
  const routes: Route[] = [{ version: 4, start: Uint8Array.of(10, 0, 0, 0), end, protocol: 0 }]
  const capsules = Uint8Array.from([
    ...encodeCapsule(1n, encodeAddresses(addresses)),
    ...encodeCapsule(BigInt(random.int(64, 9000)), random.bytes(20)),
    ...encodeCapsule(3n, encodeRoutes(routes)),
  ])
  const cut = random.int(3, capsules.length - 3)
  const headers = frame(
    0x01n,
    section([
      [':status', '200'],
      ['capsule-protocol', '?1'],
    ]),
  )
  const stream = Uint8Array.from([
    ...headers,
    ...frame(0x21n + 0x1fn * BigInt(random.int(1, 50)), random.bytes(5)),
    ...frame(0x00n, capsules.slice(0, cut)),
    ...frame(0x00n, capsules.slice(cut)),
  ])
  // Longer than 16 KiB, a length of four bytes: an unknown capsule goes before the others in their DATA frame.
  const long = Uint8Array.from([
    ...stream.subarray(0, headers.length),
    ...frame(0x21n, random.bytes(70_000)),
    ...frame(0x00n, Uint8Array.from([...encodeCapsule(0x40n, random.bytes(20_000)), ...capsules])),
  ])
  const expected: TunnelEvent[] = [
    { type: 'response', status: '200' },
    { type: 'addresses', addresses },
    { type: 'routes', routes },
  ]
  for (const [text, pieces] of [
    ['in one piece', [stream]],
    ['byte by byte', [...stream].map(byte => Uint8Array.of(byte))],
    ['in pieces of your own', random.split(stream, 20)],
    ['with long frames before and in it', random.split(long, 4000)],
  ] as const) {
    const endpoint = await context.student.create(FILE, 'Endpoint', 0n)
    const outcomes = await endpoint.batch(
      'receive',
      pieces.map(piece => [piece]),
    )
    const failed = outcomes.find(outcome => !outcome.ok)
    const events = outcomes.flatMap(outcome => (outcome.ok ? (outcome.value as TunnelEvent[]) : []))
    context.expect(`receive() understands a stream that arrives ${text}`, !failed && same(events, expected), () => ({
      expected: `the events ${format(expected.map(event => event.type))} from a HEADERS frame, frames of unknown types, and two DATA frames with capsules cut anywhere. ${FRAMES}`,
      found: failed ? describeOutcome(failed) : format(events),
      ...manners(failed),
      read: ['RFC 9114 §7.1 Frame Layout', 'RFC 9114 §9 Extensions to HTTP/3', 'RFC 9297 §3.2'],
    }))
  }
  await expectEndless(context, random, headers)
  await expectMalformed(context)
}

/** One DATA frame for as long as the tunnel lives. RFC 9114 allows it, and some peers do it. */
async function expectEndless(context: CheckContext, random: Seeded, headers: Uint8Array): Promise<void> {
  const addresses: AddressEntry[] = [{ requestId: 1n, version: 4, address: random.address(4), prefixLength: 32 }]
  const header = [...encoded(0x00n), ...encoded((1n << 62n) - 1n)]
  const stream = Uint8Array.from([...headers, ...header, ...encodeCapsule(1n, encodeAddresses(addresses))])
  const expected: TunnelEvent[] = [
    { type: 'response', status: '200' },
    { type: 'addresses', addresses },
  ]
  const endpoint = await context.student.create(FILE, 'Endpoint', 0n)
  const outcomes = await endpoint.batch(
    'receive',
    random.split(stream, 9).map(piece => [piece]),
  )
  const failed = outcomes.find(outcome => !outcome.ok)
  const events = outcomes.flatMap(outcome => (outcome.ok ? (outcome.value as TunnelEvent[]) : []))
  context.expect('receive() waits for the end of a capsule, not of its DATA frame', same(events, expected), () => ({
    expected: `the events ${format(expected.map(event => event.type))} from a HEADERS frame and the beginning of a DATA frame of 2^62 - 1 bytes`,
    found: failed ? describeOutcome(failed) : format(events),
    ...(!failed && same(events, expected.slice(0, 1))
      ? {
          misconception:
            'Capsules are due as soon as they are complete. A DATA frame may be as long as the tunnel lives: hand on what has come of its payload, and remember how much is still to come.',
        }
      : manners(failed)),
    read: ['RFC 9114 §7.2.1 DATA', 'RFC 9297 §3.2'],
  }))
}

/** A response has a status: whoever takes what stands first takes something else here. */
async function expectMalformed(context: CheckContext): Promise<void> {
  const endpoint = await context.student.create(FILE, 'Endpoint', 0n)
  const [outcome] = await endpoint.batch('receive', [
    [
      frame(
        0x01n,
        section([
          ['capsule-protocol', '?1'],
          ['server', 'nobody'],
        ]),
      ),
    ],
  ])
  context.expect('receive() refuses a response without a status', isMalformed(outcome!), () => ({
    expected: 'MalformedError for a HEADERS frame with capsule-protocol and server, and without :status',
    found: describeOutcome(outcome!),
    ...(outcome!.ok && same(outcome!.value, [{ type: 'response', status: '?1' }])
      ? {
          misconception: 'This is the value of the first field. The status is that of the field whose name is :status.',
        }
      : manners(outcome)),
    read: ['RFC 9114 §4.3.2 Response Pseudo-Header Fields'],
  }))
}

/** Two tunnels in turns: nothing of one is seen in the other. */
async function expectApart(context: CheckContext): Promise<void> {
  const status = (value: string) => [...frame(0x01n, section([[':status', value]]))].map(byte => Uint8Array.of(byte))
  const streams = [status('200'), status('404')] as const
  const tunnels = [
    await context.student.create(FILE, 'Endpoint', 0n),
    await context.student.create(FILE, 'Endpoint', 4n),
  ]
  const found: Outcome[][] = [[], []]
  for (let at = 0; at < Math.max(...streams.map(pieces => pieces.length)); at++) {
    for (const [i, pieces] of streams.entries()) {
      if (pieces[at]) found[i].push(...(await tunnels[i].batch('receive', [[pieces[at]]])))
    }
  }
  const SHARED = {
    misconception:
      'Alone, each is right. What an endpoint remembers belongs to that endpoint: in fields of the object, not in `static` ones or in variables of the file.',
    read: READ,
  }
  for (const [i, value] of ['200', '404'].entries()) {
    const events = found[i].flatMap(outcome => (outcome.ok ? (outcome.value as TunnelEvent[]) : []))
    context.expect(
      'two endpoints keep their streams apart',
      same(events, [{ type: 'response', status: value }]),
      () => ({
        expected: `the response ${value}, while another endpoint receives another one`,
        found: format(
          found[i].find(outcome => !outcome.ok) ? describeOutcome(found[i].find(outcome => !outcome.ok)!) : events,
        ),
        ...SHARED,
      }),
    )
  }
  const asked: Outcome[] = []
  const requests = [
    [0, 4, 1n],
    [1, 4, 1n],
    [0, 6, 2n],
  ] as const
  for (const [tunnel, version] of requests) {
    asked.push(...(await tunnels[tunnel].batch('requestAddress', [[version]])))
  }
  for (const [i, [, version, id]] of requests.entries()) {
    const expected = addressRequest(id, version)
    const outcome = asked[i]
    context.expect('two endpoints count their own Request IDs', outcome.ok && same(outcome.value, expected), () => ({
      expected: `${format(expected)} of requestAddress(${version}): Request ID ${id} of its endpoint. ${ASKING}`,
      found: describeOutcome(outcome),
      ...(outcome.ok && [1n, 2n, 3n].some(other => same(outcome.value, addressRequest(other, version)))
        ? SHARED
        : manners(outcome)),
    }))
  }
}

const ASKING =
  'From outside in: a DATA frame (type 0x00), in it an ADDRESS_REQUEST capsule (type 0x02), in that one entry: the Request ID, version 4, four zeros, prefix length 32 (version 6: sixteen zeros, 128).'

async function expectDatagrams(context: CheckContext, random: Seeded): Promise<void> {
  const packet = random.bytes(random.int(30, 60))
  // Before the tunnel, whose stream may be 0: then a Quarter Stream ID in the place of the Context ID goes unnoticed.
  for (const [streamId, quarter] of [
    [0n, [0]],
    [4n, [1]],
    [256n, [0x40, 0x40]],
  ] as const) {
    const endpoint = await context.student.create(FILE, 'Endpoint', streamId)
    const [outcome] = await endpoint.batch('encapsulate', [[packet]])
    const expected = Uint8Array.from([...quarter, 0, ...packet])
    context.expect(
      `encapsulate() in the tunnel on stream ${streamId}`,
      outcome.ok && same(outcome.value, expected),
      () => ({
        expected: `the packet behind Quarter Stream ID ${streamId / 4n} and Context ID 0: ${format(expected.slice(0, 12))} …`,
        found: outcome.ok ? format(outcome.value) : describeOutcome(outcome),
        ...manners(outcome),
        read: ['RFC 9297 §2.1 HTTP/3 Datagrams', 'RFC 9484 §6 HTTP Datagram Payload Format'],
      }),
    )
  }
  const endpoint = await context.student.create(FILE, 'Endpoint', 8n)
  const [own, other] = await endpoint.batch('decapsulate', [
    [Uint8Array.from([2, 0, ...packet])],
    [Uint8Array.from([3, 0, ...packet])],
  ])
  context.expect('decapsulate() takes the packets of this tunnel', own.ok && same(own.value, packet), () => ({
    expected: `the ${packet.length} bytes behind Quarter Stream ID 2 and Context ID 0, from its first to its last byte, in the tunnel on stream 8`,
    found: describeOutcome(own),
    ...manners(own),
    read: ['RFC 9297 §2.1 HTTP/3 Datagrams'],
  }))
  context.expect('and no others', other.ok && other.value === undefined, () => ({
    expected: 'undefined for a datagram of the tunnel on stream 12, in the tunnel on stream 8',
    found: describeOutcome(other),
    misconception: 'One connection may carry several tunnels: the stream id says which one a packet belongs to.',
    read: ['RFC 9297 §2.1 HTTP/3 Datagrams'],
  }))
}

function showPacket(context: CheckContext, title: string, reference: Uint8Array, outcome: Outcome): void {
  const { fields } = headerView(reference, true)
  showMessage(context, {
    title,
    bytes: reference,
    fields: fields.map(field => ({
      name: field.name,
      length: field.length,
      reference: field.text,
      student:
        field.name === 'Identification' || field.name === 'Flags, Offset' || field.name === 'Header Checksum'
          ? ''
          : outcome.ok && field.format
            ? field.format(outcome.value)
            : describeOutcome(outcome),
    })),
  })
}

// With others ---------------------------------------------------------------------------------------------------------

const STRICTER = `${GO} follows the same RFCs and was written by others. What it refuses, others will refuse, even where our own proxy is lenient.`

/** connect-ip-go as the proxy of a second tunnel. It is compiled while the rest of the check runs. */
class Stranger {
  readonly #context: CheckContext
  readonly #starting: Promise<GoProxy | GoUnavailable>

  constructor(context: CheckContext) {
    this.#context = context
    this.#starting = this.#start().catch((error: Error) =>
      error.name === 'GoUnavailable' ? error : new GoUnavailable(error.message),
    )
    // Compiling ends with the check: whatever is opened, is closed.
    context.defer(async () => {
      const started = await this.#starting
      if (started instanceof GoProxy) await started.close()
    })
  }

  /** `found`: what was right. `leftOut`: why nothing could be tried. Fails where connect-ip-go refuses what the student's code does. */
  async meet(random: Seeded): Promise<{ found: string; leftOut?: undefined } | { found?: undefined; leftOut: string }> {
    const go = await this.#started()
    if (!(go instanceof GoProxy)) return { leftOut: `the same with ${GO}, software of others: ${go.message}` }
    try {
      const tunnel = await Tunnel.open(this.#context, random, go)
      await tunnel.request()
      const own = await tunnel.askForAddress()
      for (let sequence = 1; sequence <= 2; sequence++) await tunnel.ping(own, go.library, sequence)
      await this.#context.do(`${GO} pings ${own}, which is you`, async () => {
        const problem = await tunnel.answerDuring(go.ping(own, FOREIGN_PINGS))
        if (problem === undefined) return
        fail({
          expected: `${own} to answer pings of ${FOREIGN_PINGS.join(', ')} bytes from ${GO}`,
          found: problem,
          read: READ,
        })
      })
      tunnel.close()
      return { found: `the same with ${GO}, software of others, as the proxy: address ${own}, pings both ways` }
    } catch (error) {
      const words = await go.objections()
      if (go.ended)
        return { leftOut: `the same with ${GO}, software of others: it ended by itself; ${words.join('; ')}` }
      // By name, as in engine.ts: what the student's code throws says all by itself.
      if (!(error instanceof Error) || error.name !== 'CheckFailure') throw error
      const { feedback } = error as CheckFailure
      const told = words.length === 0 ? `${GO} said nothing` : `${GO} said: ${words.join('; ')}`
      throw new CheckFailure({
        ...feedback,
        expected: `in the tunnel to ${GO}, software of others: ${feedback.expected}`,
        found: `${feedback.found}\n${told}`,
        misconception: STRICTER,
      })
    }
  }

  async #start(): Promise<GoProxy> {
    const { signal } = this.#context
    const scratch = await this.#context.scratch()
    const certificates = await makeTestCertificates(join(scratch, 'go-cert'), { clientNames: [] })
    return await GoProxy.start({ certificates, scratch, signal, buildTimeoutMs: BUILD_TIMEOUT_MS })
  }

  /** Shows how long it takes, where that is long. */
  async #started(): Promise<GoProxy | GoUnavailable> {
    const began = performance.now()
    const total = BUILD_TIMEOUT_MS / 1000
    const tick = setInterval(() => {
      const seconds = Math.min(total, Math.round((performance.now() - began) / 1000))
      this.#context.progress(seconds, total, `${GO} is compiled, for the first time: up to ${total} s`)
    }, 1000)
    try {
      return await this.#context.do(`start ${GO}, a proxy that others wrote`, () => this.#starting)
    } finally {
      clearInterval(tick)
    }
  }
}

// Live ----------------------------------------------------------------------------------------------------------------

/** What a tunnel leads to: our proxy, or that of others. */
type Far = Pick<Network, 'host' | 'port' | 'certificates' | 'library'> & { pool?: Network['pool'] }

class Tunnel {
  readonly #context: CheckContext
  readonly #random: Seeded
  readonly #network: Far
  readonly #wire: Wire
  readonly #endpoint: StudentObject
  readonly #streamId: number
  /** What has come out of the tunnel so far. */
  readonly #events: TunnelEvent[] = []
  readonly #packets: Uint8Array[] = []
  #settings: [bigint, bigint][] | undefined
  #control = new Uint8Array(0)

  private constructor(
    context: CheckContext,
    random: Seeded,
    network: Far,
    wire: Wire,
    endpoint: StudentObject,
    streamId: number,
  ) {
    this.#context = context
    this.#random = random
    this.#network = network
    this.#wire = wire
    this.#endpoint = endpoint
    this.#streamId = streamId
  }

  static async open(context: CheckContext, random: Seeded, network: Far): Promise<Tunnel> {
    const wire = await context.do('connect to it by QUIC', () => Wire.connect(network, context))
    context.defer(() => wire.close(0x100))
    const streamId = random.pick([0, 4, 8])
    const endpoint = await context.student.create(FILE, 'Endpoint', BigInt(streamId))
    return new Tunnel(context, random, network, wire, endpoint, streamId)
  }

  /** SETTINGS of both sides, then the request. */
  async request(): Promise<void> {
    const control = await this.#context.do('your controlStream() opens the control stream', () =>
      this.#context.student.call<Uint8Array>('http3.ts', 'controlStream'),
    )
    this.#wire.sendStream(CONTROL_STREAM, control)
    await this.#until('the SETTINGS of the proxy', () => this.#settings !== undefined)
    const has = (id: bigint) => this.#settings?.some(setting => same(setting, [id, 1n]))
    this.#context.expect('your decodeSettings() finds what the proxy supports', has(0x08n) && has(0x33n), () => ({
      expected: 'ENABLE_CONNECT_PROTOCOL (8) and H3_DATAGRAM (0x33) with the value 1 among the settings of the proxy',
      found: format(this.#settings),
      read: ['RFC 9114 §7.2.4 SETTINGS'],
    }))
    const request = await this.#bytes('request', [AUTHORITY, PATH])
    showMessage(this.#context, requestView(request))
    this.#wire.sendStream(this.#streamId, request)
    await this.#until('the response to your request', () => this.#find('response') !== undefined)
    const status = this.#find('response')?.status
    this.#context.expect('the proxy grants the tunnel', status === '200', {
      expected: ':status 200 in the response',
      found: `:status ${format(status)}`,
      misconception: 'Any other status than 2xx refuses the request. Is it the one of RFC 9484 §4.4?',
      read: ['RFC 9484 §4.5 HTTP/2 and HTTP/3 Responses'],
    })
  }

  async askForAddress(): Promise<IpAddress> {
    const request = await this.#bytes('requestAddress', [4])
    const expected = addressRequest(1n)
    this.#context.expect('your requestAddress(4) asks for any IPv4 address', same(request, expected), {
      expected: format(expected),
      found: format(request),
      misconception: ASKING,
      read: ['RFC 9484 §4.7.2 ADDRESS_REQUEST Capsule', 'RFC 9297 §3.1 HTTP Data Streams'],
    })
    this.#wire.sendStream(this.#streamId, request)
    const answered = () => this.#find('addresses')?.addresses.find(one => one.requestId === 1n)
    await this.#until('the address that you asked for', () => answered() !== undefined)
    await this.#until('the routes that the proxy offers', () => this.#find('routes') !== undefined)
    const assigned = answered()!
    const own = assigned.address.length === 4 ? IpAddress.from(4, assigned.address) : undefined
    const { pool } = this.#network
    this.#context.expect('you are assigned an address', own !== undefined && (pool?.contains(own) ?? true), {
      expected: `an address ${pool ? `from ${pool}` : 'of IPv4'}, as the proxy sent it`,
      found: `${addressText(assigned.address)}/${format(assigned.prefixLength)}`,
      read: ['RFC 9484 §4.7.1 ADDRESS_ASSIGN Capsule'],
    })
    const routes = this.#find('routes')!.routes
    const allowed = await this.#context.student.call('routes.ts', 'mayForward', routes, this.#network.library.bytes, 1)
    this.#context.expect(`you may send pings to ${this.#network.library}`, allowed === true, {
      expected: 'a route to the library among those that the proxy advertised',
      found: format(routes),
      read: ['RFC 9484 §4.7.3 ROUTE_ADVERTISEMENT Capsule'],
    })
    return own!
  }

  /** One ping, there and back. Returns the round-trip time in ms. */
  async ping(own: IpAddress, target: IpAddress, sequence: number): Promise<number> {
    const [id, data] = [this.#random.int(0, 0xffff), this.#random.bytes(this.#random.int(8, 1000))]
    return await this.#context.do(`ping ${target}: ${data.length} bytes, sequence number ${sequence}`, async () => {
      const packet = await this.#context.student.call<Uint8Array>(
        FILE,
        'ping',
        own.bytes,
        target.bytes,
        id,
        sequence,
        data,
      )
      const sentAt = performance.now()
      await this.#send(packet)
      let reply: Uint8Array | undefined
      await this.#until(`the answer to ping ${sequence}`, () => {
        reply = this.#packets.find(candidate => isReply(candidate, id, sequence))
        return reply !== undefined
      })
      const elapsed = performance.now() - sentAt
      this.#context.measure('round trip through your code', elapsed, 'ms')
      if (!same(decodeIcmp(reply!).data, data)) {
        fail({
          expected: `the ${data.length} bytes of the ping in its answer`,
          found: describePacket(reply!),
          misconception: 'decapsulate() returns the whole packet behind the Context ID, to its last byte.',
          read: READ,
        })
      }
      return elapsed
    })
  }

  /** Another client, of ours, pings the student's end of the tunnel. */
  async bePinged(own: IpAddress): Promise<void> {
    await this.#context.do(`another client pings ${own}, which is you`, async () => {
      const client = newTestClient(this.#network.certificates, this.#network)
      this.#context.defer(() => client.close())
      await client.connect()
      const answered = await this.answerDuring(
        client.ping(own, { timeoutMs: PATIENCE_MS }).then(
          () => true,
          () => false,
        ),
      )
      if (!answered) {
        fail({
          expected: `${own} to answer a ping from ${client.info.assigned.join()}`,
          found: 'no answer',
          misconception:
            'What comes out of the tunnel is handed to answer(), and what that returns is sent back into it.',
          read: READ,
        })
      }
      await client.close()
    })
  }

  /** Hands to answer() what comes out of the tunnel, until `asking` is over; returns what came of that. */
  async answerDuring<T>(asking: Promise<T>): Promise<T> {
    let over = false
    const end = asking.finally(() => (over = true))
    // Whoever awaits it comes later.
    end.catch(() => {})
    let handled = 0
    while (!over) {
      await this.#receiveOne(50)
      for (; handled < this.#packets.length; handled++) await this.#answer(this.#packets[handled])
    }
    return await end
  }

  close(): void {
    this.#wire.sendStream(this.#streamId, new Uint8Array(0), true)
    this.#wire.close(0x100)
  }

  async #answer(packet: Uint8Array): Promise<void> {
    const [outcome] = await this.#context.student.batch(FILE, 'answer', [[packet]])
    if (!outcome.ok) throw outcome.error
    if (outcome.value instanceof Uint8Array) await this.#send(outcome.value)
  }

  async #send(packet: Uint8Array): Promise<void> {
    const datagram = await this.#bytes('encapsulate', [packet])
    const expected = Uint8Array.from([...encoded(BigInt(this.#streamId / 4)), 0, ...packet])
    this.#context.expect('your encapsulate() wraps it', same(datagram, expected), {
      expected: `the packet behind Quarter Stream ID ${this.#streamId / 4} and Context ID 0: ${format(expected.slice(0, 12))} …`,
      found: format(datagram),
      read: ['RFC 9297 §2.1 HTTP/3 Datagrams', 'RFC 9484 §6 HTTP Datagram Payload Format'],
    })
    this.#wire.sendDatagram(datagram)
  }

  /** What a method returns that writes bytes. */
  async #bytes(method: string, args: readonly unknown[]): Promise<Uint8Array> {
    const [outcome] = await this.#endpoint.batch(method, [args])
    this.#context.expect(`your ${method}() returns bytes`, outcome.ok && outcome.value instanceof Uint8Array, () => ({
      expected: `${method}(${args.map(format).join(', ')}) to return a Uint8Array`,
      found: describeOutcome(outcome),
      read: READ,
    }))
    return (outcome as { value: Uint8Array }).value
  }

  #find<T extends TunnelEvent['type']>(type: T): Extract<TunnelEvent, { type: T }> | undefined {
    return this.#events.findLast(event => event.type === type) as Extract<TunnelEvent, { type: T }> | undefined
  }

  async #until(what: string, holds: () => boolean): Promise<void> {
    const deadline = performance.now() + PATIENCE_MS
    while (!holds()) {
      if (performance.now() > deadline) {
        fail({
          expected: `${what}`,
          found: `nothing of the kind after ${PATIENCE_MS / 1000} s; so far there were the events ${format(this.#events.map(event => event.type))}`,
          read: READ,
        })
      }
      await this.#receiveOne(deadline - performance.now())
    }
  }

  /** Waits for one event, and hands it to the student's code. */
  async #receiveOne(timeoutMs: number): Promise<void> {
    const event = await this.#wire.next(timeoutMs)
    if (event === undefined) return
    if (event.type === 'ended') {
      fail({
        expected: 'the proxy to keep the tunnel open',
        found: `the proxy ${event.what}`,
        misconception: 'The proxy found something malformed, and its error code says of what kind. What was sent last?',
        read: ['RFC 9114 §8.1 HTTP/3 Error Codes', ...READ],
      })
    }
    if (event.type === 'datagram') {
      const [outcome] = await this.#endpoint.batch('decapsulate', [[event.data]])
      if (!outcome.ok) throw outcome.error
      if (outcome.value instanceof Uint8Array) this.#packets.push(outcome.value)
      return
    }
    if (event.streamId === this.#streamId) {
      const pieces = this.#random.split(event.data, 40).map(piece => [piece])
      for (const outcome of await this.#endpoint.batch('receive', pieces)) {
        if (!outcome.ok) throw outcome.error
        if (Array.isArray(outcome.value)) this.#events.push(...(outcome.value as TunnelEvent[]))
      }
    } else if (event.streamId === 3) await this.#receiveControl(event.data)
  }

  /** The control stream of the proxy: its type, then SETTINGS. */
  async #receiveControl(data: Uint8Array): Promise<void> {
    this.#control = Uint8Array.from([...this.#control, ...data])
    if (this.#settings !== undefined || this.#control.length < 3) return
    // Our proxy's type and lengths are of one or two bytes here.
    const wide = this.#control[2] >> 6 === 1
    const length = wide ? ((this.#control[2] & 0x3f) << 8) | this.#control[3] : this.#control[2]
    const payload = this.#control.slice(wide ? 4 : 3, (wide ? 4 : 3) + length)
    if (payload.length < length) return
    this.#settings = await this.#context.student.call('http3.ts', 'decodeSettings', payload)
  }
}

function isReply(packet: Uint8Array, id: number, sequence: number): boolean {
  if (packetVersion(packet) !== 4) return false
  try {
    const message = decodeIcmp(packet)
    return message.type === IcmpType.ECHO_REPLY && message.id === id && message.seq === sequence
  } catch {
    return false
  }
}

function requestView(request: Uint8Array) {
  const length = request.length
  return {
    title: 'request: what asks for the tunnel',
    bytes: request,
    fields: [
      {
        name: 'Frame Type',
        length: 1,
        reference: 'HEADERS',
        student: request[0] === 1 ? 'HEADERS' : format(request[0]),
      },
      {
        name: 'Length',
        length: length - 3 > 63 ? 2 : 1,
        reference: `${length - (length - 3 > 63 ? 3 : 2)}`,
        student: '',
      },
      { name: 'Field section', length: length - (length - 3 > 63 ? 3 : 2), reference: 'task 5', student: '' },
    ],
  }
}
