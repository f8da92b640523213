import { expect } from 'chai'
import fc from 'fast-check'
import {
  histogram,
  interarrivalJitter,
  median,
  percentile,
  percentileOf,
  summarise,
} from '../../src/stats/statistics.ts'

const measurements = fc.array(fc.double({ min: -1e9, max: 1e9, noNaN: true }), { minLength: 1, maxLength: 300 })

describe('percentile', () => {
  const hundred = Array.from({ length: 100 }, (_, i) => i + 1)

  it('is the nearest rank: of 1 … 100, p50 is 50, p95 is 95, p99 is 99', () => {
    expect([0.5, 0.95, 0.99].map(fraction => percentile(hundred, fraction))).to.deep.equal([50, 95, 99])
  })

  it('has the minimum at 0 and the maximum at 1', () => {
    expect([percentile(hundred, 0), percentile(hundred, 1)]).to.deep.equal([1, 100])
  })

  it('does not go one rank too far where floating point is a hair above a whole number', () => {
    expect(percentile(hundred, 0.07)).to.equal(7)
    expect(percentile(hundred, 0.29)).to.equal(29)
  })

  it('refuses a fraction outside 0 … 1, and no measurements at all', () => {
    expect(() => percentile(hundred, 95)).to.throw(RangeError, 'expected 0 to 1')
    expect(() => percentile(hundred, Number.NaN)).to.throw(RangeError)
    expect(() => percentile([], 0.5)).to.throw(RangeError, 'at least one')
  })

  it('is a measurement that at least that share of the measurements does not exceed, and the smallest such', () => {
    fc.assert(
      fc.property(measurements, fc.integer({ min: 0, max: 100 }), (values, percent) => {
        const sorted = [...values].sort((a, b) => a - b)
        const result = percentile(sorted, percent / 100)
        const enough = (candidate: number) => sorted.filter(v => v <= candidate).length * 100 >= percent * sorted.length
        expect(sorted).to.include(result)
        expect(enough(result)).to.equal(true)
        for (const smaller of sorted.filter(v => v < result)) expect(enough(smaller)).to.equal(false)
      }),
      { numRuns: 200 },
    )
  })
})

describe('percentileOf', () => {
  it('takes measurements in any order, by nearest rank, and leaves them so', () => {
    const values = [5, 1, 4, 2, 3]
    expect([0, 0.5, 0.95, 1].map(fraction => percentileOf(values, fraction))).to.deep.equal([1, 3, 5, 5])
    expect(values).to.deep.equal([5, 1, 4, 2, 3])
    expect(percentileOf([], 0.5)).to.be.NaN
  })
})

describe('median', () => {
  it('is the measurement in the middle, or half-way between the two there', () => {
    expect(median([5, 1, 10])).to.equal(5)
    expect(median([10, 1, 5, 2])).to.equal(3.5)
    expect(median([])).to.be.NaN
  })
})

describe('summarise', () => {
  it('gives count, extremes, percentiles, mean and sample deviation', () => {
    expect(summarise([4, 2, 8, 6])).to.deep.include({ count: 4, min: 2, p50: 4, p95: 8, p99: 8, max: 8, mean: 5 })
    expect(summarise([4, 2, 8, 6])!.stddev).to.be.closeTo(Math.sqrt(20 / 3), 1e-12)
  })

  it('has a deviation of 0 for one measurement', () => {
    expect(summarise([3])).to.deep.equal({ count: 1, min: 3, p50: 3, p95: 3, p99: 3, max: 3, mean: 3, stddev: 0 })
  })

  it('is undefined for none', () => {
    expect(summarise([])).to.equal(undefined)
  })

  it('leaves the measurements in their order', () => {
    const values = [3, 1, 2]
    summarise(values)
    expect(values).to.deep.equal([3, 1, 2])
  })
})

describe('histogram', () => {
  it('counts every measurement once, in the bar that it belongs to', () => {
    expect(histogram([0, 1, 2, 3, 4, 10], 5)).to.deep.equal([
      { from: 0, to: 2, count: 2 },
      { from: 2, to: 4, count: 2 },
      { from: 4, to: 6, count: 1 },
      { from: 6, to: 8, count: 0 },
      { from: 8, to: 10, count: 1 },
    ])
  })

  it('is one bar when all measurements are the same, and none when there are none', () => {
    expect(histogram([7, 7], 10)).to.deep.equal([{ from: 7, to: 7, count: 2 }])
    expect(histogram([], 10)).to.deep.equal([])
  })

  it('refuses a number of bars that makes no sense', () => {
    expect(() => histogram([1], 0)).to.throw(RangeError)
    expect(() => histogram([1], 1.5)).to.throw(RangeError)
  })

  it('loses nothing, whatever the measurements', () => {
    fc.assert(
      fc.property(measurements, fc.integer({ min: 1, max: 50 }), (values, bins) => {
        const total = histogram(values, bins).reduce((sum, bin) => sum + bin.count, 0)
        expect(total).to.equal(values.length)
      }),
      { numRuns: 200 },
    )
  })
})

describe('interarrivalJitter', () => {
  it('moves a sixteenth of the way towards each change of the transit time', () => {
    expect(interarrivalJitter([10, 26])).to.equal(1)
    expect(interarrivalJitter([10, 26, 10])).to.equal(1 + 15 / 16)
  })

  it('is 0 for a constant transit time, and for fewer than two', () => {
    expect(interarrivalJitter([5, 5, 5])).to.equal(0)
    expect(interarrivalJitter([5])).to.equal(0)
    expect(interarrivalJitter([])).to.equal(0)
  })
})
