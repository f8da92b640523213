/** What a tunnel counts of each IP version. Plain numbers that are there from the start: a packet only adds to them. */

import { ICMP_KINDS, icmpKindOf } from '../ip/icmp-kind.ts'

export interface FamilyCounters {
  packetsSent: number
  packetsReceived: number
  bytesSent: number
  bytesReceived: number
  /** ICMP, by kind, in the order of `ICMP_KINDS`. */
  readonly icmpSent: number[]
  readonly icmpReceived: number[]
}

export function newFamilyCounters(): FamilyCounters {
  return {
    packetsSent: 0,
    packetsReceived: 0,
    bytesSent: 0,
    bytesReceived: 0,
    icmpSent: ICMP_KINDS.map(() => 0),
    icmpReceived: ICMP_KINDS.map(() => 0),
  }
}

/** Adds `more` to `total`. */
export function addFamily(total: FamilyCounters, more: FamilyCounters): void {
  total.packetsSent += more.packetsSent
  total.packetsReceived += more.packetsReceived
  total.bytesSent += more.bytesSent
  total.bytesReceived += more.bytesReceived
  for (let kind = 0; kind < ICMP_KINDS.length; kind++) {
    total.icmpSent[kind] += more.icmpSent[kind]
    total.icmpReceived[kind] += more.icmpReceived[kind]
  }
}

/** Counts a packet that passed `validatePacket`, if it is ICMP. */
export function countIcmp(byKind: number[], packet: Uint8Array): void {
  const kind = icmpKindOf(packet)
  if (kind !== -1) byKind[kind]++
}
