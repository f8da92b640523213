/** A proxy in a process of its own, which tells its memory when it is asked. */

import type { SocketAddress } from '../../src/net/udp.ts'
import { serveParent } from '../../src/process/serve-parent.ts'
import type { MasqueServer } from '../../src/server/server.ts'
import { startTestProxy } from '../../src/testbed/proxy-and-client.ts'

let server: MasqueServer | undefined

const orders = {
  async start(certificates: Parameters<typeof startTestProxy>[0]) {
    server = await startTestProxy(certificates)
    return server.address
  },
  /** Answers with the port of the npm package for WebTransport. */
  async startPackage(certificates: Parameters<typeof startTestProxy>[0]) {
    server = await startTestProxy(certificates, { webTransport: { packagePort: 0 } })
    return (server.packageAddress as SocketAddress).port
  },
  /** Resident bytes, and the id of the connection that came last; there is none before its handshake is over. */
  memory: () => ({ rss: process.memoryUsage.rss(), connectionId: server?.connectionLog().at(-1)?.id }),
}
export type MemoryOrders = typeof orders

serveParent(orders)
