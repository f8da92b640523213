/**
 * Do two measurements of the same plan agree? One verdict for each property of each direction of each case. Sans-IO.
 *
 * Everything random is compared by a two-sample test (src/stats/two-sample.ts) with one false-alarm rate, `falseAlarm`; what
 * is not random (a rate, a full queue) by a tolerance. Times are compared after the backend's own median delay, as measured
 * on the profile `clean`, has been taken off, and with a tolerance for the spread that is left there (`Noise`).
 *
 * What exceeds its bound differs, unless the disturbance that was measured in the same run may have made it (disturbed.ts): then it
 * was not measured. Without a disturbance the bound is all there is.
 */

import type { Load, Trail } from '../../src/link/check/probe.ts'
import { DIRECTIONS, type Direction, type Impairment, type Profile } from '../../src/link/profile/profile.ts'
import { normalQuantile } from '../../src/stats/distributions.ts'
import { percentile } from '../../src/stats/statistics.ts'
import {
  type Agreement,
  batchMeans,
  chiSquareTwoSample,
  compareDistributions,
  compareMeans,
  compareProportions,
  effectiveSize,
  ksDistance,
} from '../../src/stats/two-sample.ts'
import type { Case, CaseRun } from './cases.ts'
import { bySending, mostTakenMs, takenMs, turnMs, withoutLosses } from './disturbed.ts'
import {
  type Figures,
  figures,
  heldUpShare,
  lengthCounts,
  type OverloadFigures,
  overloadFigures,
  windowRates,
} from './figures.ts'
import type { Disturbance, Measurement, Plan, RunResult } from './measurement.ts'
import { timelineEvents } from './timeline-events.ts'

export type Verdict = 'agree' | 'differ' | 'not measured'

export interface Row {
  profile: string
  state: string
  direction: Direction
  property: string
  /** For people. */
  kernel: string
  emulator: string
  difference: string
  bound: string
  verdict: Verdict
}

/** What a backend, with its probe, adds to every delay. */
export interface Noise {
  /** The median, taken off every delay, by direction. */
  ownMs: Record<Direction, number>
  /** From the median to the 98th percentile. */
  spreadMs: number
  /** How late times were while that was measured: the probe's turns (98th percentile) and the backend's own process. */
  lateMs: number
}

/** The share of delays that the measured spread leaves out. */
const BEYOND_SPREAD = 0.02
/** Two clocks' worth of rounding, a loop's turn, and the like. */
const LEAST_TOLERANCE_MS = 0.5
/** With more noise than this a comparison of times says nothing. */
const LARGEST_TOLERANCE_MS = 5
/** Fewer delays than this are not a distribution. */
const LEAST_DELAYS = 200
/** Batches for what is not independent from packet to packet. */
const BATCHES = 40
/**
 * The distance of packets differs a little between the backends (a sender that is late sends two at once), and with it how
 * many overtake.
 */
const REORDER_TOLERANCE = 0.03
const RATE_TOLERANCE = 0.02
const TRACE_RATE_TOLERANCE = 0.05
const QUEUE_TOLERANCE = 0.04
const DROP_TOLERANCE = 0.03
const LEAST_OVERLOAD = 0.1
/**
 * With more arrivals held up than this the machine was too busy: a token bucket whose timer is late loses what its small
 * bucket cannot hold, and a change of address takes seconds.
 */
const MOST_HELD_UP = 0.2
/** Of the arrivals at a full queue; with more, what is left does not show the queue. */
const MOST_SPOILT = 0.5
/** The profile whose run says what is usual. */
const CALM = 'clean'
/** A change of address is some commands in a row, which may have been late before it. */
const PREPARATION_MS = 1000
/** What a machine has to be away for to make a gap in a timeline, or to fill one: see timeline-events.ts. */
const LEAST_GAP_MS = 500
const EVENT_TOLERANCE_MS = { 'gap begins': 300, 'gap ends': 300, 'address changes': 300 } as const

