/** Task 5: the MTU of the tunnel, and a search for that of the path, in virtual time. */
import { type Call, expectCalls, fail, resultOf } from '../../kit/check/calls.ts'
import { format } from '../../kit/check/format.ts'
import { Seeded } from '../../kit/check/seeded.ts'
import type { CheckContext, Feedback, Reading } from '../../kit/lab/types.ts'
import type { StudentObject } from '../../kit/student-code/types.ts'
import { type ChartRow, showChart } from '../chart.ts'
import { ladderPicture, type Rung } from '../picture.ts'
import { startServer } from '../tunnel.ts'

const FILE = 'path-mtu.ts'
const READ: Reading[] = [
  'RFC 8899 §5 Datagram Packetization Layer PMTUD',
  'labs/lab-02-performance/README.md, "How large may a packet be?"',
]
const READ_MTU: Reading[] = [
  'RFC 9000 §17.3.1 1-RTT Packet',
  'RFC 9221 §4 Datagram Frame Types',
  'RFC 9297 §2.1 HTTP/3 Datagrams',
]
/** Live tunnels, each with another largest payload. */
const TUNNELS = 4
const CONNECTION_ID_LENGTH = 8

interface SearchOptions {
  base: number
  max: number
  granularity: number
  maxProbes: number
  probeTimeoutMs: number
}

// Cases ---------------------------------------------------------------------------------------------------------------

/** What the simulated path does. */
interface Path {
  /** The largest UDP payload that passes. */
  size: number
  rttMs: number
  /** What becomes of the n-th probe (from 0) of a size that would pass. */
  fate?: (probe: number) => 'arrives' | 'lost' | { lateMs: number }
  /** Messages Packet Too Big that come after a probe of this size was sent. */
  tooBig?: (size: number, confirmed: number, passes: number) => number | undefined
  /** How long after the probe; without it, half of the round-trip time. */
  tooBigMs?: number
  /** A black hole is noticed while the first probe is on its way. */
  holeAtFirst?: boolean
  /** At the end of the search, the path is another one. */
  laterSize?: number
  /** After that change, an answer comes to the largest probe before it. */
  lateAnswer?: boolean
}

interface Search {
  title: string
  path: Path
  options: SearchOptions
  because: string | undefined
}

const LATE =
  'An answer that comes late is an answer: whatever arrived is small enough, whichever probe is on its way now, and nothing is left of what was concluded from its silence.'
const BITS = 'A stream id has up to 62 bits. Operators on bits, such as >>, see 32 of them: divide.'
const ONE_AT_A_TIME = 'There is never more than one probe on its way: else nobody knows which one a loss was about.'

