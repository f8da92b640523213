/**
 * Links whose queue drops packets of the trickle, because a trace has slow stretches or late packets come in heaps: what they lose is
 * counted in virtual time, with other seeds than the expectation's. NETEM_CHECK_RUNS=6000 counts more of them.
 */
import { expect } from 'chai'
import { expectLoss } from '../../../src/link/check/expected-loss.ts'
import type { Flow, FlowRecord } from '../../../src/link/check/flow-record.ts'
import { floodFlow, trickleFlow, trickleSpacingMs } from '../../../src/link/check/flows.ts'
import { judgeQueue } from '../../../src/link/check/judge.ts'
import { simulate } from '../../../src/link/check/simulation.ts'
import { lossCountRange } from '../../../src/link/model/loss-count.ts'
import { loadProfile } from '../../../src/link/profile/load-profile.ts'
import { CLEAN, type Impairment, type QueueLimit } from '../../../src/link/profile/profile.ts'

const RUNS = Number(process.env['NETEM_CHECK_RUNS'] ?? 20)
const PACKETS = 1200

/** 2 Mbit/s for two seconds, then an opportunity every half second for two. */
const slowStretch = {
  name: 'slow-stretch.trace',
  opportunitiesMs: Float64Array.from([
    ...Array.from({ length: 334 }, (_, i) => i * 6),
    ...Array.from({ length: 5 }, (_, i) => 2000 + i * 500),
  ]),
  periodMs: 4_000,
}

function link(limit: QueueLimit, parts: Partial<Impairment>): Impairment {
  return { ...CLEAN, delayMs: 30, trace: { ...slowStretch, limit }, ...parts }
}

function behindRate(packets: number, parts: Partial<Impairment>): Impairment {
  return { ...CLEAN, delayMs: 30, rate: { bitsPerSecond: 1e6, limit: { packets }, burstBytes: 1600 }, ...parts }
}

const links: Record<string, Impairment> = {
  'a trace with slow stretches': link({ packets: 20 }, { loss: { model: 'random', rate: 0.01, correlation: 0 } }),
  'such a trace, with jitter': link({ packets: 30 }, { jitterMs: 8, distribution: 'normal', keepOrder: true }),
  'such a trace, with losses in bursts': link(
    { bytes: 3000 },
    { jitterMs: 8, loss: { model: 'gemodel', p: 0.01, r: 0.25, oneMinusH: 0.7, oneMinusK: 0.001 } },
  ),
  'a small queue behind jitter that keeps the order': behindRate(10, {
    jitterMs: 20,
    distribution: 'pareto',
    keepOrder: true,
  }),
  'a queue that is hardly ever full': behindRate(12, { jitterMs: 10, distribution: 'paretonormal', keepOrder: true }),
}

const calm = { beganMs: 0, seed: 'check', machineLosses: 0 }

function sent(flow: Flow): { flow: Flow; sentMs: Float64Array } {
  return { flow, sentMs: Float64Array.from({ length: flow.packets }, (_, i) => i * flow.spacingMs) }
}

function through(really: Impairment, flow: Flow, seed = 'measured'): FlowRecord {
  return { ...simulate(really, sent(flow), 0, seed), ...sent(flow) }
}

const trickleOf = (said: Impairment): Flow => trickleFlow('up', said, trickleSpacingMs(said), PACKETS)

const known = new Map<Impairment, { low: number; high: number }>()

/** The numbers of lost packets that agree. */
function agrees(said: Impairment): { low: number; high: number } {
  const before = known.get(said)
  if (before !== undefined) return before
  const flow = trickleOf(said)
  const runs = Array.from({ length: 40 }, (_, i) => simulate(said, sent(flow), 0, `expected ${i}`))
  const got = through(said, flow)
  const loss = expectLoss(said, got, runs, new Float64Array(flow.packets).fill(0.2), calm)
  if (loss === undefined) throw new Error('no expectation')
  const range = { low: Math.round(loss.low * PACKETS), high: Math.round(loss.high * PACKETS) }
  known.set(said, range)
  return range
}

function losses(really: Impairment, said: Impairment, runs: number): number[] {
  const flow = trickleOf(said)
  return Array.from({ length: runs }, (_, i) => PACKETS - through(really, flow, `measured ${i}`).delays.length)
}

describe('netem check, of a link whose queue is full at times', function () {
  this.timeout(20_000 + RUNS * 500)

  for (const [name, said] of Object.entries(links)) {
    it(`accepts ${name}, however chance has it`, () => {
      const { low, high } = agrees(said)
      const refused = losses(said, said, RUNS).filter(lost => lost < low || lost > high)
      // At most one in 10 000 is allowed: none of these few, and of many no more than could be.
      expect(refused).to.have.length.at.most(RUNS / 2000)
    })
  }

  it('needs the simulation: the loss model alone would refuse them all', () => {
    for (const name of ['a trace with slow stretches', 'a small queue behind jitter that keeps the order']) {
      const model = lossCountRange(links[name].loss, PACKETS, 5e-5)
      expect(Math.min(...losses(links[name], links[name], 5)), name).to.be.above(model?.high ?? 0)
    }
  })

  it('refuses half the queue, twice the queue, and no queue at all behind a trace', () => {
    const name = 'such a trace, with jitter'
    const { low, high } = agrees(links[name])
    for (const packets of [15, 60, 100_000]) {
      const wrong = link({ packets }, { jitterMs: 8, distribution: 'normal', keepOrder: true })
      for (const lost of losses(wrong, links[name], 5)) expect(lost < low || lost > high, `${packets}`).to.equal(true)
    }
  })

  it('refuses ten times the loss beside a queue that drops', () => {
    const said = links['a trace with slow stretches']
    const wrong: Impairment = { ...said, loss: { model: 'random', rate: 0.1, correlation: 0 } }
    for (const lost of losses(wrong, said, 5)) expect(lost).to.be.above(agrees(said).high)
  })

  it('twice the loss of a link whose queue is never full is refused as exactly as before', () => {
    const said: Impairment = { ...loadProfile('lte').up, loss: { model: 'random', rate: 0.03, correlation: 0 } }
    const { low, high } = agrees(said)
    expect({ low, high }).to.deep.equal(lossCountRange(said.loss, PACKETS, 5e-5))
    const twice: Impairment = { ...said, loss: { model: 'random', rate: 0.06, correlation: 0 } }
    for (const lost of losses(twice, said, 5)) expect(lost).to.be.above(high)
  })

  it('half the queue is refused by the time that packets of a flood wait in it, twice the queue as well', () => {
    const said = loadProfile('lte').up
    const flow = floodFlow('up', said)
    if (typeof flow !== 'object' || said.rate === undefined) throw new Error('no flood')
    const control = [{ sentMs: 0, lateMs: 0.2 }]
    const verdict = (packets: number) => {
      const rate = { ...(said.rate as NonNullable<Impairment['rate']>), limit: { packets } }
      const [line] = judgeQueue(said, through({ ...said, rate }, flow), control, calm)
      return [line.name, line.verdict]
    }
    expect(verdict(200)).to.deep.equal(['queue p50', 'ok'])
    expect(verdict(100)).to.deep.equal(['queue p50', 'refused'])
    expect(verdict(400)).to.deep.equal(['queue p50', 'refused'])
  })
})
