import { expect } from 'chai'
import type { EcnCounts } from '../../../../src/quic/typescript/frames/ack-frame.ts'
import {
  APPLICATION,
  HANDSHAKE,
  INITIAL,
  type PacketNumberSpace,
} from '../../../../src/quic/typescript/packet-number-space.ts'
import { Bbr } from '../../../../src/quic/typescript/recovery/congestion/bbr.ts'
import type { CongestionController } from '../../../../src/quic/typescript/recovery/congestion/controller.ts'
import { LossRecovery } from '../../../../src/quic/typescript/recovery/loss-recovery.ts'
import { Rtt } from '../../../../src/quic/typescript/recovery/rtt.ts'
import { type SentContent, SentPacket } from '../../../../src/quic/typescript/recovery/sent-packet.ts'
import { PROTOCOL_VIOLATION } from '../../../../src/quic/typescript/transport-error.ts'
import { codeOf } from '../streams/stream-ends.ts'

const SIZE = 1200

/** Writes down what it is told, and lets everything go. */
class Witness implements CongestionController {
  ignoresMarks = false
  readonly name = 'witness'
  window = 1_000_000
  readonly slowStartThreshold = Number.POSITIVE_INFINITY
  pacingRate = 1e9
  readonly told: string[] = []
  onSent(): void {}
  onAcked(packet: SentPacket): void {
    this.told.push(`acked ${packet.number}`)
  }
  onCongestion(sentAt: number, bytes: number): void {
    this.told.push(`lost ${bytes} bytes of ${sentAt}`)
  }
  onPersistentCongestion(): void {
    this.told.push('persistent congestion')
  }
  onDatagramSize(): void {}
}

class Recovery {
  readonly witness = new Witness()
  readonly recovery: LossRecovery
  readonly acked: string[] = []
  readonly lost: string[] = []
  now = 0

  constructor(role: 'client' | 'server' = 'client', confirmed = true, ecn = false) {
    this.recovery = new LossRecovery({
      role,
      congestionControl: () => this.witness,
      randomBytes: length => new Uint8Array(length).fill(255),
    })
    if (ecn) this.recovery.enableEcn()
    this.recovery.handshakeConfirmed = confirmed
    this.recovery.hasHandshakeKeys = confirmed
    this.recovery.maxAckDelayMs = 25
  }

  /** Sends a packet; returns its number. */
  send(
    space: PacketNumberSpace = APPLICATION,
    options: { eliciting?: boolean; inFlight?: boolean; path?: number; isMtuProbe?: boolean; empty?: boolean } = {},
  ): number {
    const {
      eliciting = true,
      inFlight = eliciting,
      path = this.recovery.path,
      isMtuProbe = false,
      empty = false,
    } = options
    const number = this.recovery.nextPacketNumber(space)
    const content: SentContent = {
      onAcked: () => this.acked.push(`${space}:${number}`),
      onLost: () => this.lost.push(`${space}:${number}`),
    }
    const contents = empty ? [] : [content]
    const packet = new SentPacket(space, number, this.now, SIZE, eliciting, inFlight, contents, path, isMtuProbe)
    packet.isEcnMarked = path === this.recovery.path && this.recovery.marksEcn
    this.recovery.onSent(packet)
    return number
  }

  ack(numbers: readonly number[], space: PacketNumberSpace = APPLICATION, delayMs = 0, ecn?: EcnCounts): void {
    const sorted = [...numbers].sort((a, b) => b - a)
    const ranges = sorted.map(number => ({ smallest: number, largest: number }))
    this.recovery.onAck(space, { largest: sorted[0], delay: 0, ranges, ecn }, delayMs, this.now)
  }

  /** Up to the next deadline, which is returned; undefined: there is none. */
  wait(): number | undefined {
    const at = this.recovery.deadline()
    if (at === undefined) return undefined
    this.now = Math.max(this.now, at)
    this.recovery.onDeadline(this.now)
    return at
  }

  probes(): number[] {
    return [INITIAL, HANDSHAKE, APPLICATION].map(space => this.recovery.probesDue(space as PacketNumberSpace))
  }

  /** With a round trip of so many ms. */
  measured(ms: number): this {
    this.send()
    this.now += ms
    this.ack([0])
    this.acked.length = 0
    this.witness.told.length = 0
    return this
  }
}

