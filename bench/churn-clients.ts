/** Clients of `bench churn`, in a process of their own, so that they can vanish without a word as a machine does whose plug is pulled. */

import { setTimeout as sleep } from 'node:timers/promises'
import type { TestCertificates } from '../src/cert/make-certificates.ts'
import { serveParent } from '../src/process/serve-parent.ts'
import { newTestClient } from '../src/testbed/proxy-and-client.ts'
import { SINK } from './tunnel-peer.ts'

const PINGS = 3
const LONGEST_STAY_MS = 500

const orders = {
  /** So many clients at a time, one after the other, come, ping and leave in good order, for so long. Returns how many pings were lost. */
  async comeAndGo(
    given: { certificates: TestCertificates; port: number; clients: number; forMs: number },
    { signal }: { signal: AbortSignal },
  ) {
    const end = performance.now() + given.forMs
    let lost = 0
    const one = async (): Promise<void> => {
      while (performance.now() < end && !signal.aborted) {
        const client = newTestClient(given.certificates, { host: '127.0.0.1', port: given.port })
        await client.connect()
        for (let n = 0; n < PINGS; n++) await client.ping(String(SINK)).catch(() => lost++)
        await sleep(Math.random() * LONGEST_STAY_MS)
        await client.close()
      }
    }
    await Promise.all(Array.from({ length: given.clients }, one))
    return lost
  },
  /** So many clients come and ping, and then there is no such process any more. */
  async vanish({ certificates, port, clients }: { certificates: TestCertificates; port: number; clients: number }) {
    await Promise.all(
      Array.from({ length: clients }, async () => {
        const client = newTestClient(certificates, { host: '127.0.0.1', port })
        await client.connect()
        await client.ping(String(SINK))
      }),
    )
    process.kill(process.pid, 'SIGKILL')
  },
}
export type ChurnClientsOrders = typeof orders

serveParent(orders)
