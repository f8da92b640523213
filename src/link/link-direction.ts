import type { Impairment } from './profile.ts'

/** What netem and tbf count on a veth beyond the payload of a UDP datagram: Ethernet 14, IPv4 20, UDP 8. */
export const UDP_WIRE_OVERHEAD = 42

export interface LinkCounters {
  offered: number
  delivered: number
  /** By the loss model. */
  lost: number
  outage: number
  /** By a queue's limit. */
  overflow: number
  duplicated: number
  reordered: number
  corrupted: number
  /** On the link now. */
  queued: number
  bytesOffered: number
  bytesDelivered: number
}

/** One direction of a link, sans-IO. */
export class LinkDirection {
  readonly counters: LinkCounters = {
    offered: 0,
    delivered: 0,
    lost: 0,
    outage: 0,
    overflow: 0,
    duplicated: 0,
    reordered: 0,
    corrupted: 0,
    queued: 0,
    bytesOffered: 0,
    bytesDelivered: 0,
  }

  constructor(impairment: Impairment, options: { seed: string; purpose: string }) {
    throw new Error(`not yet: ${impairment.delayMs} ${options.seed}`)
  }

  set(impairment: Impairment, nowMs: number): void {
    throw new Error(`not yet: ${impairment.delayMs} ${nowMs}`)
  }

  enqueue(payload: Uint8Array, tag: number, nowMs: number): void {
    throw new Error(`not yet: ${payload.length} ${tag} ${nowMs}`)
  }

  nextDueMs(): number | undefined {
    return undefined
  }

  release(nowMs: number, deliver: (payload: Uint8Array, tag: number, dueMs: number) => void): void {
    throw new Error(`not yet: ${nowMs} ${deliver.name}`)
  }
}