describe('loss recovery', () => {
  it('a packet is lost when one was acknowledged that was sent three later (RFC 9002 §6.1.1)', () => {
    const test = new Recovery().measured(100)
    for (let i = 1; i <= 5; i++) test.send()
    test.ack([3])
    expect(test.lost).to.deep.equal([])
    test.ack([5])
    expect(test.lost).to.deep.equal(['2:1', '2:2'])
    expect(test.acked).to.deep.equal(['2:3', '2:5'])
    expect([test.recovery.packetsLost, test.recovery.bytesInFlight]).to.deep.equal([2, SIZE])
    expect(test.witness.told).to.include(`lost ${2 * SIZE} bytes of 100`)
  })

  it('a packet is lost when one was acknowledged that is later, and 9/8 of a round trip has passed (§6.1.2)', () => {
    const test = new Recovery().measured(80)
    test.send()
    test.send()
    test.now += 80
    test.ack([2])
    expect(test.lost).to.deep.equal([])
    expect(test.wait()).to.equal(80 + 90)
    expect(test.lost).to.deep.equal(['2:1'])
    expect(test.recovery.deadline()).to.equal(undefined)
  })

  it('where a packet that was taken for lost was only late, more have to overtake the next (RFC 9002 §6.1.1)', () => {
    const test = new Recovery().measured(100)
    for (let i = 1; i <= 6; i++) test.send()
    test.ack([4, 5, 6])
    expect(test.lost).to.deep.equal(['2:1', '2:2', '2:3'])
    test.ack([1, 2, 3])
    for (let i = 7; i <= 13; i++) test.send()
    test.ack([12])
    expect(test.lost).to.have.length(3)
    test.ack([13])
    expect(test.lost.slice(3)).to.deep.equal(['2:7'])
    expect(test.recovery.packetsLost).to.equal(4)
  })

  it('what was learned of the order is forgotten with the path', () => {
    const test = new Recovery().measured(100)
    for (let i = 1; i <= 6; i++) test.send()
    test.ack([6])
    test.ack([1, 2, 3, 4, 5])
    test.recovery.onPathChange(1, true)
    test.lost.length = 0
    for (let i = 7; i <= 10; i++) test.send()
    test.ack([10])
    expect(test.lost).to.deep.equal(['2:7'])
  })

  it('nothing is lost because nothing is heard: after a PTO two probes ask (§6.2)', () => {
    const test = new Recovery().measured(100)
    test.send()
    // 100 + max(4 * 50, 1) + 25
    expect(test.wait()).to.equal(100 + 325)
    expect([test.lost, test.probes()]).to.deep.equal([['2:1'], [0, 0, 2]])
    expect(test.recovery.packetsLost).to.equal(0)
    test.send()
    test.send()
    expect(test.probes()).to.deep.equal([0, 0, 0])
    // Twice as long, from the probes on.
    expect(test.wait()).to.equal(425 + 650)
    expect(test.wait()).to.equal(425 + 1300)
    test.send()
    test.now += 10
    test.ack([4])
    expect(test.recovery.ptoCount).to.equal(0)
    expect(test.probes()).to.deep.equal([0, 0, 0])
  })

  it('what a probe has sent again is not lost a second time', () => {
    const test = new Recovery().measured(100)
    test.send()
    test.wait()
    expect(test.lost).to.deep.equal(['2:1'])
    test.send()
    test.send()
    test.send()
    test.now += 100
    test.ack([2, 3, 4])
    expect(test.lost).to.deep.equal(['2:1'])
    expect(test.recovery.packetsLost).to.equal(1)
  })

  it('a packet that is acknowledged late changes nothing', () => {
    const test = new Recovery().measured(100)
    for (let i = 1; i <= 4; i++) test.send()
    test.ack([4])
    expect(test.lost).to.deep.equal(['2:1'])
    test.ack([1, 4])
    expect([test.acked, test.recovery.bytesInFlight]).to.deep.equal([['2:4'], 2 * SIZE])
  })

  it('who acknowledges what was not sent breaks a rule (RFC 9000 §13.1)', () => {
    const test = new Recovery()
    test.send()
    expect(codeOf(() => test.ack([1]))).to.equal(PROTOCOL_VIOLATION)
    expect(codeOf(() => test.ack([0], HANDSHAKE))).to.equal(PROTOCOL_VIOLATION)
    expect(codeOf(() => test.ack([2 ** 62]))).to.equal(PROTOCOL_VIOLATION)
    expect(codeOf(() => test.ack([0]))).to.equal(undefined)
  })

  it('who acknowledges everything before it has come is caught by a number that was left out (RFC 9000 §21.4)', () => {
    const test = new Recovery()
    let code: number | undefined
    for (let i = 0; i < 300 && code === undefined; i++) {
      const largest = test.send()
      const all = { largest, delay: 0, ranges: [{ smallest: 0, largest }], ecn: undefined }
      code = codeOf(() => test.recovery.onAck(APPLICATION, all, 0, test.now))
    }
    expect(code).to.equal(PROTOCOL_VIOLATION)
  })

  it('an honest peer does not acknowledge the numbers that were left out', () => {
    const test = new Recovery()
    for (let i = 0; i < 2000; i++) test.ack([test.send()])
    expect(test.acked).to.have.length(2000)
    expect(test.recovery.nextPacketNumber(APPLICATION)).to.be.greaterThan(2000)
  })

  it('an ACK alone is not waited for, and costs nothing', () => {
    const test = new Recovery().measured(100)
    for (let i = 0; i < 10_000; i++) test.send(APPLICATION, { eliciting: false })
    expect([test.recovery.bytesInFlight, test.recovery.deadline()]).to.deep.equal([0, undefined])
    expect(test.recovery.shouldPing(APPLICATION)).to.equal(true)
    test.send()
    expect(test.recovery.shouldPing(APPLICATION)).to.equal(false)
  })

  it('a peer that acknowledges nothing is not sent PINGs without end, however many ACKs it gets', () => {
    const test = new Recovery().measured(100)
    let pings = 0
    let last = 0
    const acknowledge = (): void => {
      for (let i = 0; i < 1000; i++) {
        const eliciting = test.recovery.shouldPing(APPLICATION)
        const number = test.send(APPLICATION, { eliciting })
        if (!eliciting) continue
        pings++
        last = number
      }
    }
    acknowledge()
    expect(pings).to.equal(1)
    test.ack([last])
    acknowledge()
    expect(pings).to.equal(2)
  })

  it('the delay that the peer claims counts up to what it has promised, once the handshake is confirmed (§5.3)', () => {
    const test = new Recovery().measured(100)
    test.send()
    test.now += 200
    test.ack([1], APPLICATION, 1000)
    // (7 × 100 + 200 - 25) / 8
    expect(test.recovery.rtt.smoothed).to.equal(109.375)
  })

  it('nothing is measured by an ACK whose largest is known already (§5.1)', () => {
    const test = new Recovery().measured(100)
    test.send()
    test.send()
    test.ack([2])
    const { smoothed } = test.recovery.rtt
    test.now += 500
    test.ack([2, 1])
    expect(test.recovery.rtt.smoothed).to.equal(smoothed)
  })

  it('persistent congestion: all that was sent in three PTOs is lost (§7.6)', () => {
    const test = new Recovery().measured(100)
    const pto = 100 + 200 + 25
    test.now++
    test.send()
    test.now += 3 * pto + 1
    test.send()
    for (let i = 0; i < 3; i++) test.send()
    const sentAt = test.now
    test.now += 100
    test.ack([5])
    expect(test.witness.told.slice(0, 2)).to.deep.equal([
      `lost ${2 * SIZE} bytes of ${sentAt}`,
      'persistent congestion',
    ])
  })

  it('it is none when something that was sent between has arrived', () => {
    const test = new Recovery().measured(100)
    test.now++
    test.send()
    test.now += 600
    test.send()
    test.now += 600
    test.send()
    for (let i = 0; i < 3; i++) test.send()
    test.ack([2, 6])
    expect(test.lost).to.deep.equal(['2:1', '2:3'])
    expect(test.witness.told).to.not.include('persistent congestion')
  })

  it('it is none when something between had arrived before', () => {
    const test = new Recovery().measured(100)
    test.now++
    test.send()
    test.send()
    test.now += 100
    test.ack([2])
    expect(test.lost).to.deep.equal([])
    // Nobody has looked at the clock meanwhile.
    test.now = 1500
    for (let i = 0; i < 4; i++) test.send()
    test.now += 100
    test.ack([6])
    expect(test.lost).to.deep.equal(['2:1', '2:3'])
    expect(test.witness.told).to.not.include('persistent congestion')
  })

  it('it is none of what was sent before the first sample of the round trip (§7.6.2)', () => {
    const test = new Recovery()
    test.send()
    test.now = 5000
    for (let i = 0; i < 4; i++) test.send()
    test.now += 100
    test.ack([4])
    expect(test.lost).to.deep.equal(['2:0', '2:1'])
    expect(test.witness.told).to.not.include('persistent congestion')
  })

  it('a packet that the pacer holds back may leave later, and is not waited for when it is gone by then', () => {
    const test = new Recovery().measured(100)
    test.witness.pacingRate = 100
    while (test.recovery.maySend(SIZE, test.now)) test.send()
    expect(test.wait()).to.equal(test.now)
    expect(test.now).to.be.closeTo(100 + SIZE / 100, 1e-9)
    expect(test.recovery.deadline()).to.be.greaterThan(test.now + 100)
    expect(test.recovery.maySend(SIZE, test.now)).to.equal(true)
  })

  it('that a probe of the MTU is lost is no congestion (RFC 9000 §14.4)', () => {
    const test = new Recovery().measured(100)
    test.send(APPLICATION, { isMtuProbe: true })
    for (let i = 0; i < 3; i++) test.send()
    test.ack([2, 3, 4])
    expect(test.lost).to.deep.equal(['2:1'])
    expect(test.witness.told).to.deep.equal(['acked 2', 'acked 3', 'acked 4'])
    expect(test.recovery.bytesInFlight).to.equal(0)
  })

  it('a PTO does not send a probe of the MTU again', () => {
    const test = new Recovery().measured(100)
    test.send(APPLICATION, { isMtuProbe: true })
    test.wait()
    expect([test.lost, test.probes()]).to.deep.equal([[], [0, 0, 2]])
  })

  it('what was sent on another path says nothing about this one (RFC 9000 §9.4)', () => {
    const test = new Recovery().measured(100)
    const before = test.recovery.controller
    test.send()
    test.recovery.onPathChange(1, true)
    expect(test.recovery.bytesInFlight).to.equal(0)
    expect(test.recovery.rtt.hasSample).to.equal(false)
    expect(before).to.equal(test.witness)
    test.now += 500
    test.ack([1])
    expect([test.recovery.rtt.hasSample, test.recovery.bytesInFlight, test.acked]).to.deep.equal([false, 0, ['2:1']])
    for (let i = 0; i < 4; i++) test.send()
    test.now += 50
    test.ack([5])
    expect(test.recovery.rtt.smoothed).to.equal(50)
    expect(test.lost).to.deep.equal(['2:2'])
  })

  it('where only the port has changed everything stays as it was', () => {
    const test = new Recovery().measured(100)
    test.send()
    test.recovery.onPathChange(1, false)
    expect([test.recovery.bytesInFlight, test.recovery.rtt.smoothed]).to.deep.equal([SIZE, 100])
    test.send()
    expect(test.recovery.bytesInFlight).to.equal(2 * SIZE)
    test.ack([1, 2])
    expect(test.recovery.bytesInFlight).to.equal(0)
  })
})

