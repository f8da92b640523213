/**
 * Task 2: predictions for datagrams and for a stream. First against the formulas, on flows that are made for each student; then
 * beside a live measurement, at several loss rates, with both kinds of tunnel on the same link at the same time.
 *
 * What the live part decides on: the loss of datagrams, by an interval of Clopper and Pearson with a false-alarm rate of 1e-5 for
 * each rate; that a stream loses nothing; and that packets on the stream are held up, compared with the datagram that was sent at
 * the same moment, so that pauses of a busy machine are in both. At 5 % loss more than a quarter of the packets is held up; less
 * than 3 % of 400 would take fewer than three losses where 20 are expected: 1e-6.
 */

import type { PingRecord } from '../../../src/probes/ping-train.ts'
import { clopperPearson } from '../../../src/stats/intervals.ts'
import {
  type Call,
  type CallGroup,
  expectGroups,
  groupsOf,
  type Misconception,
  valuesOf,
} from '../../kit/check/calls.ts'
import { formatNumber, percent } from '../../kit/check/format.ts'
import type { Seeded } from '../../kit/check/seeded.ts'
import { watchTunnel } from '../../kit/check/window-recorder.ts'
import type { CheckContext, Feedback, Reading } from '../../kit/lab/types.ts'
import { linkWith, meanOf, pings, startTestbed } from '../live.ts'
import { type PredictionRow, showLink, showPredictions } from '../panel-data.ts'

const FILE = 'sweep.ts'
const READ: Reading[] = [
  'RFC 9002 §6.1',
  'RFC 9221 §5',
  'labs/lab-04-impairment/README.md, "Nobody waits, or everybody"',
]

const RATES = [0, 0.01, 0.02, 0.05]

const LIVE = { everyMs: 10, oneWayMs: 25, bytes: 84 }

const PINGS = 400
/**
 * More of them behind those that are judged. That the last packet on a stream is lost shows in no later one, but only in a probe timeout, which is long where
 * the estimate of the round trip is bad; and that is not what is asked here.
 */
const BEHIND = 20
const CONFIDENCE = 1 - 1e-5

interface Flow {
  loss: number
  everyMs: number
  oneWayMs: number
  bytes: number
}

interface Prediction {
  delivered: number
  goodput: number
  delayed: number
  meanDelayMs: number
}

// Cases ---------------------------------------------------------------------------------------------------------------

const BITS = 'Goodput is in bit/s: 8 bits a byte, 1000 ms a second.'

const OF_DATAGRAMS: readonly Misconception[] = [
  { says: BITS, would: (flow: Flow) => ({ ...datagrams(flow), goodput: datagrams(flow).goodput / 8 }) },
  { says: BITS, would: (flow: Flow) => ({ ...datagrams(flow), goodput: datagrams(flow).goodput / 1000 }) },
  {
    says: 'Goodput is what arrives, not what is sent.',
    would: (flow: Flow) => ({ ...datagrams(flow), goodput: offered(flow) }),
  },
  {
    says: 'The delay is that of one direction.',
    would: (flow: Flow) => ({ ...datagrams(flow), meanDelayMs: 2 * flow.oneWayMs }),
  },
  {
    says: 'Packets are lost on the way there only: there is nothing to come back.',
    would: (flow: Flow) => ({
      ...datagrams(flow),
      delivered: (1 - flow.loss) ** 2,
      goodput: (1 - flow.loss) ** 2 * offered(flow),
    }),
  },
  {
    says: 'Nobody waits for a lost datagram, and no other packet is held up by it: those that arrive take as long as the link.',
    would: (flow: Flow) => ({ ...datagrams(flow), delayed: flow.loss }),
  },
]

