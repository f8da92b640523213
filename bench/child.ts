/** The two processes of a throughput benchmark: what they are told, and how they are started. */

import type { TestCertificates } from '../src/cert/make-certificates.ts'
import { Child } from '../src/process/child.ts'
import type { CongestionControl } from '../src/quic/quic.ts'
import type { PeerOrders } from './peer.ts'

export interface PeerOrder {
  kind: 'ceiling' | 'tunnel'
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
  }
}

/** Whoever starts it closes it, also when `start` fails. */
export function newPeer({ kind, role }: Pick<PeerOrder, 'kind' | 'role'>): Child<PeerOrders> {
  return new Child<PeerOrders>(new URL('./peer.ts', import.meta.url), { name: `the ${kind} ${role}` })
}
