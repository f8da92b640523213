/** What the server's metrics are filled in from. */

import type { TcpListener } from '../../carriers/tcp/listener.ts'
import type { EndpointCounters } from '../../quic/counters.ts'
import type { ConnectionReadings } from '../connection-totals.ts'
import type { IcmpByFamily } from '../packet-processor.ts'
import type { ServerStatus } from '../status.ts'
import type { Traffic } from '../traffic-totals.ts'

/** All that was counted until one moment, so that the numbers of one answer fit together. */
export interface Readings extends ConnectionReadings {
  readonly status: ServerStatus
  readonly traffic: Traffic
  /** ICMP errors that the proxy has sent to what is behind it. */
  readonly icmpToHosts: IcmpByFamily
  readonly endpoint: EndpointCounters
  /** Of the TCP listener, where there is one. */
  readonly tcp: TcpListener['counters'] | undefined
}

/** Where the numbers come from. */
export interface MetricsSource {
  readings(): Readings | Promise<Readings>
}
