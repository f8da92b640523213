/**
 * How many of n packets a loss model loses: the exact distribution, also where losses come in bursts.
 *
 * A loss model is a Markov chain: from each state some transitions, each of which loses the packet or lets it pass. So the
 * probability of "k lost, and in this state" follows packet by packet, and no approximation is needed to say which counts would be
 * a surprise.
 */
import { likelyCounts } from '../../stats/count-distribution.ts'
import type { LossModel } from '../profile/profile.ts'

interface Transition {
  to: number
  probability: number
  lost: boolean
}

/** The transitions from each state; state 0 is where a link begins. Undefined where the next packet depends on more (a correlation). */
function chainOf(model: LossModel): Transition[][] | undefined {
  switch (model.model) {
    case 'none':
      return [coin(0, 1, 0)]
    case 'random':
      return model.correlation === 0 ? [coin(0, 1, model.rate)] : undefined
    case 'gemodel': {
      // The packet is decided by the state before the change (see loss.ts).
      const { p, r, oneMinusH, oneMinusK } = model
      const [good, bad] = [0, 1]
      return [
        [...coin(good, 1 - p, oneMinusK), ...coin(bad, p, oneMinusK)],
        [...coin(bad, 1 - r, oneMinusH), ...coin(good, r, oneMinusH)],
      ]
    }
    case 'state': {
      const { p13, p31, p32, p23, p14 } = model
      const toFour = Math.min(1, p14)
      const toThree = Math.min(1 - toFour, p13)
      const toTwo = Math.min(1, p32)
      const toOne = Math.min(1 - toTwo, p31)
      return [
        [...coin(3, toFour, 1), ...coin(2, toThree, 1), ...coin(0, 1 - toFour - toThree, 0)],
        [...coin(2, p23, 1), ...coin(1, 1 - p23, 0)],
        [...coin(1, toTwo, 0), ...coin(0, toOne, 0), ...coin(2, 1 - toTwo - toOne, 1)],
        coin(0, 1, 0),
      ]
    }
  }
}

/** To a state with a probability, and there the packet is lost or not. */
function coin(to: number, probability: number, loss: number): Transition[] {
  return [
    { to, probability: probability * loss, lost: true },
    { to, probability: probability * (1 - loss), lost: false },
  ].filter(transition => transition.probability > 0)
}

/** Less than this is not worth carrying along: all of it together stays far below the false-alarm rates that are asked for. */
const NEGLIGIBLE = 1e-16

/** Probabilities of 0, 1, 2, … lost of `packets`; undefined where the model has a correlation. */
export function lossCountDistribution(model: LossModel, packets: number): Float64Array | undefined {
  const chain = chainOf(model)
  if (chain === undefined) return undefined
  let now = chain.map(() => new Float64Array(packets + 1))
  now[0][0] = 1
  let next = chain.map(() => new Float64Array(packets + 1))
  let low = 0
  let high = 0
  for (let i = 0; i < packets; i++) {
    for (const counts of next) counts.fill(0, low, high + 2)
    for (const [state, transitions] of chain.entries()) {
      for (const { to, probability, lost } of transitions) {
        const from = now[state]
        const into = next[to]
        const step = lost ? 1 : 0
        for (let k = low; k <= high; k++) into[k + step] += from[k] * probability
      }
    }
    ;[now, next] = [next, now]
    high++
    const isNegligible = (k: number): boolean => now.every(counts => counts[k] < NEGLIGIBLE)
    while (high > low && isNegligible(high)) high--
    while (low < high && isNegligible(low)) low++
  }
  for (const counts of now) {
    counts.fill(0, 0, low)
    counts.fill(0, high + 1)
  }
  return now[0].map((_, k) => now.reduce((sum, counts) => sum + counts[k], 0))
}

/**
 * The counts that are no surprise: below `low`, and above `high`, a link with this model comes with a probability of at most `tail`
 * each. Undefined where the model has a correlation.
 */
export function lossCountRange(
  model: LossModel,
  packets: number,
  tail: number,
): { low: number; high: number } | undefined {
  const distribution = lossCountDistribution(model, packets)
  return distribution && likelyCounts(distribution, tail)
}

/**
 * The fewest packets from which no loss at all would be a surprise (of a probability of at most `tail`); 1 for a model without
 * loss. Infinity: more than `most`. Undefined where the model has a correlation.
 */
export function fewestPacketsToSeeLoss(model: LossModel, tail: number, most = 1e6): number | undefined {
  const chain = chainOf(model)
  if (chain === undefined) return undefined
  if (!chain.flat().some(({ lost }) => lost)) return 1
  let states: number[] = chain.map((_, state) => (state === 0 ? 1 : 0))
  for (let packets = 1; packets <= most; packets++) {
    const after: number[] = chain.map(() => 0)
    for (const [state, transitions] of chain.entries()) {
      for (const { to, probability, lost } of transitions) if (!lost) after[to] += states[state] * probability
    }
    states = after
    if (states.reduce((sum, each) => sum + each, 0) <= tail) return packets
  }
  return Number.POSITIVE_INFINITY
}
