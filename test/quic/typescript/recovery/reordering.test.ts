import { expect } from 'chai'
import fc from 'fast-check'
import type { AckRange } from '../../../../src/quic/typescript/frames/ack-frame.ts'
import { APPLICATION } from '../../../../src/quic/typescript/packet-number-space.ts'
import {
  MAX_PACKET_THRESHOLD,
  MAX_REMEMBERED,
  MAX_TIME_THRESHOLD,
  PACKET_THRESHOLD,
  Reordering,
  TIME_THRESHOLD,
} from '../../../../src/quic/typescript/recovery/reordering.ts'
import { SentPacket } from '../../../../src/quic/typescript/recovery/sent-packet.ts'
import { typescriptEngines } from '../engines.ts'
import { type Conditions, VirtualNetwork } from '../virtual-network.ts'

const RTT_MS = 100
const PATIENCE_MS = 1000

const packet = (number: number, sentAt = 0): SentPacket => new SentPacket(APPLICATION, number, sentAt, 1200, true, true)
const only = (number: number): AckRange[] => [{ smallest: number, largest: number }]

/** Packet 4 was taken for lost, and comes so late. */
function late(overtakenBy: number, afterMs: number): Reordering {
  const reordering = new Reordering()
  reordering.onLost(packet(4))
  reordering.onAck(only(4), 4 + overtakenBy, RTT_MS, PATIENCE_MS, afterMs)
  return reordering
}

describe('reordering', () => {
  it('begins with the thresholds of RFC 9002 §6.1, and what is lost and stays so leaves them', () => {
    const reordering = new Reordering()
    reordering.onLost(packet(4))
    reordering.onAck(only(9), 9, RTT_MS, PATIENCE_MS, 110)
    expect([reordering.packetThreshold, reordering.timeThreshold]).to.deep.equal([PACKET_THRESHOLD, TIME_THRESHOLD])
  })

  it('a packet that was taken for lost and then arrives raises the threshold above what has overtaken it', () => {
    expect(late(7, 100).packetThreshold).to.equal(8)
    expect(late(7, 100).timeThreshold).to.equal(TIME_THRESHOLD)
  })

  it('one that came later than the time allowed raises that, too', () => {
    expect(late(3, 150).timeThreshold).to.equal(1.5 + 1 / 8)
  })

  it('whatever a peer acknowledges, and however late, both stay within their bounds', () => {
    fc.assert(
      fc.property(fc.array(fc.tuple(fc.nat(2 ** 31), fc.nat(5000)), { maxLength: 50 }), acks => {
        const reordering = new Reordering()
        for (const [distance, afterMs] of acks) {
          reordering.onLost(packet(1))
          reordering.onAck(only(1), 1 + distance, RTT_MS, PATIENCE_MS, afterMs)
        }
        expect(reordering.packetThreshold).to.be.within(PACKET_THRESHOLD, MAX_PACKET_THRESHOLD)
        expect(reordering.timeThreshold).to.be.within(TIME_THRESHOLD, MAX_TIME_THRESHOLD)
      }),
    )
    expect(late(1_000_000, 900).packetThreshold).to.equal(MAX_PACKET_THRESHOLD)
    expect(late(1_000_000, 900).timeThreshold).to.equal(MAX_TIME_THRESHOLD)
  })

  it('what comes after a PTO tells of an outage, not of the order', () => {
    expect(late(50, PATIENCE_MS + 1).packetThreshold).to.equal(PACKET_THRESHOLD)
  })

  it('remembers so many lost packets and no more', () => {
    const reordering = new Reordering()
    for (let number = 0; number <= MAX_REMEMBERED; number++) reordering.onLost(packet(number))
    reordering.onAck(only(0), 100, RTT_MS, PATIENCE_MS, 100)
    expect(reordering.packetThreshold).to.equal(PACKET_THRESHOLD)
    reordering.onAck(only(1), 100, RTT_MS, PATIENCE_MS, 100)
    expect(reordering.packetThreshold).to.equal(100)
  })

  // With thresholds that do not move, seed 1 takes 21.0 s and 10.2 s; with these 4.1 to 5.8 s.
  const paths: [string, Partial<Conditions>, number][] = [
    ['by far, and come twice', { delayMs: 5, jitterMs: 20, duplicate: 0.1 }, 8000],
    ['a little', { delayMs: 20, jitterMs: 5 }, 5500],
  ]
  for (const [how, conditions, limitMs] of paths) {
    it(`a megabyte each way does not take long where packets overtake each other ${how}`, async () => {
      const engines = await typescriptEngines()
      for (const seed of [1, 2, 3]) {
        const network = new VirtualNetwork({ ...engines(seed), seed, conditions })
        const data = new Uint8Array(1 << 20)
        network.client.write(0, data)
        const isThere = network.run(() => network.server?.hasEnded(0) === true, limitMs)
        network.server?.write(0, data)
        network.turn('server')
        const isBack = network.run(() => network.client.hasEnded(0), limitMs)
        expect([isThere, isBack], `seed ${seed}`).to.deep.equal([true, true])
        expect(network.now - 1000, `ms with seed ${seed}`).to.be.lessThan(limitMs)
      }
    })
  }
})
