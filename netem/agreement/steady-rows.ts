/** Of packets that do not fill the link: delays, losses and their bursts, reordering, duplicates, corruption. */

import type { Load, Trail } from '../../src/link/check/probe.ts'
import type { Direction, Impairment } from '../../src/link/profile/profile.ts'
import { normalQuantile } from '../../src/stats/distributions.ts'
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
import { awayShare, bySending, spanOf, stalledShare, withoutLosses } from './disturbed.ts'
import { type Figures, figures, lengthCounts } from './figures.ts'
import type { RunResult } from './measurement.ts'
import { BEYOND_SPREAD, CALM, type CompareOptions, lateMs, toleranceMs } from './noise.ts'
import {
  type Compared,
  count,
  judged,
  type MachineLosses,
  type MakeRow,
  machineLosses,
  ms,
  once,
  type Pair,
  percent,
  quantile,
  type Row,
  slack,
} from './verdict.ts'

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

/** What was measured of the disturbance of one direction of a steady run. */
interface Disturbed extends MachineLosses {
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

export function steadyRows(
  row: MakeRow,
  { run, direction, impairment, kernel, emulator }: Compared,
  options: CompareOptions,
): Row[] {
  const trails = [kernel.trails[direction] as Trail, emulator.trails[direction] as Trail] as const
  const a = figures(trails[0])
  const b = figures(trails[1])
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
      trails.map(trail => {
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
      [kernel.corrupted[direction] ?? 0, a.sent],
      [b.corrupted, b.sent],
      impairment.corrupt.rate,
      options,
      disturbed,
    ),
  ]
}

/** How much the moments of sending move a figure, on both sides together. */
function bySendingMoved({ sending }: Disturbed, figure: (one: Figures) => number): number {
  return sending().reduce((sum, { even, sent }) => {
    const moved = Math.abs(figure(sent) - figure(even))
    return sum + (Number.isFinite(moved) ? moved : 0)
  }, 0)
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

function spread(sorted: Float64Array): string {
  return `${quantile(sorted, 0.05).toFixed(1)} … ${quantile(sorted, 0.95).toFixed(1)} ms`
}
