import { expect } from 'chai'
import { APPLICATION } from '../../../../../src/quic/typescript/packet-number-space.ts'
import { SlowStartExit } from '../../../../../src/quic/typescript/recovery/congestion/slow-start-exit.ts'
import { Rtt } from '../../../../../src/quic/typescript/recovery/rtt.ts'
import { SentPacket } from '../../../../../src/quic/typescript/recovery/sent-packet.ts'

const PACKETS = 10

/** Rounds of ten packets each, with these round trips; what it says after each. */
function rounds(rtts: readonly number[]): { growth: number; isOver: boolean }[] {
  const rtt = new Rtt()
  const exit = new SlowStartExit(rtt)
  let number = 0
  const sendRound = (): SentPacket[] =>
    Array.from({ length: PACKETS }, () => {
      const packet = new SentPacket(APPLICATION, number++, 0, 1000, true, true)
      exit.onSent(packet)
      return packet
    })
  let onTheWay = sendRound()
  return rtts.map(ms => {
    const arrived = onTheWay
    rtt.onSample(ms, 0, 0)
    exit.onAcked(arrived[0])
    onTheWay = sendRound()
    for (const packet of arrived.slice(1)) {
      rtt.onSample(ms, 0, 0)
      exit.onAcked(packet)
    }
    return { growth: exit.growth, isOver: exit.isOver }
  })
}

describe('HyStart++ (RFC 9406)', () => {
  it('lets slow start go on while round trips are as long as before', () => {
    expect(rounds([50, 51, 50, 53, 50, 50]).every(({ growth, isOver }) => growth === 1 && !isOver)).to.equal(true)
  })

  it('slows it down when they become longer, and ends it five rounds later', () => {
    const said = rounds([50, 50, 60, 60, 60, 60, 60, 60, 60])
    expect(said.map(({ growth }) => growth)).to.deep.equal([1, 1, 0.25, 0.25, 0.25, 0.25, 0.25, 0.25, 0.25])
    expect(said.findIndex(({ isOver }) => isOver)).to.equal(7)
  })

  it('takes that back when they become shorter again', () => {
    const said = rounds([50, 50, 60, 50, 50, 50, 50, 50, 50, 50])
    expect(said.map(({ growth }) => growth)).to.deep.equal([1, 1, 0.25, 1, 1, 1, 1, 1, 1, 1])
    expect(said.some(({ isOver }) => isOver)).to.equal(false)
  })

  it('takes as longer what is an eighth longer, but 4 ms at least and 16 ms at most', () => {
    const slowsDown = (before: number, after: number): boolean => rounds([before, before, after]).at(-1)!.growth < 1
    expect([slowsDown(10, 13.9), slowsDown(10, 14)]).to.deep.equal([false, true])
    expect([slowsDown(80, 89), slowsDown(80, 90)]).to.deep.equal([false, true])
    expect([slowsDown(400, 415), slowsDown(400, 416)]).to.deep.equal([false, true])
  })
})