/** From a measurement of a link that does nothing. */
export function noiseOf(clean: RunResult): Noise {
  const ownMs = { up: 0, down: 0 }
  let spreadMs = 0
  for (const direction of DIRECTIONS) {
    const trail = clean.trails[direction]
    if (trail === undefined) continue
    const delays = figures(trail).delaysMs.sort()
    ownMs[direction] = quantile(delays, 0.5)
    spreadMs = Math.max(spreadMs, quantile(delays, 1 - BEYOND_SPREAD) - ownMs[direction])
  }
  return { ownMs, spreadMs, lateMs: Math.max(...DIRECTIONS.map(direction => lateMs(clean, direction))) }
}

function lateMs({ trails, disturbance }: RunResult, direction: Direction): number {
  const trail = trails[direction]
  return (trail ? turnMs(trail, disturbance, BEYOND_SPREAD) : 0) + disturbance.lateMs
}

export function toleranceMs(kernel: Noise, emulator: Noise): number {
  return LEAST_TOLERANCE_MS + kernel.spreadMs + emulator.spreadMs
}

export interface CompareOptions {
  /** Of each single test. */
  falseAlarm: number
  kernelNoise: Noise
  emulatorNoise: Noise
}

/** All rows, in the order of the plan. */
export function compare(plan: Plan, kernel: Measurement, emulator: Measurement, options: CompareOptions): Row[] {
  const rows = plan.cases.flatMap((one, i) =>
    one.runs.flatMap((run, j) => compareRun(one, run, kernel.cases[i][j], emulator.cases[i][j], options)),
  )
  const timelines = plan.timelines.flatMap((profile, i) =>
    compareTimelines(profile, kernel.timelines[i], emulator.timelines[i]),
  )
  return [...rows, ...timelines]
}

function compareRun(one: Case, run: CaseRun, kernel: RunResult, emulator: RunResult, options: CompareOptions): Row[] {
  return DIRECTIONS.flatMap(direction => {
    const trails = { kernel: kernel.trails[direction], emulator: emulator.trails[direction] }
    if (!trails.kernel || !trails.emulator) return []
    const row = (property: string, part: Partial<Row> & { verdict: Verdict }): Row => ({
      profile: one.profile,
      state: one.state,
      direction,
      property,
      kernel: '',
      emulator: '',
      difference: '',
      bound: '',
      ...part,
    })
    const impairment = one.link[direction]
    if (run.kind !== 'steady') return overloadRows(row, run, direction, impairment, kernel, emulator, options)
    const a = figures(trails.kernel)
    const b = figures(trails.emulator)
    const corrupted = { kernel: kernel.corrupted[direction] ?? 0, emulator: b.corrupted }
    const both = [trails.kernel, trails.emulator]
    // Packets that were let go late, and the steps of a trace, which a program takes.
    const unsteady = ({ disturbance, trails }: RunResult) =>
      impairment.trace && disturbance.oneProcessor
        ? awayShare(disturbance, spanOf(trails[direction] as Trail, 0))
        : disturbance.lateShare + stalledShare(disturbance, run)
    const disturbed: Disturbed = {
      losses: [kernel.disturbance.machineLosses, emulator.disturbance.machineLosses],
      // As one burst they may have been too many for the queue.
      burst: [kernel, emulator].map(({ disturbance }) =>
        impairment.rate || impairment.trace
          ? ((run.loads[direction] as Load).packetsPerSecond * disturbance.stalledMs) / 1000
          : 0,
      ) as unknown as Pair<number>,
      // Later than on `clean`: so much the tolerance does not know of.
      laterMs: [
        Math.max(0, lateMs(kernel, direction) - options.kernelNoise.lateMs),
        Math.max(0, lateMs(emulator, direction) - options.emulatorNoise.lateMs),
      ],
      behind: [a.heldUpShare + unsteady(kernel), b.heldUpShare + unsteady(emulator)],
      takenIn: emulator.disturbance.lateShare + stalledShare(emulator.disturbance, run),
      sending: once(() =>
        both.map(trail => {
          const { even, sent } = bySending(impairment, run.loads[direction] as Load, trail)
          return { even: figures(even), sent: figures(sent) }
        }),
      ),
    }
    return [
      ...delayRows(row, a, b, direction, options, disturbed),
      lossRow(row, a, b, impairment, options, disturbed),
      ...burstRows(row, a, b, options, disturbed),
      ...reorderRows(row, a, b, impairment, options, disturbed),
      ...proportionRow(
        row,
        'duplicates',
        [a.duplicates, a.sent],
        [b.duplicates, b.sent],
        impairment.duplicate.rate,
        options,
        disturbed,
      ),
      ...proportionRow(
        row,
        'corruption',
        [corrupted.kernel, a.sent],
        [corrupted.emulator, b.sent],
        impairment.corrupt.rate,
        options,
        disturbed,
      ),
    ]
  })
}

