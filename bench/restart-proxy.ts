/** The proxy of `bench moving` that is restarted, in a process of its own, as a proxy is: so its work, and its garbage, are not the client's. */

import { setTimeout as sleep } from 'node:timers/promises'
import type { TestCertificates } from '../src/cert/make-certificates.ts'
import { serveParent } from '../src/process/serve-parent.ts'
import type { MasqueServer } from '../src/server/server.ts'
import { freePort } from '../src/testbed/free-port.ts'
import { startTestProxy } from '../src/testbed/proxy-and-client.ts'
import { cpuMs, monotonicMs } from './process-times.ts'

let server: MasqueServer | undefined
let certificates: TestCertificates | undefined

const orders = {
  async start(given: TestCertificates) {
    certificates = given
    server = await startTestProxy(given, { listen: { port: await freePort() } })
    return server.address
  },
  /** Closes it, and starts it again on the same port after so many ms. When the start was over, by `monotonicMs`. */
  async restart(pauseMs: number) {
    if (server === undefined || certificates === undefined) throw new Error('there is no proxy yet')
    const { config, address } = server
    await server.close()
    await sleep(pauseMs)
    server = await startTestProxy(certificates, { listen: { ...config.listen, port: address.port } })
    return { startedAt: monotonicMs(), cpuMs: cpuMs() }
  },
  cpuMs,
}
export type RestartProxyOrders = typeof orders

serveParent(orders, () => server?.close())
