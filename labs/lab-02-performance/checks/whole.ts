/** Task 10: the student's pump, sender and search in a real proxy, beside naive ones; and what changed, in numbers of the student's own run. */
import { fileURLToPath } from 'node:url'
import { acceptPercentile, acceptRate, DEFAULT_FALSE_ALARM } from '../../../src/stats/acceptance.ts'
import { median } from '../../../src/stats/statistics.ts'
import { fail } from '../../kit/check/calls.ts'
import { expectOwnNumber, type OwnQuestion, type OwnRun, ownRuns, recordRun } from '../../kit/check/own-runs.ts'
import { expectChoice, expectEach, expectNumber, MILLISECONDS, numberIn } from '../../kit/check/questions.ts'
import { Seeded } from '../../kit/check/seeded.ts'
import type { CheckContext, Feedback, Otherwise, Reading } from '../../kit/lab/types.ts'
import { type ChartRow, showChart } from '../chart.ts'
import { LOSS, type Measured, measure } from '../whole/measure.ts'
import { BUDGET, PACKETS_PER_SECOND, QUEUE, SEARCH } from '../whole/parts.ts'
import type { PartFolders } from '../whole/proxy-child.ts'

const TASK = 'whole'
const READ: Reading[] = [
  'labs/lab-02-performance/README.md, "Your parts in the proxy"',
  'labs/lab-02-performance/whole/, how the parts are put in',
]

/** What is around an IP packet in a UDP payload: task 5. */
const AROUND = 34
/** IPv4 and UDP headers, around each piece of the file. */
const HEADERS = 28
const FILE_BYTES = 1_000_000

// Cases and reference -------------------------------------------------------------------------------------------------

const FIGURES = ['busy_per_second', 'quiet_per_second', 'mtu_before', 'mtu_after'] as const
type Figure = (typeof FIGURES)[number]
const of = (run: OwnRun, name: Figure) => run[name]

const packetsOf = (mtu: number) => Math.ceil(FILE_BYTES / (mtu - HEADERS))
const fewer = (size: (mtu: number) => number) => (run: OwnRun) =>
  size(of(run, 'mtu_before')) - size(of(run, 'mtu_after'))

const OWN: Record<string, OwnQuestion> = {
  queue: {
    task: TASK,
    figures: FIGURES,
    right: run => (QUEUE * 1000) / of(run, 'busy_per_second'),
    wrong: [
      {
        says: 'The pump passes packets of both clients, but this queue gets shorter only by those of the busy one.',
        would: run => (QUEUE * 1000) / (of(run, 'busy_per_second') + of(run, 'quiet_per_second')),
      },
      {
        says: 'That is the pace that the pump can go at. How fast this queue gets shorter is in the figures of your run.',
        would: () => (QUEUE * 1000) / PACKETS_PER_SECOND,
      },
      {
        says: 'That is the time of one packet. In front of each are as many as the queue holds.',
        would: run => 1000 / of(run, 'busy_per_second'),
      },
      { says: 'That is in seconds.', would: run => QUEUE / of(run, 'busy_per_second') },
      {
        says: "Little's law says L = λW: the wait is the length of the queue divided by the rate, not multiplied.",
        would: run => QUEUE * of(run, 'busy_per_second'),
      },
      {
        says: 'The queue of the busy client gets shorter at the rate of the busy client, not at that of the quiet one.',
        would: run => (QUEUE * 1000) / of(run, 'quiet_per_second'),
      },
    ],
    units: MILLISECONDS,
    read: READ,
  },
  fewer: {
    task: TASK,
    figures: FIGURES,
    right: fewer(packetsOf),
    wrong: [
      {
        says: 'The MTU is that of a whole IP packet: of each, 28 bytes are headers of IP and UDP, and no part of the file.',
        would: fewer(mtu => Math.ceil(FILE_BYTES / mtu)),
      },
      {
        says: 'That is how many there are afterwards. Asked for is the difference.',
        would: run => packetsOf(of(run, 'mtu_after')),
      },
      {
        says: 'That is how many there were before. Asked for is the difference.',
        would: run => packetsOf(of(run, 'mtu_before')),
      },
      {
        says: 'A larger MTU makes fewer packets, and the difference is asked for without a sign.',
        would: run => -fewer(packetsOf)(run),
      },
    ],
    tolerance: 0.02,
    read: READ,
  },
}

// Judgement -----------------------------------------------------------------------------------------------------------

const NAIVE = fileURLToPath(new URL('../whole/naive/', import.meta.url))
const START = fileURLToPath(new URL('../start/', import.meta.url))
const BEFORE: PartFolders = { pump: NAIVE, sender: START, search: NAIVE }

