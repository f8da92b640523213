import { expect } from 'chai'
import type { CloseReason } from '../../src/carriers/http-connection.ts'
import type { QuicStats } from '../../src/quic/quic.ts'
import {
  ASKED_AT_ONCE,
  ConnectionTotals,
  type MeasuredConnection,
  outcomeOf,
} from '../../src/server/connection-totals.ts'
import { FakeQuic } from '../support/fake-quic.ts'

/** Whose engine has counted so many packets, and tells it when it is asked. */
class CountingQuic extends FakeQuic {
  packets: number
  asked = 0
  #told = { packetsSent: 0, rttMs: 0, cwnd: 0 }

  constructor(packets: number) {
    super('server')
    this.packets = packets
  }
  override stats(): QuicStats {
    this.asked++
    this.#told = { packetsSent: this.packets, rttMs: 10, cwnd: 12_000 }
    return this.lastStats
  }
  override get lastStats(): QuicStats {
    return { ...super.lastStats, streamsOpen: 3, ...this.#told }
  }
}

/** A connection over HTTP/3 on which so many QUIC packets were sent. */
function measured(
  packetsSent: number,
  fields: Partial<MeasuredConnection> = {},
): MeasuredConnection & { quic: CountingQuic } {
  const quic = new CountingQuic(packetsSent)
  const connection = { version: 'h3' as const, quic, inUse: true, handshakeMs: 3 }
  return { connection, draining: false, timedOut: false, ...fields, quic }
}

const ORDERLY: CloseReason = { source: 'peer', orderly: true, reason: '', text: '', protocol: '' }

describe('totals over connections', () => {
  it('keep what was counted on a connection until its end', async () => {
    const totals = new ConnectionTotals()
    const [one, another] = [measured(100), measured(50)]
    await totals.refresh([one, another])
    expect(totals.read([one, another]).quic.stats).to.include({ packetsSent: 150, streamsOpen: 6 })
    totals.close(one, ORDERLY)
    expect(totals.read([another]).quic.stats).to.include({ packetsSent: 150, streamsOpen: 3 })
    totals.close(another, ORDERLY)
    const { quic, closed } = totals.read([])
    expect(quic.stats).to.include({ packetsSent: 150, streamsOpen: 0 })
    expect(closed.h3).to.deep.equal({ orderly: 2, timeout: 0, refused: 0, shut_down: 0, error: 0 })
  })

  it('add up each number for itself, of connections that are there and of those that are gone', () => {
    const names = Object.keys(measured(1).quic.stats()) as (keyof QuicStats)[]
    const stats = Object.fromEntries(names.map((name, i) => [name, i + 1])) as unknown as QuicStats
    const quic = Object.assign(new FakeQuic('server'), { stats: () => stats })
    Object.defineProperty(quic, 'lastStats', { value: stats })
    const one = { ...measured(1), connection: { version: 'h3' as const, quic, inUse: true, handshakeMs: 3 } }
    const totals = new ConnectionTotals()
    for (let gone = 0; gone < 2; gone++) totals.close(one, ORDERLY)
    const found = totals.read([one]).quic.stats
    const { rttMs, cwnd, ...sums } = stats
    for (const [name, number] of Object.entries(sums)) {
      const expected = name === 'streamsOpen' ? number : 3 * number
      expect(found[name as keyof typeof found], name).to.equal(expected)
    }
  })

  it('take round trips and congestion windows of those that carry tunnels', async () => {
    const { connection } = measured(1)
    const idle = measured(1, { connection: { ...connection, inUse: false } })
    const [totals, both] = [new ConnectionTotals(), [measured(1), idle]]
    await totals.refresh(both)
    const { rttsMs, cwnd } = totals.read(both).quic
    expect([rttsMs, cwnd]).to.deep.equal([[10], 12_000])
  })

  it('ask every engine each time while those are few', async () => {
    const totals = new ConnectionTotals()
    const few = Array.from({ length: ASKED_AT_ONCE }, () => measured(1))
    for (let n = 0; n < 3; n++) await totals.refresh(few)
    expect(few.every(({ quic }) => quic.asked === 3)).to.equal(true)
  })

  it('let packets pass while engines are asked', async () => {
    let others = 0
    const count = (): void => {
      others++
      immediate = setImmediate(count)
    }
    let immediate = setImmediate(count)
    await new ConnectionTotals().refresh(Array.from({ length: ASKED_AT_ONCE }, () => measured(1)))
    clearImmediate(immediate)
    expect(others).to.be.within(6, 9)
  })

  it('ask engines in turns where those are many, and every one at its end', async () => {
    const totals = new ConnectionTotals()
    const many = Array.from({ length: 2 * ASKED_AT_ONCE + 10 }, () => measured(1))
    const sums: ReturnType<ConnectionTotals['read']>['quic'][] = []
    for (let n = 0; n < 4; n++) {
      await totals.refresh(many)
      sums.push(totals.read(many).quic)
    }
    expect(sums.map(({ stats }) => stats.packetsSent)).to.deep.equal([64, 128, 138, 138])
    // A window that is not known yet is taken for an ordinary one.
    expect(sums[0].cwnd).to.equal(many.length * 12_000)
    expect(sums[0].rttsMs).to.have.length(ASKED_AT_ONCE)
    const counts = many.map(({ quic }) => quic.asked)
    expect([Math.max(...counts), Math.min(...counts)]).to.deep.equal([2, 1])
    const last = many[many.length - 1]
    last.quic.packets = 100
    totals.close(last, ORDERLY)
    expect(totals.read(many.slice(0, -1)).quic.stats.packetsSent).to.equal(137 + 100)
  })

  it('read round trips of those that carry tunnels, of many so many at once, each as often as the others', async () => {
    const totals = new ConnectionTotals()
    const { connection } = measured(1)
    const idle = measured(1, { connection: { ...connection, inUse: false } })
    const many = Array.from({ length: 2 * ASKED_AT_ONCE }, () => measured(1))
    const lengths: number[] = []
    for (let n = 0; n < 4; n++) {
      // Somebody else who takes turns is no reason that the same half is left out each time.
      await totals.refresh(many)
      for (const { quic } of many) quic.asked = 0
      const rtts = await totals.rtts([idle, ...many])
      expect(new Set(rtts)).to.deep.equal(new Set([10]))
      lengths.push(rtts.length)
      const asked = many.map(({ quic }) => quic.asked)
      expect(asked.indexOf(1)).to.equal(n % 2 === 0 ? 0 : ASKED_AT_ONCE)
    }
    expect(lengths).to.deep.equal([64, 64, 64, 64])
    expect(idle.quic).to.have.property('asked', 0)
  })

  it('sort connections by carrier and by what they are at', () => {
    const { connection } = measured(1)
    const h2 = { version: 'h2' as const, quic: undefined, inUse: true, handshakeMs: 1 }
    const { connections } = new ConnectionTotals().read([
      measured(1),
      measured(1, { connection: { ...connection, handshakeMs: undefined } }),
      measured(1, { draining: true, connection: h2 }),
    ])
    expect(connections.h3).to.deep.equal({ handshaking: 1, open: 1, draining: 0 })
    expect(connections.h2).to.deep.equal({ handshaking: 0, open: 0, draining: 1 })
  })

  it('tell ends apart', () => {
    const open = measured(1)
    const { connection } = open
    const early = measured(1, { connection: { ...connection, handshakeMs: undefined } })
    const alert = { ...ORDERLY, orderly: false, tlsAlert: { code: 48, name: 'unknown_ca' } }
    expect(outcomeOf(open, ORDERLY)).to.equal('orderly')
    expect(outcomeOf(open, { ...ORDERLY, orderly: false })).to.equal('error')
    expect(outcomeOf(open, { ...ORDERLY, source: 'timeout', orderly: false })).to.equal('timeout')
    expect(outcomeOf(measured(1, { timedOut: true }), { ...ORDERLY, source: 'local' })).to.equal('timeout')
    expect(outcomeOf(open, alert)).to.equal('refused')
    expect(outcomeOf(early, { ...ORDERLY, orderly: false })).to.equal('refused')
    expect(outcomeOf(early, { ...ORDERLY, source: 'timeout' })).to.equal('timeout')
    expect(outcomeOf(measured(1, { draining: true }), ORDERLY)).to.equal('shut_down')
  })
})
