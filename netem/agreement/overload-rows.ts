/** Of more packets than the link lets through: its rate, what it drops, and how long its queue is. */

import type { Load, Trail } from '../../src/link/check/probe.ts'
import type { Agreement } from '../../src/stats/two-sample.ts'
import { awayShare, bySending, mostAwayMs, type Span, spanOf } from './disturbed.ts'
import { heldUpShare, type OverloadFigures, overloadFigures, windowRates } from './figures.ts'
import { type CompareOptions, lateMs, toleranceMs } from './noise.ts'
import {
  type Compared,
  judged,
  type MakeRow,
  MOST_HELD_UP,
  machineLosses,
  ms,
  once,
  type Pair,
  percent,
  type Row,
  slack,
  upTo,
} from './verdict.ts'

const RATE_TOLERANCE = 0.02
const TRACE_RATE_TOLERANCE = 0.05
const QUEUE_TOLERANCE = 0.04
const DROP_TOLERANCE = 0.03
const LEAST_OVERLOAD = 0.1
/** Of the arrivals at a full queue; with more, what is left does not show the queue. */
const MOST_SPOILT = 0.5

export function overloadRows(
  row: MakeRow,
  { run, direction, impairment, kernel, emulator }: Compared,
  { kernelNoise, emulatorNoise }: CompareOptions,
): Row[] {
  const trails = [kernel.trails[direction] as Trail, emulator.trails[direction] as Trail] as const
  const disturbances = [kernel.disturbance, emulator.disturbance] as const
  const heldUp = Math.max(...trails.map(heldUpShare))
  if (heldUp > MOST_HELD_UP) {
    const why = `held up: ${percent(heldUp)}`
    return ['rate', 'queue'].map(property => row(property, { verdict: 'not measured', bound: why }))
  }
  const fromMs = run.kind === 'trace' ? 1000 : run.fullAfterMs[direction]
  const spans = trails.map(trail => spanOf(trail, fromMs)) as unknown as Pair<Span>
  const taken = disturbances.map((one, i) => awayShare(one, spans[i])) as unknown as Pair<number>
  const lost = machineLosses({
    losses: [kernel.disturbance.machineLosses, emulator.disturbance.machineLosses],
    // How long it stood still counts below.
    burst: [0, 0],
  })
  const lostShare = lost.most.map((most, i) => most / Math.max(1, trails[i].sequence.length))
  // Of what goes through in that time.
  const served = taken[0] + taken[1] + lostShare[0] + lostShare[1]
  const why = `${percent(taken[0])} and ${percent(taken[1])} of the time taken from it; ${lost.why}`
  const without = (agreement: Agreement, more: number) => () => ({ agrees: slack(agreement, more), why })
  const rateVerdict = (x: number, y: number, tolerance: number, moved: () => number) => {
    const agreement = upTo(relative(x, y), tolerance)
    const explained = () => without(agreement, served + moved())()
    return { kernel: megabits(x), emulator: megabits(y), ...judged(agreement, percent, explained) }
  }
  if (run.kind === 'trace') {
    const [x, y] = trails.map(meanOfTrace)
    return [
      row(
        'rate',
        rateVerdict(x, y, TRACE_RATE_TOLERANCE, () => 0),
      ),
    ]
  }
  const [a, b] = trails.map(trail => overloadFigures(trail, fromMs))
  // Held up, the probe sends less, and the queue may not have been full.
  if (Math.min(a.dropped, b.dropped) < LEAST_OVERLOAD) {
    const why = `no overload: ${percent(a.dropped)} and ${percent(b.dropped)} were dropped`
    return ['rate', 'queue'].map(property => row(property, { verdict: 'not measured', bound: why }))
  }
  // A sender that was held up offers less, or more at once.
  const sending = once(() =>
    trails.map(trail => {
      const { even, sent } = bySending(impairment, run.loads[direction] as Load, trail)
      return [overloadFigures(even, fromMs), overloadFigures(sent, fromMs)] as const
    }),
  )
  const moved = (figure: (one: OverloadFigures) => number) =>
    sending().reduce((sum, [even, sent]) => sum + (Math.abs(figure(sent) - figure(even)) || 0), 0)
  const bits = (one: OverloadFigures) => one.bitsPerSecond
  const tolerance = toleranceMs(kernelNoise, emulatorNoise)
  const rows = [
    row(
      'rate',
      rateVerdict(a.bitsPerSecond, b.bitsPerSecond, RATE_TOLERANCE, () => moved(bits) / Math.max(bits(a), bits(b))),
    ),
  ]
  // Where both were offered the same.
  if (relative(a.sentPerSecond, b.sentPerSecond) < DROP_TOLERANCE) {
    const tailDrop = upTo(Math.abs(a.dropped - b.dropped), DROP_TOLERANCE)
    const explained = () => without(tailDrop, served + moved(({ dropped }) => dropped))()
    const shares = { kernel: percent(a.dropped), emulator: percent(b.dropped) }
    rows.push(row('tail drop', { ...shares, ...judged(tailDrop, percent, explained) }))
  }
  // What is in a queue waits for as much longer as is taken from the machine meanwhile.
  const longer = disturbances.reduce((sum, one, i) => {
    const whileQueued = Math.max(a.longDelayMs, b.longDelayMs)
    const lateness = Math.max(0, lateMs([kernel, emulator][i], direction) - [kernelNoise, emulatorNoise][i].lateMs)
    return sum + mostAwayMs(one, whileQueued, { fromMs: spans[i].fromMs - whileQueued, toMs: spans[i].toMs }) + lateness
  }, 0)
  for (const property of ['queue', 'queue p99'] as const) {
    const figure = (one: OverloadFigures) => (property === 'queue' ? one.delayMs : one.longDelayMs)
    const [x, y] = [figure(a), figure(b)]
    const spoilt = Math.max(a.heldUpShare, b.heldUpShare)
    if (spoilt > MOST_SPOILT) {
      rows.push(row(property, { verdict: 'not measured', bound: `held up, or behind a stall: ${percent(spoilt)}` }))
    } else {
      const agreement = upTo(
        Math.abs(x - y),
        QUEUE_TOLERANCE * Math.max(x, y) + (property === 'queue' ? 1 : 3) * tolerance,
      )
      const verdict = judged(agreement, ms, () => ({
        agrees: slack(agreement, longer + moved(figure)),
        why: `${ms(longer)} taken from the machine while packets were queued; ${ms(moved(figure))} by the moments of sending`,
      }))
      rows.push(row(property, { kernel: ms(x), emulator: ms(y), ...verdict }))
    }
  }
  return rows
}

const relative = (x: number, y: number): number => Math.abs(x - y) / Math.max(x, y)

/** The kernel follows a trace by its average rate in steps: what gets through over seconds is the same, not each packet. */
function meanOfTrace(trail: Trail): number {
  // Without the first second, in which the queue fills.
  const rates = windowRates(trail, 1000).slice(1)
  return rates.reduce((sum, rate) => sum + rate, 0) / rates.length
}

function megabits(bitsPerSecond: number): string {
  return `${(bitsPerSecond / 1e6).toFixed(2)} Mbit/s`
}
