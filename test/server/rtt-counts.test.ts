import { expect } from 'chai'
import { countRtts, RTT_LEAST_MS, RTT_MOST_MS, type RttQuantiles, rttQuantiles } from '../../src/server/rtt-counts.ts'
import { percentileOf } from '../../src/stats/statistics.ts'

describe('counts of round-trip times', () => {
  const quantilesOf = (...seconds: number[][]): RttQuantiles => rttQuantiles(seconds.map(countRtts))

  it('tell quantiles over many seconds within 5 % of those of all values', () => {
    // From 0.1 ms to 10 s, the long ones together at the end, where means of each second's quantiles would be far off.
    const all = Array.from({ length: 6000 }, (_, i) => 0.1 * 10 ** (i / 1200))
    const seconds = Array.from({ length: 100 }, (_, i) => all.slice(i * 60, (i + 1) * 60))
    const { p50Ms, p95Ms, readings } = quantilesOf(...seconds)
    expect(readings).to.equal(6000)
    for (const [told, fraction] of [
      [p50Ms, 0.5],
      [p95Ms, 0.95],
    ] as const) {
      expect((told as number) / percentileOf(all, fraction)).to.be.within(0.95, 1.05)
    }
  })

  it('go by nearest rank: of twenty values the 95th percentile is the nineteenth', () => {
    const nineteen = Array.from({ length: 19 }, () => 10)
    expect(quantilesOf([...nineteen, 1000]).p95Ms).to.be.within(9.5, 10.5)
    expect(quantilesOf([...nineteen, 1000, 1000]).p95Ms).to.be.within(950, 1050)
  })

  it('have no quantiles when there are none', () => {
    expect(quantilesOf()).to.deep.equal({ p50Ms: null, p95Ms: null, readings: 0 })
    expect(quantilesOf([], [])).to.deep.equal({ p50Ms: null, p95Ms: null, readings: 0 })
  })

  it('stay inside their bounds whatever an engine says', () => {
    for (const odd of [0, -1, Number.NaN, 0.001]) expect(quantilesOf([odd]).p50Ms).to.equal(RTT_LEAST_MS)
    for (const odd of [RTT_MOST_MS, 1e9, Number.POSITIVE_INFINITY]) {
      expect(quantilesOf([odd]).p50Ms).to.be.within(0.95 * RTT_MOST_MS, RTT_MOST_MS)
    }
  })

  it('take two bytes for each class, and never more than a byte can count', () => {
    expect(countRtts(Array.from({ length: 1000 }, () => 25))).to.have.length(2)
    expect(quantilesOf(Array.from({ length: 1000 }, () => 25)).readings).to.equal(255)
  })
})
