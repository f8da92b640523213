import { expect } from 'chai'
import type { Flow, FlowRecord } from '../../../src/link/check/flow-record.ts'
import { floodFlow, trickleFlow, trickleSpacingMs } from '../../../src/link/check/flows.ts'
import { judgeRate, judgeTrickle, type Line } from '../../../src/link/check/judge.ts'
import { simulate } from '../../../src/link/check/simulation.ts'
import { loadProfile } from '../../../src/link/profile/load-profile.ts'
import type { Impairment } from '../../../src/link/profile/profile.ts'

/** What comes through a link that does `really`, in virtual time, when each datagram is late by `lateMs`. */
function record(flow: Flow, really: Impairment, lateMs = 0.1): FlowRecord {
  const sentMs = Float64Array.from({ length: flow.packets }, (_, i) => i * flow.spacingMs)
  const got = simulate(really, { flow, sentMs }, 0, 'measured')
  return {
    ...got,
    flow,
    sentMs,
    delays: got.delays.map(ms => ms + lateMs),
    arrivalsMs: got.arrivalsMs.map((ms, i) => ms + lateMs + (i % 7) * 0.01),
  }
}

const calm = { beganMs: 0, seed: '1', machineLosses: 0 }

function trickle(
  said: Impairment,
  really = said,
  circumstances: Parameters<typeof judgeTrickle>[3] = calm,
  lateMs = 0.1,
) {
  const flow = trickleFlow('up', said, trickleSpacingMs(said))
  const control = Array.from({ length: 100 }, (_, i) => ({ sentMs: (i * flow.packets * flow.spacingMs) / 100, lateMs }))
  return judgeTrickle(said, record(flow, really, lateMs), control, circumstances)
}

function verdicts(lines: readonly Line[]): Record<string, string> {
  return Object.fromEntries(lines.map(({ name, verdict }) => [name, verdict]))
}

// The seeds are fixed, so that nothing here is left to chance.
describe('netem check', () => {
  const bursty = loadProfile('bursty').up
  const lte = loadProfile('lte').up

  it('accepts links that do what their profiles say', () => {
    expect(verdicts(trickle(bursty))).to.deep.equal({ loss: 'ok', 'delay p10': 'ok', 'delay p50': 'ok' })
    const jittery = verdicts(trickle(loadProfile('jittery').up))
    expect(jittery).to.deep.equal({ loss: 'ok', reordered: 'ok', 'delay p10': 'ok', 'delay p50': 'ok' })
  })

  it('refuses another loss, another delay, another jitter', () => {
    const none: Impairment = { ...bursty, loss: { model: 'none' } }
    expect(verdicts(trickle(bursty, none)).loss).to.equal('refused')
    expect(verdicts(trickle(bursty, { ...bursty, delayMs: 21 }))['delay p50']).to.equal('refused')
    expect(verdicts(trickle(bursty, { ...bursty, delayMs: 19 }))['delay p50']).to.equal('refused')
    const jittery = loadProfile('jittery').up
    expect(verdicts(trickle(jittery, { ...jittery, jitterMs: 15 }))['delay p10']).to.equal('refused')
  })

  it('accepts a delay by which the control run is late as well', () => {
    expect(verdicts(trickle(bursty, bursty, calm, 3))['delay p50']).to.equal('ok')
    const lines = trickle(bursty, bursty, calm, 30)
    expect(verdicts(lines)['delay p10']).to.equal('unjudged')
    expect(lines.find(({ name }) => name === 'delay p10')?.note).to.match(/too busy/)
  })

  it('where no loss is expected, refuses a single one, unless this machine has dropped it or does not tell', () => {
    const clean = loadProfile('clean').up
    const lossy: Impairment = { ...clean, loss: { model: 'random', rate: 0.0005, correlation: 0 } }
    expect(verdicts(trickle(clean)).loss).to.equal('ok')
    expect(verdicts(trickle(clean, lossy)).loss).to.equal('refused')
    expect(verdicts(trickle(clean, lossy, { ...calm, machineLosses: 100 })).loss).to.equal('unjudged')
    expect(verdicts(trickle(clean, lossy, { ...calm, machineLosses: undefined })).loss).to.equal('unjudged')
  })

  it('says how many packets it takes when they are too few', () => {
    const flow = trickleFlow('up', lte, trickleSpacingMs(lte), 500)
    const [loss] = judgeTrickle(lte, record(flow, lte), [], calm)
    expect(loss.verdict).to.equal('unjudged')
    expect(loss.note).to.match(/--packets 9899 /)
  })

  it('sends as many as it takes, but not for ever', () => {
    expect(trickleFlow('up', lte, 1).packets).to.equal(9899)
    const rare: Impairment = { ...lte, loss: { model: 'random', rate: 1e-5, correlation: 0 } }
    expect(trickleFlow('up', rare, 1).packets).to.equal(25_000)
  })

  describe('rate', () => {
    const line = (said: Impairment, really: Impairment): Line => {
      const flow = floodFlow('up', said)
      if (typeof flow !== 'object') throw new Error('no flood')
      return judgeRate(said, record(flow, really), calm)
    }
    const withRate = (factor: number): Impairment => {
      const rate = lte.rate as NonNullable<Impairment['rate']>
      return { ...lte, rate: { ...rate, bitsPerSecond: rate.bitsPerSecond * factor } }
    }

    it('is accepted where it is right, also for a trace', () => {
      expect(line(lte, lte).verdict).to.equal('ok')
      const { up } = loadProfile('lte-weak')
      expect(line(up, up).verdict).to.equal('ok')
    })

    it('is refused when it is 2 % off', () => {
      expect(line(lte, withRate(1.02)).verdict).to.equal('refused')
      expect(line(lte, withRate(0.98)).verdict).to.equal('refused')
    })
  })
})