const OF_DETECTION: readonly Misconception[] = [
  {
    says: 'This is the packet threshold alone. When packets are far apart, the third one behind comes late; the time threshold is faster then.',
    would: ({ everyMs, oneWayMs }: Flow) => 3 * everyMs + 2 * oneWayMs,
  },
  {
    says: 'Whatever comes first of the two thresholds: the smaller time.',
    would: ({ everyMs, oneWayMs }: Flow) =>
      Math.max(3 * everyMs + 2 * oneWayMs, Math.max(2.25 * oneWayMs, everyMs + 2 * oneWayMs)),
  },
  {
    says: 'This is 9/8 of a round trip alone. Before any packet behind it is acknowledged, nothing is taken for lost: such an acknowledgement comes everyMs and a round trip after the lost packet was sent.',
    would: ({ oneWayMs }: Flow) => 2.25 * oneWayMs,
  },
  {
    says: 'This is 9/8 of a round trip alone. Before any packet behind it is acknowledged, nothing is taken for lost: such an acknowledgement comes everyMs and a round trip after the lost packet was sent.',
    would: ({ everyMs, oneWayMs }: Flow) => Math.min(3 * everyMs + 2 * oneWayMs, 2.25 * oneWayMs),
  },
  {
    says: 'An acknowledgement is sent when the packet has arrived, and takes as long to come back: a round trip, not one direction.',
    would: ({ everyMs, oneWayMs }: Flow) =>
      Math.min(3 * everyMs + oneWayMs, Math.max(2.25 * oneWayMs, everyMs + oneWayMs)),
  },
  {
    says: 'The third packet behind it, not the second or the fourth: 3 intervals after it.',
    would: ({ everyMs, oneWayMs }: Flow) =>
      Math.min(2 * everyMs + 2 * oneWayMs, Math.max(2.25 * oneWayMs, everyMs + 2 * oneWayMs)),
  },
  {
    says: 'The round trip counts too: the packets behind have to arrive, and their acknowledgements have to come back.',
    would: ({ everyMs }: Flow) => 3 * everyMs,
  },
]

const OF_STREAM: readonly Misconception[] = [
  {
    says: 'Not only the lost packet is late: all that was sent behind it waits, until it has come. That is head-of-line blocking.',
    would: (flow: Flow) => {
      const waitMs = flow.loss * detection(flow)
      return { ...stream(flow), delayed: flow.loss, meanDelayMs: flow.oneWayMs + waitMs }
    },
  },
  {
    says: 'Those behind a lost packet do not all wait as long as it does: the later one was sent, the less is left of R.',
    would: (flow: Flow) => {
      const { delayed } = stream(flow)
      return { ...stream(flow), meanDelayMs: flow.oneWayMs + delayed * detection(flow) }
    },
  },
  {
    says: 'When two of the packets before are lost, a packet waits once, for the one that keeps it longest. Added up, the probabilities pass 1 at last.',
    would: (flow: Flow) => stream(flow, detection(flow), loss => loss),
  },
  {
    says: 'k begins with 0: the lost packet itself is late as well, by all of R.',
    would: (flow: Flow) => {
      const all = stream(flow)
      const delayed = all.delayed - flow.loss
      return { ...all, delayed, meanDelayMs: all.meanDelayMs - flow.loss * detection(flow) }
    },
  },
  {
    says: 'A stream delivers everything: what is lost is sent again.',
    would: (flow: Flow) => ({
      ...stream(flow),
      delivered: 1 - flow.loss,
      goodput: (1 - flow.loss) * offered(flow),
    }),
  },
  {
    says: 'The delay of the link comes on top of the waiting.',
    would: (flow: Flow) => ({ ...stream(flow), meanDelayMs: stream(flow).meanDelayMs - flow.oneWayMs }),
  },
  {
    says: 'A packet that is sent again leaves when it is taken for lost, and its own way is in the delay of the link already: R later, and no round trip on top.',
    would: (flow: Flow) => stream(flow, detection(flow) + 2 * flow.oneWayMs),
  },
  { says: BITS, would: (flow: Flow) => ({ ...stream(flow), goodput: offered(flow) / 8 }) },
]

function makeFlows(random: Seeded): [about: string, flow: Flow][] {
  const some = (everyMs: number, oneWayMs: number): Flow => ({
    loss: random.int(1, 90) / 1000,
    everyMs,
    oneWayMs,
    bytes: random.int(100, 1300),
  })
  return [
    ['packets close together', some(1, random.int(30, 50))],
    ['no loss', { ...some(10, 25), loss: 0 }],
    ['packets far apart', some(50, random.int(10, 15))],
    ['packets at some distance', some(5, random.int(20, 24))],
    ['less than one packet in a round trip', some(100, random.int(8, 20))],
    ['the link of the measurement', { ...LIVE, loss: 0.05 }],
    ...random.list(4, (): [string, Flow] => ['made for you', some(random.int(1, 40), random.int(5, 150))]),
  ]
}

