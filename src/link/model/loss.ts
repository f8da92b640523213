/** Which packets are lost: netem's three loss models, decision by decision as Linux 6.1 makes them (net/sched/sch_netem.c). */
import type { Chance, LossModel } from '../profile/profile.ts'
import type { Random } from './random.ts'

const TWO_32 = 2 ** 32

/** A probability as netem keeps it: 0 to 2^32 - 1. */
function threshold(probability: number): number {
  return Math.round(probability * (TWO_32 - 1))
}

/**
 * Random numbers each of which leans on the one before (netem's `get_crandom`):
 *
 *     x = (1 - correlation) × new + correlation × last x
 *
 * Such a mean is not evenly spread: with a correlation, values near 0 become rare, and a small probability, which is compared
 * with them, comes true far less often than it says. With a correlation of 25%, `loss 10%` loses 1.8% and `loss 1%` two
 * packets in a million. That is a flaw of netem, kept because both backends must have it; for bursts take `gemodel`.
 */
export class CorrelatedRandom {
  readonly #random: Random
  readonly #rho: number
  #last = 0

  constructor(random: Random, correlation: number) {
    this.#random = random
    this.#rho = threshold(correlation)
    if (this.#rho !== 0) this.#last = random.uint32()
  }

  /** 0 to 2^32 - 1. */
  next(): number {
    const fresh = this.#random.uint32()
    if (this.#rho === 0) return fresh
    const rho = this.#rho + 1
    this.#last = Math.floor((fresh * (TWO_32 - rho) + this.#last * rho) / TWO_32)
    return this.#last
  }
}

/** Yes or no, with a chance (duplicate, corrupt, reorder, loss random). Without a chance it draws no number. */
export class Coin {
  readonly #threshold: number
  readonly #numbers: CorrelatedRandom

  constructor(random: Random, chance: Chance) {
    this.#threshold = threshold(chance.rate)
    this.#numbers = new CorrelatedRandom(random, chance.correlation)
  }

  toss(): boolean {
    return this.#threshold !== 0 && this.#threshold >= this.#numbers.next()
  }
}

/** Is the next packet lost? */
export interface LossProcess {
  lost(): boolean
}

export function lossProcess(model: LossModel, random: Random): LossProcess {
  switch (model.model) {
    case 'none':
      return NEVER
    case 'random': {
      const coin = new Coin(random, model)
      return { lost: () => coin.toss() }
    }
    case 'gemodel':
      return new GilbertElliott(model, random)
    case 'state':
      return new FourStates(model, random)
  }
}

const NEVER: LossProcess = { lost: () => false }

/**
 * Gilbert–Elliott (E. O. Elliott, "Estimates of error rates for codes on burst-noise channels", 1963):
 *
 *               p
 *        ┌────────────▶┐
 *      good            bad        lost in the good state: 1-k, in the bad state: 1-h
 *        └◀────────────┘
 *               r
 *
 * The state changes first, with one random number; whether the packet is lost is decided by a second one and by the state
 * *before* the change. Share of time in the bad state p / (p + r), mean stay there 1 / r packets.
 */
class GilbertElliott implements LossProcess {
  readonly #random: Random
  readonly #p: number
  readonly #r: number
  readonly #h: number
  readonly #oneMinusK: number
  #bad = false

  constructor(model: LossModel & { model: 'gemodel' }, random: Random) {
    this.#random = random
    this.#p = threshold(model.p)
    this.#r = threshold(model.r)
    this.#h = TWO_32 - 1 - threshold(model.oneMinusH)
    this.#oneMinusK = threshold(model.oneMinusK)
  }

  lost(): boolean {
    if (this.#bad) {
      if (this.#random.uint32() < this.#r) this.#bad = false
      return this.#random.uint32() > this.#h
    }
    if (this.#random.uint32() < this.#p) this.#bad = true
    return this.#random.uint32() < this.#oneMinusK
  }
}

/**
 * The four states of Salsano, Ludovici and Ordine, "Definition of a general and intuitive loss model for packet networks
 * and its implementation in the Netem module in the Linux kernel", which sch_netem.c and tc-netem(8) name as the source:
 *
 *                 p14          p13          p23
 *      4 lost  ◀──────  1     ──────▶  3   ◀──────  2 received
 *      alone   ──────▶  good  ◀──────  lost ──────▶  within a
 *               always         p31    in burst p32   burst
 *
 * One random number a packet: it chooses the next state, and the packet is lost when that is 3 or 4.
 */
class FourStates implements LossProcess {
  readonly #random: Random
  readonly #p13: number
  readonly #p31: number
  readonly #p32: number
  readonly #p23: number
  readonly #p14: number
  #state: 1 | 2 | 3 | 4 = 1

  constructor(model: LossModel & { model: 'state' }, random: Random) {
    this.#random = random
    this.#p13 = threshold(model.p13)
    this.#p31 = threshold(model.p31)
    this.#p32 = threshold(model.p32)
    this.#p23 = threshold(model.p23)
    this.#p14 = threshold(model.p14)
  }

  lost(): boolean {
    const number = this.#random.uint32()
    switch (this.#state) {
      case 1:
        if (number < this.#p14) this.#state = 4
        else if (number < this.#p13 + this.#p14) this.#state = 3
        break
      case 2:
        if (number < this.#p23) this.#state = 3
        break
      case 3:
        if (number < this.#p32) this.#state = 2
        else if (number < this.#p31 + this.#p32) this.#state = 1
        break
      case 4:
        this.#state = 1
    }
    return this.#state >= 3
  }
}

/** The long-run share of packets that a model loses; undefined where there is no formula (a correlation, a dead end). */
export function expectedLoss(model: LossModel): number | undefined {
  switch (model.model) {
    case 'none':
      return 0
    case 'random':
      return model.correlation === 0 ? model.rate : undefined
    case 'gemodel': {
      const bad = model.p === 0 ? 0 : model.p / (model.p + model.r)
      return bad * model.oneMinusH + (1 - bad) * model.oneMinusK
    }
    case 'state': {
      const { p13, p31, p32, p23, p14 } = model
      if (p13 > 0 && (p31 === 0 || (p32 > 0 && p23 === 0))) return undefined // it gets stuck in some states
      // Time in the states relative to state 1, from the balance of what goes in and out of each.
      const three = p13 === 0 ? 0 : p13 / p31
      const two = p32 === 0 || three === 0 ? 0 : (three * p32) / p23
      return (three + p14) / (1 + two + three + p14)
    }
  }
}
