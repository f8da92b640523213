import { expect } from 'chai'
import type { CompareResult } from '../../../bench/compare/compare.ts'
import { figuresOfResult, pointsOf } from '../../../bench/compare/svg.ts'
import { svgFigure } from '../../../src/experiment/charts/svg.ts'

const part = { sent: 2, lost: 1, p50Ms: 40, p95Ms: 40, jitterMs: 0 }
const contender = (title: string, recoveryMs: number) => ({
  name: title,
  title,
  atHandover: '',
  tcpRuns: [],
  runs: [
    {
      contender: title,
      figures: { recoveryMs: [recoveryMs], whole: part, before: part, during: part, after: part, goodputKbit: 1 },
      echoes: [
        { sentMs: 0, rttMs: 40 },
        { sentMs: 10, rttMs: undefined },
      ],
      events: [{ kind: 'outage' as const, atMs: 3000, endMs: 6000 }],
      stalls: 0,
    },
  ],
})
const result: CompareResult = {
  profile: 'some',
  title: '',
  traffic: 'udp',
  about: '',
  rounds: 1,
  narrow: false,
  contenders: [contender('one', 50), contender('other', Number.POSITIVE_INFINITY)],
  absent: [],
  failures: [],
  stalls: 0,
}

describe('the figures of a comparison, drawn', () => {
  it('a point is the median of those answered within a quarter of a second; where none was there is none', () => {
    const echoes = [10, 100, 200, 600].map((sentMs, i) => ({ sentMs, rttMs: i === 1 ? undefined : 10 * (i + 1) }))
    echoes.push({ sentMs: -5, rttMs: 1 })
    expect(pointsOf(echoes).map(({ x, y }) => [x, y])).to.deep.equal([
      [0.125, 10],
      [0.625, 40],
    ])
  })

  it('who has not recovered within the run has a dash instead of a bar', () => {
    const [recovery, roundTrips] = figuresOfResult(result)
    expect([recovery.id, roundTrips.id]).to.deep.equal(['some-recovery', 'some-round-trips'])
    expect(recovery.series[0]).to.deep.include({ values: [{ y: 50, low: 50, high: 50 }, undefined] })
    expect(roundTrips.note).to.include('outage at 3 to 6 s')
    expect(svgFigure(recovery))
      .to.match(/^<svg /)
      .and.include('>–<')
  })

  it('of TCP alone there is how long a megabyte takes, and no round trips, which nobody measured', () => {
    const tcp = { goodputKbit: undefined, standstillMs: [], hasSurvived: true }
    const one = contender('one', 50)
    const runs = one.runs.map(run => ({ ...run, figures: { ...run.figures, goodputKbit: 4000 }, tcp }))
    const figures = figuresOfResult({ ...result, traffic: 'tcp', contenders: [{ ...one, runs }] })
    expect(figures.map(({ id }) => id)).to.deep.equal(['some-tcp'])
    expect(figures[0]).to.deep.include({ yLabel: 'a megabyte, ms' })
    expect(figures[0].series[0]).to.deep.include({ values: [{ y: 2000, low: 2000, high: 2000 }] })
  })

  it('contenders that carried nothing are left out', () => {
    const silent = { ...contender('silent', 1), runs: [], tcpRuns: [] }
    const [recovery] = figuresOfResult({ ...result, contenders: [silent, ...result.contenders] })
    expect(recovery).to.deep.include({ categories: ['one', 'other'] })
  })
})