function formulas(flows: readonly [string, Flow][]): CallGroup[] {
  const group = groupsOf(FILE, READ)
  const each = (returns: (flow: Flow) => unknown): Call[] =>
    flows.map(([about, flow]) => ({ about, args: [flow], returns: returns(flow) }))
  return [
    group('predictDatagrams(): what is lost is lost', 'predictDatagrams', each(datagrams), OF_DATAGRAMS),
    group('lossDetectionMs(): when a packet is taken for lost', 'lossDetectionMs', each(detection), OF_DETECTION),
    group(
      'predictStream(): who waits for whom',
      'predictStream',
      each(flow => stream(flow)),
      OF_STREAM,
    ),
  ]
}

// Reference -----------------------------------------------------------------------------------------------------------

function offered({ bytes, everyMs }: Flow): number {
  return (bytes * 8 * 1000) / everyMs
}

function datagrams(flow: Flow): Prediction {
  const delivered = 1 - flow.loss
  return { delivered, goodput: delivered * offered(flow), delayed: 0, meanDelayMs: flow.oneWayMs }
}

function detection({ everyMs, oneWayMs }: Flow): number {
  return Math.min(3 * everyMs + 2 * oneWayMs, Math.max(2.25 * oneWayMs, everyMs + 2 * oneWayMs))
}

/** `weight`: how probable it is that k places before is the packet that is waited for. */
function stream(
  flow: Flow,
  recoveryMs = detection(flow),
  weight = (loss: number, k: number) => loss * (1 - loss) ** k,
): Prediction {
  let [delayed, waitMs] = [0, 0]
  for (let k = 0; recoveryMs - k * flow.everyMs > 0; k++) {
    delayed += weight(flow.loss, k)
    waitMs += weight(flow.loss, k) * (recoveryMs - k * flow.everyMs)
  }
  return { delivered: 1, goodput: offered(flow), delayed, meanDelayMs: flow.oneWayMs + waitMs }
}

// Judgement -----------------------------------------------------------------------------------------------------------

export async function check(context: CheckContext): Promise<Feedback> {
  await expectGroups(context, 'sweep', random => formulas(makeFlows(random)))
  return await expectMeasurement(context)
}

// Live ----------------------------------------------------------------------------------------------------------------

interface Measured {
  rate: number
  datagrams: PingRecord[]
  stream: PingRecord[]
}

async function expectMeasurement(context: CheckContext): Promise<Feedback> {
  const flows = RATES.map(loss => [{ ...LIVE, loss }])
  const [ofDatagrams, ofStream] = [
    await valuesOf<Prediction>(context, FILE, 'predictDatagrams', flows, READ),
    await valuesOf<Prediction>(context, FILE, 'predictStream', flows, READ),
  ]
  const rows: PredictionRow[] = RATES.flatMap((rate, i) => [
    { name: `${percent(rate)} loss, datagrams: arrive`, predicted: ofDatagrams[i].delivered * 100, unit: '%' },
    { name: `${percent(rate)} loss, stream: arrive`, predicted: ofStream[i].delivered * 100, unit: '%' },
    { name: `${percent(rate)} loss, stream: held up`, predicted: ofStream[i].delayed * 100, unit: '%' },
    { name: `${percent(rate)} loss, stream: wait`, predicted: ofStream[i].meanDelayMs - LIVE.oneWayMs, unit: 'ms' },
  ])
  showPredictions(context, rows)

  const bed = await startTestbed(context, { profile: linkAt(0), seed: `${context.seed} sweep` })
  const onStream = bed.addClient({ tunnel: { encapsulation: 'single-stream' } })
  await context.do('open a second tunnel, on one stream', () => bed.whileAlive(() => onStream.connect()))
  watchTunnel(context, 'on one stream', onStream)
  const all = RATES.length * (PINGS + BEHIND) * 2
  let done = 0
  const count = () => context.progress(++done, all, 'pings in datagrams and on a stream')
  const plan = { count: PINGS + BEHIND, intervalMs: LIVE.everyMs, timeoutMs: 6000 }
  let held = 0
  for (const [i, rate] of RATES.entries()) {
    await bed.setProfile(linkAt(rate))
    showLink(context, {
      profile: `${percent(rate)} loss on the way up`,
      delayMs: { up: LIVE.oneWayMs, down: LIVE.oneWayMs },
      loss: { up: rate, down: 0 },
    })
    const [inDatagrams, inStream] = await context.do(`measure at ${percent(rate)} loss`, () =>
      Promise.all([pings(context, bed, bed.client, plan, count), pings(context, bed, onStream, plan, count)]),
    )
    const judged = (records: readonly PingRecord[]) => records.filter(({ sequence }) => sequence < PINGS)
    const measured: Measured = { rate, datagrams: judged(inDatagrams), stream: judged(inStream) }
    fillIn(rows.slice(4 * i, 4 * i + 4), measured)
    showPredictions(context, rows)
    held = heldUp(measured)
    expectDatagrams(context, measured, ofDatagrams[i])
    expectStream(context, measured)
  }
  context.expect('on the stream packets are held up that were not lost themselves', held >= 0.03, {
    expected: `at ${percent(RATES.at(-1)!)} loss, more than 3 % of the packets later than the datagram that was sent with them`,
    found: percent(held),
    read: READ,
  })
  const last = rows.slice(-4)
  return {
    passed: true,
    expected:
      'what arrives agrees with the predictions, and packets behind a lost one are held up; how many and how long is shown and not judged, because a busy machine adds to both',
    found: last
      .map(
        row => `${row.name} ${formatNumber(row.measured ?? 0)} ${row.unit} (predicted ${formatNumber(row.predicted)})`,
      )
      .join('; '),
    read: READ,
  }
}

