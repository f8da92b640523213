import { expect } from 'chai'
import { Rtt } from '../../../../src/quic/typescript/recovery/rtt.ts'

describe('round-trip time', () => {
  it('is a guess before the first sample (RFC 9002 §6.2.2)', () => {
    const rtt = new Rtt()
    expect([rtt.smoothed, rtt.variation, rtt.probeTimeout]).to.deep.equal([333, 166.5, 999])
  })

  it('is the first sample, whatever delay the peer claims', () => {
    const rtt = new Rtt()
    rtt.onSample(100, 40, 5)
    expect([rtt.smoothed, rtt.variation, rtt.min, rtt.firstSampleAt]).to.deep.equal([100, 50, 100, 5])
  })

  it('follows later ones slowly, without the time that the peer waited (RFC 9002 §5.3)', () => {
    const rtt = new Rtt()
    rtt.onSample(100, 0, 0)
    rtt.onSample(200, 20, 0)
    expect([rtt.latest, rtt.smoothed, rtt.variation]).to.deep.equal([200, 110, 57.5])
  })

  it('is never shorter than the shortest, by a delay that is not believed', () => {
    const rtt = new Rtt()
    rtt.onSample(100, 0, 0)
    rtt.onSample(110, 20, 0)
    expect([rtt.smoothed, rtt.min]).to.deep.equal([101.25, 100])
  })

  it('asks no sooner than timers can (RFC 9002 §6.1.2)', () => {
    const rtt = new Rtt()
    for (let i = 0; i < 100; i++) rtt.onSample(0.2, 0, 0)
    expect(rtt.probeTimeout).to.be.closeTo(1.2, 1e-6)
  })
})