export async function check(context: CheckContext): Promise<Feedback> {
  expectPredictions(context)
  const isMeasured = ownRuns(context.exercises, TASK, FIGURES).length > 0
  const isAnswered = ['queue', 'fewer', 'unfair'].every(question => context.answers[question] !== '')
  // An answer that is wrong needs no new measurement. Who has not measured yet cannot answer.
  if (context.mode === 'unattended' || (isMeasured && isAnswered)) expectAnswers(context)
  const pathPayload = new Seeded(context.seed, TASK).int(1250, 1425)
  const { exercises } = context
  const own: PartFolders = { pump: exercises, sender: exercises, search: exercises }
  const run = (title: string, folders: PartFolders) =>
    context.do(`run a proxy with ${title}, and two clients`, () =>
      measure(context, { title, folders, pathPayload, seed: context.seed }),
    )
  // Who sits in front of it sees "before" first. Graded parts that are wrong need none.
  let before = context.mode === 'live' ? await run('naive parts', BEFORE) : undefined
  if (before) show(context, before)
  let after = await run('your parts', own)
  let problem = problemOf(after, pathPayload)
  // What is decided by chance, or by a machine that had something else to do, is decided by the second time.
  if (problem?.isStatistical) {
    after = await run('your parts, once more', own)
    problem = problemOf(after, pathPayload)
  }
  if (before) show(context, before, after)
  if (problem) fail({ ...problem.feedback, read: READ })
  before ??= await run('naive parts', BEFORE)
  show(context, before, after)
  recordRun(context, TASK, {
    busy_per_second: after.busyPerSecond,
    quiet_per_second: after.quietPerSecond,
    late_before: before.late,
    late_after: after.late,
    mtu_before: before.busy.mtu,
    mtu_after: after.busy.mtu,
  })
  expectAnswers(context)
  return {
    passed: true,
    expected: 'a proxy that your three parts make better, and what changed, in numbers of your own run',
    found: `late answers ${percent(before.late / before.pairs)} before, ${percent(after.late / after.pairs)} after; while the other one is flooded, ${before.flooded.answered} and ${after.flooded.answered} of ${after.flooded.sent} answered; MTU ${before.busy.mtu} and ${after.busy.mtu}`,
    read: READ,
  }
}

function expectPredictions(context: CheckContext): void {
  for (const question of ['busy', 'late']) {
    expectNumber(context, question, {
      text: `you predict before you measure: ${question}`,
      expected: 'a number for each of the two predictions, before anything is measured',
      right: () => true,
      read: READ,
    })
  }
}

function expectAnswers(context: CheckContext): void {
  expectEach(context, [
    ...Object.entries(OWN).map(
      ([question, asked]) =>
        (each: CheckContext) =>
          expectOwnNumber(each, question, asked),
    ),
    each =>
      expectChoice(each, 'unfair', {
        right: 'd',
        wrong: {
          a: 'Each client has a link of its own here, and neither is full: the pump is slower than both.',
          b: 'Congestion control is for each connection by itself, and knows nothing of the other one.',
          c: 'The library has answered: its answers arrived in a queue. Who did not take them out?',
        },
        read: READ,
      }),
  ])
}

interface Problem {
  feedback: Otherwise
  /** It may be chance, with a small probability. */
  isStatistical?: true
}

/** What is wrong with the parts, if anything. What is counted decides at once; what is measured, with a false-alarm rate. */
function problemOf(after: Measured, pathPayload: number): Problem | undefined {
  const { failure, pairs, late, calm, flooded, waitsMs, busyPerSecond, quietPerSecond } = after
  if (failure) return { feedback: failure }
  const lossIn = (name: string, { sent, answered }: Measured['calm']) =>
    acceptRate({ name, successes: sent - answered, n: sent, expected: { max: LOSS + 0.02 } })
  const calmLoss = lossIn('loss of pings', calm)
  if (!calmLoss.accepted) {
    return statistical({
      expected: `the quiet client to lose what its link loses, ${percent(LOSS)}, while nobody is flooded`,
      found: `${calm.answered} of ${calm.sent} pings answered`,
    })
  }
  const lateRate = acceptRate({ name: 'late answers', successes: late, n: pairs, expected: { max: 0.01 } })
  if (!lateRate.accepted) {
    return statistical({
      expected: `answers that are lost or in time: at most 1 % that come late, on a link that loses ${percent(LOSS)} (false-alarm rate ${DEFAULT_FALSE_ALARM})`,
      found: `${late} of ${pairs} came late through your PacketSender`,
    })
  }
  if (after.longestTurn > BUDGET) {
    return {
      feedback: {
        expected: `at most ${BUDGET} packets in one turn of your pump`,
        found: `${after.longestTurn}`,
      },
    }
  }
  const floodedLoss = lossIn('loss of pings in the flood', flooded)
  if (!floodedLoss.accepted) {
    return statistical({
      expected: `the quiet client to lose what its link loses, ${percent(LOSS)}, also while the other one is flooded`,
      found: `${flooded.answered} of ${flooded.sent} pings answered; your pump passed ${rate(busyPerSecond)} packets a second of the busy client, and ${rate(quietPerSecond)} of the quiet one`,
    })
  }
  const mostMs = (MOST_AHEAD * 1000) / (busyPerSecond + quietPerSecond)
  const wait = acceptPercentile({ values: waitsMs, fraction: 0.25, expected: { max: mostMs } })
  if (!wait.accepted) {
    return statistical({
      expected: `a packet of the quiet client to wait for its turn, not for the whole queue of the other one: a quarter of them at most ${rate(mostMs)} ms, in which your pump passes ${MOST_AHEAD} packets`,
      found: `half of them waited ${rate(median(waitsMs))} ms or more`,
    })
  }
  if (busyPerSecond < 0.8 * quietPerSecond) {
    return {
      feedback: {
        expected: 'the busy client, whose queue is never empty, to get at least as many turns as the quiet one',
        found: `${rate(busyPerSecond)} packets a second of the busy client, ${rate(quietPerSecond)} of the quiet one`,
      },
    }
  }
  if (after.packetsInATurn < BUDGET / 2) {
    return {
      feedback: {
        expected: `turns of about ${BUDGET} packets while a queue is never empty`,
        found: `${after.packetsInATurn.toFixed(1)} packets in a turn`,
      },
    }
  }
  return searchProblem(after, pathPayload)
}

