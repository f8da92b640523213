import { expect } from 'chai'
import fc from 'fast-check'
import { APPLICATION, HANDSHAKE } from '../../../../src/quic/typescript/packet-number-space.ts'
import { isInRanges } from '../../../../src/quic/typescript/recovery/ack-ranges.ts'
import { MAX_ACK_RANGES, ReceivedPackets } from '../../../../src/quic/typescript/recovery/received-packets.ts'

const DELAY = 25

function receive(received: ReceivedPackets, numbers: readonly number[], now = 0): void {
  for (const number of numbers) received.onReceived(number, true, now)
}

function rangesOf(received: ReceivedPackets): number[][] {
  return received.ranges().map(({ smallest, largest }) => [largest, smallest])
}

describe('received packets', () => {
  it('are told as ranges, the highest first', () => {
    const received = new ReceivedPackets(APPLICATION, DELAY)
    receive(received, [0, 1, 5, 4, 9, 2])
    expect(rangesOf(received)).to.deep.equal([
      [9, 9],
      [5, 4],
      [2, 0],
    ])
    expect(received.largest).to.equal(9)
  })

  it('are told until the peer is known to know them, and later ones that come below once more (RFC 9000 §13.2.4)', () => {
    const received = new ReceivedPackets(APPLICATION, DELAY)
    receive(received, [0, 1, 3])
    const first = received.onAckSent()
    receive(received, [5])
    expect(rangesOf(received)).to.have.length(3)
    first.onAcked(0)
    expect(rangesOf(received)).to.deep.equal([[5, 5]])
    receive(received, [2])
    expect(rangesOf(received)).to.deep.equal([
      [5, 5],
      [3, 0],
    ])
  })

  it('are known when they come again, in whatever order they came', () => {
    fc.assert(
      fc.property(fc.array(fc.nat({ max: 200 }), { maxLength: 150 }), numbers => {
        const received = new ReceivedPackets(APPLICATION, DELAY)
        const model = new Set<number>()
        for (const number of numbers) {
          expect(received.isDuplicate(number), `packet ${number}`).to.equal(model.has(number))
          if (!model.has(number)) received.onReceived(number, true, 0)
          model.add(number)
        }
        const ranges = received.ranges()
        const told = [...model].filter(number => isInRanges(number, ranges))
        // Nothing that did not come, and of what did all that fits.
        for (let number = 0; number <= 200; number++) {
          if (isInRanges(number, ranges)) expect(model.has(number)).to.equal(true)
        }
        if (ranges.length < MAX_ACK_RANGES) expect(told).to.have.length(model.size)
      }),
    )
  })

  it('cost the same however many the peer leaves out: what is below counts as known', () => {
    const received = new ReceivedPackets(APPLICATION, DELAY)
    for (let number = 0; number < 100_000; number += 2) received.onReceived(number, true, 0)
    expect(received.ranges()).to.have.length(MAX_ACK_RANGES)
    expect(received.isDuplicate(1)).to.equal(true)
    expect(received.isDuplicate(99_997)).to.equal(false)
    expect(received.isDuplicate(99_996)).to.equal(true)
  })

  it('are acknowledged after a while, and every second one at once (RFC 9000 §13.2.1, §13.2.2)', () => {
    const received = new ReceivedPackets(APPLICATION, DELAY)
    expect([received.isAckPossible, received.ackDueAt]).to.deep.equal([false, undefined])
    receive(received, [0], 100)
    expect([received.isAckPossible, received.ackDueAt]).to.deep.equal([true, 125])
    receive(received, [1], 110)
    expect(received.ackDueAt).to.equal(110)
    expect(received.ackDelay(113)).to.equal(3)
    received.onAckSent()
    expect([received.isAckPossible, received.ackDueAt]).to.deep.equal([false, undefined])
  })

  it('the largest is what an ACK says the delay of, not one that came after it (RFC 9000 §13.2.5)', () => {
    const received = new ReceivedPackets(APPLICATION, DELAY)
    receive(received, [0, 2], 100)
    receive(received, [1], 110)
    expect(received.ackDelay(113)).to.equal(13)
  })

  it('are acknowledged at once in the handshake', () => {
    const received = new ReceivedPackets(HANDSHAKE, DELAY)
    receive(received, [0], 100)
    expect(received.ackDueAt).to.equal(100)
  })

  it('are acknowledged at once when they are out of order, or others are missing before them', () => {
    const received = new ReceivedPackets(APPLICATION, DELAY)
    receive(received, [0], 100)
    received.onAckSent()
    receive(received, [2], 200)
    expect(received.ackDueAt).to.equal(200)
    received.onAckSent()
    receive(received, [1], 300)
    expect(received.ackDueAt).to.equal(300)
    received.onAckSent()
    // Nothing is missing any more.
    receive(received, [3], 400)
    expect(received.ackDueAt).to.equal(425)
  })

  it('are acknowledged at once when they have met congestion', () => {
    const received = new ReceivedPackets(APPLICATION, DELAY)
    received.onReceived(0, true, 100, 3)
    expect(received.ackDueAt).to.equal(100)
    received.onReceived(1, true, 100, 2)
    received.onReceived(2, true, 100, 1)
    expect(received.ecn).to.deep.equal({ ect0: 1, ect1: 1, ce: 1 })
  })

  it('are acknowledged at once when somebody waits for it, and not if they ask for none', () => {
    const received = new ReceivedPackets(APPLICATION, DELAY)
    received.onReceived(0, false, 100)
    received.hurry(100)
    expect(received.ackDueAt).to.equal(undefined)
    received.onReceived(1, true, 110)
    expect(received.ackDueAt).to.equal(110 + DELAY)
    received.hurry(112)
    expect(received.ackDueAt).to.equal(112)
    received.hurry(120)
    expect(received.ackDueAt).to.equal(112)
  })

  it('with nothing that asks for an ACK get none', () => {
    const received = new ReceivedPackets(APPLICATION, DELAY)
    for (const number of [0, 1, 5, 3]) received.onReceived(number, false, 100)
    expect([received.isAckPossible, received.ackDueAt]).to.deep.equal([false, undefined])
  })
})
