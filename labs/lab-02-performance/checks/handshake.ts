/** Task 1: round trips until there is a tunnel. The student predicts, the link delays, and both are looked at side by side. */
import type { LinkEmulator } from '../../../src/link/emulator/emulator.ts'
import { UdpRelay } from '../../../src/testbed/udp-relay.ts'
import { fail, resultOf } from '../../kit/check/calls.ts'
import { format } from '../../kit/check/format.ts'
import { Seeded } from '../../kit/check/seeded.ts'
import type { CheckContext, Feedback, Reading } from '../../kit/lab/types.ts'
import { type ChartRow, showChart } from '../chart.ts'
import { linkProfile, startLink } from '../link.ts'
import { type Datagram, flightsOf, type Picture, sequencePicture } from '../picture.ts'
import { type LabServer, startServer } from '../tunnel.ts'

const FILE = 'formulas.ts'
const READ: Reading[] = [
  'RFC 9000 §7 Cryptographic and Transport Handshake',
  'RFC 9000 §8.1.2 Address Validation Using Retry Packets',
  'RFC 9220 §3, and RFC 8441 §3 which it refers to',
  'labs/lab-02-performance/README.md, "Counting round trips"',
]

/**
 * The verdict is about round trips, on links on which one takes so long that computing cannot be taken for it, also on a busy
 * machine: it is wrong when a whole measurement is more than this part of a round trip away, in the best of several runs.
 */
const TOLERANCE = 0.45
const JUDGED_RTT_MS = 200
/** A stall of the machine makes one run longer, never shorter: with each further run the minimum gets nearer to the truth. */
const RUNS = 2
const MOST_RUNS = 8
const PATIENCE_MS = 10_000

type Phase = 'handshake' | 'session' | 'first answer'
const PHASES: readonly Phase[] = ['handshake', 'session', 'first answer']
type Times = Record<Phase, number>

/** One link, and what the student predicts for it. */
interface Line {
  rttMs: number
  retry: boolean
  predicted: Times
}

const named = ({ rttMs, retry }: Pick<Line, 'rttMs' | 'retry'>): string => `${rttMs} ms${retry ? ', Retry' : ''}`

// Cases ----------------------------------------------------------------------------------------------------------------

/** The first of them decides; the last is too near to the time that computing takes for a verdict, but worth a look. */
const roundTripTimes = (random: Seeded): number[] => [JUDGED_RTT_MS, random.int(24, 30) * 10, random.int(2, 6) * 10]
const LEAST_JUDGED_MS = 100

const PACKETS_ARE_SHARED =
  'QUIC has no handshake of the transport before that of TLS: both are in the same packets. And the client is done when it has the answer of the server; it need not hear that its Finished has arrived.'

/** What somebody thinks who predicts so many round trips, without and with a Retry. */
const WRONG_TRIPS: Record<Phase, Record<'plain' | 'retry', Readonly<Record<number, string>>>> = {
  handshake: {
    plain: {
      0: 'Only a connection that has been there before can send before the first answer (0-RTT).',
      2: PACKETS_ARE_SHARED,
    },
    retry: {
      1: 'A Retry is one more exchange: the client has to begin again, with the token.',
      3: PACKETS_ARE_SHARED,
    },
  },
  session: both({
    1: "The client has to wait twice: for the server's SETTINGS, which come only after its Finished has arrived there, and then for the answer to the request. The ADDRESS_REQUEST goes along with the request.",
    3: 'The ADDRESS_REQUEST goes along with the request, and its answer with the response: that costs no round trip of its own.',
  }),
  'first answer': {
    plain: { 3: 'After handshake and session, a ping needs a round trip like any other.' },
    retry: { 4: 'After handshake and session, a ping needs a round trip like any other, also after a Retry.' },
  },
}

function both<T>(one: T): { plain: T; retry: T } {
  return { plain: one, retry: one }
}

function misconception(phase: Phase, retry: boolean, trips: number): string | undefined {
  if (Math.abs((trips % 1) - 0.5) < 0.05)
    return 'Who waits for an answer waits for a whole round trip: times at the client are whole multiples of it.'
  return WRONG_TRIPS[phase][retry ? 'retry' : 'plain'][Math.round(trips)]
}

// Reference ------------------------------------------------------------------------------------------------------------

