import { expect } from 'chai'
import { appendShortHeader } from '../../../../src/quic/typescript/packets/short-header.ts'
import { OneRttKeys } from '../../../../src/quic/typescript/protection/one-rtt-keys.ts'
import type { OpenedPacket } from '../../../../src/quic/typescript/protection/packet-keys.ts'
import type { OneRttLimits } from '../../../../src/quic/typescript/protection/usage-limits.ts'
import {
  AEAD_LIMIT_REACHED,
  KEY_UPDATE_ERROR,
  PROTOCOL_VIOLATION,
} from '../../../../src/quic/typescript/transport-error.ts'
import { WireWriter } from '../../../../src/quic/typescript/wire-writer.ts'
import { codeOf } from '../code-of.ts'

const DCID = Uint8Array.of(1, 2, 3, 4)
const PTO = 100

/** One side of a connection, as far as its 1-RTT keys go. */
class Side {
  readonly keys: OneRttKeys
  now = 0
  #packetNumber = 0
  #largest = -1

  constructor(write: number, read: number, limits?: OneRttLimits) {
    this.keys = new OneRttKeys(limits)
    this.keys.setSecret('write', 0x1301, new Uint8Array(32).fill(write))
    this.keys.setSecret('read', 0x1301, new Uint8Array(32).fill(read))
    this.keys.onHandshakeConfirmed()
  }

  send(packetNumber: number = this.#packetNumber, reserved = 0): Uint8Array {
    this.#packetNumber = packetNumber + 1
    const to = new WireWriter(new Uint8Array(60))
    const phase = this.keys.nextKeyPhase(this.now)
    appendShortHeader(to, DCID, phase, 0, packetNumber, 4)
    to.bytes[0] |= reserved
    to.zeros(20)
    const length = this.keys.seal(to.bytes, to.offset - 20, 20, packetNumber, 4)
    return to.bytes.subarray(0, length)
  }