/** Each search, with the rule that it is about. */
function searches(random: Seeded): Search[] {
  const options = (change: Partial<SearchOptions> = {}): SearchOptions => ({
    base: 1200,
    max: 1472,
    granularity: 4,
    maxProbes: 3,
    probeTimeoutMs: 300,
    ...change,
  })
  const all: Search[] = []
  const search = (title: string, path: Path, change: Partial<SearchOptions> = {}, because?: string) =>
    all.push({ title, path, options: options(change), because })
  const size = () => random.int(1201, 1471)
  search('a clean path', { size: 1400, rttMs: 40 })
  search('a clean path of your own', { size: size(), rttMs: random.int(5, 200) })
  search('a path that carries the largest size', { size: 1472, rttMs: 20 })
  search('a path that carries nothing above the base', { size: 1200, rttMs: 20 })
  search('to the byte', { size: size(), rttMs: 30 }, { granularity: 1 })
  for (const passes of [1201, 1203]) {
    search('to the byte, between five sizes', { size: passes, rttMs: 30 }, { max: 1204, granularity: 1 })
  }
  search('a path for jumbo frames', { size: random.int(4000, 8900), rttMs: 10 }, { max: 8972, granularity: 8 })

  // Never maxProbes in a row: so the size is never given up by who counts right, whatever he tries.
  const bursts = random.list(400, () => random.boolean())
  for (let i = 2; i < bursts.length; i++) if (bursts[i - 1] && bursts[i - 2]) bursts[i] = false
  const NO_PROOF =
    'One probe that is lost is not a proof: packets are lost for other reasons too. A size is given up after maxProbes of its probes, one after the other, brought no answer.'
  search(
    'a path that loses about half of all probes',
    { size: size(), rttMs: 50, fate: probe => (bursts[probe] ? 'lost' : 'arrives') },
    {},
    NO_PROOF,
  )
  for (const maxProbes of [2, 3, 4]) {
    search(
      `a path on which only probe number ${maxProbes} of each size arrives`,
      { size: 1472, rttMs: 50, fate: probe => (probe % maxProbes === maxProbes - 1 ? 'arrives' : 'lost') },
      { maxProbes },
      NO_PROOF,
    )
  }
  search(
    'a path on which answers come late',
    { size: size(), rttMs: 60, fate: probe => (probe % 3 === 0 ? { lateMs: 340 } : 'arrives') },
    {},
    'An answer that comes late is an answer: whatever arrived is small enough.',
  )
  search(
    'an answer that comes when its size has been given up already',
    { size: 1460, rttMs: 60, fate: probe => (probe === 0 ? { lateMs: 340 } : 'arrives') },
    { maxProbes: 1 },
    LATE,
  )
  search(
    'a path on which every answer comes after its size was given up',
    {
      size: 1472,
      rttMs: 60,
      fate: () => ({ lateMs: 1000 }),
    },
    {},
    LATE,
  )
  const router = size()
  search('routers that say what passes', { size: router, rttMs: 40, tooBig: () => router })
  search(
    'forged messages Packet Too Big',
    {
      size: size(),
      rttMs: 40,
      tooBig: (probe, confirmed) => random.pick([68, 576, confirmed - 1, probe, probe + 1, 65_000]),
    },
    {},
    'Anybody can send Packet Too Big. It counts only when it is below the size of the probe, and not below what is confirmed.',
  )
  search(
    'routers that say what passes, to the byte',
    { size: 1337, rttMs: 40, tooBig: () => 1337 },
    { granularity: 1 },
    'What a router has named holds also when exactly that is confirmed.',
  )
  search(
    'a router that names exactly what is confirmed',
    { size: 1200, rttMs: 40, tooBig: () => 1200 },
    {},
    'What is confirmed is not below itself: the message counts.',
  )
  search(
    'forged messages Packet Too Big that could be true',
    { size: 1472, rttMs: 40, tooBig: (_, confirmed) => (confirmed === 1200 ? 1210 : undefined) },
    {},
    'A size above what the message named was acknowledged: the message was wrong, and nothing is left of it.',
  )
  search(
    'forged messages Packet Too Big when the search is over',
    { size: 1300, rttMs: 40, tooBig: () => 1471, tooBigMs: 100_000 },
    {},
    'A message Packet Too Big counts only while a probe is on its way.',
  )
  search(
    'a router that promises more than the path carries',
    { size: 1300, rttMs: 40, tooBig: probe => (probe > 1340 ? 1340 : undefined) },
    {},
    'Packet Too Big confirms nothing. Only an acknowledged probe does.',
  )
  search(
    'a path that becomes narrower',
    { size: 1460, rttMs: 40, laterSize: random.int(1205, 1300) },
    {},
    'After a black hole nothing of what was known is true any more: back to base at once, and all is to be searched again.',
  )
  search(
    'a path that becomes narrower while answers are on their way',
    { size: 1460, rttMs: 40, laterSize: 1210, lateAnswer: true },
    {},
    'An answer to a size that was not sent since the black hole is about the old path.',
  )
  const OLD =
    'What was concluded from silence, or from what a router said, was about the old path: all is searched again.'
  search('another path after a black hole, which carries more', { size: 1300, rttMs: 40, laterSize: 1460 }, {}, OLD)
  search(
    'the same, with routers that say what passes',
    { size: 1300, rttMs: 40, laterSize: 1460, tooBig: (_, __, passes) => passes },
    {},
    OLD,
  )
  search(
    'a black hole while a probe is on its way',
    { size: 1472, rttMs: 40, fate: probe => (probe === 0 ? 'lost' : 'arrives'), holeAtFirst: true },
    { maxProbes: 1 },
    'A probe that was sent before the black hole says nothing about the path that is searched now.',
  )
  return all
}

