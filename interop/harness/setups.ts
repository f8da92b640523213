import { createHash } from 'node:crypto'
import { IpPrefix } from '../../src/ip/prefix.ts'
import type { ServerConfigOverrides } from '../../src/server/config.ts'
import type { MasqueServer } from '../../src/server/server.ts'
import { startTestProxy } from '../../src/testbed/proxy-and-client.ts'
import { ourCertificates } from './certificates.ts'

export const TOKEN = 'a-token-for-the-interop-tests-only'

/** How our proxy can be set up for a case: the key `proxy` in what the case says of our side. */
const SETUPS: Record<string, ServerConfigOverrides> = {
  default: {},
  retry: { limits: { retry: 'always' } },
  token: {
    auth: {
      mode: 'token',
      tokens: [{ identity: 'interop', sha256: createHash('sha256').update(TOKEN).digest('hex'), maxTunnels: 4 }],
    },
  },
  'client routes': { tunnel: { clientRoutes: [IpPrefix.parse('192.0.2.0/24')] } },
  'link probe': { tunnel: { linkProbe: 'require' } },
}

/** A proxy of ours on loopback with a port that the system chooses. */
export async function startProxy(setup: unknown): Promise<MasqueServer> {
  const overrides = SETUPS[String(setup ?? 'default')]
  if (overrides === undefined) throw new Error(`no setup '${setup}': one of ${Object.keys(SETUPS).join(', ')}`)
  return startTestProxy(await ourCertificates(), { ...overrides, tunnel: { linkProbe: 'off', ...overrides.tunnel } })
}
