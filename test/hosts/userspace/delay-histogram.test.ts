import { expect } from 'chai'
import fc from 'fast-check'
import { DelayHistogram } from '../../../src/hosts/userspace/delay-histogram.ts'

describe('DelayHistogram', () => {
  it('is exact to the microsecond below 128 µs', () => {
    const delays = new DelayHistogram()
    for (let us = 1; us <= 100; us++) delays.add(us + 0.4)
    expect([0, 0.5, 0.95, 1].map(fraction => delays.percentile(fraction))).to.deep.equal([1, 50, 95, 100])
  })

  it('has no percentile of nothing, also after a reset', () => {
    const delays = new DelayHistogram()
    expect(delays.percentile(0.5)).to.equal(undefined)
    delays.add(5)
    delays.reset()
    expect(delays.percentile(0.5)).to.equal(undefined)
  })

  it('counts what is below its range as 0, and what is above it as its largest', () => {
    const delays = new DelayHistogram()
    for (const delay of [-5, Number.NEGATIVE_INFINITY, Number.NaN]) delays.add(delay)
    expect(delays.percentile(1)).to.equal(0)
    delays.add(1e15)
    expect(delays.percentile(1)).to.be.closeTo(2 ** 32, 2 ** 32 / 64)
  })

  it('is never more than 1/64 (or one microsecond) away from the exact nearest-rank percentile', () => {
    const delay = fc.oneof(fc.double({ min: 0, max: 300, noNaN: true }), fc.double({ min: 0, max: 4e9, noNaN: true }))
    fc.assert(
      fc.property(fc.array(delay, { minLength: 1, maxLength: 200 }), fc.integer({ min: 1, max: 100 }), (values, p) => {
        const delays = new DelayHistogram()
        for (const value of values) delays.add(value)
        const exact = values.toSorted((a, b) => a - b)[Math.ceil((p * values.length) / 100) - 1]
        expect(delays.percentile(p / 100)).to.be.closeTo(exact, Math.max(1, exact / 64))
      }),
      { numRuns: 300 },
    )
  })
})