// Reference -----------------------------------------------------------------------------------------------------------

/** `wrong`: bytes that somebody forgot, or counted twice. */
function mtu(payload: number, connectionId: number, streamId: number, wrong = 0): number {
  const quarter = streamId / 4
  const quarterLength = quarter < 64 ? 1 : quarter < 16_384 ? 2 : quarter < 2 ** 30 ? 4 : 8
  return payload - (1 + connectionId + 4 + 16 + 3 + quarterLength + 1) - wrong
}

// Judgement -----------------------------------------------------------------------------------------------------------

export async function check(context: CheckContext): Promise<Feedback> {
  const random = new Seeded(context.seed, 'path-mtu')
  await expectTunnelMtu(context, random)
  const all = searches(random)
  await expectSearches(context, all)
  await expectLiveMtu(context, random)
  return {
    passed: true,
    expected: 'an MTU for each tunnel, and a search that finds what the path carries',
    found: `${TUNNELS} live tunnels have the MTU that you calculated; ${all.length} searches found theirs, with loss, late answers, false messages and a path that changed`,
    read: READ,
  }
}

async function expectTunnelMtu(context: CheckContext, random: Seeded): Promise<void> {
  const call = (about: string, payload: number, connectionId: number, streamId: number): Call => ({
    about,
    args: [payload, connectionId, streamId],
    returns: mtu(payload, connectionId, streamId),
  })
  const says = (text: string, wrong: number) => ({
    says: text,
    would: (payload: number, connectionId: number, streamId: number) => mtu(payload, connectionId, streamId, wrong),
  })
  await expectCalls(context, {
    text: 'the MTU of a tunnel',
    file: FILE,
    name: 'tunnelMtu',
    exact: true,
    calls: [
      call('the first request of a connection', 1400, 8, 0),
      call('the smallest payload that QUIC allows', 1200, 8, 0),
      call('no connection id', 1350, 0, 4),
      call('stream 252, the last one with a Quarter Stream ID of one byte', 1350, 20, 252),
      call('stream 256: the Quarter Stream ID takes two bytes', 1350, 20, 256),
      call('a stream with four bytes', 1452, 8, 65_536 * 4),
      ...[2 ** 14 - 1, 2 ** 14, 2 ** 30 - 1, 2 ** 30].map(quarter =>
        call(`a Quarter Stream ID of ${quarter}`, 1452, 8, quarter * 4),
      ),
      ...random.list(6, () =>
        call(
          'one of your own',
          random.int(1200, 1472),
          random.int(0, 20),
          4 * random.pick([random.int(0, 63), random.int(64, 16_383)]),
        ),
      ),
    ],
    misconceptions: [
      says('A packet number takes up to 4 bytes. An MTU has to hold for every packet, also for the later ones.', -3),
      says('A packet number takes up to 4 bytes. An MTU has to hold for every packet, also for the later ones.', -2),
      says('Every QUIC packet ends with a tag of 16 bytes: it is how a forged packet is recognised.', -16),
      says(
        'The UDP payload is what is inside of UDP: its header, and that of IP, are outside and already left out.',
        28,
      ),
      says(
        'The UDP payload is what is inside of UDP: its header, and that of IP, are outside and already left out.',
        8,
      ),
      says('The DATAGRAM frame has a type of one byte, and here a length of two.', -2),
      says('The DATAGRAM frame has a type of one byte, and here a length of two.', -3),
      says('Between the Quarter Stream ID and the IP packet there is the Context ID, also when it is 0.', -1),
      {
        says: 'What is written is the stream id divided by four, and as a varint: its length changes at 64, that is at stream 256.',
        would: (payload: number, connectionId: number, streamId: number) => mtu(payload, connectionId, streamId * 4),
      },
      {
        says: 'What is written is the stream id divided by four, and as a varint: its length changes at 64, that is at stream 256.',
        would: (payload: number, connectionId: number) => mtu(payload, connectionId, 0),
      },
      {
        says: BITS,
        would: (payload: number, connectionId: number, streamId: number) =>
          mtu(payload, connectionId, (streamId >> 2) * 4),
      },
      {
        says: BITS,
        would: (payload: number, connectionId: number, streamId: number) =>
          mtu(payload, connectionId, (streamId >>> 2) * 4),
      },
    ],
    read: READ_MTU,
  })
}