function linkAt(rate: number) {
  const delayMs = LIVE.oneWayMs
  const loss = rate === 0 ? ({ model: 'none' } as const) : ({ model: 'random', rate, correlation: 0 } as const)
  return linkWith(`${percent(rate)} loss`, { up: { delayMs, loss }, down: { delayMs } })
}

const answered = (records: readonly PingRecord[]) => records.filter(({ rttMs }) => rttMs !== undefined)

function fillIn(rows: readonly PredictionRow[], measured: Measured): void {
  const [arrive, arriveOnStream, late, wait] = rows as [PredictionRow, PredictionRow, PredictionRow, PredictionRow]
  const arrived = answered(measured.datagrams).length
  const { low, high } = clopperPearson(arrived, measured.datagrams.length, 0.95)
  Object.assign(arrive, { measured: share(arrived, measured.datagrams), low: low * 100, high: high * 100 })
  arriveOnStream.measured = share(answered(measured.stream).length, measured.stream)
  late.measured = heldUp(measured) * 100
  wait.measured = meanOf(differences(measured))
}

function share(count: number, of: readonly unknown[]): number {
  return (100 * count) / of.length
}

/** How much longer each ping on the stream took than the datagram of the same number, ms; of those that both arrived. */
function differences({ datagrams, stream }: Measured): number[] {
  const rtt = new Map(datagrams.map(({ sequence, rttMs }) => [sequence, rttMs]))
  return answered(stream).flatMap(({ sequence, rttMs }) => {
    const other = rtt.get(sequence)
    return other === undefined ? [] : [rttMs! - other]
  })
}

/** Share of them that are held up by a quarter of R or more. */
function heldUp(measured: Measured): number {
  const margin = detection({ ...LIVE, loss: 0 }) / 4
  const all = differences(measured)
  return all.filter(difference => difference > margin).length / Math.max(1, all.length)
}

function expectDatagrams(context: CheckContext, { rate, datagrams }: Measured, { delivered }: Prediction): void {
  const arrived = answered(datagrams).length
  const { low, high } = clopperPearson(arrived, datagrams.length, CONFIDENCE)
  context.expect(`at ${percent(rate)} loss, datagrams arrive as predicted`, low <= delivered && delivered <= high, {
    expected: `${percent(delivered)}, which is compatible with what was measured`,
    found: `${arrived} of ${datagrams.length}, so ${percent(low)} to ${percent(high)}`,
    read: READ,
  })
}

function expectStream(context: CheckContext, { rate, stream }: Measured): void {
  const missing = stream.length - answered(stream).length
  context.expect(`at ${percent(rate)} loss, everything on the stream arrives`, missing === 0, {
    expected: `${stream.length} of ${stream.length}`,
    found: `${missing} of ${stream.length} missing after 6 s`,
    read: READ,
  })
}
