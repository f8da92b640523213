import { expect } from 'chai'
import { APPLICATION } from '../../../../src/quic/typescript/packet-number-space.ts'
import { DeliveryRate, type DeliveryRateSample } from '../../../../src/quic/typescript/recovery/delivery-rate.ts'
import { SentPacket } from '../../../../src/quic/typescript/recovery/sent-packet.ts'

const SIZE = 1000

class Flow {
  readonly rate = new DeliveryRate()
  #next = 0
  #inFlight = 0

  send(at: number): SentPacket {
    const packet = new SentPacket(APPLICATION, this.#next++, at, SIZE, true, true)
    this.rate.onSent(packet, this.#inFlight)
    this.#inFlight += SIZE
    return packet
  }

  ack(packets: readonly SentPacket[], now: number, minRtt = 0): DeliveryRateSample {
    this.rate.begin()
    for (const packet of packets) {
      this.rate.onAcked(packet, now)
      this.#inFlight -= SIZE
    }
    return { ...this.rate.sample(minRtt, now) }
  }

  /** There is nothing more to send. */
  idle(): void {
    this.rate.onNothingToSend(this.#inFlight)
  }
}

describe('delivery rate', () => {
  it('is what was delivered between the sending of a packet and its ACK, by that time', () => {
    const flow = new Flow()
    const packets: SentPacket[] = []
    const samples: DeliveryRateSample[] = []
    // One packet every 10 ms, whose ACK is here 100 ms later.
    for (let i = 0; i < 40; i++) {
      if (i >= 10) samples.push(flow.ack([packets[i - 10]], i * 10))
      packets.push(flow.send(i * 10))
    }
    expect(samples.at(-1)?.rate).to.be.closeTo(SIZE / 10, 1e-9)
    expect(samples.at(-1)).to.include({ delivered: 30 * SIZE, acked: SIZE, rttMs: 100, isAppLimited: false })
  })

  it('is not higher because ACKs come together', () => {
    const flow = new Flow()
    const packets: SentPacket[] = []
    for (let i = 0; i < 30; i++) {
      if (i >= 10 && i < 20) flow.ack([packets[i - 10]], i * 10)
      packets.push(flow.send(i * 10))
    }
    const { rate, acked } = flow.ack(packets.slice(10, 20), 300)
    expect(acked).to.equal(10 * SIZE)
    expect(rate).to.be.at.most(SIZE / 10)
    expect(rate).to.be.greaterThan(SIZE / 20)
  })

  it('is not higher because ACKs were held up before, and are not any more', () => {
    const flow = new Flow()
    const packets = Array.from({ length: 19 }, (_, i) => flow.send(i * 10))
    flow.ack(packets.slice(0, 10), 189)
    packets.push(flow.send(190))
    const { rate } = flow.ack(packets.slice(10), 210)
    expect(rate).to.be.closeTo(SIZE / 10, 1e-9)
  })

  it('is not higher because packets have left together, and arrive as the bottleneck lets them', () => {
    const flow = new Flow()
    const packets = Array.from({ length: 20 }, () => flow.send(0))
    const rates = packets.map((packet, i) => flow.ack([packet], 100 + i * 10).rate)
    expect(Math.max(...rates)).to.be.at.most(SIZE / 10)
    expect(Math.max(...rates)).to.be.greaterThan(SIZE / 20)
  })

  it('is not known from an ACK that is faster than the path can be', () => {
    const flow = new Flow()
    const packet = flow.send(0)
    expect(flow.ack([packet], 5, 100).rate).to.equal(0)
  })

  it('says when there was too little to send', () => {
    const flow = new Flow()
    const first = flow.send(0)
    flow.idle()
    const second = flow.send(50)
    expect(flow.ack([first], 100).isAppLimited).to.equal(false)
    expect(flow.ack([second], 150).isAppLimited).to.equal(true)
    const third = flow.send(160)
    expect(flow.ack([third], 260).isAppLimited).to.equal(false)
  })

  it('of an ACK that tells nothing new is none', () => {
    const flow = new Flow()
    flow.send(0)
    expect(flow.ack([], 100)).to.include({ rate: 0, acked: 0, rttMs: 0 })
  })
})