describe('loss recovery with ECN', () => {
  it('takes a mark of a router for congestion, without a loss (RFC 9002 §7.1)', () => {
    const test = new Recovery('client', true, true)
    expect(test.recovery.marksEcn).to.equal(true)
    for (let i = 0; i < 4; i++) test.send()
    test.now = 50
    test.ack([0, 1], APPLICATION, 0, { ect0: 1, ect1: 0, ce: 1 })
    expect(test.witness.told[0]).to.equal('lost 0 bytes of 0')
    expect([test.lost, test.recovery.packetsLost]).to.deep.equal([[], 0])
  })

  it('takes no mark of the path before for congestion of this one (RFC 9000 §9.4)', () => {
    const test = new Recovery('client', true, true)
    for (let i = 0; i < 3; i++) test.send()
    test.recovery.onPathChange(1, true)
    test.now = 50
    test.send()
    test.ack([0, 1], APPLICATION, 0, { ect0: 1, ect1: 0, ce: 1 })
    expect(test.witness.told).to.deep.equal(['acked 0', 'acked 1'])
    // Of those that are told of together nobody knows which it was.
    test.now = 100
    test.ack([2, 3], APPLICATION, 0, { ect0: 2, ect1: 0, ce: 2 })
    expect(test.witness.told).to.include('lost 0 bytes of 50')
  })

  it('marks no more when the peer does not count', () => {
    const test = new Recovery('client', true, true)
    test.ack([test.send()])
    expect(test.recovery.marksEcn).to.equal(false)
    test.recovery.onPathChange(1, true)
    expect(test.recovery.marksEcn).to.equal(true)
  })

  it('marks nothing where the controller would not heed it (RFC 3168 §5)', () => {
    const test = new Recovery('client', true, true)
    test.witness.ignoresMarks = true
    expect(test.recovery.marksEcn).to.equal(false)
    expect(new Bbr({ datagramSize: SIZE, rtt: new Rtt(), random: () => 0 }).ignoresMarks).to.equal(true)
  })

  it('marks no probes of a PTO, also where marks have arrived before', () => {
    const test = new Recovery('client', true, true)
    test.send()
    test.now = 50
    test.ack([0], APPLICATION, 0, { ect0: 1, ect1: 0, ce: 0 })
    test.send()
    expect(test.recovery.marksEcn).to.equal(true)
    test.wait()
    expect([test.recovery.ptoCount, test.recovery.marksEcn]).to.deep.equal([1, false])
    test.ack([test.send()], APPLICATION, 0, { ect0: 1, ect1: 0, ce: 0 })
    expect([test.recovery.ptoCount, test.recovery.marksEcn]).to.deep.equal([0, true])
  })

  it('takes PTOs in a row for one silence: an outage says nothing of marks', () => {
    const test = new Recovery('client', true, true)
    test.ack([test.send()], APPLICATION, 0, { ect0: 1, ect1: 0, ce: 0 })
    test.send()
    for (let i = 0; i < 5; i++) test.wait()
    expect(test.recovery.ptoCount).to.equal(5)
    test.ack([test.send()], APPLICATION, 0, { ect0: 1, ect1: 0, ce: 0 })
    expect(test.recovery.marksEcn).to.equal(true)
  })

  it('counts marked packets that nobody waits for: those with nothing but an ACK', () => {
    const test = new Recovery('client', true, true)
    test.send(APPLICATION, { eliciting: false })
    test.send(APPLICATION, { eliciting: false })
    test.ack([test.send()], APPLICATION, 0, { ect0: 3, ect1: 0, ce: 0 })
    expect(test.recovery.marksEcn).to.equal(true)
    test.ack([test.send()], APPLICATION, 0, { ect0: 5, ect1: 0, ce: 0 })
    expect(test.recovery.marksEcn).to.equal(false)
  })

  it('tests a new path by its own packets: what becomes of those of the one before says nothing', () => {
    const test = new Recovery('client', true, true)
    test.ack([test.send()], APPLICATION, 0, { ect0: 1, ect1: 0, ce: 0 })
    for (let i = 1; i <= 20; i++) test.send()
    test.recovery.onPathChange(1, true)
    test.ack([1], APPLICATION, 0, { ect0: 2, ect1: 0, ce: 0 })
    for (let i = 0; i < 10; i++) {
      expect(test.recovery.marksEcn).to.equal(true)
      test.send()
    }
    expect(test.recovery.marksEcn).to.equal(false)
    // The others of the first path are lost by that; it was no test of this one.
    test.ack([20], APPLICATION, 0, { ect0: 3, ect1: 0, ce: 0 })
    expect(test.recovery.packetsLost).to.be.within(10, 18)
    test.ack([21], APPLICATION, 0, { ect0: 4, ect1: 0, ce: 0 })
    expect(test.recovery.marksEcn).to.equal(true)
  })

  it('does not look at the counts of an ACK that others have overtaken', () => {
    const test = new Recovery('client', true, true)
    for (let i = 0; i < 4; i++) test.send()
    test.ack([2], APPLICATION, 0, { ect0: 2, ect1: 0, ce: 0 })
    test.ack([1], APPLICATION, 0, { ect0: 1, ect1: 0, ce: 0 })
    expect(test.recovery.marksEcn).to.equal(true)
  })
})

