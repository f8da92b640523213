/** Does it serve its clients? It shuts down; or somebody has removed its TUN device. */
export type Health = 'ok' | 'draining' | 'tun-gone'

/** What the server tells about itself, as the REST API shows it. */

import type { HttpVersion } from '../carriers/http-connection.ts'

export interface ServerStatus {
  version: string
  uptimeSeconds: number
  listen: { host: string; port: number }
  connections: number
  tunnels: number
  /** Since the start. */
  tunnelsTotal: number
  /** How often a client has come from another address than before, since the start. */
  movesTotal: number
  /** `total`: the leases that there can be at once; as text beyond 2^53, where a number would lose digits. */
  pools: { family: 4 | 6; prefix: string; used: number; total: number | string }[]
  /** `answered`: for the proxy's end of a link itself, such as the pings that a client tries its tunnel with; no drops. */
  packets: { fromClients: number; toClients: number; answered: number; dropped: Record<string, number> }
  /** Forward error correction, of all tunnels that have it: see ClientInfo. */
  fec: { paritySent: number; parityReceived: number; recovered: number }
  bytes: { fromClients: number; toClients: number }
  /** What the operating system did not take, by reason: UDP packets of QUIC, and IP packets for the TUN device, where there is one. */
  unsent: { udp: Record<string, number>; tun: Record<string, number> }
  handshakes: { accepted: number; rejected: number; retried: number }
  routes: string[]
  log: {
    /** Lines that could not be written: a full disk, a reader that had gone or did not read. */
    linesLost: number
    /** Lines that were not written because a client caused too many. */
    linesLeftOut: number
  }
  draining: boolean
}

export interface ClientInfo {
  id: string
  identity: string | undefined
  /** The version of HTTP that carries the tunnel. */
  carrier: HttpVersion
  remote: string
  /** How often that has changed: the client has moved, or a NAT has rebound (RFC 9000 §9). */
  moves: number
  /** When it last did. */
  lastMovedAt?: string
  connectedAt: string
  addresses: string[]
  /** Advertised to the client. */
  routes: string[]
  /** Networks behind the client, of those it advertised: packets for them go into this tunnel. */
  networks: string[]
  encapsulation: string
  /** The largest IP packet that fits the tunnel, in bytes. */
  mtu: number
  /** What pings of 1280 bytes have shown (RFC 9484 §7.2). Not there: nothing yet, or the tunnel needs none. */
  linkProbe?: 'ok' | 'too-small' | 'silent'
  packets: { sent: number; received: number; answered: number; dropped: number }
  bytes: { sent: number; received: number }
  /** Of a tunnel with forward error correction (docs/research.md). */
  fec?: {
    /** Parities, one for each group of packets. */
    paritySent: number
    parityReceived: number
    /** Packets that were lost, and made again. They are among those received. */
    recovered: number
    /** Packets and parities that came when they were there already. */
    duplicates: number
    /** Groups whose parity does not fit their packets. */
    unfit: number
  }
  /** Of a tunnel whose packets travel on its request stream: what waits to be sent, and what has come of it. */
  backlog?: {
    /** Bytes that wait now. */
    bytes: number
    /** How long there was no room for one more packet. */
    blockedMs: number
    /** Packets that found no room. */
    dropped: number
  }
  /** Of a tunnel over HTTP/3. */
  quic?: {
    rttMs: number
    /** Congestion window in bytes. */
    cwnd: number
    /** QUIC packets. */
    lost: number
    sent: number
    received: number
    streamsOpened: number
    datagramsDropped: number
  }
}

/** What is told about one client when somebody asks for it alone. */
export interface ClientDetails extends ClientInfo {
  /** How long the tunnel has been open. */
  uptimeSeconds: number
  /** Packets that were not passed on, by reason. */
  dropped: Record<string, number>
  connection: {
    id: string
    /** How long QUIC's or TLS' handshake took, from the first packet. */
    handshakeMs: number | undefined
    /** TLS went on from an earlier connection. */
    resumed: boolean
  }
  /** The network paths of a QUIC connection (RFC 9000 §9): the one that is used, and others that were tried. */
  paths?: { local: string; remote: string; active: boolean; rttMs: number; cwnd: number; lost: number }[]
}

/** An address pool, and who has what of it. */
export interface PoolInfo {
  family: 4 | 6
  prefix: string
  /** The proxy's own address. */
  gateway: string
  used: number
  /** As in ServerStatus. */
  total: number | string
  /** Of those used: kept for clients that have lost their tunnels. */
  kept: number
  leases: { address: string; client: string; identity: string | undefined }[]
}

/** What has happened in a window of time that ends now. */
export interface PerformanceStats {
  window: string
  /** How long it really is: less than was asked for while the server is younger. */
  seconds: number
  throughput: {
    fromClients: { bitsPerSecond: number; packetsPerSecond: number }
    toClients: { bitsPerSecond: number; packetsPerSecond: number }
    /** Of both directions together, in the best second. */
    peakBitsPerSecond: number
  }
  packets: { fromClients: number; toClients: number }
  bytes: { fromClients: number; toClients: number }
  dropped: Record<string, number>
  tunnels: { now: number; least: number; most: number; opened: number }
  /** `handshakes`: of QUIC, those that were accepted. */
  connections: { now: number; handshakes: number }
  /**
   * Of QUIC connections that carry tunnels, each read once a second, of many 64 in turns; within 5 %. Null: there was none. `readings`: how many these are of.
   */
  rtt: { p50Ms: number | null; p95Ms: number | null; readings: number }
}

export const CONNECTION_EVENTS = ['connected', 'moved', 'tunnel-opened', 'tunnel-closed', 'closed', 'rejected'] as const

export interface ConnectionLogEntry {
  /** Counts up from 1 while the server runs. */
  seq: number
  at: string
  event: (typeof CONNECTION_EVENTS)[number]
  id: string
  remote: string
  identity?: string
  detail?: string
}

/** Which entries somebody wants to see. */
export type LogFilter = (entry: Pick<ConnectionLogEntry, 'seq' | 'event' | 'identity'>) => boolean
