/** What a testbed says to the server's process. */

import type { TestCertificates } from '../cert/make-certificates.ts'
import type { CongestionControl, Encapsulation, LinkProbe, SendQueueName } from '../config/sections.ts'
import type { ServerConfig } from '../server/config.ts'

/** Something of the testbed itself failed: a process died, or would not start. Not a measurement, but no measurement. */
export class TestbedError extends Error {
  override name = 'TestbedError'
}

/** The userspace host behind the proxy: what measurements are made against. */
export const LIBRARY = { name: 'library', ipv4: '10.90.0.1', ipv6: 'fd00:90::1' } as const

/** Keys of the server's configuration that a testbed may change: those that are plain data. */
export interface TestbedServerOverrides {
  tunnel?: {
    encapsulations?: Encapsulation[]
    clientToClient?: boolean
    linkProbe?: LinkProbe
    queue?: SendQueueName
    fec?: boolean
  }
  limits?: Partial<ServerConfig['limits']>
  quic?: Partial<ServerConfig['quic']>
  log?: Partial<ServerConfig['log']>
  /** Default: no REST API. */
  api?: { enabled: boolean }
}

export interface ServerOrder {
  certificates: Pick<TestCertificates, 'server' | 'serverKey'>
  /** The first connection has the first, and so on in turn. */
  congestionControls: readonly ControlName[]
  maxUdpPayload: number
  idleTimeoutMs: number
  overrides: TestbedServerOverrides
}

/** One of QUIC's own, or a file with another one: see own-controller.ts. */
export type ControlName = CongestionControl | ControllerFile
export type ControllerFile = `${string}.ts`

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