type MakeRow = (property: string, part: Partial<Row> & { verdict: Verdict }) => Row

type Pair<T> = readonly [kernel: T, emulator: T]

/** What was measured of the disturbance of one direction of a steady run. */
interface Disturbed {
  /** Datagrams that the machine lost, in both directions together; undefined: it does not tell. */
  losses: Pair<number | undefined>
  /** Packets that the backend's own process took in at once, after a stall. */
  burst: Pair<number>
  laterMs: Pair<number>
  /**
   * The share of arrivals of which the delay may be anything: as many as were held up, for about so many come behind them and had to wait in
   * a queue; and those that the backend's own process let go late.
   */
  behind: Pair<number>
  /** The share of packets that the emulator took in late, and so at other distances. */
  takenIn: number
  /** What the moments of sending change by themselves. */
  sending: () => { even: Figures; sent: Figures }[]
}

function once<T>(compute: () => T): () => T {
  let value: { of: T } | undefined
  return () => {
    value ??= { of: compute() }
    return value.of
  }
}

/**
 * A row's verdict. `without`: the same comparison if the disturbance had been as large as it may have been, and what it was, for people;
 * asked for only where there is a difference.
 */
function judged(
  agreement: Agreement,
  format: (value: number) => string,
  without: () => { agrees: boolean; why: string },
): Pick<Row, 'difference' | 'bound' | 'verdict'> {
  const row = shown(agreement, format)
  if (agreement.agrees) return row
  const { agrees, why } = without()
  return agrees ? { ...row, bound: `${row.bound}; disturbed: ${why}`, verdict: 'not measured' } : row
}

const slack = ({ difference, bound }: Agreement, more: number): boolean => more > 0 && difference <= bound + more

/** How much the moments of sending move a figure, on both sides together. */
function bySendingMoved({ sending }: Disturbed, figure: (one: Figures) => number): number {
  return sending().reduce((sum, { even, sent }) => {
    const moved = Math.abs(figure(sent) - figure(even))
    return sum + (Number.isFinite(moved) ? moved : 0)
  }, 0)
}

/** Where one side has more of something than the other, so many of the losses as that side's machine may have made. */
function machineLosses({ losses, burst }: Pick<Disturbed, 'losses' | 'burst'>): { most: Pair<number>; why: string } {
  const most = losses.map((one, i) => (one ?? Number.POSITIVE_INFINITY) + burst[i]) as unknown as Pair<number>
  const bursts = burst[0] + burst[1]
  const of = (one: number | undefined) => (one === undefined ? 'an unknown number' : String(one))
  const taken = bursts > 0 ? `; ${Math.round(bursts)} taken in at once by the emulator` : ''
  return { most, why: `${of(losses[0])} and ${of(losses[1])} lost by the machine${taken}` }
}

