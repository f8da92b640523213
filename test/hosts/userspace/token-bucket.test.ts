import { expect } from 'chai'
import fc from 'fast-check'
import { TokenBucket } from '../../../src/hosts/userspace/token-bucket.ts'

describe('TokenBucket', () => {
  it('allows a burst, then the rate', () => {
    const bucket = new TokenBucket(10, 3)
    expect([0, 0, 0, 0].map(now => bucket.take(now))).to.deep.equal([true, true, true, false])
    expect([99, 100, 101, 200].map(now => bucket.take(now))).to.deep.equal([false, true, false, true])
  })

  it('does not save up more than a burst', () => {
    const bucket = new TokenBucket(10, 2)
    bucket.take(0)
    expect([1e9, 1e9, 1e9].map(now => bucket.take(now))).to.deep.equal([true, true, false])
  })

  it('never grants more than the burst plus the rate times the time', () => {
    fc.assert(
      fc.property(fc.array(fc.nat(500), { maxLength: 100 }), steps => {
        const bucket = new TokenBucket(10, 5)
        let now = 0
        let granted = 0
        for (const step of steps) {
          now += step
          if (bucket.take(now)) granted++
          expect(granted).to.be.at.most(5 + (now * 10) / 1000 + 1e-6)
        }
      }),
      { numRuns: 200 },
    )
  })
})
