import { expect } from 'chai'
import { newFamilyCounters } from '../../src/carriers/family-counters.ts'
import type { Tunnel } from '../../src/carriers/tunnel.ts'
import { TrafficTotals } from '../../src/server/traffic-totals.ts'

/** A tunnel of which each number is another multiple of `unit`. */
function counted(unit: number): Tunnel {
  const family = (from: number) => ({
    ...newFamilyCounters(),
    packetsSent: from * unit,
    packetsReceived: (from + 1) * unit,
    bytesSent: (from + 2) * unit,
    bytesReceived: (from + 3) * unit,
    icmpSent: newFamilyCounters().icmpSent.map((_, kind) => (from + 4 + kind) * unit),
    icmpReceived: newFamilyCounters().icmpReceived.map((_, kind) => (from + 20 + kind) * unit),
  })
  const counters = {
    packetsSent: unit,
    packetsReceived: 2 * unit,
    bytesSent: 3 * unit,
    bytesReceived: 4 * unit,
    answered: 5 * unit,
    ipv4: family(100),
    ipv6: family(200),
    dropped: { 'no-route': 6 * unit, [`only-${unit}`]: 7 * unit },
  }
  const fec = { paritySent: 8 * unit, parityReceived: 9 * unit, recovered: 10 * unit }
  return { counters, fec, carrier: { backlog: { blockedMs: 11 * unit, bytes: 12 * unit } } } as unknown as Tunnel
}

describe('totals over tunnels', () => {
  it('add up each number by direction, family and reason, of tunnels that are there and of those that are gone', () => {
    const totals = new TrafficTotals()
    totals.keep(counted(1000))
    // Reading changes nothing.
    totals.sum([counted(5)])
    const { ipv4, ipv6, ...sum } = totals.sum([counted(1), counted(20)])
    expect(sum).to.deep.equal({
      packets: { fromClients: 2042, toClients: 1021, answered: 5105 },
      bytes: { fromClients: 4084, toClients: 3063 },
      dropped: { 'no-route': 6126, 'only-1000': 7000, 'only-1': 7, 'only-20': 140 },
      fec: { paritySent: 8168, parityReceived: 9189, recovered: 10_210 },
      blockedMs: 11_231,
      // What waited in a tunnel that is gone waits no more.
      backlogBytes: 252,
    })
    expect([ipv4, ipv6]).to.deep.equal([counted(1021).counters.ipv4, counted(1021).counters.ipv6])
  })
})
