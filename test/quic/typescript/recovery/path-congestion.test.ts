import { expect } from 'chai'
import { APPLICATION } from '../../../../src/quic/typescript/packet-number-space.ts'
import { NewReno } from '../../../../src/quic/typescript/recovery/congestion/new-reno.ts'
import { PathCongestion } from '../../../../src/quic/typescript/recovery/path-congestion.ts'
import { Rtt } from '../../../../src/quic/typescript/recovery/rtt.ts'
import { SentPacket } from '../../../../src/quic/typescript/recovery/sent-packet.ts'

const SIZE = 1200
const ROUND_TRIP_MS = 100

/** A path in slow start with a window of ten packets, and whoever sends on it. */
class Sender {
  readonly rtt = new Rtt()
  readonly controller = new NewReno({ datagramSize: SIZE, rtt: this.rtt, random: () => 0 })
  readonly path = new PathCongestion(this.rtt, this.controller, SIZE)
  readonly #onTheWay: SentPacket[] = []
  #next = 0

  /** As many as may leave, of so many that wait. Returns how many those were. */
  send(waiting: number, now: number): number {
    let sent = 0
    while (sent < waiting && this.path.maySend(SIZE, now)) {
      const packet = new SentPacket(APPLICATION, this.#next++, now, SIZE, true, true)
      this.path.onSent(packet)
      this.#onTheWay.push(packet)
      sent++
    }
    return sent
  }

  /** An ACK for the oldest ones. */
  acknowledge(count: number, now: number): void {
    this.path.onAckBegun()
    this.rtt.onSample(ROUND_TRIP_MS, 0, now)
    for (const packet of this.#onTheWay.splice(0, count)) this.path.onAcked(packet, now)
    this.path.onAckDone(now)
  }

  get windowInPackets(): number {
    return this.controller.window / SIZE
  }
}

describe('whether the window was used (RFC 9002 §7.8)', () => {
  it('ACKs that come together, before anything can be sent between them, all count', () => {
    const sender = new Sender()
    expect(sender.send(100, 0)).to.equal(10)
    for (let i = 0; i < 5; i++) sender.acknowledge(2, ROUND_TRIP_MS)
    expect(sender.windowInPackets).to.equal(20)
  })

  it('a window that only the pacer keeps from being filled grows', () => {
    const sender = new Sender()
    sender.send(100, 0)
    sender.acknowledge(10, ROUND_TRIP_MS)
    // Half of it: the burst that the pacer allows.
    expect(sender.send(100, ROUND_TRIP_MS)).to.equal(10)
    expect(sender.path.pacedUntil).to.be.greaterThan(ROUND_TRIP_MS)
    sender.acknowledge(10, 2 * ROUND_TRIP_MS)
    expect(sender.windowInPackets).to.equal(30)
  })

  it('a window that there was too little to fill with stays, in slow start too', () => {
    const sender = new Sender()
    expect(sender.send(6, 0)).to.equal(6)
    sender.acknowledge(6, ROUND_TRIP_MS)
    expect(sender.windowInPackets).to.equal(10)
  })

  it('a packet for which there is no room, and which does not wait for it, changes nothing', () => {
    const sender = new Sender()
    expect(sender.send(6, 0)).to.equal(6)
    expect(sender.path.hasRoom(4 * SIZE, 0)).to.equal(true)
    expect(sender.path.hasRoom(4 * SIZE + 1, 0)).to.equal(false)
    sender.acknowledge(6, ROUND_TRIP_MS)
    expect(sender.windowInPackets).to.equal(10)
    sender.send(100, ROUND_TRIP_MS)
    expect(sender.path.hasRoom(SIZE, ROUND_TRIP_MS)).to.equal(false)
  })

  it('a window of which three packets are left was used', () => {
    const sender = new Sender()
    expect(sender.send(7, 0)).to.equal(7)
    sender.acknowledge(7, ROUND_TRIP_MS)
    expect(sender.windowInPackets).to.equal(17)
  })
})