const reference = (rttMs: number, retry: boolean): Times => ({
  handshake: (retry ? 2 : 1) * rttMs,
  session: 2 * rttMs,
  'first answer': (retry ? 5 : 4) * rttMs,
})

/** Whether the measurement can agree with what is predicted for this link. */
const isRight = ({ predicted, rttMs, retry }: Line): boolean =>
  PHASES.every(phase => near(reference(rttMs, retry)[phase], predicted[phase], rttMs))

// Judgement ------------------------------------------------------------------------------------------------------------

export async function check(context: CheckContext): Promise<Feedback> {
  const random = new Seeded(context.seed, 'handshake')
  const rtts = roundTripTimes(random)
  const predictions = await predict(context, rtts)
  const servers = await context.do(
    'start two proxies, one of which asks every client to prove its address',
    async () => ({
      plain: await startServer(context),
      careful: await startServer(context, { retry: 'always' }),
    }),
  )
  const charts = new Map<string, ChartRow[]>()
  let done = 0
  const links = await Promise.all(
    [servers.plain, servers.careful].map(server =>
      startLink(context, { to: server.address, seed: context.seed, link: { rttMs: rtts[0] } }),
    ),
  )
  const lines = [false, true].flatMap(retry =>
    rtts.map((rttMs): Line => ({ rttMs, retry, predicted: predictions.get(key(rttMs, retry))! })),
  )
  // What is decided by one measurement is measured first, once.
  lines.sort((a, b) => Number(isRight(a)) - Number(isRight(b)))
  for (const line of lines) {
    const { rttMs, retry, predicted } = line
    const judged = rttMs >= LEAST_JUDGED_MS
    const server = retry ? servers.careful : servers.plain
    const link = links[Number(retry)]
    const { times: measured, picture } = await context.do(
      `connect at a round-trip time of ${named(line)}`,
      async () => {
        link.setProfile(linkProfile({ rttMs }))
        return await measure(context, line, server, link)
      },
    )
    for (const phase of PHASES) {
      const title = `Until the ${phase}${phase === 'first answer' ? '' : ' is complete'}`
      const rows = charts.get(title) ?? []
      charts.set(title, rows)
      const good = judged ? near(measured[phase], predicted[phase], rttMs) : undefined
      rows.push({
        label: `RTT ${named(line)}`,
        predicted: predicted[phase],
        measured: measured[phase],
        good,
      })
      showChart(context, { title, unit: 'ms', rows: [...rows] })
    }
    showChart(context, picture)
    if (judged) for (const phase of PHASES) expectNear(context, phase, line, measured[phase])
    context.progress(++done, lines.length, 'links measured, each with several clients')
  }
  expectWholeRoundTrips(context, predictions)
  return {
    passed: true,
    expected: 'times in multiples of the round-trip time',
    found:
      'handshake 1, with a Retry 2; session 2 more; first answer 1 more: as measured, with what computing takes on top',
    read: READ,
  }
}

const key = (rttMs: number, retry: boolean): string => `${rttMs} ${retry}`

async function predict(context: CheckContext, rtts: readonly number[]): Promise<Map<string, Times>> {
  const cases = [...rtts, 1000].flatMap(rttMs => [false, true].map(retry => ({ rttMs, retry })))
  const ask = async (name: string, args: (one: { rttMs: number; retry: boolean }) => unknown[]) => {
    return await context.do(`ask ${name} for a prediction`, async () => {
      const outcomes = await context.student.batch<number>(FILE, name, cases.map(args))
      return outcomes.map((outcome, index) => {
        const expected = `${name}(${args(cases[index]).join(', ')}) to return a time in ms`
        const value: unknown = resultOf(outcome, expected, READ)
        if (typeof value === 'number' && Number.isFinite(value)) return value
        const promise = String(value).includes('[object Promise]')
        return fail({
          expected,
          found: format(value),
          ...(promise
            ? {
                misconception:
                  'An async function returns a promise, which is no number yet: add with `await`, or without `async`.',
              }
            : {}),
          read: READ,
        })
      })
    })
  }
  const handshake = await ask('handshakeMs', ({ rttMs, retry }) => [rttMs, retry])
  const session = await ask('sessionMs', ({ rttMs }) => [rttMs])
  const answer = await ask('firstAnswerMs', ({ rttMs, retry }) => [rttMs, retry])
  return new Map(
    cases.map(({ rttMs, retry }, i) => [
      key(rttMs, retry),
      { handshake: handshake[i], session: session[i], 'first answer': answer[i] },
    ]),
  )
}

