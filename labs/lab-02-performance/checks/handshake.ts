/** Task 1: round trips until there is a tunnel. The student predicts, the link delays, and both are looked at side by side. */
import type { LinkEmulator } from '../../../src/link/emulator/emulator.ts'
import { fail, resultOf } from '../../kit/check/calls.ts'
import { Seeded } from '../../kit/check/seeded.ts'
import type { CheckContext, Feedback, Reading } from '../../kit/lab/types.ts'
import { type ChartRow, showChart } from '../chart.ts'
import { linkProfile, startLink } from '../link.ts'
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

export async function check(context: CheckContext): Promise<Feedback> {
  const random = new Seeded(context.seed, 'handshake')
  const rtts = [JUDGED_RTT_MS, random.int(24, 30) * 10, random.int(2, 6) * 10]
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
  for (const retry of [false, true]) {
    const server = retry ? servers.careful : servers.plain
    const link = await startLink(context, { to: server.address, seed: context.seed, link: { rttMs: rtts[0] } })
    for (const [index, rttMs] of rtts.entries()) {
      // Too near to the time that computing takes for a verdict, but worth a look.
      const judged = rttMs >= 100
      await context.do(`connect at a round-trip time of ${rttMs} ms${retry ? ', with a Retry' : ''}`, async () => {
        link.setProfile(linkProfile({ rttMs }))
        const predicted = predictions.get(key(rttMs, retry))!
        const measured = await measure(context, { server, link, rttMs, predicted, judged })
        for (const phase of PHASES) {
          const title = `Until the ${phase}${phase === 'first answer' ? '' : ' is complete'}`
          const rows = charts.get(title) ?? []
          charts.set(title, rows)
          const good = judged ? near(measured[phase], predicted[phase], rttMs) : undefined
          rows.push({
            label: `RTT ${rttMs} ms${retry ? ', Retry' : ''}`,
            predicted: predicted[phase],
            measured: measured[phase],
            ...(good === undefined ? {} : { good }),
          })
          showChart(context, { title, unit: 'ms', rows: [...rows] })
        }
        if (judged)
          for (const phase of PHASES) expectNear(context, phase, rttMs, retry, predicted[phase], measured[phase])
      })
      context.progress(
        ++done,
        2 * rtts.length,
        `links measured${index === rtts.length - 1 ? '' : ', each with several clients'}`,
      )
    }
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

type Times = Record<Phase, number>

const key = (rttMs: number, retry: boolean): string => `${rttMs} ${retry}`

async function predict(context: CheckContext, rtts: readonly number[]): Promise<Map<string, Times>> {
  const cases = [...rtts, 1000].flatMap(rttMs => [false, true].map(retry => ({ rttMs, retry })))
  const ask = async (name: string, args: (one: { rttMs: number; retry: boolean }) => unknown[]) => {
    const outcomes = await context.do(`ask ${name} for a prediction`, () =>
      context.student.batch<number>(FILE, name, cases.map(args)),
    )
    return outcomes.map((outcome, index) => {
      const value = resultOf(outcome, `${name}(${args(cases[index]).join(', ')}) to return a time in ms`, READ)
      if (typeof value === 'number' && Number.isFinite(value)) return value
      return fail({ expected: `${name}() to return a time in ms`, found: String(value), read: READ })
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

interface Measurement {
  server: LabServer
  link: LinkEmulator
  rttMs: number
  predicted: Times
  judged: boolean
}

/** The best of some runs: more of them while one is further above the prediction than a round trip can explain. */
async function measure(context: CheckContext, { server, link, rttMs, predicted, judged }: Measurement): Promise<Times> {
  const best = { handshake: Infinity, session: Infinity, ping: Infinity }
  for (let run = 1; ; run++) {
    const client = await server.connect({}, link.address)
    const { handshakeMs, sessionMs } = client.info
    const ping = await client.ping(server.library, { timeoutMs: PATIENCE_MS })
    best.handshake = Math.min(best.handshake, handshakeMs)
    best.session = Math.min(best.session, sessionMs)
    best.ping = Math.min(best.ping, ping.rttMs)
    const { handshake, session } = best
    const times: Times = { handshake, session, 'first answer': handshake + session + best.ping }
    if (run < RUNS) continue
    const late = PHASES.some(phase => times[phase] > predicted[phase] + TOLERANCE * rttMs)
    // What is below the prediction already will not come nearer to it.
    const early = PHASES.some(phase => times[phase] < predicted[phase] - TOLERANCE * rttMs)
    if (run === MOST_RUNS || !judged || early || !late) return times
    context.signal.throwIfAborted()
  }
}

function near(measured: number, predicted: number, rttMs: number): boolean {
  return Math.abs(measured - predicted) <= TOLERANCE * rttMs
}

function expectNear(
  context: CheckContext,
  phase: Phase,
  rttMs: number,
  retry: boolean,
  predicted: number,
  measured: number,
): void {
  const trips = Math.round(measured / rttMs)
  const guess = predicted / rttMs
  context.expect(
    `your prediction of the ${phase} at ${rttMs} ms${retry ? ', with a Retry' : ''}`,
    near(measured, predicted, rttMs),
    () => ({
      expected: `what was measured: ${measured.toFixed(0)} ms at a round-trip time of ${rttMs} ms${retry ? ', with a Retry' : ''}, about ${trips} round trips`,
      found: `your prediction ${predicted.toFixed(0)} ms, ${Number(guess.toFixed(2))} round trips`,
      ...explain(phase, retry, guess, trips),
      read: READ,
    }),
  )
}

function explain(phase: Phase, retry: boolean, guess: number, trips: number): { misconception?: string } {
  if (Math.abs(guess - Math.round(guess)) > 0.05) {
    return {
      misconception:
        'Who waits for an answer waits for a whole round trip: times at the client are whole multiples of it.',
    }
  }
  if (phase === 'handshake') {
    if (retry && guess < trips)
      return { misconception: 'A Retry is one more exchange: the client has to begin again, with the token.' }
    if (guess < 1)
      return { misconception: 'Only a connection that has been there before can send before the first answer (0-RTT).' }
    return {
      misconception:
        'QUIC has no handshake of the transport before that of TLS: both are in the same packets. And the client is done when it has the answer of the server; it need not hear that its Finished has arrived.',
    }
  }
  if (phase === 'session') {
    return {
      misconception:
        guess < trips
          ? "The client has to wait twice: for the server's SETTINGS, which come only after its Finished has arrived there, and then for the answer to the request. The ADDRESS_REQUEST goes along with the request."
          : 'The ADDRESS_REQUEST goes along with the request, and its answer with the response: that costs no round trip of its own.',
    }
  }
  return {
    misconception:
      'The first answer comes after handshake and session, and then a ping needs a round trip like any other.',
  }
}

/** Also where computing would hide it: a prediction of round trips is proportional to the round-trip time. */
function expectWholeRoundTrips(context: CheckContext, predictions: ReadonlyMap<string, Times>): void {
  for (const [name, times] of predictions) {
    const rttMs = Number.parseFloat(name)
    const retry = name.endsWith('true')
    const exact = { handshake: retry ? 2 : 1, session: 2, 'first answer': retry ? 5 : 4 }
    const wrong = PHASES.find(phase => Math.abs(times[phase] - exact[phase] * rttMs) > 1e-6)
    context.expect(
      `a formula that holds at ${rttMs} ms as well${retry ? ', with a Retry' : ''}`,
      wrong === undefined,
      () => ({
        expected: `round trips and nothing else: ${exact[wrong!] * rttMs} ms until the ${wrong} at a round-trip time of ${rttMs} ms`,
        found: `${times[wrong!]} ms`,
        misconception:
          'What computing takes does not grow with the distance, and is another on every machine: a formula of round trips leaves it out. And it holds for every round-trip time.',
        read: READ,
      }),
    )
  }
}
