import { expect } from 'chai'
import type { LinkEvent } from '../../../bench/compare/events.ts'
import {
  type Echo,
  figuresOf,
  goodputKbit,
  jitter,
  partFigures,
  recovery,
  standstill,
  tcpFigures,
} from '../../../bench/compare/figures.ts'

const outage: LinkEvent = { kind: 'outage', atMs: 100, endMs: 400 }
const handover: LinkEvent = { kind: 'handover', atMs: 100, endMs: 100 }

const echo = (sentMs: number, rttMs?: number): Echo => ({ sentMs, rttMs })

describe('the figures of a comparison', () => {
  it('recovery is from the end of the event to the first reply to what was sent after its beginning', () => {
    expect(recovery([echo(90, 20), echo(100), echo(410), echo(420, 35)], outage)).to.equal(55)
    expect(recovery([echo(110), echo(120, 30)], handover)).to.equal(50)
  })

  it('what was on its way when the event began is no sign of recovery', () => {
    expect(recovery([echo(90, 25), echo(130, 20)], handover)).to.equal(50)
  })

  it('what was sent during an outage and waited for its end is one', () => {
    expect(recovery([echo(150, 270), echo(410, 40)], outage)).to.equal(20)
  })

  it('a reply that came during the outage is none: the outage was in one direction only, or had not begun', () => {
    expect(recovery([echo(150, 20)], outage)).to.equal(undefined)
  })

  it('without any reply afterwards there is no recovery, which is infinite among the figures of a run', () => {
    expect(recovery([echo(90, 20), echo(410)], outage)).to.equal(undefined)
    const run = { echoes: [echo(410)], arrivals: [], fromMs: 0, toMs: 1000, events: [outage] }
    expect(figuresOf(run).recoveryMs).to.deep.equal([Number.POSITIVE_INFINITY])
  })

  it('jitter is the mean change from one reply to the next', () => {
    expect(jitter([20, 23, 21, 21])).to.be.closeTo(5 / 3, 1e-9)
    expect(jitter([20])).to.be.NaN
  })

  it('a part counts what was sent and lost, and takes percentiles of what was answered', () => {
    expect(partFigures([echo(0, 10), echo(10), echo(20, 30), echo(30, 20)])).to.deep.equal({
      sent: 4,
      lost: 1,
      p50Ms: 20,
      p95Ms: 30,
      jitterMs: 15,
    })
    expect(partFigures([echo(0)])).to.deep.include({ sent: 1, lost: 1, p50Ms: Number.NaN })
  })

  it('"during" lasts until a second after the end of an event; all that comes later is "after"', () => {
    const echoes = [echo(99, 1), echo(100, 2), echo(1399, 3), echo(1400, 4)]
    const { before, during, after, whole } = figuresOf({
      echoes,
      arrivals: [],
      fromMs: 0,
      toMs: 2000,
      events: [outage],
    })
    expect([before?.sent, during?.sent, after?.sent, whole.sent]).to.deep.equal([1, 2, 1, 4])
    expect([before?.p50Ms, during?.p95Ms, after?.p50Ms]).to.deep.equal([1, 3, 4])
  })

  it('without events there is only the whole', () => {
    const { before, during, after, recoveryMs } = figuresOf({
      echoes: [echo(0, 1)],
      arrivals: [],
      fromMs: 0,
      toMs: 10,
      events: [],
    })
    expect({ before, during, after, recoveryMs }).to.deep.equal({
      before: undefined,
      during: undefined,
      after: undefined,
      recoveryMs: [],
    })
  })

  it('a standstill of TCP begins during the event or in the second after it, and may last to the end of the run', () => {
    const arrivals = (...times: number[]) => times.map(atMs => ({ atMs, bytes: 1 }))
    expect(standstill(arrivals(0, 50, 130, 900, 1000), outage, 1100)).to.equal(770)
    expect(standstill(arrivals(0, 50, 130), outage, 1100)).to.equal(970)
    expect(standstill(arrivals(-2000, 50, 130), outage, 200)).to.equal(80)
    expect(standstill(arrivals(0, 450, 500, 1400, 6400), outage, 6500)).to.equal(900)
  })

  it('goodput of TCP is that of each part, over the length of the part, however events overlap', () => {
    const events: LinkEvent[] = [outage, { kind: 'handover', atMs: 300, endMs: 300 }]
    const arrivals = [50, 200, 1399, 1400, 1900].map((atMs, i) => ({ atMs, bytes: 1000 * (i + 1) }))
    const { goodputKbit, hasSurvived, standstillMs } = tcpFigures({ arrivals, toMs: 2400, events, isOpen: true })
    expect(goodputKbit).to.deep.equal({ before: 80, during: (8 * 5000) / 1300, after: 72 })
    expect(hasSurvived).to.equal(true)
    expect(standstillMs).to.deep.equal([1199, 1199])
  })

  it('a TCP connection has survived when it is open at the end, and something arrived after all that happened', () => {
    const survived = (times: number[], isOpen: boolean): boolean =>
      tcpFigures({ arrivals: times.map(atMs => ({ atMs, bytes: 1 })), toMs: 3000, events: [outage], isOpen })
        .hasSurvived
    expect(survived([50, 1450], true)).to.equal(true)
    expect(survived([50, 1450], false)).to.equal(false)
    // The last of what was on its way is no sign of life.
    expect(survived([50, 450], true)).to.equal(false)
  })

  it('of TCP over a link on which nothing happens there is the whole only', () => {
    const arrivals = [{ atMs: 10, bytes: 1 }]
    expect(tcpFigures({ arrivals, toMs: 1000, events: [], isOpen: true })).to.deep.equal({
      goodputKbit: undefined,
      standstillMs: [],
      hasSurvived: true,
    })
  })

  it('goodput is what arrived within the run, over its length', () => {
    const arrivals = [10, 500, 1000].map(atMs => ({ atMs, bytes: 1000 }))
    expect(goodputKbit(arrivals, 0, 1000)).to.equal(16)
  })
})