function delayRows(
  row: MakeRow,
  a: Figures,
  b: Figures,
  direction: Direction,
  options: CompareOptions,
  disturbed: Disturbed,
): Row[] {
  const { kernelNoise, emulatorNoise, falseAlarm } = options
  const kernel = a.delaysMs.map(delay => delay - kernelNoise.ownMs[direction])
  const emulator = b.delaysMs.map(delay => delay - emulatorNoise.ownMs[direction])
  const tolerance = toleranceMs(kernelNoise, emulatorNoise)
  if (Math.min(kernel.length, emulator.length) < LEAST_DELAYS || tolerance > LARGEST_TOLERANCE_MS) {
    const why = `held up: ${percent(a.heldUpShare)}, ${percent(b.heldUpShare)}; noise ${ms(tolerance)}`
    return ['delay', 'jitter', 'shape'].map(property => row(property, { verdict: 'not measured', bound: why }))
  }
  // Before sorting: neighbours depend on each other where the order is kept or the delays are correlated.
  const sizes = [effectiveSize(kernel), effectiveSize(emulator)] as const
  kernel.sort()
  emulator.sort()
  const allowance = 2 * BEYOND_SPREAD
  const shape = compareDistributions(kernel, emulator, falseAlarm, { tolerance, allowance, sizes })
  const quantiles = (fractions: readonly number[], more = 0) =>
    compareQuantiles(kernel, emulator, fractions, sizes, falseAlarm, tolerance + more)
  const width = (sorted: Float64Array) => quantile(sorted, 0.9) - quantile(sorted, 0.1)
  const { behind } = disturbed
  const later = disturbed.laterMs[0] + disturbed.laterMs[1]
  const why = `times ${ms(later)} later than on ${CALM}; ${percent(behind[0])} and ${percent(behind[1])} behind what was held up`
  // So many of the delays may be anything, and all of them that much later.
  const judgedQuantiles = (fractions: readonly number[]) => {
    const agreement = quantiles(fractions)
    return judged(agreement, ms, () => {
      const moved = fractions.reduce((sum, fraction) => {
        const sides = around(kernel, fraction, behind[0]) + around(emulator, fraction, behind[1])
        return sum + sides + bySendingMoved(disturbed, one => quantile(one.delaysMs.toSorted(), fraction))
      }, later)
      return { agrees: slack(agreement, moved), why: `${why}; so ${ms(moved)}` }
    })
  }
  const judgedShape = judged(
    shape,
    value => value.toFixed(3),
    () => {
      const [first, second] = disturbed.sending().map(({ even, sent }) => {
        const [one, other] = [even.delaysMs.toSorted(), sent.delaysMs.toSorted()]
        return one.length === 0 || other.length === 0 ? 0 : ksDistance(one, other, tolerance)
      })
      const more = behind[0] + behind[1] + first + second
      const wider = { tolerance: tolerance + later, allowance: allowance + more, sizes }
      return { agrees: later + more > 0 && compareDistributions(kernel, emulator, falseAlarm, wider).agrees, why }
    },
  )
  return [
    row('delay', {
      kernel: ms(quantile(kernel, 0.5)),
      emulator: ms(quantile(emulator, 0.5)),
      ...judgedQuantiles([0.5]),
    }),
    row('jitter', { kernel: ms(width(kernel)), emulator: ms(width(emulator)), ...judgedQuantiles([0.9, 0.1]) }),
    row('shape', { kernel: spread(kernel), emulator: spread(emulator), ...judgedShape }),
  ]
}

/** How far a quantile may be moved by a share of values that may be anything. */
function around(sorted: Float64Array, fraction: number, share: number): number {
  const at = quantile(sorted, fraction)
  return Math.max(quantile(sorted, fraction + share) - at, at - quantile(sorted, fraction - share))
}

/**
 * One quantile, or the distance of two, against the intervals in which they certainly lie (order statistics, for as many
 * independent values as the samples are worth), and the tolerance.
 */
function compareQuantiles(
  a: Float64Array,
  b: Float64Array,
  fractions: readonly number[],
  sizes: readonly [number, number],
  falseAlarm: number,
  tolerance: number,
): Agreement {
  const z = normalQuantile(falseAlarm / (4 * fractions.length))
  const half = (sorted: Float64Array, fraction: number, size: number) => {
    const around = z * Math.sqrt((fraction * (1 - fraction)) / size) + 1 / size
    return (quantile(sorted, fraction + around) - quantile(sorted, fraction - around)) / 2
  }
  const figure = (sorted: Float64Array) =>
    fractions.length === 1
      ? quantile(sorted, fractions[0])
      : quantile(sorted, fractions[0]) - quantile(sorted, fractions[1])
  const difference = Math.abs(figure(a) - figure(b))
  const bound = fractions.reduce(
    (sum, fraction) => sum + half(a, fraction, sizes[0]) + half(b, fraction, sizes[1]),
    tolerance,
  )
  return { agrees: difference <= bound, difference, bound }
}