/**
 * The best of some runs: more of them while one is further above the prediction than a round trip can explain. A prediction that is
 * wrong in any case needs one.
 */
async function measure(
  context: CheckContext,
  line: Line,
  server: LabServer,
  link: LinkEmulator,
): Promise<{ times: Times; picture: Picture }> {
  const { rttMs, predicted } = line
  const best = { handshake: Infinity, session: Infinity, ping: Infinity }
  const relay = await UdpRelay.open(link.address)
  context.defer(() => relay.close())
  for (let run = 1; ; run++) {
    const datagrams: Datagram[] = []
    const started = performance.now()
    relay.passes = (payload, from) => {
      datagrams.push({ atMs: performance.now() - started, from, bytes: payload.length })
      return true
    }
    const client = await server.connect({}, relay.address)
    const { handshakeMs, sessionMs } = client.info
    const ping = await client.ping(server.library, { timeoutMs: PATIENCE_MS })
    best.handshake = Math.min(best.handshake, handshakeMs)
    best.session = Math.min(best.session, sessionMs)
    best.ping = Math.min(best.ping, ping.rttMs)
    // The relay knows one client at a time, and the picture ends with the first answer.
    relay.passes = () => true
    await client.close()
    const { handshake, session } = best
    const times: Times = { handshake, session, 'first answer': handshake + session + best.ping }
    const late = PHASES.some(phase => times[phase] > predicted[phase] + TOLERANCE * rttMs)
    const isTrue = PHASES.every(phase => near(times[phase], reference(rttMs, line.retry)[phase], rttMs))
    const enough = isRight(line) ? run >= RUNS && (!late || rttMs < LEAST_JUDGED_MS) : isTrue
    if (enough || run === MOST_RUNS) return { times, picture: pictureOf(line, datagrams, { handshakeMs, sessionMs }) }
    context.signal.throwIfAborted()
  }
}

function near(measured: number, predicted: number, rttMs: number): boolean {
  return Math.abs(measured - predicted) <= TOLERANCE * rttMs
}

function expectNear(context: CheckContext, phase: Phase, line: Line, measured: number): void {
  const { rttMs, retry, predicted } = line
  const guess = predicted[phase] / rttMs
  const why = misconception(phase, retry, guess)
  context.expect(`your prediction of the ${phase} at ${named(line)}`, near(measured, predicted[phase], rttMs), {
    expected: `what was measured: ${measured.toFixed(0)} ms at a round-trip time of ${named(line)}, about ${roundTrips(Math.round(measured / rttMs))}`,
    found: `your prediction ${predicted[phase].toFixed(0)} ms, ${roundTrips(Number(guess.toFixed(2)))}`,
    misconception: why,
    read: READ,
  })
}

function roundTrips(count: number): string {
  return `${count} round ${count === 1 ? 'trip' : 'trips'}`
}

/** The client reckons from its first packet. */
function pictureOf(
  line: Line,
  datagrams: readonly Datagram[],
  took: { handshakeMs: number; sessionMs: number },
): Picture {
  const handshake = datagrams[0].atMs + took.handshakeMs
  return sequencePicture(`Packets at the client: RTT ${named(line)}`, flightsOf(datagrams), [
    { atMs: handshake, text: 'the handshake is complete' },
    { atMs: handshake + took.sessionMs, text: 'the tunnel is there' },
  ])
}

/** Also where computing would hide it: a prediction of round trips is proportional to the round-trip time. */
function expectWholeRoundTrips(context: CheckContext, predictions: ReadonlyMap<string, Times>): void {
  for (const [name, times] of predictions) {
    const line = { rttMs: Number.parseFloat(name), retry: name.endsWith('true') }
    const exact = reference(line.rttMs, line.retry)
    const wrong = PHASES.find(phase => Math.abs(times[phase] - exact[phase]) > 1e-6)
    context.expect(`a formula that holds at ${named(line)} as well`, wrong === undefined, () => ({
      expected: `round trips and nothing else: ${exact[wrong!]} ms until the ${wrong} at a round-trip time of ${named(line)}`,
      found: `${times[wrong!]} ms`,
      misconception:
        'What computing takes does not grow with the distance, and is another on every machine: a formula of round trips leaves it out. And it holds for every round-trip time.',
      read: READ,
    }))
  }
}
