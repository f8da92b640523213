import { expect } from 'chai'
import type { CloseReason } from '../../src/carriers/http-connection.ts'
import { ConnectionTotals, type MeasuredConnection, outcomeOf } from '../../src/server/connection-totals.ts'
import { FakeQuic } from '../support/fake-quic.ts'

/** A connection over HTTP/3 on which so many QUIC packets were sent. */
function measured(packetsSent: number, fields: Partial<MeasuredConnection> = {}): MeasuredConnection {
  const quic = new FakeQuic('server')
  const stats = { ...quic.stats(), packetsSent, streamsOpen: 3, rttMs: 10, cwnd: 12_000 }
  quic.stats = () => stats
  return {
    connection: { version: 'h3', quic, inUse: true, handshakeMs: 3 },
    draining: false,
    timedOut: false,
    ...fields,
  }
}

const ORDERLY: CloseReason = { source: 'peer', orderly: true, reason: '', text: '', protocol: '' }

describe('totals over connections', () => {
  it('keep what was counted on a connection until its end', () => {
    const totals = new ConnectionTotals()
    const [one, another] = [measured(100), measured(50)]
    expect(totals.read([one, another]).quic.stats).to.include({ packetsSent: 150, streamsOpen: 6 })
    totals.close(one, ORDERLY)
    expect(totals.read([another]).quic.stats).to.include({ packetsSent: 150, streamsOpen: 3 })
    totals.close(another, ORDERLY)
    const { quic, closed } = totals.read([])
    expect(quic.stats).to.include({ packetsSent: 150, streamsOpen: 0 })
    expect(closed.h3).to.deep.equal({ orderly: 2, timeout: 0, refused: 0, shut_down: 0, error: 0 })
  })

  it('take round trips and congestion windows of those that carry tunnels', () => {
    const { connection } = measured(1)
    const idle = measured(1, { connection: { ...connection, inUse: false } })
    const { rttsMs, cwnd } = new ConnectionTotals().read([measured(1), idle]).quic
    expect([rttsMs, cwnd]).to.deep.equal([[10], 12_000])
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