async function expectLiveMtu(context: CheckContext, random: Seeded): Promise<void> {
  const payloads = [1200, ...random.list(TUNNELS - 1, () => random.int(1201, 1472))]
  const server = await context.do('start a proxy', () => startServer(context))
  const rows: ChartRow[] = []
  for (const payload of payloads) {
    await context.do(`open a tunnel whose UDP payloads have up to ${payload} bytes`, async () => {
      const client = await server.connect({ quic: { maxUdpPayload: payload } })
      const predicted = await context.student.call<number>(FILE, 'tunnelMtu', payload, CONNECTION_ID_LENGTH, 0)
      const measured = client.info.mtu
      rows.push({ label: `UDP payload ${payload}`, predicted, measured, good: predicted === measured })
      await client.close()
    })
    showChart(context, { title: 'MTU of a live tunnel', unit: 'bytes', rows: [...rows] })
  }
  const wrong = rows.find(row => !row.good)
  context.expect('live tunnels have the MTU that you calculated', wrong === undefined, () => ({
    expected: `tunnelMtu() for a ${wrong!.label} to be ${wrong!.measured}, which client.info.mtu says`,
    found: String(wrong!.predicted),
    read: READ_MTU,
  }))
}

async function expectSearches(context: CheckContext, all: readonly Search[]): Promise<void> {
  for (const [index, { title, options, path, because }] of all.entries()) {
    await new Simulation(context, title, options, path, because).run()
    context.progress(index + 1, all.length, 'searches in virtual time')
  }
}

/** More steps than any sensible search needs: it goes round in circles. */
const MOST_STEPS = 3000

/** Events of the path, in virtual time, against the student's machine. */
class Simulation {
  readonly #context: CheckContext
  readonly #title: string
  readonly #options: SearchOptions
  #size: number
  readonly #path: Path
  readonly #because: string | undefined
  #nowMs = 0
  #machine!: StudentObject
  readonly #probes: Rung[] = []
  #failed = false
  /** Probes of sizes that would pass, of which some are lost. */
  #passing = 0
  /** What will happen, by time. */
  readonly #events: { atMs: number; method: string; size: number }[] = []
  /** The largest acknowledged size since the last black hole. */
  #acknowledged: number
  /** The probe that is on its way: neither acknowledged, nor too old, nor disproved by a router. */
  #outstanding: number | undefined
  #outstandingUntilMs = -1
  /** Sizes that were acknowledged when another one was on its way. */
  readonly #belated = new Set<number>()
  /** A message Packet Too Big came that cannot be true. */
  #misled = false
  /** What a router has said that could be true: nothing above it needs to be tried. */
  #limit = Infinity

  constructor(context: CheckContext, title: string, options: SearchOptions, path: Path, because: string | undefined) {
    this.#context = context
    this.#title = title
    this.#options = options
    this.#path = path
    this.#size = path.size
    this.#because = because
    this.#acknowledged = options.base
  }

