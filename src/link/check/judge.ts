/**
 * The verdicts of `netem check`, without sockets and clocks. Each line states which measurements count as agreement, such that a
 * link that does what its profile says is refused at most once in 10 000 runs (`DEFAULT_FALSE_ALARM`), for each line.
 *
 * What a profile leads to is computed from the profile, in virtual time, with the very moments at which datagrams were sent:
 *
 * - loss: the exact distribution of the number of lost packets, also for bursts, and what a full queue drops in simulated runs
 *   (expected-loss.ts);
 * - delay percentiles: Student's prediction interval of simulated runs. Each datagram may be late by twice as much as the datagram of
 *   the control run that was sent at the same moment was; it may not be early;
 * - queue: the same for a flood, whose packets find the queue full;
 * - rate: Student's interval of how much longer or shorter batches of packets took than in virtual time;
 * - the rest: Clopper–Pearson, the packets counted for as many as they are worth by the spread of simulated runs.
 */

import { mean, sampleStandardDeviation, sampleVariance } from 'simple-statistics'
import { acceptRate } from '../../stats/acceptance.ts'
import { studentQuantile } from '../../stats/distributions.ts'
import { firstWhole } from '../../stats/intervals.ts'
import { ascending, percentile } from '../../stats/statistics.ts'
import { BATCH_MS } from '../emulator/precise-timer.ts'
import { UDP_WIRE_OVERHEAD } from '../model/link-direction.ts'
import type { Direction, Impairment } from '../profile/profile.ts'
import type { ControlDatagram } from './checked-link.ts'
import { expectLoss } from './expected-loss.ts'
import type { FlowRecord } from './flow-record.ts'
import { BATCHES, FLOOD_SKIP_MS, meanRate, TAIL } from './flows.ts'
import { SIMULATED_RUNS, type Simulated, simulate } from './simulation.ts'

/** 'unjudged': it could not be refused with so few measurements, or this machine spoilt them. */
export type Verdict = 'ok' | 'refused' | 'unjudged'

/** One measured value beside the expected one. */
export interface Line {
  direction: Direction
  name: string
  verdict: Verdict
  /** Shares are from 0 to 1. */
  unit: 'share' | 'ms' | 'bit/s'
  measured: number
  expected: number
  /** From here … */
  low: number
  /** … to here counts as agreement. */
  high: number
  /** Packets, or for the rate batches of packets. */
  sampleSize: number
  /** Why it is unjudged, or what else is to be known. */
  note?: string
}

/** A design effect estimated from 40 runs can be 1.7 times too small (three standard deviations). */
const DESIGN_EFFECT_MARGIN = 1.7
/** Two neighbours are not late by the same. */
const LATENESS_FACTOR = 2
/** A machine that makes nearly everything late by so much cannot judge delays. */
const TOO_BUSY_MS = 5
const CLOCK_MS = 0.05

// -- verdicts --------------------------------------------------------------------------------------------------------

/** What there is to know beside the datagrams. */
export interface Circumstances {
  beganMs: number
  seed: string
  /** Datagrams that this machine lost and not the link; undefined: it does not tell. */
  machineLosses: number | undefined
}

/** Loss, delay, and whatever else happened. `control`: what the control run found meanwhile, in order of sending. */
export function judgeTrickle(
  impairment: Impairment,
  got: FlowRecord,
  control: readonly ControlDatagram[],
  circumstances: Circumstances,
): Line[] {
  const runs = Array.from({ length: SIMULATED_RUNS }, (_, i) =>
    simulate(impairment, got, circumstances.beganMs, `${circumstances.seed} expected ${i}`),
  )
  const late = latenessOf(got, control)
  const lines = [judgeLoss(impairment, got, runs, late, circumstances)]
  for (const name of ['duplicates', 'corrupted', 'reordered'] as const) {
    const line = judgeCount(
      name,
      got,
      got[name],
      runs.map(run => run[name]),
    )
    // A chance that the profile does not have needs no line of its own.
    if (line.expected > 0 || line.measured > 0) lines.push(line)
  }
  if (got.delays.length === 0) return lines
  for (const fraction of [0.1, 0.5]) lines.push(judgeDelay(`delay p${fraction * 100}`, fraction, got, runs, late))
  return lines
}

/** How late the control datagram nearest in time was, for each datagram. */
function latenessOf({ sentMs }: FlowRecord, control: readonly ControlDatagram[]): Float64Array {
  let at = 0
  return sentMs.map(ms => {
    while (at + 1 < control.length && control[at + 1].sentMs <= ms) at++
    return Math.max(0, control[at]?.lateMs ?? 0)
  })
}

