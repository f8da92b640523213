import { expect } from 'chai'
import fc from 'fast-check'
import { ConfigError } from '../../../src/config/config-error.ts'
import { changedImpairment, loadProfile, profileNames } from '../../../src/link/profile/load-profile.ts'
import { CLEAN } from '../../../src/link/profile/profile.ts'

describe('a change of a running link', () => {
  const { up } = loadProfile('lte')

  it('without a value leaves every shipped impairment as it was', () => {
    fc.assert(
      fc.property(
        fc.constantFrom(...profileNames()),
        fc.constantFrom('up' as const, 'down' as const),
        (name, direction) => {
          const before = loadProfile(name)[direction]
          expect(changedImpairment(before, {})).to.deep.equal(before)
        },
      ),
    )
  })

  it('changes what it names and nothing else', () => {
    expect(changedImpairment(up, { delay: '50ms' })).to.deep.equal({ ...up, delayMs: 50 })
    expect(changedImpairment(up, { delay: '50ms 9ms' })).to.deep.equal({ ...up, delayMs: 50, jitterMs: 9 })
    expect(changedImpairment(up, { delay: '50ms', jitter: '9ms' })).to.deep.equal({ ...up, delayMs: 50, jitterMs: 9 })
    expect(changedImpairment(up, { loss: 'none' })).to.deep.equal({ ...up, loss: { model: 'none' } })
    expect(changedImpairment(up, { limit: '5 packets' }).rate).to.deep.equal({ ...up.rate, limit: { packets: 5 } })
    expect(changedImpairment(CLEAN, { delay: '9ms', reorder: '2%', gap: '5' }).reorder).to.deep.equal({
      rate: 0.02,
      correlation: 0,
      gap: 5,
    })
  })

  it('a rate keeps the queue and gets a bucket of its own; none takes it away', () => {
    const { rate } = changedImpairment(up, { rate: '1Mbit' })
    expect(rate).to.deep.equal({ bitsPerSecond: 1e6, limit: up.rate?.limit, burstBytes: 3200 })
    expect(changedImpairment(up, { rate: 'none' }).rate).to.equal(undefined)
  })

  it('a trace stays, its queue may change, and a rate takes its place', () => {
    const weak = loadProfile('lte-weak').down
    expect(changedImpairment(weak, { delay: '5ms', limit: '7 packets' }).trace).to.deep.equal({
      ...weak.trace,
      limit: { packets: 7 },
    })
    const rated = changedImpairment(weak, { rate: '2mbit' })
    expect(rated.trace).to.equal(undefined)
    expect(rated.rate?.bitsPerSecond).to.equal(2e6)
    expect(changedImpairment(weak, { trace: 'none' })).to.not.have.any.keys('rate', 'trace')
  })

  it('an outage that lasts goes on', () => {
    expect(changedImpairment({ ...up, down: true }, { delay: '1ms' }).down).to.equal(true)
  })

  for (const [values, message] of [
    [{ delay: '5' }, /delay: found "5", expected a time with its unit/],
    [{ dealy: '5ms' }, /dealy: unknown key, did you mean delay/],
    [{ reorder: '2%', delay: '0ms' }, /reorder: found it without delay/],
    [{ gap: 'x' }, /gap: found "x"/],
    [{ trace: '/no/such.trace' }, /there is no such trace file/],
  ] as const) {
    it(`refuses ${JSON.stringify(values)} as a profile would`, () => {
      expect(() => changedImpairment(up, values)).to.throw(ConfigError, message)
    })
  }
  it('refuses a queue where nothing waits', () => {
    expect(() => changedImpairment(CLEAN, { limit: '5 packets' })).to.throw(
      ConfigError,
      /limit: found it without rate or trace/,
    )
  })
})
