/**
 * Task 4: a controller of the student's own, on networks that are drawn at random, beside NewReno and against CUBIC, in virtual time. What is asked of it, and
 * how often a right one is refused, stands in ../verdict.ts.
 */
import { median } from '../../../src/stats/statistics.ts'
import { VIRTUAL_DATAGRAM_SIZE, type VirtualFlowOptions } from '../../../src/testbed/virtual-bottleneck.ts'
import { formatNumber } from '../../kit/check/format.ts'
import { Seeded } from '../../kit/check/seeded.ts'
import type { CheckContext, Feedback, Reading } from '../../kit/lab/types.ts'
import { type Alone, DUEL_MS, drawNetworks, Judge, jain, type Network, serverTls } from '../networks.ts'
import { megabits, showDelays, showShares } from '../panel-data.ts'
import { loaded, played, StudentControllers } from '../remote-controller.ts'
import {
  type Criterion,
  LEAST_GOODPUT,
  LEAST_JAIN,
  MOST_DELAY,
  met,
  NETWORKS,
  REFUSED_AT,
  refused,
  type Trial,
} from '../verdict.ts'

const FILE = 'controller.ts'
const READ: Reading[] = ['labs/lab-05-congestion/README.md, "How a controller is judged"', 'RFC 9002 §7']
const PROGRESS = 'ms of virtual time, on all networks at once'

const ASKED: Record<Criterion, string> = {
  delay: `95 of 100 packets of the tunnel, alone, take at most ${MOST_DELAY * 100} % of what NewReno's take`,
  goodput: `the tunnel, alone, carries at least ${LEAST_GOODPUT * 100} % of what it carries with NewReno`,
  fairness: `beside a CUBIC, Jain's index of the two is at least ${LEAST_JAIN}`,
}

export async function check(context: CheckContext): Promise<Feedback> {
  const students = await context.do(`load ${FILE}`, () => loaded(openStudents(context)))
  const judge = new Judge(await serverTls(context), context.signal)
  const networks = drawNetworks(new Seeded(context.seed, 'controller'), NETWORKS)
  const own = await context.do('play: yours, alone and beside a CUBIC', () => play(context, judge, networks, students))
  context.progress(DUEL_MS, DUEL_MS, PROGRESS)
  const newReno = await context.do(`play: NewReno on ${NETWORKS} networks`, () => alone(judge, networks))
  const trials = own.map((one, i): Trial => ({ ...one, newReno: newReno[i]! }))
  showDelays(context, newReno[0]!.flow, own[0]!.alone.flow)
  showShares(context, trials.map(sharesOf))
  const failed = refused(trials)
  context.expect('it is better than NewReno, and starves nobody', failed === undefined, () => ({
    expected: `in nine of ten networks like these: ${ASKED[failed!]}`,
    found: inWords(trials, failed!),
    misconception: why(trials, failed!),
    failing: 'none',
    read: READ,
  }))
  return {
    passed: true,
    expected: Object.values(ASKED).join('; '),
    found: (Object.keys(ASKED) as Criterion[]).map(criterion => inWords(trials, criterion)).join('\n'),
    read: READ,
  }
}

function sharesOf({ duel: { own, cubic } }: Trial) {
  const all = Math.max(own + cubic, Number.MIN_VALUE)
  return { own: own / all, cubic: cubic / all, jain: jain([own, cubic]) }
}

type OwnTrial = Pick<Trial, 'duel'> & { alone: Alone }

async function alone(judge: Judge, networks: readonly Network[]): Promise<Alone[]> {
  const results: Alone[] = []
  for (const network of networks) results.push(await judge.alone(network, { congestion: 'reno' }))
  return results
}

/** In a process for each of the two runs: one that counts how many there were before it does not know by that whether it will be alone. */
interface Students {
  alone: StudentControllers
  duel: StudentControllers
}

async function openStudents(context: CheckContext): Promise<Students> {
  const open = () => StudentControllers.open(context, FILE, 'TunnelController')
  return { alone: await open(), duel: await open() }
}

/** All at the same time: so a student's process is asked for all of them together. */
export async function play(
  context: CheckContext,
  judge: Judge,
  networks: readonly Network[],
  students: Students,
): Promise<OwnTrial[]> {
  const onProgress = (nowMs: number) => context.progress(nowMs, DUEL_MS, PROGRESS)
  return await played(
    Promise.all(
      networks.map(async (network, i): Promise<OwnTrial> => {
        // Both before either runs: one that fails has to be awaited by then.
        const flows = [await studentsFlow(students.alone), await studentsFlow(students.duel)] as const
        const [alone, duel] = await Promise.all([
          judge.alone(network, flows[0]),
          judge.duel(network, flows[1], i === 0 ? onProgress : undefined),
        ])
        return { alone, duel }
      }),
    ),
  )
}

/** A connection whose controller is the student's. */
async function studentsFlow(students: StudentControllers): Promise<VirtualFlowOptions> {
  const controller = await students.add(VIRTUAL_DATAGRAM_SIZE)
  await controller.settle()
  return { congestion: options => controller.begin(options), settle: () => controller.settle() }
}

function inWords(trials: readonly Trial[], criterion: Criterion): string {
  const middle = (of: (trial: Trial) => number) => formatNumber(Number(median(trials.map(of)).toPrecision(3)))
  const figures = {
    delay: () => `p95 ${middle(({ alone }) => alone.p95)} ms, with NewReno ${middle(({ newReno }) => newReno.p95)} ms`,
    goodput: () =>
      `${middle(({ alone }) => megabits(alone.goodput))} Mbit/s, with NewReno ${middle(({ newReno }) => megabits(newReno.goodput))}`,
    fairness: () =>
      `${middle(({ duel }) => megabits(duel.own))} Mbit/s, and ${middle(({ duel }) => megabits(duel.cubic))} of the CUBIC, Jain ${middle(({ duel }) => jain([duel.own, duel.cubic]))}`,
  }
  const limit = `${REFUSED_AT} of ${NETWORKS} or fewer are refused`
  return `${criterion}: met in ${met(trials, criterion)} of ${trials.length} networks (${limit}); in the middle ${figures[criterion]()}`
}

function why(trials: readonly Trial[], criterion: Criterion): string {
  if (criterion === 'delay') {
    return 'The queue is as long as with NewReno, or nearly: who waits for losses has filled it by then. It can be seen before anything is lost: round trips are longer than the shortest one was.'
  }
  if (criterion === 'goodput') {
    return 'The line is idle for a part of the time: the window is smaller than what the path holds without a queue, or it becomes so again and again. A short queue is enough to keep it busy.'
  }
  const own = median(trials.map(({ duel }) => duel.own))
  const cubic = median(trials.map(({ duel }) => duel.cubic))
  return own < cubic
    ? 'Beside a CUBIC hardly anything is left for the tunnel: it gives way to a queue that somebody else fills, and keeps filling. A queue that does not get shorter when you send less is not yours: then take your share, as CUBIC does.'
    : 'Of the line hardly anything is left for the CUBIC: it gives way when packets are lost, and your controller does not, or grows faster than anybody.'
}
