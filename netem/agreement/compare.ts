/**
 * Do two measurements of the same plan agree? One verdict for each property of each direction of each case. Sans-IO.
 *
 * Everything random is compared by a two-sample test (src/stats/two-sample.ts) with one false-alarm rate, `falseAlarm`; what
 * is not random (a rate, a full queue) by a tolerance. Times are compared after the backend's own median delay, as measured
 * on the profile `clean`, has been taken off, and with a tolerance for the spread that is left there (`Noise`).
 */

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
} from '../../src/stats/two-sample.ts'
import type { Case, CaseRun } from './cases.ts'
import { type Figures, figures, heldUpShare, lengthCounts, overloadFigures, windowRates } from './figures.ts'
import type { Measurement, Plan, RunResult } from './measurement.ts'
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
  return { ownMs, spreadMs }
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
    if (run.kind !== 'steady') return overloadRows(row, run, direction, kernel, emulator, options)
    const a = figures(trails.kernel)
    const b = figures(trails.emulator)
    const corrupted = { kernel: kernel.corrupted[direction] ?? 0, emulator: b.corrupted }
    return [
      ...delayRows(row, a, b, direction, options),
      lossRow(row, a, b, impairment, options),
      ...burstRows(row, a, b, options),
      ...reorderRows(row, a, b, impairment, options),
      ...proportionRow(
        row,
        'duplicates',
        [a.duplicates, a.sent],
        [b.duplicates, b.sent],
        impairment.duplicate.rate,
        options,
      ),
      ...proportionRow(
        row,
        'corruption',
        [corrupted.kernel, a.sent],
        [corrupted.emulator, b.sent],
        impairment.corrupt.rate,
        options,
      ),
    ]
  })
}

type MakeRow = (property: string, part: Partial<Row> & { verdict: Verdict }) => Row

