/** The proxy that all students' tunnels go to at once (`npm run classroom -- --relay`): a real one, on 127.0.0.1, with certificates of its own for as long as it runs. */
import { readFileSync, rmSync } from 'node:fs'
import { makeTestCertificates } from '../../../src/cert/make-certificates.ts'
import { IpPrefix } from '../../../src/ip/prefix.ts'
import { makeOwnFolder, removeLeftFolders } from '../../../src/process/own-folder.ts'
import { startTestProxy } from '../../../src/testbed/proxy-and-client.ts'
import type { RelayOffer } from '../run/relay-plan.ts'
import { RELAY_LIMITS } from './relay-state.ts'

const FOLDER = 'relay'
const HOST = '127.0.0.1'

export interface Relay {
  /** What a student's program needs to open a tunnel. */
  offer: RelayOffer
  /** Of its live view. */
  liveUrl: string | undefined
  close(): Promise<void>
}

export async function startRelay(): Promise<Relay> {
  removeLeftFolders(FOLDER)
  const folder = makeOwnFolder(FOLDER)
  try {
    const certificates = await makeTestCertificates(folder)
    const { tunnels } = RELAY_LIMITS
    const server = await startTestProxy(certificates, {
      listen: { host: HOST, port: 0 },
      pool: { ipv4: IpPrefix.parse('10.91.0.0/23') },
      limits: { maxTunnels: tunnels, maxTunnelsPerAddress: tunnels, maxConnections: 2 * tunnels },
      tunnel: { clientToClient: false },
      api: { enabled: true, host: HOST, port: 0, live: true },
    })
    return {
      offer: { port: server.address.port, ca: readFileSync(certificates.ca, 'utf8') },
      liveUrl: server.liveUrl,
      async close() {
        await server.close()
        rmSync(folder, { recursive: true, force: true })
      },
    }
  } catch (error) {
    rmSync(folder, { recursive: true, force: true })
    throw error
  }
}