/** With turns, a packet waits for one or two others, on a busy machine for some more; without, for a queue of 64. */
const MOST_AHEAD = 20

function searchProblem({ busy, quiet }: Measured, pathPayload: number): Problem | undefined {
  const most = pathPayload - AROUND
  const least = most - SEARCH.granularity + 1
  const { mtu, settled } = busy
  if (mtu > most) {
    return {
      feedback: {
        expected: `no larger MTU than the path of the busy client carries: UDP payloads of ${pathPayload} bytes, so packets of ${most}`,
        found: `${mtu}: what is larger than that vanishes`,
      },
    }
  }
  for (const [name, { mtu, tooBig, namedMtu }] of Object.entries({ busy, quiet })) {
    if (tooBig === 0) continue
    return {
      feedback: {
        expected: `your PacketSender to take what fits into the tunnel of the ${name} client, whose MTU is ${mtu} now`,
        found: `${tooBig} packets refused as too big, with an MTU of ${namedMtu}`,
      },
    }
  }
  if (!settled || mtu < least) {
    return {
      feedback: {
        expected: `your search to end within ${SEARCH.granularity} bytes of what the path of the busy client carries, ${pathPayload} bytes of UDP payload: an MTU of ${least} or more`,
        found: `${mtu}${settled ? '' : ', and it has not come to an end'}`,
      },
    }
  }
  for (const [name, { mtu, arrives }] of Object.entries({ busy, quiet })) {
    if (arrives) continue
    return {
      feedback: {
        expected: `a packet of ${mtu} bytes, the MTU of the ${name} client's tunnel, to arrive`,
        found: 'none of several did',
      },
    }
  }
  return undefined
}

function statistical(feedback: Otherwise): Problem {
  return { feedback, isStatistical: true }
}

function show(context: CheckContext, before: Measured, after?: Measured): void {
  const row = (label: string, of: (measured: Measured) => number | undefined): ChartRow => ({
    label,
    predicted: of(before),
    ...(after && { measured: of(after) }),
  })
  const share = (part: number, whole: number) => (whole === 0 ? undefined : (100 * part) / whole)
  const chart = (title: string, rows: ChartRow[]) =>
    showChart(context, { title, unit: '', columns: ['before', 'after'], ownScales: true, rows })
  chart('Naive parts and yours: the busy client', [
    row('packets/s in the flood', measured => measured.busyPerSecond),
    row('most packets in a turn', measured => measured.longestTurn),
    row('MTU, bytes', ({ busy }) => busy.mtu),
  ])
  chart('Naive parts and yours: the quiet client', [
    row('late answers, %', ({ late, pairs }) => share(late, pairs)),
    row('packets/s in the flood', measured => measured.quietPerSecond),
    row('answered in the flood, %', ({ flooded }) => share(flooded.answered, flooded.sent)),
    row('wait in the proxy, ms', ({ waitsMs }) => (waitsMs.length === 0 ? undefined : Math.max(0, median(waitsMs)))),
  ])
  if (!after) return
  const predicted = (question: string) => numberIn(context.answers[question]).value
  showChart(context, {
    title: 'Your predictions',
    unit: '',
    ownScales: true,
    rows: [
      { label: 'busy: packets/s passed', predicted: predicted('busy'), measured: after.busyPerSecond },
      { label: 'late of 100 answers', predicted: predicted('late'), measured: share(after.late, after.pairs) },
    ],
  })
}

const percent = (value: number) => `${(100 * value).toFixed(1)} %`
const rate = (value: number) => value.toFixed(0)