function lossRow(
  row: MakeRow,
  a: Figures,
  b: Figures,
  impairment: Impairment,
  { falseAlarm }: CompareOptions,
  disturbed: Disturbed,
): Row {
  const { loss } = impairment
  const memoryless = loss.model === 'none' || (loss.model === 'random' && loss.correlation === 0)
  const agreement = memoryless
    ? compareProportions(count(a.lost), a.sent, count(b.lost), b.sent, falseAlarm)
    : compareMeans(batchMeans(a.lost, BATCHES), batchMeans(b.lost, BATCHES), falseAlarm)
  const share = (one: Figures) => count(one.lost) / one.sent
  const verdict = judged(agreement, percent, () => {
    const { most, why } = machineLosses(disturbed)
    // A burst of what a sender missed may have been too much for the queue.
    const moved = bySendingMoved(disturbed, share)
    const agrees = memoryless
      ? agreesWithFewer([count(a.lost), a.sent], [count(b.lost), b.sent], most, moved, falseAlarm)
      : slack(agreement, (share(a) > share(b) ? most[0] / a.sent : most[1] / b.sent) + moved)
    return { agrees, why: `${why}; ${percent(moved)} by bursts of the sender` }
  })
  return row('loss', { kernel: percent(share(a)), emulator: percent(share(b)), ...verdict })
}

/** Fisher's test again, with the larger share made smaller by what the disturbance may have added to it, but not below the other. */
function agreesWithFewer(
  [a, sentA]: [number, number],
  [b, sentB]: [number, number],
  most: Pair<number>,
  moved: number,
  falseAlarm: number,
): boolean {
  const fewer = (mine: number, sent: number, others: number, by: number) =>
    Math.max(Math.round(others * sent), Math.ceil(mine - by - moved * sent))
  const [less, lessB] =
    a / sentA > b / sentB ? [fewer(a, sentA, b / sentB, most[0]), b] : [a, fewer(b, sentB, a / sentA, most[1])]
  return compareProportions(less, sentA, lessB, sentB, falseAlarm).agrees
}

/** How many runs of losses there are, and how long they are. */
function burstRows(row: MakeRow, a: Figures, b: Figures, options: CompareOptions, disturbed: Disturbed): Row[] {
  const { falseAlarm } = options
  if (a.lossRuns.length === 0 && b.lossRuns.length === 0) return []
  const number = compareProportions(a.lossRuns.length, a.sent, b.lossRuns.length, b.sent, falseAlarm)
  const of = ({ lossRuns, sent }: Figures) => percent(lossRuns.length / sent)
  const explained = (agrees: (most: Pair<number>) => boolean) => () => {
    const { most, why } = machineLosses(disturbed)
    const moved = [a, b].map((one, i) => most[i] + Math.ceil(bySendingMoved(disturbed, shareLost) * one.sent))
    const all = moved as unknown as Pair<number>
    return { agrees: all[0] + all[1] > 0 && agrees(all), why }
  }
  const rows = [
    row('bursts', {
      kernel: of(a),
      emulator: of(b),
      ...judged(
        number,
        percent,
        explained(most =>
          agreesWithFewer([a.lossRuns.length, a.sent], [b.lossRuns.length, b.sent], most, 0, falseAlarm),
        ),
      ),
    }),
  ]
  if (a.lossRuns.length === 0 || b.lossRuns.length === 0) return rows
  const mean = (one: Figures) => `mean ${(count(one.lost) / one.lossRuns.length).toFixed(2)} of ${one.lossRuns.length}`
  const values = { kernel: mean(a), emulator: mean(b) }
  const { agreement, format, bound } = compareLengths(a.lossRuns, b.lossRuns, falseAlarm)
  const verdict = judged(
    agreement,
    format,
    explained(most => {
      const [x, y] = [withoutLosses(a.lossRuns, most[0]), withoutLosses(b.lossRuns, most[1])]
      return x.length === 0 || y.length === 0 || compareLengths(x, y, falseAlarm).agreement.agrees
    }),
  )
  return [...rows, row('burst length', { ...values, ...verdict, ...(agreement.agrees && { bound }) })]
}

const shareLost = ({ lost, sent }: Figures): number => (sent === 0 ? 0 : count(lost) / sent)

function compareLengths(a: readonly number[], b: readonly number[], falseAlarm: number) {
  const { probability, degreesOfFreedom } = chiSquareTwoSample(lengthCounts(a), lengthCounts(b))
  if (degreesOfFreedom > 0) {
    const format = (value: number) => `p ${value.toPrecision(2)}`
    const agreement = { agrees: probability >= falseAlarm, difference: probability, bound: falseAlarm }
    return { agreement, format, bound: `p ${falseAlarm.toPrecision(1)}` }
  }
  // Few bursts: Kolmogorov and Smirnov need no expected counts.
  const ascending = (runs: readonly number[]) => runs.toSorted((x, y) => x - y)
  const agreement = compareDistributions(ascending(a), ascending(b), falseAlarm)
  const format = (value: number) => value.toFixed(3)
  return { agreement, format, bound: format(agreement.bound) }
}