describe('loss recovery in the handshake', () => {
  it('asks in the space that has waited longest, and in the others along with it (RFC 9002 §6.2.4)', () => {
    const test = new Recovery('server', false)
    test.send(INITIAL)
    test.now = 10
    test.send(HANDSHAKE)
    test.send(HANDSHAKE)
    test.send(APPLICATION)
    expect(test.wait()).to.equal(999)
    expect(test.probes()).to.deep.equal([2, 1, 1])
    expect(test.lost).to.deep.equal(['0:0', '1:0', '1:1', '2:0'])
  })

  it('does not ask about 1-RTT packets before it is confirmed (§6.2.1)', () => {
    const test = new Recovery('server', false)
    test.send(APPLICATION)
    expect(test.recovery.deadline()).to.equal(undefined)
    test.recovery.handshakeConfirmed = true
    expect(test.recovery.deadline()).to.equal(999 + 25)
  })

  it('a client asks also when it waits for nothing, until the server is known to know its address (§6.2.2.1)', () => {
    const test = new Recovery('client', false)
    test.send(INITIAL)
    test.now = 100
    test.ack([0], INITIAL)
    // 100 + 4 × 50
    expect(test.wait()).to.equal(100 + 300)
    expect(test.probes()).to.deep.equal([1, 0, 0])
    test.recovery.hasHandshakeKeys = true
    test.send(INITIAL, { empty: true })
    test.ack([1], INITIAL)
    test.wait()
    expect(test.probes()).to.deep.equal([0, 1, 0])
    test.send(HANDSHAKE)
    test.ack([0], HANDSHAKE)
    expect(test.recovery.deadline()).to.equal(undefined)
  })

  it('a client that has sent nothing yet waits for nothing', () => {
    const test = new Recovery('client', false)
    expect(test.recovery.deadline()).to.equal(undefined)
    test.recovery.onDeadline(5000)
    expect(test.probes()).to.deep.equal([0, 0, 0])
  })

  it('a client that was told that the handshake is over asks no more (RFC 9001 §4.1.2)', () => {
    const test = new Recovery('client', false)
    test.send(INITIAL)
    test.ack([0], INITIAL)
    test.recovery.discard(INITIAL, 0)
    test.recovery.handshakeConfirmed = true
    expect(test.recovery.deadline()).to.equal(undefined)
  })

  it('a client goes on to wait longer when only an Initial was acknowledged', () => {
    const test = new Recovery('client', false)
    test.send(INITIAL)
    test.wait()
    test.send(INITIAL)
    test.ack([1], INITIAL)
    expect(test.recovery.ptoCount).to.equal(1)
  })

  it('a server asks nothing when it may not send (§6.2.2.1)', () => {
    const test = new Recovery('server', false)
    test.send(INITIAL)
    test.recovery.amplificationBlocked = true
    expect(test.recovery.deadline()).to.equal(undefined)
    test.now = 5000
    test.recovery.onDeadline(test.now)
    expect(test.probes()).to.deep.equal([0, 0, 0])
    test.recovery.amplificationBlocked = false
    expect(test.recovery.deadline()).to.equal(999)
  })

  it('nothing is waited for any more in a space whose keys are gone', () => {
    const test = new Recovery('server', false)
    test.send(INITIAL)
    test.wait()
    test.recovery.discard(INITIAL, test.now)
    expect([test.recovery.bytesInFlight, test.recovery.deadline(), test.recovery.ptoCount]).to.deep.equal([
      0,
      undefined,
      0,
    ])
    expect(test.probes()).to.deep.equal([0, 0, 0])
    test.ack([0], INITIAL)
    expect(test.acked).to.deep.equal([])
  })

  it('after a Retry everything is sent again, and no congestion is seen', () => {
    const test = new Recovery('client', false)
    test.send(INITIAL)
    test.send(INITIAL)
    test.recovery.onRetry(50)
    expect(test.lost).to.deep.equal(['0:0', '0:1'])
    expect([test.recovery.bytesInFlight, test.witness.told, test.recovery.packetsLost]).to.deep.equal([0, [], 0])
    expect(test.recovery.nextPacketNumber(INITIAL)).to.equal(2)
  })
})