function delayRows(row: MakeRow, a: Figures, b: Figures, direction: Direction, options: CompareOptions): Row[] {
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
  const quantiles = (fractions: readonly number[]) =>
    compareQuantiles(kernel, emulator, fractions, sizes, falseAlarm, tolerance)
  const width = (sorted: Float64Array) => quantile(sorted, 0.9) - quantile(sorted, 0.1)
  return [
    row('delay', {
      kernel: ms(quantile(kernel, 0.5)),
      emulator: ms(quantile(emulator, 0.5)),
      ...shown(quantiles([0.5]), ms),
    }),
    row('jitter', { kernel: ms(width(kernel)), emulator: ms(width(emulator)), ...shown(quantiles([0.9, 0.1]), ms) }),
    row('shape', { kernel: spread(kernel), emulator: spread(emulator), ...shown(shape, value => value.toFixed(3)) }),
  ]
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

function lossRow(row: MakeRow, a: Figures, b: Figures, impairment: Impairment, { falseAlarm }: CompareOptions): Row {
  const { loss } = impairment
  const memoryless = loss.model === 'none' || (loss.model === 'random' && loss.correlation === 0)
  const agreement = memoryless
    ? compareProportions(count(a.lost), a.sent, count(b.lost), b.sent, falseAlarm)
    : compareMeans(batchMeans(a.lost, BATCHES), batchMeans(b.lost, BATCHES), falseAlarm)
  const of = (one: Figures) => percent(count(one.lost) / one.sent)
  return row('loss', { kernel: of(a), emulator: of(b), ...shown(agreement, percent) })
}

/** How many runs of losses there are, and how long they are. */
function burstRows(row: MakeRow, a: Figures, b: Figures, { falseAlarm }: CompareOptions): Row[] {
  if (a.lossRuns.length === 0 && b.lossRuns.length === 0) return []
  const number = compareProportions(a.lossRuns.length, a.sent, b.lossRuns.length, b.sent, falseAlarm)
  const of = ({ lossRuns, sent }: Figures) => percent(lossRuns.length / sent)
  const rows = [row('bursts', { kernel: of(a), emulator: of(b), ...shown(number, percent) })]
  if (a.lossRuns.length === 0 || b.lossRuns.length === 0) return rows
  const mean = (one: Figures) => `mean ${(count(one.lost) / one.lossRuns.length).toFixed(2)} of ${one.lossRuns.length}`
  const values = { kernel: mean(a), emulator: mean(b) }
  const { probability, degreesOfFreedom } = chiSquareTwoSample(lengthCounts(a.lossRuns), lengthCounts(b.lossRuns))
  if (degreesOfFreedom > 0) {
    const verdict = probability >= falseAlarm ? 'agree' : 'differ'
    const shownAs = { difference: `p ${probability.toPrecision(2)}`, bound: `p ${falseAlarm.toPrecision(1)}` }
    return [...rows, row('burst length', { ...values, ...shownAs, verdict })]
  }
  // Few bursts: Kolmogorov and Smirnov need no expected counts.
  const ascending = (one: Figures) => one.lossRuns.toSorted((x, y) => x - y)
  const distance = compareDistributions(ascending(a), ascending(b), falseAlarm)
  return [...rows, row('burst length', { ...values, ...shown(distance, value => value.toFixed(3)) })]
}

function reorderRows(row: MakeRow, a: Figures, b: Figures, impairment: Impairment, options: CompareOptions): Row[] {
  if (Math.min(a.reordered.length, b.reordered.length) < 4 * BATCHES) return []
  if (count(a.reordered) + count(b.reordered) === 0 && impairment.reorder.rate === 0) {
    return [row('reordering', { kernel: '0 %', emulator: '0 %', difference: '0 %', bound: '0 %', verdict: 'agree' })]
  }
  const means = [a, b].map(one => batchMeans(one.reordered, BATCHES))
  const agreement = compareMeans(means[0], means[1], options.falseAlarm, REORDER_TOLERANCE)
  const of = (one: Figures) => percent(count(one.reordered) / one.reordered.length)
  return [row('reordering', { kernel: of(a), emulator: of(b), ...shown(agreement, percent) })]
}

function proportionRow(
  row: MakeRow,
  property: string,
  [a, sentA]: [number, number],
  [b, sentB]: [number, number],
  configured: number,
  { falseAlarm }: CompareOptions,
): Row[] {
  if (configured === 0 && a + b === 0) return []
  const agreement = compareProportions(a, sentA, b, sentB, falseAlarm)
  return [row(property, { kernel: percent(a / sentA), emulator: percent(b / sentB), ...shown(agreement, percent) })]
}

function overloadRows(
  row: MakeRow,
  run: CaseRun,
  direction: Direction,
  kernel: RunResult,
  emulator: RunResult,
  { kernelNoise, emulatorNoise }: CompareOptions,
): Row[] {
  const [trailA, trailB] = [kernel.trails[direction]!, emulator.trails[direction]!]
  const heldUp = Math.max(heldUpShare(trailA), heldUpShare(trailB))
  if (heldUp > MOST_HELD_UP) {
    const why = `held up: ${percent(heldUp)}`
    return ['rate', 'queue'].map(property => row(property, { verdict: 'not measured', bound: why }))
  }
  if (run.kind === 'trace') return traceRows(row, trailA, trailB)
  const a = overloadFigures(trailA, run.fullAfterMs[direction])
  const b = overloadFigures(trailB, run.fullAfterMs[direction])
  // Held up, the probe sends less, and the queue may not have been full.
  if (Math.min(a.dropped, b.dropped) < LEAST_OVERLOAD) {
    const why = `no overload: ${percent(a.dropped)} and ${percent(b.dropped)} were dropped`
    return ['rate', 'queue'].map(property => row(property, { verdict: 'not measured', bound: why }))
  }
  const tolerance = toleranceMs(kernelNoise, emulatorNoise)
  const relative = (x: number, y: number) => Math.abs(x - y) / Math.max(x, y)
  const rows = [
    row('rate', {
      kernel: megabits(a.bitsPerSecond),
      emulator: megabits(b.bitsPerSecond),
      ...within(relative(a.bitsPerSecond, b.bitsPerSecond), RATE_TOLERANCE, percent),
    }),
  ]
  // Where both were offered the same.
  if (relative(a.sentPerSecond, b.sentPerSecond) < DROP_TOLERANCE) {
    const tailDrop = within(Math.abs(a.dropped - b.dropped), DROP_TOLERANCE, percent)
    rows.push(row('tail drop', { kernel: percent(a.dropped), emulator: percent(b.dropped), ...tailDrop }))
  }
  for (const [property, x, y] of [
    ['queue', a.delayMs, b.delayMs],
    ['queue p99', a.longDelayMs, b.longDelayMs],
  ] as const) {
    const spoilt = Math.max(a.heldUpShare, b.heldUpShare)
    if (spoilt > MOST_SPOILT) {
      rows.push(row(property, { verdict: 'not measured', bound: `held up, or behind a stall: ${percent(spoilt)}` }))
    } else {
      const bound = QUEUE_TOLERANCE * Math.max(x, y) + (property === 'queue' ? 1 : 3) * tolerance
      rows.push(row(property, { kernel: ms(x), emulator: ms(y), ...within(Math.abs(x - y), bound, ms) }))
    }
  }
  return rows
}

/** The kernel follows a trace by its average rate in steps: what gets through over seconds is the same, not each packet. */
function traceRows(row: MakeRow, a: Parameters<typeof windowRates>[0], b: Parameters<typeof windowRates>[0]): Row[] {
  const mean = (rates: number[]) => rates.reduce((sum, rate) => sum + rate, 0) / rates.length
  // Without the first second, in which the queue fills.
  const [x, y] = [a, b].map(trail => mean(windowRates(trail, 1000).slice(1)))
  const difference = Math.abs(x - y) / Math.max(x, y)
  return [
    row('rate', { kernel: megabits(x), emulator: megabits(y), ...within(difference, TRACE_RATE_TOLERANCE, percent) }),
  ]
}

function compareTimelines(
  profile: Profile,
  kernel: Measurement['timelines'][number],
  emulator: Measurement['timelines'][number],
): Row[] {
  return DIRECTIONS.flatMap(direction => {
    const trails = [kernel.trails[direction], emulator.trails[direction]]
    if (!trails[0] || !trails[1]) return []
    const [a, b] = trails.map(trail => timelineEvents(trail!, profile, direction))
    const same = a.length === b.length && a.every((event, i) => event.what === b[i].what)
    const late = (event: (typeof a)[number], i: number) => Math.abs(event.atMs - b[i].atMs)
    const busy = Math.max(...trails.map(trail => heldUpShare(trail!))) > MOST_HELD_UP
    const agrees = same && a.every((event, i) => late(event, i) <= EVENT_TOLERANCE_MS[event.what])
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
        bound: a.map(({ what }) => ms(EVENT_TOLERANCE_MS[what])).join(', ') || 'none',
        verdict: agrees ? 'agree' : busy ? 'not measured' : 'differ',
      },
    ]
  })
}

function shown(agreement: Agreement, format: (value: number) => string): Pick<Row, 'difference' | 'bound' | 'verdict'> {
  const { agrees, difference, bound } = agreement
  return { difference: format(difference), bound: format(bound), verdict: agrees ? 'agree' : 'differ' }
}

function within(difference: number, bound: number, format: (value: number) => string) {
  return shown({ agrees: difference <= bound, difference, bound }, format)
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