function reorderRows(
  row: MakeRow,
  a: Figures,
  b: Figures,
  impairment: Impairment,
  options: CompareOptions,
  disturbed: Disturbed,
): Row[] {
  if (Math.min(a.reordered.length, b.reordered.length) < 4 * BATCHES) return []
  if (count(a.reordered) + count(b.reordered) === 0 && impairment.reorder.rate === 0) {
    return [row('reordering', { kernel: '0 %', emulator: '0 %', difference: '0 %', bound: '0 %', verdict: 'agree' })]
  }
  const means = [a, b].map(one => batchMeans(one.reordered, BATCHES))
  const agreement = compareMeans(means[0], means[1], options.falseAlarm, REORDER_TOLERANCE)
  const share = (one: Figures) => count(one.reordered) / one.reordered.length
  const verdict = judged(agreement, percent, () => {
    const moved = bySendingMoved(disturbed, share)
    const why = `${percent(moved)} by the moments of sending; ${percent(disturbed.takenIn)} taken in late by the emulator`
    return { agrees: slack(agreement, moved + disturbed.takenIn), why }
  })
  return [row('reordering', { kernel: percent(share(a)), emulator: percent(share(b)), ...verdict })]
}

function proportionRow(
  row: MakeRow,
  property: string,
  [a, sentA]: [number, number],
  [b, sentB]: [number, number],
  configured: number,
  { falseAlarm }: CompareOptions,
  disturbed: Disturbed,
): Row[] {
  if (configured === 0 && a + b === 0) return []
  const agreement = compareProportions(a, sentA, b, sentB, falseAlarm)
  const verdict = judged(agreement, percent, () => {
    const { most, why } = machineLosses(disturbed)
    // What the machine lost may have been some of these: the side that has fewer may have had more.
    const [more, moreB] =
      a / sentA < b / sentB
        ? [Math.min(sentA, a + most[0], Math.round((b / sentB) * sentA)), b]
        : [a, Math.min(sentB, b + most[1], Math.round((a / sentA) * sentB))]
    return { agrees: compareProportions(more, sentA, moreB, sentB, falseAlarm).agrees, why }
  })
  return [row(property, { kernel: percent(a / sentA), emulator: percent(b / sentB), ...verdict })]
}

