/** What has gone through all tunnels since the start: of those that are there, and of those that have handed over their numbers and are gone. */

import { addFamily, type FamilyCounters, newFamilyCounters } from '../carriers/family-counters.ts'
import type { Tunnel } from '../carriers/tunnel.ts'

export interface Traffic {
  packets: { fromClients: number; toClients: number; answered: number }
  bytes: { fromClients: number; toClients: number }
  readonly ipv4: FamilyCounters
  readonly ipv6: FamilyCounters
  readonly dropped: Record<string, number>
  fec: { paritySent: number; parityReceived: number; recovered: number }
  /** For how long tunnels on a request stream had no room for one more packet, in ms. */
  blockedMs: number
  /** Bytes that wait in such tunnels now. */
  backlogBytes: number
}

export class TrafficTotals {
  readonly #past = newTraffic()

  /** The tunnel is gone. What it has counted stays. */
  keep(tunnel: Tunnel): void {
    add(this.#past, tunnel)
    this.#past.backlogBytes = 0
  }

  /** With these tunnels, which are there. */
  sum(tunnels: Iterable<Tunnel>): Traffic {
    const { packets, bytes, ipv4, ipv6, dropped, fec, blockedMs } = this.#past
    const total: Traffic = {
      ...newTraffic(),
      packets: { ...packets },
      bytes: { ...bytes },
      dropped: { ...dropped },
      fec: { ...fec },
      blockedMs,
    }
    addFamily(total.ipv4, ipv4)
    addFamily(total.ipv6, ipv6)
    for (const tunnel of tunnels) add(total, tunnel)
    return total
  }
}

function newTraffic(): Traffic {
  return {
    packets: { fromClients: 0, toClients: 0, answered: 0 },
    bytes: { fromClients: 0, toClients: 0 },
    ipv4: newFamilyCounters(),
    ipv6: newFamilyCounters(),
    dropped: {},
    fec: { paritySent: 0, parityReceived: 0, recovered: 0 },
    blockedMs: 0,
    backlogBytes: 0,
  }
}

function add(total: Traffic, { counters, fec, carrier }: Tunnel): void {
  total.packets.fromClients += counters.packetsReceived
  total.packets.toClients += counters.packetsSent
  total.packets.answered += counters.answered
  total.bytes.fromClients += counters.bytesReceived
  total.bytes.toClients += counters.bytesSent
  addFamily(total.ipv4, counters.ipv4)
  addFamily(total.ipv6, counters.ipv6)
  addCounts(total.dropped, counters.dropped)
  if (fec !== undefined) {
    total.fec.paritySent += fec.paritySent
    total.fec.parityReceived += fec.parityReceived
    total.fec.recovered += fec.recovered
  }
  const { backlog } = carrier
  if (backlog === undefined) return
  total.blockedMs += backlog.blockedMs
  total.backlogBytes += backlog.bytes
}

/** Adds counts by reason. */
export function addCounts(total: Record<string, number>, more: Readonly<Record<string, number>>): void {
  for (const reason in more) total[reason] = (total[reason] ?? 0) + more[reason]
}
