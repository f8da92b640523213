/** What is said between a testbed and the server's process, over Node's IPC channel. */

import type { CongestionControl, Encapsulation, LinkProbe } from '../config/sections.ts'
import type { FlowSummary } from '../hosts/userspace/flow.ts'
import type { ServerConfig } from '../server/config.ts'
import type { ClientInfo, ServerStatus } from '../server/status.ts'

/** The userspace host behind the proxy: what measurements are made against. */
export const LIBRARY = { name: 'library', ipv4: '10.90.0.1', ipv6: 'fd00:90::1' } as const

/** Keys of the server's configuration that a testbed may change: those that are plain data. */
export interface TestbedServerOverrides {
  tunnel?: { encapsulations?: Encapsulation[]; clientToClient?: boolean; linkProbe?: LinkProbe }
  limits?: Partial<ServerConfig['limits']>
  quic?: Partial<ServerConfig['quic']>
  log?: Partial<ServerConfig['log']>
  /** Default: no REST API. */
  api?: { enabled: boolean }
}

export interface ServerOrder {
  certificate: string
  key: string
  congestionControl: CongestionControl
  maxUdpPayload: number
  idleTimeoutMs: number
  overrides: TestbedServerOverrides
}

/** A flow from the library down to a client; the client's host counts it (UserspaceHost.flowSink). */
export interface DownwardFlow {
  flowId: number
  /** An address of the client, as text. */
  destination: string
  /** Bytes of one whole IP packet. */
  packetLength: number
  packetsPerSecond: number
  durationMs: number
}

/** The requests that the server's process answers: arguments and result of each. */
export interface ServerRequests {
  start: { arguments: ServerOrder; result: { host: string; port: number; apiUrl?: string } }
  /** `sent`: how many packets the source made, so that losses at the very end count (see FlowSink.lost). */
  sink: { arguments: { flowId: number; sent?: number }; result: FlowSummary }
  forgetFlow: { arguments: { flowId: number }; result: null }
  sendFlow: { arguments: DownwardFlow; result: { sent: number } }
  status: { arguments: null; result: ServerStatus }
  clients: { arguments: null; result: ClientInfo[] }
  metrics: { arguments: null; result: string }
  /** CPU time of the process since its start in ms, and its resident memory in bytes. */
  resources: { arguments: null; result: { cpuMs: number; rssBytes: number } }
  close: { arguments: null; result: null }
}

export type RequestName = keyof ServerRequests

export interface Request<N extends RequestName = RequestName> {
  id: number
  name: N
  arguments: ServerRequests[N]['arguments']
}

export type Answer = { id: number; result: unknown } | { id: number; error: string }
