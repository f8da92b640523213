/** The proxy of `bench scrape`, in a process of its own as `npm run server` makes it: with metrics of the process, too. */

import type { TestCertificates } from '../src/cert/make-certificates.ts'
import { serveParent } from '../src/process/serve-parent.ts'
import type { MasqueServer } from '../src/server/server.ts'
import { startTestProxy } from '../src/testbed/proxy-and-client.ts'
import { ROOM_FOR_ALL, SINK } from './tunnel-peer.ts'

let server: MasqueServer | undefined

const orders = {
  async start(certificates: TestCertificates) {
    server = await startTestProxy(
      certificates,
      { ...ROOM_FOR_ALL, api: { enabled: true, port: 0 }, hosts: [{ name: 'sink', ipv4: SINK }] },
      { processMetrics: true },
    )
    return { port: server.address.port, api: server.apiUrl as string }
  },
  counters() {
    const { user, system } = process.cpuUsage()
    const received = server?.host('sink')?.counters.flowPackets ?? 0
    return { atMs: performance.now(), cpuUs: user + system, received }
  },
}
export type ScrapeProxyOrders = typeof orders
export type ScrapeProxyReport = ReturnType<ScrapeProxyOrders['counters']>

serveParent(orders)
