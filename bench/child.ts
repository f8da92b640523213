/** The processes of a benchmark: what they are told, and how they are started. */

import type { HttpVersion } from '../src/carriers/http-connection.ts'
import type { TestCertificates } from '../src/cert/make-certificates.ts'
import { Child } from '../src/process/child.ts'
import type { CongestionControl } from '../src/quic/quic.ts'
import type { FleetOrders } from './fleet.ts'
import { GoPeer } from './go-peer.ts'
import type { PeerOrders, PeerReport } from './peer.ts'

export interface PeerOrder {
  /**
   * The ceilings: quiche and UDP alone, by node:dgram and in batches. Both ends of a `typescript-tunnel` have the QUIC engine in TypeScript, of a `quiche-tunnel`
   * quiche, of a `tunnel` the one that MASQUE_QUIC says or that loads here.
   */
  kind: 'ceiling' | 'batched-ceiling' | 'tunnel' | 'typescript-tunnel' | 'quiche-tunnel' | 'connect-ip-go'
  role: 'receiver' | 'sender'
  certificates: TestCertificates
  /** Where the receiver listens; for the sender only. */
  port?: number
  /** Bytes of one QUIC DATAGRAM payload (ceiling) or of one IP packet (tunnel). */
  datagramLength: number
  maxUdpPayload: number
  datagramQueue: number
  congestionControl: CongestionControl
  encapsulation: 'datagram' | 'stream-per-packet' | 'single-stream'
  /** The version of HTTP below the tunnel; the ceilings are QUIC's. */
  carrier: HttpVersion
}

/** What runs in a child; it ends with its process. */
export interface Peer {
  /** Of the receiver. */
  port: number
  /** Packets since the beginning. */
  count(): { sent: number; received: number }
}

/** A proxy that counts packets for its host, with the settings that are no part of a benchmark's question. */
export function proxyOrder(certificates: TestCertificates): PeerOrder {
  return {
    kind: 'tunnel',
    role: 'receiver',
    certificates,
    datagramLength: 1200,
    maxUdpPayload: 1400,
    datagramQueue: 512,
    congestionControl: 'cubic',
    encapsulation: 'datagram',
    carrier: 'h3',
  }
}

/** A process at one end. Whoever starts it closes it, also when `start` fails. */
export interface PeerProcess {
  /** Resolves with the port on which the receiver listens. */
  start(order: PeerOrder): Promise<number>
  /** Since it began. */
  counters(): Promise<PeerReport>
  /** See held-bytes.ts; NaN where it cannot be known. */
  held(): Promise<number>
  close(): Promise<unknown>
}

export function newPeer({ kind, role }: Pick<PeerOrder, 'kind' | 'role'>): PeerProcess {
  if (kind === 'connect-ip-go') return new GoPeer()
  const child = new Child<PeerOrders>(new URL('./peer.ts', import.meta.url), { name: `the ${kind} ${role}` })
  return {
    start: order => child.ask('start', order),
    counters: () => child.ask('counters'),
    held: () => child.ask('held'),
    close: () => child.close(),
  }
}

/** Many clients in one process. Whoever starts it closes it. */
export function newFleet(): Child<FleetOrders> {
  return new Child<FleetOrders>(new URL('./fleet.ts', import.meta.url), { name: 'the clients' })
}