  receive(packet: Uint8Array): OpenedPacket | undefined {
    const opened = this.keys.open(packet.slice(), 0, 1 + DCID.length, packet.length, this.#largest, this.now)
    if (opened !== undefined) this.#largest = Math.max(this.#largest, opened.packetNumber)
    return opened
  }

  acknowledge(largest = this.#packetNumber - 1): void {
    this.keys.onAcknowledged(largest, this.now, PTO)
  }
}

function pair(limits?: OneRttLimits): [Side, Side] {
  return [new Side(1, 2, limits), new Side(2, 1, limits)]
}

/** Each hears from the other, and of it: from now on either may update. */
function talk(a: Side, b: Side): void {
  expect(b.receive(a.send())).to.not.equal(undefined)
  expect(a.receive(b.send())).to.not.equal(undefined)
  a.acknowledge()
  b.acknowledge()
}

/** Long after the last update: another may follow. */
function later(a: Side, b: Side): void {
  a.now += 10 * PTO
  b.now += 10 * PTO
}

describe('1-RTT keys', () => {
  it('are there in one direction before the other', () => {
    const keys = new OneRttKeys()
    expect([keys.canSeal, keys.canOpen]).to.deep.equal([false, false])
    keys.setSecret('write', 0x1301, new Uint8Array(32))
    expect([keys.canSeal, keys.canOpen]).to.deep.equal([true, false])
    expect(keys.open(new Uint8Array(60), 0, 5, 60, -1, 0)).to.equal(undefined)
  })

  it('are updated when asked to, and the peer follows with its next packet', () => {
    const [a, b] = pair()
    talk(a, b)
    a.keys.requestUpdate()
    expect(b.receive(a.send())?.keyPhase).to.equal(1)
    expect(a.receive(b.send())?.keyPhase).to.equal(1)
    expect([a.keys.updates, b.keys.updates]).to.deep.equal([1, 1])
  })

  it('are updated again and again, from both sides', () => {
    const [a, b] = pair()
    for (let updates = 1; updates <= 6; updates++) {
      talk(a, b)
      later(a, b)
      const [first, second] = updates % 2 ? [a, b] : [b, a]
      first.keys.requestUpdate()
      expect(second.receive(first.send())?.keyPhase).to.equal(updates & 1)
      expect(first.receive(second.send())?.keyPhase).to.equal(updates & 1)
      expect([a.keys.updates, b.keys.updates]).to.deep.equal([updates, updates])
    }
  })

  it('are not updated before the handshake is confirmed, nor before a packet was acknowledged (RFC 9001 §6.1)', () => {
    const keys = new OneRttKeys()
    keys.setSecret('write', 0x1301, new Uint8Array(32))
    keys.requestUpdate()
    expect(keys.nextKeyPhase(0)).to.equal(0)
    keys.seal(new Uint8Array(60), 10, 20, 7, 4)
    keys.onAcknowledged(7, 0, PTO)
    expect(keys.nextKeyPhase(0), 'acknowledged, not confirmed').to.equal(0)
    keys.onHandshakeConfirmed()
    expect(keys.nextKeyPhase(0)).to.equal(1)

    const other = new OneRttKeys()
    other.setSecret('write', 0x1301, new Uint8Array(32))
    other.onHandshakeConfirmed()
    other.requestUpdate()
    expect(other.nextKeyPhase(0), 'confirmed, nothing sent').to.equal(0)
    other.seal(new Uint8Array(60), 10, 20, 7, 4)
    other.onAcknowledged(6, 0, PTO)
    expect(other.nextKeyPhase(0), 'acknowledged what was sent before').to.equal(0)
    other.onAcknowledged(7, 0, PTO)
    expect(other.nextKeyPhase(0)).to.equal(1)
  })

  it('are not updated a second time before the peer has answered, and 3 PTO have passed', () => {
    const [a, b] = pair()
    talk(a, b)
    a.keys.requestUpdate()
    b.receive(a.send())
    a.acknowledge()
    a.keys.requestUpdate()
    a.now += 10 * PTO
    expect(a.keys.nextKeyPhase(a.now), 'no answer with the new keys').to.equal(1)
    a.receive(b.send())
    expect(a.keys.nextKeyPhase(a.now), 'answered, and long ago').to.equal(0)

    const [c, d] = pair()
    talk(c, d)
    c.keys.requestUpdate()
    d.receive(c.send())
    c.receive(d.send())
    c.acknowledge()
    c.keys.requestUpdate()
    c.now += 3 * PTO - 1
    expect(c.keys.nextKeyPhase(c.now), 'just acknowledged').to.equal(1)
    c.now += 1
    expect(c.keys.nextKeyPhase(c.now)).to.equal(0)
  })

  it('of before open what is late, for 3 PTO', () => {
    for (const [wait, opens] of [
      [3 * PTO - 1, true],
      [3 * PTO, false],
    ] as const) {
      const [a, b] = pair()
      talk(a, b)
      const late = a.send()
      a.keys.requestUpdate()
      b.receive(a.send())
      b.now += wait
      expect(b.receive(late) !== undefined, `after ${wait} ms`).to.equal(opens)
      expect(b.receive(a.send())?.keyPhase).to.equal(1)
    }
  })

  it('follow those of a server whose HANDSHAKE_DONE is not here yet, which has confirmed the handshake before us', () => {
    const server = new Side(1, 2)
    const keys = new OneRttKeys()
    keys.setSecret('write', 0x1301, new Uint8Array(32).fill(2))
    keys.setSecret('read', 0x1301, new Uint8Array(32).fill(1))
    server.send()
    server.acknowledge()
    server.keys.requestUpdate()
    const packet = server.send()
    expect(keys.open(packet, 0, 1 + DCID.length, packet.length, 0, 0)?.keyPhase).to.equal(1)
    expect(keys.updates).to.equal(1)
  })

  it('of two updates ago are gone with the second one, though their time is not over', () => {
    const [a, b] = pair()
    talk(a, b)
    const [late, later] = [a.send(), a.send()]
    const told: string[] = []
    b.keys.onChange = (change, direction, generation) => told.push(`${change} ${direction} ${generation}`)
    for (let updates = 1; updates <= 2; updates++) {
      a.keys.requestUpdate()
      expect(b.receive(a.send())?.keyPhase).to.equal(updates & 1)
      if (updates === 1) expect(b.receive(late)?.keyPhase).to.equal(0)
      talk(a, b)
      // For b hardly any time has passed.
      a.now += 10 * PTO
    }
    expect(b.receive(later)).to.equal(undefined)
    expect(told.filter(each => each.includes('read'))).to.deep.equal([
      'updated read 1',
      'discarded read 0',
      'updated read 2',
    ])
    talk(a, b)
  })

  it('follow when both sides update at the same time', () => {
    const [a, b] = pair()
    talk(a, b)
    a.keys.requestUpdate()
    b.keys.requestUpdate()
    const [fromA, fromB] = [a.send(), b.send()]
    expect(b.receive(fromA)?.keyPhase).to.equal(1)
    expect(a.receive(fromB)?.keyPhase).to.equal(1)
    expect([a.keys.updates, b.keys.updates]).to.deep.equal([1, 1])
    talk(a, b)
  })

  it('refuse a second update of the peer before the first was answered (§6.2)', () => {
    const [a, b] = pair()
    talk(a, b)
    a.keys.requestUpdate()
    b.receive(a.send())
    // A peer that does not wait for the answer: it has the next keys from another connection with the same secrets.
    const [impatient, other] = pair()
    for (let i = 0; i < 2; i++) {
      talk(impatient, other)
      later(impatient, other)
      impatient.keys.requestUpdate()
      other.receive(impatient.send())
      impatient.receive(other.send())
    }
    const second = impatient.send(100)
    expect(codeOf(() => b.receive(second))).to.equal(KEY_UPDATE_ERROR)
  })

  it('refuse old keys under a higher number than new ones (§6.4)', () => {
    const [a, b] = pair()
    talk(a, b)
    b.receive(a.send(50))
    const [c, d] = pair()
    talk(c, d)
    c.keys.requestUpdate()
    const updated = c.send(40)
    expect(codeOf(() => b.receive(updated))).to.equal(KEY_UPDATE_ERROR)
  })

  it('of before do not open what was sent between packets of the new ones', () => {
    const [a, b] = pair()
    talk(a, b)
    const [other] = pair()
    const old = other.send(9)
    a.keys.requestUpdate()
    const early = a.send(8)
    expect(b.receive(a.send(10))?.keyPhase).to.equal(1)
    expect(b.receive(early)?.packetNumber, 'late, of the new ones').to.equal(8)
    expect(b.receive(old)).to.equal(undefined)
    expect(b.receive(other.send(7))?.packetNumber, 'late, of those before').to.equal(7)
  })

  it('are not changed by a forged packet of the next phase', () => {
    const [a, b] = pair()
    talk(a, b)
    const forged = a.send()
    for (let bits = 0; bits < 32; bits++) {
      const one = forged.slice()
      one[0] ^= bits
      one[30] ^= 1
      expect(b.receive(one)).to.equal(undefined)
    }
    expect(b.keys.updates).to.equal(0)
    talk(a, b)
  })

  it('refuse reserved bits that are set', () => {
    const [a, b] = pair()
    expect(codeOf(() => b.receive(a.send(0, 0x08)))).to.equal(PROTOCOL_VIOLATION)
  })

  it('are updated by themselves when they have sealed as much as they should', () => {
    const [a, b] = pair({ updateAfter: 3, mostSealed: 6 })
    for (let i = 0; i < 20; i++) {
      talk(a, b)
      later(a, b)
    }
    expect(a.keys.updates).to.be.at.least(5)
  })

  it('seal no more than they may when the peer acknowledges nothing', () => {
    const [a] = pair({ updateAfter: 2, mostSealed: 4 })
    for (let i = 0; i < 4; i++) a.send()
    expect(codeOf(() => a.send())).to.equal(AEAD_LIMIT_REACHED)
  })

  it('count forgeries over all updates', () => {
    const [a, b] = pair({ mostForged: 3 })
    const forge = () => {
      const forged = a.send()
      forged[40] ^= 1
      return b.receive(forged)
    }
    talk(a, b)
    forge()
    forge()
    a.keys.requestUpdate()
    b.receive(a.send())
    forge()
    expect(codeOf(forge)).to.equal(AEAD_LIMIT_REACHED)
  })
})
