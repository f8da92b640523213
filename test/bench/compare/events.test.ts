import { expect } from 'chai'
import { stretchOf } from '../../../bench/compare/events.ts'
import { loadProfile, profileNames } from '../../../src/link/profile/load-profile.ts'

describe('the stretch of a profile that a comparison plays', () => {
  it('begins three seconds before the first event and ends five seconds after the last', () => {
    expect(stretchOf(loadProfile('outage-3s'))).to.deep.equal({
      fromMs: 7000,
      toMs: 18_000,
      events: [{ kind: 'outage', atMs: 10_000, endMs: 13_000 }],
    })
    expect(stretchOf(loadProfile('handover-wifi-lte'))).to.deep.equal({
      fromMs: 12_000,
      toMs: 20_000,
      events: [{ kind: 'handover', atMs: 15_000, endMs: 15_000 }],
    })
    expect(stretchOf(loadProfile('nat-rebind')).events).to.deep.equal([
      { kind: 'nat-rebind', atMs: 10_000, endMs: 10_000 },
    ])
  })

  it('is eight seconds of a profile in which nothing happens', () => {
    expect(stretchOf(loadProfile('loss-5'))).to.deep.equal({ fromMs: 0, toMs: 8000, events: [] })
  })

  it('is less than a minute and a half of every shipped profile', () => {
    for (const name of profileNames()) {
      const { fromMs, toMs } = stretchOf(loadProfile(name))
      expect(toMs - fromMs, name).to.be.within(8000, 90_000)
    }
  })
})
