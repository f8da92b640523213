import { expect } from 'chai'
import { IdleTimeout } from '../../../src/quic/typescript/idle-timeout.ts'

describe('the idle timeout of the engine in TypeScript (RFC 9000 §10.1)', () => {
  it('is the smaller of both, where both have one', () => {
    for (const [own, peers, expected] of [
      [5000, 3000, 3000],
      [3000, 5000, 3000],
      [0, 4000, 4000],
      [4000, 0, 4000],
    ]) {
      const idle = new IdleTimeout(own)
      idle.onPeerTimeout(peers)
      idle.onReceived(100)
      expect(idle.deadline(10), `${own} and ${peers}`).to.equal(100 + expected)
    }
  })

  it('never comes where neither has one', () => {
    const idle = new IdleTimeout(0)
    idle.onPeerTimeout(0)
    idle.onReceived(100)
    expect(idle.deadline(10)).to.equal(undefined)
  })

  it('is never shorter than three probe timeouts', () => {
    const idle = new IdleTimeout(100)
    idle.onReceived(0)
    expect(idle.deadline(1000)).to.equal(3000)
  })

  it('begins again with the first thing that the peer must answer, not with what is sent again and again to a peer that is gone', () => {
    const idle = new IdleTimeout(1000)
    idle.onReceived(0)
    idle.onSent(false, 100)
    expect(idle.deadline(1)).to.equal(1000)
    idle.onSent(true, 200)
    idle.onSent(true, 300)
    expect(idle.deadline(1)).to.equal(1200)
    idle.onReceived(400)
    idle.onSent(true, 500)
    expect(idle.deadline(1)).to.equal(1500)
  })

  it('begins with the first packet that a client sends', () => {
    const idle = new IdleTimeout(1000)
    expect(idle.deadline(1)).to.equal(undefined)
    idle.onSent(true, 50)
    expect(idle.deadline(1)).to.equal(1050)
  })
})