function judgeLoss(
  impairment: Impairment,
  got: FlowRecord,
  runs: readonly Simulated[],
  late: Float64Array,
  circumstances: Circumstances,
): Line {
  const n = got.flow.packets
  const lost = n - got.delays.length
  const { machineLosses } = circumstances
  const loss = expectLoss(impairment, got, runs, late, circumstances)
  if (loss === undefined) {
    const counts = runs.map(run => n - run.delays.length)
    return forgive(judgeCount('loss', got, lost, counts), lost, n, machineLosses)
  }
  const { expected, low, high, needed } = loss
  const measured = lost / n
  const line: Line = {
    direction: got.flow.direction,
    name: 'loss',
    verdict: measured < low || measured > high ? 'refused' : needed === undefined ? 'ok' : 'unjudged',
    unit: 'share',
    measured,
    expected,
    low,
    high,
    sampleSize: n,
    ...(needed !== undefined && { note: tooFew(needed) }),
  }
  return forgive(line, lost, n, machineLosses)
}

/** What this machine lost may be what is too much. */
function forgive(line: Line, lost: number, n: number, machineLosses: number | undefined): Line {
  if (line.verdict !== 'refused' || lost / n <= line.high) return line
  if (machineLosses === undefined) {
    return { ...line, verdict: 'unjudged', note: 'this system does not tell what its own sockets dropped' }
  }
  if ((lost - machineLosses) / n > line.high) return line
  return { ...line, verdict: 'unjudged', note: `${machineLosses} dropped by this machine's own sockets: too busy` }
}

/** By simulated runs: how often, and how much that hangs together. */
function judgeCount(name: string, got: FlowRecord, count: number, simulated: readonly number[]): Line {
  const n = got.flow.packets
  const shares = simulated.map(each => each / n)
  const share = mean(shares)
  const variance = sampleVariance(shares)
  const common = {
    direction: got.flow.direction,
    name,
    unit: 'share' as const,
    measured: count / n,
    expected: share,
    sampleSize: n,
  }
  if (share === 0) return { ...common, verdict: count === 0 ? 'ok' : 'refused', low: 0, high: 0 }
  const independent = (share * (1 - share)) / n
  const designEffect = Math.max(1, (variance / independent) * DESIGN_EFFECT_MARGIN)
  // The mean of simulated runs is itself only known to three of its standard errors.
  const unsure = 3 * Math.sqrt(variance / simulated.length)
  const expected = { min: Math.max(0, share - unsure), max: Math.min(1, share + unsure) }
  const accepts = (successes: number) => acceptRate({ successes, n, expected, designEffect, name })
  const result = accepts(count)
  const low = firstWhole(0, Math.round(share * n), k => accepts(k).verdict !== 'refused')
  const high = n - firstWhole(0, n - Math.round(share * n), k => accepts(n - k).verdict !== 'refused')
  return {
    ...common,
    verdict: result.verdict === 'accepted' ? 'ok' : result.verdict === 'refused' ? 'refused' : 'unjudged',
    low: low / n,
    high: high / n,
    ...(result.verdict === 'too-few' && { note: tooFew(result.leastSampleSize) }),
  }
}

function judgeDelay(
  name: string,
  fraction: number,
  got: FlowRecord,
  runs: readonly Simulated[],
  late: Float64Array,
): Line {
  const of = (delays: readonly number[]) => percentile(ascending(delays), fraction)
  const usable = runs.filter(run => run.delays.length > 0)
  const { centre, half } = prediction(usable.map(run => of(run.delays)))
  const delayed = ({ delays, sequences }: Simulated) =>
    delays.map((ms, i) => ms + LATENESS_FACTOR * late[sequences[i]] + BATCH_MS)
  const measured = of(got.delays)
  const low = centre - half - CLOCK_MS
  const high = Math.max(...usable.map(run => of(delayed(run)))) + half
  const machineMs = percentile(ascending(late), 0.1)
  return {
    direction: got.flow.direction,
    name,
    verdict: measured < low ? 'refused' : machineMs > TOO_BUSY_MS ? 'unjudged' : measured > high ? 'refused' : 'ok',
    unit: 'ms',
    measured,
    expected: centre,
    low,
    high,
    sampleSize: got.delays.length,
    ...(machineMs > TOO_BUSY_MS && { note: `this machine is too busy: it adds ${machineMs.toFixed(0)} ms or more` }),
  }
}

/** Where one more value of the same kind lies, if such values are normal (percentiles of many measurements nearly are). */
function prediction(values: number[]): { centre: number; half: number } {
  const n = values.length
  if (n < 2) return { centre: values[0] ?? Number.NaN, half: Number.POSITIVE_INFINITY }
  const half = studentQuantile(TAIL, n - 1) * sampleStandardDeviation(values) * Math.sqrt(1 + 1 / n)
  return { centre: mean(values), half }
}

