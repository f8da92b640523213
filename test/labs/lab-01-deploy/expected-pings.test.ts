import { expect } from 'chai'
import { expectedPings } from '../../../labs/lab-01-deploy/netem/expected.ts'
import { loadProfile } from '../../../src/link/profile/load-profile.ts'
import { CLEAN, type Profile } from '../../../src/link/profile/profile.ts'

const both = (changes: Partial<Profile['up']>): Profile => ({
  ...loadProfile('clean'),
  up: { ...CLEAN, ...changes },
  down: { ...CLEAN, ...changes },
})

describe('what lab 1’s netem script expects of pings', () => {
  it('a round trip is twice the delay, and all come back, on a link that only delays', () => {
    expect(expectedPings(both({ delayMs: 20 }), 50)).to.deep.equal({
      rttMs: { least: 40, quartile: 40, median: 40 },
      lossRate: 0,
      designEffect: 1,
    })
  })

  it('a loss on either way is a lost ping', () => {
    // 20 000 pings from a fixed seed: the standard deviation of the rate is 0.003.
    const { lossRate, designEffect } = expectedPings(both({ loss: { model: 'random', rate: 0.1, correlation: 0 } }), 50)
    expect(lossRate).to.be.closeTo(0.19, 0.015)
    expect(designEffect).to.be.below(1.4)
  })

  it('losses in bursts are worth fewer independent ones', () => {
    const loss = { model: 'gemodel', p: 0.01, r: 0.1, oneMinusH: 1, oneMinusK: 0 } as const
    expect(expectedPings(both({ loss }), 50).designEffect).to.be.above(3)
  })
})