  async run(): Promise<void> {
    const { base, max } = this.#options
    const { laterSize } = this.#path
    this.#machine = await this.#context.do(`search: ${this.#title}`, () =>
      this.#context.student.create(FILE, 'PathMtuSearch', this.#options),
    )
    try {
      await this.#untilDone()
      if (laterSize === undefined) return
      this.#size = laterSize
      const before = this.#acknowledged
      await this.#tell('blackHole', [])
      this.#acknowledged = base
      await this.#expectConfirmed('after a black hole')
      if (this.#path.lateAnswer) {
        await this.#tell('acknowledged', [before])
        await this.#expectConfirmed(`after an answer to the ${before} bytes that were sent before the black hole`)
      }
      this.#forget()
      await this.#untilDone()
    } finally {
      this.#show(base, max)
    }
  }

  /** Nothing is known of the new path. */
  #forget(): void {
    this.#probes.length = 0
    this.#outstanding = undefined
    this.#limit = Infinity
  }

  async #untilDone(): Promise<void> {
    for (let step = 0; step < MOST_STEPS; step++) {
      const action = await this.#next()
      if (action?.type === 'done' && this.#events.length === 0) return await this.#judge()
      // Answers are still on their way: one of them may open the search again.
      if (action?.type === 'done') {
        await this.#pass(Infinity)
        continue
      }
      if (action?.type === 'probe' && Number.isInteger(action.size)) {
        this.#send(action.size as number)
        // A probe was sent: what next? It has to be a wait, for this probe.
        const after = await this.#next()
        if (after?.type !== 'wait')
          this.#wrong('next() to wait while a probe is on its way', format(after), ONE_AT_A_TIME)
        this.#expectWait(after.untilMs)
        if (this.#path.holeAtFirst && this.#passing === 1) {
          await this.#tell('blackHole', [])
          await this.#expectConfirmed('after a black hole')
          this.#forget()
          continue
        }
        await this.#pass(after.untilMs as number)
      } else if (action?.type === 'wait') {
        // The probe before it is still waited for: its answer did not settle it.
        this.#expectWait(action.untilMs)
        await this.#pass(action.untilMs as number)
      } else {
        this.#wrong(
          "next() to return { type: 'probe', size }, { type: 'wait', untilMs } or { type: 'done' }",
          format(action),
        )
      }
    }
    this.#wrong(
      'a search that ends',
      `${this.#probes.length} probes in ${Math.round(this.#nowMs / 1000)} s, and no end`,
      'What is between the largest size that passed and the smallest that did not has to become smaller with each size that is settled.',
    )
  }

  async #next(): Promise<{ type?: unknown; size?: unknown; untilMs?: unknown } | undefined> {
    const [outcome] = await this.#machine.batch('next', [[this.#nowMs]])
    return resultOf(outcome, 'next() to say what to do', READ) as { type?: unknown } | undefined
  }

  #send(size: number): void {
    const { base, max, maxProbes, granularity } = this.#options
    const { rttMs, fate, tooBig, tooBigMs = rttMs / 2 } = this.#path
    if (size <= this.#acknowledged || size > max) {
      this.#wrong(
        `a probe of more than ${this.#acknowledged} bytes, which is known to pass, and at most ${max}`,
        `a probe of ${size} bytes`,
        size > max ? 'Nothing above max is of use.' : 'A size that has been acknowledged need not be tried again.',
      )
    }
    if (this.#outstanding !== undefined && this.#nowMs < this.#outstandingUntilMs) {
      this.#wrong(
        `to wait for the probe of ${this.#outstanding} bytes`,
        `a probe of ${size} bytes`,
        this.#misled ? this.#because : ONE_AT_A_TIME,
      )
    }
    if (size > this.#limit) {
      this.#wrong(
        `no probe above the ${this.#limit} bytes that a router has named`,
        `a probe of ${size} bytes`,
        'A message Packet Too Big that can be true saves the probes above it.',
      )
    }
    const passes = size <= this.#size
    const what = passes ? (fate?.(this.#passing++) ?? 'arrives') : 'lost'
    this.#probes.push({ size, atMs: this.#nowMs, passed: passes && what !== 'lost', confirmed: this.#acknowledged })
    const tries = this.#probes.filter(probe => probe.size === size).length
    if (tries > maxProbes && !passes) {
      this.#wrong(
        `${size} bytes to be given up after ${maxProbes} probes without an answer`,
        `probe number ${tries} of this size`,
        'A size that never passes has to be given up: else the search stands still.',
      )
    }
    const sizes = new Set(this.#probes.map(probe => probe.size)).size
    // A size that was given up and arrives after all was settled twice.
    const enough = Math.ceil(Math.log2((max - base) / granularity + 1)) + 3 + this.#belated.size
    if (sizes > enough) {
      this.#wrong(
        `a search that settles ${max - base} bytes with at most ${enough} different sizes`,
        `${this.#probes
          .slice(-6)
          .map(probe => probe.size)
          .join(', ')} …`,
        'Halve what is between the largest size that passed and the smallest that did not: one after the other takes too long.',
      )
    }
    this.#outstanding = size
    this.#outstandingUntilMs = this.#nowMs + this.#options.probeTimeoutMs
    if (what === 'arrives') this.#events.push({ atMs: this.#nowMs + rttMs, method: 'acknowledged', size })
    else if (what !== 'lost') this.#events.push({ atMs: this.#nowMs + what.lateMs, method: 'acknowledged', size })
    const said = tooBig?.(size, this.#acknowledged, this.#size)
    // Only routers that the probe does not pass say something; forged messages come anyway.
    if (said !== undefined && (!passes || this.#title.startsWith('forged'))) {
      this.#events.push({ atMs: this.#nowMs + tooBigMs, method: 'packetTooBig', size: said })
    }
    this.#events.sort((a, b) => a.atMs - b.atMs)
  }

  /** Lets the next thing happen, or time pass until the machine wants to be asked again. */
  async #pass(untilMs: number): Promise<void> {
    const event = this.#events[0]
    if (event === undefined || event.atMs > untilMs) {
      this.#nowMs = Math.max(this.#nowMs, untilMs)
      return
    }
    this.#events.shift()
    this.#nowMs = Math.max(this.#nowMs, event.atMs)
    await this.#tell(event.method, [event.size])
    if (event.method === 'acknowledged') {
      if (event.size > this.#acknowledged && this.#outstanding !== event.size) this.#belated.add(event.size)
      this.#acknowledged = Math.max(this.#acknowledged, event.size)
      if (this.#limit < this.#acknowledged) this.#limit = Infinity
      if ((this.#outstanding ?? Infinity) <= event.size) this.#outstanding = undefined
    } else if (this.#believable(event.size)) {
      this.#limit = event.size
      this.#outstanding = undefined
    } else this.#misled = true
    await this.#expectConfirmed(
      event.method === 'acknowledged'
        ? `after a probe of ${event.size} bytes was acknowledged`
        : `after a message Packet Too Big that says ${event.size}`,
    )
  }

  #believable(largest: number): boolean {
    const probe = this.#outstanding
    const waiting = probe !== undefined && this.#nowMs < this.#outstandingUntilMs
    return waiting && largest >= this.#acknowledged && largest < probe
  }

  async #tell(method: string, args: unknown[]): Promise<void> {
    const [outcome] = await this.#machine.batch(method, [args])
    resultOf(outcome, `${method}(${args.join()}) to return`, READ)
  }

  #expectWait(untilMs: unknown): void {
    if (untilMs === this.#outstandingUntilMs) return
    this.#wrong(
      `to wait until ${this.#outstandingUntilMs} ms: probeTimeoutMs after the last probe was sent`,
      `a wait until ${format(untilMs)} ms`,
      Number(untilMs) <= this.#nowMs
        ? 'A wait that is over already is no wait: it keeps the processor busy for nothing.'
        : 'The time to wait is counted from when the probe was sent.',
    )
  }

  async #expectConfirmed(when: string): Promise<void> {
    const confirmed = await this.#machine.get<number>('confirmed')
    if (confirmed === this.#acknowledged) return
    this.#wrong(
      `confirmed to be ${this.#acknowledged} ${when}`,
      String(confirmed),
      this.#because ?? 'What was acknowledged passes, and only that is known to pass.',
    )
  }

  async #judge(): Promise<void> {
    await this.#expectConfirmed('at the end')
    const { granularity } = this.#options
    const found = this.#acknowledged
    if (this.#size - found < granularity) return
    this.#wrong(
      `a path that carries ${this.#size} bytes to be found to within ${granularity} bytes`,
      `done, with ${found} bytes confirmed after ${this.#probes.length} probes`,
      this.#because ?? 'The search is over when what it may still gain is less than granularity.',
    )
  }

  #wrong(expected: string, found: string, misconception?: string): never {
    this.#failed = true
    const probes = this.#probes
      .slice(-5)
      .map(probe => `${probe.size} at ${probe.atMs} ms`)
      .join(', ')
    fail({
      expected: `${this.#title}: ${expected}`,
      found: `${found}${probes === '' ? '' : ` (the last probes: ${probes})`}`,
      misconception,
      read: READ,
    })
  }

  #show(base: number, max: number): void {
    const failed = this.#failed
    const ladder = { base, max, path: this.#size, rungs: this.#probes, failed }
    showChart(this.#context, ladderPicture(`Search: ${this.#title} (${this.#size} bytes)`, ladder))
  }
}