function overloadRows(
  row: MakeRow,
  run: CaseRun,
  direction: Direction,
  impairment: Impairment,
  kernel: RunResult,
  emulator: RunResult,
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

interface Span {
  fromMs: number
  toMs: number
}

function spanOf({ sentMs }: Trail, afterMs: number): Span {
  const startMs = sentMs[0] ?? 0
  return { fromMs: startMs + afterMs, toMs: sentMs[sentMs.length - 1] ?? startMs + afterMs }
}

/** The share of a run in which the backend's own process stood still. */
function stalledShare({ stalledMs }: Disturbance, { durationMs }: CaseRun): number {
  return stalledMs / durationMs
}

/** The share of that time for which what was let through may be too little, or too much. */
function awayShare(disturbance: Disturbance, span: Span): number {
  return Math.min(1, mostAwayMs(disturbance, Number.POSITIVE_INFINITY, span) / Math.max(1, span.toMs - span.fromMs))
}

/**
 * The longest time, within a stretch of that time, in which a bottleneck may have let nothing through because it had no processor. A token
 * bucket whose timer is late does not catch up. An emulator with a processor of its own does, but for a queue that is empty when it takes in
 * what came during a long stall; and what it or the probe is late by once may be missing at the end of any stretch.
 */
function mostAwayMs(disturbance: Disturbance, stretchMs: number, { fromMs, toMs }: Span): number {
  if (disturbance.oneProcessor) return mostTakenMs(disturbance, stretchMs, fromMs, toMs)
  return mostTakenMs(disturbance, 0, fromMs, toMs) + disturbance.lateMs + disturbance.stalledMs
}

/** The kernel follows a trace by its average rate in steps: what gets through over seconds is the same, not each packet. */
function meanOfTrace(trail: Trail): number {
  // Without the first second, in which the queue fills.
  const rates = windowRates(trail, 1000).slice(1)
  return rates.reduce((sum, rate) => sum + rate, 0) / rates.length
}

function compareTimelines(
  profile: Profile,
  kernel: Measurement['timelines'][number],
  emulator: Measurement['timelines'][number],
): Row[] {
  return DIRECTIONS.flatMap(direction => {
    const trails = [kernel.trails[direction], emulator.trails[direction]]
    if (!trails[0] || !trails[1]) return []
    const disturbances = [kernel.disturbance, emulator.disturbance]
    const [a, b] = trails.map(trail => timelineEvents(trail!, profile, direction))
    const same = a.length === b.length && a.every((event, i) => event.what === b[i].what)
    const late = (event: (typeof a)[number], i: number) => Math.abs(event.atMs - b[i].atMs)
    const heldUp = Math.max(...trails.map(trail => heldUpShare(trail!)))
    const agrees = same && a.every((event, i) => late(event, i) <= EVENT_TOLERANCE_MS[event.what])
    // The earlier of the two needed that long less of the machine, or the later one that much more.
    const taken = (fromMs: number, toMs: number) =>
      disturbances.reduce((sum, one, i) => {
        const startMs = trails[i]!.sentMs[0] ?? 0
        return sum + takenMs(one, startMs + fromMs - PREPARATION_MS, startMs + toMs)
      }, 0)
    const lateFor = (event: (typeof a)[number], i: number) =>
      late(event, i) - taken(Math.min(event.atMs, b[i].atMs), Math.max(event.atMs, b[i].atMs))
    const [lost, lostB] = disturbances.map(one => one.machineLosses)
    const disturbed = same
      ? a.every((event, i) => lateFor(event, i) <= EVENT_TOLERANCE_MS[event.what])
      : lost !== 0 || lostB !== 0 || taken(0, Number.POSITIVE_INFINITY) >= LEAST_GAP_MS
    const verdict = agrees ? 'agree' : heldUp > MOST_HELD_UP || disturbed ? 'not measured' : 'differ'
    const bound = a.map(({ what }) => ms(EVENT_TOLERANCE_MS[what])).join(', ') || 'none'
    const whole = ms(taken(0, Number.POSITIVE_INFINITY))
    const why = `; disturbed: ${whole} taken from the machine; held up: ${percent(heldUp)}; ${lost ?? '?'} and ${lostB ?? '?'} lost`
    const text = (events: typeof a) =>
      events.map(({ what, atMs }) => `${what} ${(atMs / 1000).toFixed(2)} s`).join(', ')
    return [
      {
        profile: profile.name,
        state: 'timeline',
        direction,
        property: 'events',
        kernel: text(a) || 'none',
        emulator: text(b) || 'none',
        difference: same ? a.map((event, i) => ms(late(event, i))).join(', ') || 'none' : 'other events',
        bound: verdict === 'not measured' ? bound + why : bound,
        verdict,
      },
    ]
  })
}

function shown(agreement: Agreement, format: (value: number) => string): Pick<Row, 'difference' | 'bound' | 'verdict'> {
  const { agrees, difference, bound } = agreement
  return { difference: format(difference), bound: format(bound), verdict: agrees ? 'agree' : 'differ' }
}

function upTo(difference: number, bound: number): Agreement {
  return { agrees: difference <= bound, difference, bound }
}

function count(flags: Uint8Array): number {
  let total = 0
  for (const flag of flags) total += flag
  return total
}

function quantile(sorted: Float64Array, fraction: number): number {
  return percentile(sorted, Math.min(1, Math.max(0, fraction)))
}

function spread(sorted: Float64Array): string {
  return `${quantile(sorted, 0.05).toFixed(1)} … ${quantile(sorted, 0.95).toFixed(1)} ms`
}

function ms(value: number): string {
  return `${value.toFixed(value < 10 ? 2 : 1)} ms`
}

function percent(value: number): string {
  return `${(100 * value).toFixed(2)} %`
}

function megabits(bitsPerSecond: number): string {
  return `${(bitsPerSecond / 1e6).toFixed(2)} Mbit/s`
}
