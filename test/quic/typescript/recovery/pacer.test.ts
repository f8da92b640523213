import { expect } from 'chai'
import { Pacer } from '../../../../src/quic/typescript/recovery/pacer.ts'

const SIZE = 1000

describe('pacer', () => {
  it('lets ten datagrams go at a time, and then one after the other', () => {
    const pacer = new Pacer()
    const rate = 100
    for (let i = 0; i < 10; i++) {
      expect(pacer.nextSendAt(SIZE, rate, SIZE, 0)).to.equal(0)
      pacer.onSent(SIZE, rate, SIZE, 0)
    }
    expect(pacer.nextSendAt(SIZE, rate, SIZE, 0)).to.equal(10)
    expect(pacer.nextSendAt(SIZE, rate, SIZE, 4)).to.equal(10)
    expect(pacer.nextSendAt(SIZE, rate, SIZE, 10)).to.equal(10)
  })

  it('saves up no more than that while nothing is sent', () => {
    const pacer = new Pacer()
    let sent = 0
    while (pacer.nextSendAt(SIZE, 1, SIZE, 1_000_000) <= 1_000_000) {
      pacer.onSent(SIZE, 1, SIZE, 1_000_000)
      sent++
    }
    expect(sent).to.equal(10)
  })

  it('makes up for a timer that is late where the rate is high', () => {
    const pacer = new Pacer()
    const rate = 10_000
    let sent = 0
    for (let now = 0; now < 1000; now += 4) {
      while (pacer.nextSendAt(SIZE, rate, SIZE, now) <= now) {
        pacer.onSent(SIZE, rate, SIZE, now)
        sent += SIZE
      }
    }
    expect(sent / 1000).to.be.closeTo(rate, rate / 50)
  })

  it('counts what was sent without asking, but not without end', () => {
    const pacer = new Pacer()
    for (let i = 0; i < 1000; i++) pacer.onSent(SIZE, 100, SIZE, 0)
    expect(pacer.nextSendAt(SIZE, 100, SIZE, 0)).to.equal(110)
  })
})
