/**
 * Which numbers of lost packets are no surprise.
 *
 * Two things lose packets. The loss model's share is known exactly (loss-count.ts), also for bursts. What a full queue drops depends
 * on the moments at which packets come, on jitter and on the trace: simulated runs say how many, and the distribution with
 * their mean and their variance stands for it. The sum of the two is judged.
 */

import { mean, sampleVariance } from 'simple-statistics'
import { countDistribution, likelyCounts, sumDistribution } from '../../stats/count-distribution.ts'
import { expectedLoss } from '../model/loss.ts'
import { fewestPacketsToSeeLoss, lossCountDistribution } from '../model/loss-count.ts'
import type { Impairment, QueueLimit } from '../profile/profile.ts'
import type { FlowRecord } from './flow-record.ts'
import { TAIL } from './flows.ts'
import { SIMULATED_RUNS, type Simulated, simulate } from './simulation.ts'

/** Shares of packets, and whether no loss at all would be noticed. */
export interface ExpectedLoss {
  expected: number
  low: number
  high: number
  /** The fewest packets with which no loss at all would be refused; undefined: it is refused with these, or none is expected. */
  needed: number | undefined
}

/** A variance of 40 runs can be 1.7 times too small (three standard deviations). */
const VARIANCE_MARGIN = 1.7
/** A mean of simulated runs is known to three of its standard errors. */
const MEAN_MARGIN = 3
/** A queue of fewer packets is small: half of it says little about the whole. */
const SMALL_QUEUE = 8

/**
 * `runs`: simulated. `late`: how late the datagram of the control run was that went beside each one, in ms. Undefined where the number
 * of losses follows from no formula: where a loss depends on the one before, or one of two copies may survive.
 */
export function expectLoss(
  impairment: Impairment,
  got: FlowRecord,
  runs: readonly Simulated[],
  late: Float64Array,
  { beganMs, seed }: { beganMs: number; seed: string },
): ExpectedLoss | undefined {
  const n = got.flow.packets
  const channel = impairment.duplicate.rate === 0 ? lossCountDistribution(impairment.loss, n) : undefined
  if (channel === undefined) return undefined
  // A program that was held up lets several packets reach the link at once, which may fill a queue too.
  const reachedMs = ascending(got.sentMs.map((ms, i) => ms + late[i]))
  const again = (link: Impairment, name: string) =>
    Array.from({ length: SIMULATED_RUNS }, (_, i) => simulate(link, got, beganMs, `${seed} ${name} ${i}`, reachedMs))
  const dropsOf = (simulated: readonly Simulated[]) => simulated.map(({ overflow }) => overflow)
  const half = withHalfTheQueue(impairment)
  const couldFill = half === undefined || dropsOf(again(half, 'half')).some(drops => drops > 0)
  const drops = couldFill ? dropsOf(runs) : [0]
  const dropsLate = couldFill ? dropsOf(again(impairment, 'late')) : [0]
  const { low } = likelyCounts(sumDistribution(channel, dropDistribution(drops, -1, n)), TAIL)
  const most = Math.max(
    ...[drops, dropsLate].map(each => likelyCounts(sumDistribution(channel, dropDistribution(each, 1, n)), TAIL).high),
  )
  const meanLoss = expectedLoss(impairment.loss)
  return {
    expected: couldFill || meanLoss === undefined ? mean(runs.map(run => n - run.delays.length)) / n : meanLoss,
    low: low / n,
    high: Math.min(most, n) / n,
    needed: low === 0 && channel[0] < 1 ? fewestPacketsToSeeLoss(impairment.loss, TAIL) : undefined,
  }
}

/** `side` -1: as few drops as the simulated runs leave possible, 1: as many. */
function dropDistribution(drops: readonly number[], side: -1 | 1, most: number): Float64Array {
  if (drops.length === 1) return countDistribution(drops[0], 0, most)
  // What none of the runs, or hardly any, has shown may still come: as if one more had shown twice as much as the worst.
  const isRare = drops.filter(each => each > 0).length < drops.length / 2
  const all = isRare && side > 0 ? [...drops, Math.max(2, 2 * Math.max(...drops))] : drops
  const variance = sampleVariance([...all])
  const shifted = Math.max(0, mean([...all]) + side * MEAN_MARGIN * Math.sqrt(variance / all.length))
  return countDistribution(shifted, Math.max(Math.min(1, shifted), variance * VARIANCE_MARGIN), most)
}

/** The same link with half the queue; undefined where that is too small a queue to say anything, or where packets cannot wait. */
function withHalfTheQueue(impairment: Impairment): Impairment | undefined {
  const { rate, trace } = impairment
  const limit = rate?.limit ?? trace?.limit
  if (limit === undefined) return impairment
  if ('packets' in limit && limit.packets < SMALL_QUEUE) return undefined
  const half: QueueLimit =
    'packets' in limit ? { packets: Math.floor(limit.packets / 2) } : { bytes: Math.floor(limit.bytes / 2) }
  return {
    ...impairment,
    ...(rate && { rate: { ...rate, limit: half } }),
    ...(trace && { trace: { ...trace, limit: half } }),
  }
}

function ascending(times: Float64Array): Float64Array {
  for (let i = 1; i < times.length; i++) times[i] = Math.max(times[i], times[i - 1])
  return times
}