/**
 * How long packets of a flood take, which is how much the queue in front of the bottleneck holds. A datagram that reaches the link late
 * finds the same queue and has waited longer, so here too a link may seem slower than it is, and not faster.
 */
export function judgeQueue(
  impairment: Impairment,
  got: FlowRecord,
  control: readonly ControlDatagram[],
  { beganMs, seed, machineLosses }: Circumstances,
): Line[] {
  if (got.delays.length === 0) return []
  const runs = Array.from({ length: SIMULATED_RUNS }, (_, i) =>
    simulate(impairment, got, beganMs, `${seed} queue ${i}`),
  )
  const line = judgeDelay('queue p50', 0.5, got, runs, latenessOf(got, control))
  if (line.verdict !== 'refused' || machineLosses === 0) return [line]
  return [{ ...line, verdict: 'unjudged', note: 'this machine lost datagrams, or does not tell' }]
}

/**
 * Batches of packets that leave a link with a full queue, one after another: how much longer did they take than in virtual time?
 *
 * A datagram that arrives late makes one batch longer and the next one shorter. So batches balance each other, their mean is
 * known far better than Student's interval for independent ones says, and a moment's hold-up, however long, is never enough
 * to leave it: it widens the interval by more than it moves the mean.
 */
export function judgeRate(impairment: Impairment, got: FlowRecord, circumstances: Circumstances): Line {
  const { direction } = got.flow
  const expected = simulate(impairment, got, circumstances.beganMs, `${circumstances.seed} expected`)
  const fromMs = got.sentMs[0] + FLOOD_SKIP_MS
  const untilMs = got.sentMs[got.sentMs.length - 1]
  const first = expected.arrivalsMs.findIndex(ms => ms >= fromMs)
  const end = expected.arrivalsMs.findIndex(ms => ms > untilMs)
  const last = Math.min(got.arrivalsMs.length, end === -1 ? expected.arrivalsMs.length : end) - 1
  const bits = (got.flow.payloadBytes + UDP_WIRE_OVERHEAD) * 8
  const nominal = meanRate(impairment) as number
  const batch = first === -1 ? 0 : Math.floor((last - first) / BATCHES)
  if (batch < 1) {
    const nothing = { measured: 0, expected: nominal, low: nominal, high: nominal, sampleSize: 0 }
    // Next to nothing came, where something should have: that needs no statistics.
    const verdict = expected.arrivalsMs.length - (first === -1 ? 0 : first) > 2 * BATCHES ? 'refused' : 'unjudged'
    return {
      direction,
      name: 'rate',
      unit: 'bit/s',
      verdict: circumstances.machineLosses === 0 ? verdict : 'unjudged',
      ...nothing,
      note: 'too few packets came through',
    }
  }
  const durations = (arrivals: readonly number[]) =>
    Array.from({ length: BATCHES }, (_, i) => arrivals[first + (i + 1) * batch] - arrivals[first + i * batch])
  const theirs = durations(expected.arrivalsMs)
  const longer = durations(got.arrivalsMs).map((ms, i) => ms - theirs[i])
  const half = (studentQuantile(TAIL, BATCHES - 1) * sampleStandardDeviation(longer)) / Math.sqrt(BATCHES)
  const meanMs = mean(theirs)
  const rate = (ms: number) => (batch * bits * 1000) / Math.max(ms, Number.MIN_VALUE)
  const agrees = Math.abs(mean(longer)) <= half
  const low = rate(meanMs + half)
  const high = half < meanMs ? rate(meanMs - half) : Number.POSITIVE_INFINITY
  const isStarved = impairment.trace === undefined && rate(meanMs) < 0.95 * nominal
  const notes = [
    ...(isStarved ? ['this machine sent too slowly to fill the link'] : []),
    ...(half > meanMs / 2 ? ['this machine was so busy that half or double the rate would do'] : []),
    ...(!agrees && circumstances.machineLosses !== 0 ? ['this machine lost datagrams, or does not tell'] : []),
  ]
  return {
    direction,
    name: 'rate',
    unit: 'bit/s',
    verdict: notes.length > 0 ? 'unjudged' : agrees ? 'ok' : 'refused',
    measured: rate(meanMs + mean(longer)),
    expected: rate(meanMs),
    low,
    high,
    sampleSize: BATCHES,
    ...(notes.length > 0 && { note: notes.join('; ') }),
  }
}

function tooFew(needed: number): string {
  return Number.isFinite(needed) ? `too few packets: --packets ${needed} to judge it` : 'too rare to be judged'
}
