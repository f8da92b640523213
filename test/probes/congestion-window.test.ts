import { expect } from 'chai'
import { AimdWindow, RttEstimator } from '../../src/probes/congestion-window.ts'

describe('RttEstimator', () => {
  it('follows RFC 6298: the first sample, then the smoothed ones', () => {
    const rtt = new RttEstimator({ minMs: 0 })
    expect(rtt.rtoMs).to.equal(1000)
    rtt.sample(100)
    expect([rtt.smoothedMs, rtt.rtoMs]).to.deep.equal([100, 100 + 4 * 50])
    rtt.sample(180)
    // RTTVAR = 3/4 · 50 + 1/4 · 80 = 57.5, with the SRTT from before; SRTT = 7/8 · 100 + 1/8 · 180 = 110.
    expect([rtt.smoothedMs, rtt.rtoMs]).to.deep.equal([110, 110 + 4 * 57.5])
  })

  it('doubles the timeout when it runs out in vain, up to a bound, and forgets that with the next sample', () => {
    const rtt = new RttEstimator({ minMs: 200, maxMs: 1500 })
    rtt.sample(10)
    expect(rtt.rtoMs).to.equal(200)
    rtt.backOff()
    rtt.backOff()
    expect(rtt.rtoMs).to.equal(800)
    for (let i = 0; i < 100; i++) rtt.backOff()
    expect(rtt.rtoMs).to.equal(1500)
    rtt.sample(10)
    expect(rtt.rtoMs).to.equal(200)
  })

  it('ignores times that cannot be', () => {
    const rtt = new RttEstimator()
    rtt.sample(-1)
    rtt.sample(Number.NaN)
    expect(rtt.smoothedMs).to.equal(undefined)
  })
})

describe('AimdWindow', () => {
  it('doubles in slow start, then grows by one a round trip', () => {
    const window = new AimdWindow({ initial: 4, max: 1000 })
    window.onAcked(4)
    expect(window.cwnd).to.equal(8)
    window.onLoss()
    expect([window.cwnd, window.ssthresh]).to.deep.equal([4, 4])
    window.onAcked(4)
    expect(window.cwnd).to.be.closeTo(5, 0.15)
  })

  it('falls to one packet on a timeout, and climbs back to half of what it was in slow start', () => {
    const window = new AimdWindow({ initial: 40, max: 1000 })
    window.onTimeout()
    expect([window.cwnd, window.ssthresh]).to.deep.equal([1, 20])
    window.onAcked(19)
    expect(window.cwnd).to.equal(20)
  })

  it('stays within 2 packets and its maximum', () => {
    const window = new AimdWindow({ max: 12 })
    window.onAcked(1_000_000)
    expect(window.cwnd).to.equal(12)
    for (let i = 0; i < 10; i++) window.onLoss()
    expect(window.cwnd).to.equal(2)
  })
})
