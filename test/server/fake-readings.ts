import { newFamilyCounters } from '../../src/carriers/family-counters.ts'
import { ICMP_KINDS } from '../../src/ip/icmp-kind.ts'
import { newCounters } from '../../src/quic/counters.ts'
import { ConnectionTotals } from '../../src/server/connection-totals.ts'
import type { Readings } from '../../src/server/metrics/readings.ts'
import type { ServerStatus } from '../../src/server/status.ts'

/** All that the metrics are filled in from, for a server with this status that has nothing else to tell. */
export function fakeReadings(status: ServerStatus): Readings {
  const none = ICMP_KINDS.map(() => 0)
  const { fromClients, toClients, answered } = status.packets
  return {
    status,
    traffic: {
      packets: { fromClients, toClients, answered },
      bytes: status.bytes,
      ipv4: newFamilyCounters(),
      ipv6: newFamilyCounters(),
      dropped: status.packets.dropped,
      fec: status.fec,
      blockedMs: 0,
      backlogBytes: 0,
    },
    icmpToHosts: { ipv4: none, ipv6: none },
    ...new ConnectionTotals().read([]),
    endpoint: newCounters(),
    tcp: { accepted: 0, rejected: 0, evicted: 0, failed: 0 },
  }
}
