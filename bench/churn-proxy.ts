/** The proxy of `bench churn`, in a process of its own: it says what it holds when it is asked. */

import { readdirSync } from 'node:fs'
import type { TestCertificates } from '../src/cert/make-certificates.ts'
import { IpPrefix } from '../src/ip/prefix.ts'
import { serveParent } from '../src/process/serve-parent.ts'
import type { MasqueServer } from '../src/server/server.ts'
import { startTestProxy } from '../src/testbed/proxy-and-client.ts'
import { heldBytes } from './held-bytes.ts'
import { SINK } from './tunnel-peer.ts'

/** What the proxy holds at one moment. */
export interface Held {
  connections: number
  tunnels: number
  /** Addresses that are assigned, of both families. */
  leases: number
  /** Open descriptors; undefined where the system does not list them. */
  descriptors: number | undefined
  /** In use on the heap and in buffers after garbage was collected, bytes. */
  heapBytes: number
  rssBytes: number
  /** Since the beginning. */
  tunnelsTotal: number
}

let server: MasqueServer | undefined

const orders = {
  async start({ certificates, idleTimeoutMs }: { certificates: TestCertificates; idleTimeoutMs: number }) {
    server = await startTestProxy(certificates, {
      hosts: [{ name: 'sink', ipv4: SINK }],
      // So few that each is somebody else's again and again.
      pool: { ipv4: IpPrefix.parse('10.89.0.0/26'), ipv6: IpPrefix.parse('fd00:89::/122') },
      quic: { idleTimeoutMs },
      limits: { maxConnectionsPerAddress: 256, maxTunnelsPerAddress: 256, retry: 'never' },
    })
    return server.address.port
  },
  held(): Held {
    const heapBytes = heldBytes()
    const { connections, tunnels, tunnelsTotal, pools } = (server as MasqueServer).status()
    return {
      connections,
      tunnels,
      leases: pools.reduce((sum, { used }) => sum + used, 0),
      descriptors: process.platform === 'linux' ? readdirSync('/proc/self/fd').length : undefined,
      heapBytes,
      rssBytes: process.memoryUsage.rss(),
      tunnelsTotal,
    }
  },
}
export type ChurnProxyOrders = typeof orders

serveParent(orders)
