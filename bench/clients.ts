/**
 * `bench clients`: many clients at once on one proxy, each pinging. None may be lost, and the proxy must stay small.
 *
 * The proxy is a process of its own, so that its memory can be told from the clients'.
 */

import type { TestCertificates } from '../src/cert/make-certificates.ts'
import type { MasqueClient } from '../src/client/client.ts'
import { percentile } from '../src/stats/statistics.ts'
import { newTestClient } from '../src/testbed/proxy-and-client.ts'
import { newPeer, proxyOrder } from './child.ts'

export interface ClientsBenchResult {
  clients: number
  connected: number
  pings: { sent: number; lost: number; p50Ms: number; p99Ms: number }
  /** Resident memory of the proxy while all pinged, in MB: the largest seen. */
  serverRssMb: number
}

const TARGETS = ['10.90.0.1', 'fd00:89::1']

export async function benchClients(options: {
  certificates: TestCertificates
  clients: number
  pingsEach: number
  intervalMs: number
  onProgress?: (text: string) => void
}): Promise<ClientsBenchResult> {
  const { certificates } = options
  const proxy = newPeer(proxyOrder(certificates))
  const clients: MasqueClient[] = []
  let rss = 0
  const timer = setInterval(async () => {
    const counters = await proxy.ask('counters').catch(() => undefined)
    rss = Math.max(rss, counters?.rssBytes ?? 0)
  }, 200)
  try {
    const port = await proxy.ask('start', proxyOrder(certificates))
    for (let i = 0; i < options.clients; i++) clients.push(newTestClient(certificates, { host: '127.0.0.1', port }))
    await Promise.all(clients.map(client => client.connect()))
    options.onProgress?.(`${clients.length} clients connected`)
    const rtts: number[] = []
    let sent = 0
    await Promise.all(
      clients.map(async (client, i) => {
        // Spread over the interval, as independent people are.
        await delay((i / clients.length) * options.intervalMs)
        for (let n = 0; n < options.pingsEach; n++) {
          sent++
          const target = TARGETS[n % TARGETS.length]
          const reply = await client.ping(target, { timeoutMs: 5_000 }).catch(() => undefined)
          if (reply !== undefined) rtts.push(reply.rttMs)
          await delay(options.intervalMs)
        }
      }),
    )
    const sorted = rtts.toSorted((a, b) => a - b)
    return {
      clients: clients.length,
      connected: clients.filter(client => client.connected).length,
      pings: {
        sent,
        lost: sent - rtts.length,
        p50Ms: percentile(sorted, 0.5),
        p99Ms: percentile(sorted, 0.99),
      },
      serverRssMb: rss / 1e6,
    }
  } finally {
    await Promise.all(clients.map(client => client.close()))
    clearInterval(timer)
    await proxy.close()
  }
}

function delay(ms: number): Promise<void> {
  return new Promise(resolve => setTimeout(resolve, ms))
}
