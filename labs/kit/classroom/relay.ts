/** The proxy that all students' tunnels go to at once (`npm run classroom -- --relay`): a real one, on 127.0.0.1, with certificates of its own for as long as it runs. */
import { randomBytes } from 'node:crypto'
import { readFileSync, rmSync } from 'node:fs'
import { makeTestCertificates } from '../../../src/cert/make-certificates.ts'
import { IpPrefix } from '../../../src/ip/prefix.ts'
import { makeOwnFolder, removeLeftFolders } from '../../../src/process/own-folder.ts'
import { hashToken } from '../../../src/server/auth.ts'
import { startTestProxy } from '../../../src/testbed/proxy-and-client.ts'
import { RELAY_PLAN, type RelayOffer } from '../run/relay-plan.ts'
import { Refusal } from './class-state.ts'
import { RELAY_LIMITS } from './relay-state.ts'

const FOLDER = 'relay'
const HOST = '127.0.0.1'

export interface Relay {
  /** What the program of this account needs to open a tunnel; the same each time. Throws a Refusal when all places are taken. */
  offerTo(account: string): RelayOffer
  /** Of its live view. */
  liveUrl: string | undefined
  close(): Promise<void>
}

export async function startRelay(): Promise<Relay> {
  removeLeftFolders(FOLDER)
  const folder = makeOwnFolder(FOLDER)
  try {
    const certificates = await makeTestCertificates(folder)
    const { students } = RELAY_LIMITS
    const { tunnelsEach } = RELAY_PLAN
    // Each account has tunnels of its own, and cannot take those of others: the proxy, to which all come from 127.0.0.1, knows them by these.
    const tokens = Array.from({ length: students }, () => randomBytes(24).toString('base64url'))
    const places = new Map<string, string>()
    const tunnels = students * tunnelsEach
    const server = await startTestProxy(certificates, {
      listen: { host: HOST, port: 0 },
      pool: { ipv4: IpPrefix.parse('10.91.0.0/23') },
      limits: { maxTunnels: tunnels, maxTunnelsPerAddress: tunnels, maxConnections: 2 * tunnels },
      auth: {
        mode: 'token',
        tokens: tokens.map((token, i) => ({
          identity: `student-${i + 1}`,
          sha256: hashToken(token),
          maxTunnels: tunnelsEach,
        })),
      },
      tunnel: { clientToClient: false },
      api: { enabled: true, host: HOST, port: 0, live: true },
    })
    const ca = readFileSync(certificates.ca, 'utf8')
    return {
      offerTo(account) {
        const token = places.get(account) ?? tokens[places.size]
        if (token === undefined) throw new Refusal(429, `the relay is full (${students})`)
        places.set(account, token)
        return { port: server.address.port, ca, token }
      },
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
