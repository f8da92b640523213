/** The proxy of `bench flood`, in a process of its own, with the limits that it has by default. */

import type { TestCertificates } from '../src/cert/make-certificates.ts'
import { serveParent } from '../src/process/serve-parent.ts'
import type { QuicSettings } from '../src/quic/quic.ts'
import type { MasqueServer } from '../src/server/server.ts'
import { startTestProxy } from '../src/testbed/proxy-and-client.ts'
import { SINK } from './tunnel-peer.ts'

const TICK_MS = 5

let server: MasqueServer | undefined
/** CPU time between two turns of a timer, µs: for so long somebody has waited for their turn, also where the machine has given us less than a whole processor. */
let longestUs = 0
let last = process.cpuUsage()

setInterval(() => {
  const { user, system } = process.cpuUsage(last)
  longestUs = Math.max(longestUs, user + system)
  last = process.cpuUsage()
}, TICK_MS).unref()

const orders = {
  async start({ certificates, engine }: { certificates: TestCertificates; engine: QuicSettings['engine'] }) {
    server = await startTestProxy(certificates, { quic: { engine }, hosts: [{ name: 'sink', ipv4: SINK }] })
    return server.address.port
  },
  /** `longestMs`: since it was last asked. */
  counters() {
    const { user, system } = process.cpuUsage()
    const { accepted, retried } = (server as MasqueServer).status().handshakes
    const longestMs = longestUs / 1000
    longestUs = 0
    return { atMs: performance.now(), cpuUs: user + system, accepted, retried, longestMs }
  },
}
export type FloodProxyOrders = typeof orders

serveParent(orders)
