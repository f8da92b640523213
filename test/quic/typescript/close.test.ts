import { expect } from 'chai'
import { Close } from '../../../src/quic/typescript/close.ts'

const MESSAGE = { application: true, code: 7, frameType: 0, reason: 'enough' }

describe('the end of a connection of the engine in TypeScript', () => {
  it('is told once, and then to whoever still sends, ever more seldom (RFC 9000 §10.2.1)', () => {
    const close = new Close()
    close.begin(MESSAGE)
    close.begin({ ...MESSAGE, code: 8 })
    expect(close.due).to.deep.equal(MESSAGE)
    close.onSent(0, 100)
    const answers: number[] = []
    for (let packet = 1; packet <= 1000; packet++) {
      close.onLatePacket()
      if (close.due === undefined) continue
      answers.push(packet)
      close.onSent(packet / 10, 100)
    }
    expect(answers).to.deep.equal([1, 3, 7, 15, 31, 63, 127, 255, 511])
    expect(close.reason).to.deep.equal({ source: 'local', application: true, code: 7, reason: 'enough' })
  })

  it('lasts three probe timeouts from the first close on, whatever comes', () => {
    const close = new Close()
    close.begin(MESSAGE)
    expect(close.deadline).to.equal(undefined)
    close.onSent(10, 100)
    close.onLatePacket()
    close.onSent(200, 100)
    expect(close.deadline).to.equal(310)
    close.onDeadline(309)
    expect(close.isOver).to.equal(false)
    close.onDeadline(310)
    expect(close.isOver).to.equal(true)
  })

  it('is silent when the peer has ended it: nothing is answered', () => {
    const close = new Close()
    close.onPeerClose(false, 3, 'you', 10, 100)
    close.onLatePacket()
    close.begin(MESSAGE)
    expect([close.due, close.isOpen, close.deadline]).to.deep.equal([undefined, false, 310])
    expect(close.reason).to.deep.equal({ source: 'peer', application: false, code: 3, reason: 'you' })
  })

  it('says nothing more when the peer closes while we do, and keeps our reason', () => {
    const close = new Close()
    close.begin(MESSAGE)
    close.onPeerClose(false, 3, 'you', 10, 100)
    expect(close.due).to.equal(undefined)
    expect(close.reason?.source).to.equal('local')
  })
})
