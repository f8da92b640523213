/** Proxies and clients that speak WebTransport by the npm package. Closed by `closeLoopback`. */

import { X509Certificate } from 'node:crypto'
import { readFileSync } from 'node:fs'
import type { ClientOptions, MasqueClient } from '../../src/client/client.ts'
import type { ClientConfigOverrides } from '../../src/client/config.ts'
import type { SocketAddress } from '../../src/net/udp.ts'
import type { ServerConfigOverrides } from '../../src/server/config.ts'
import type { MasqueServer, ServerOptions } from '../../src/server/server.ts'
import { testCertificates } from './certificates.ts'
import { newClient, startServer } from './loopback.ts'

export function startPackageServer(
  overrides: ServerConfigOverrides = {},
  options: ServerOptions = {},
): Promise<MasqueServer> {
  return startServer({ ...overrides, webTransport: { packagePort: 0, ...overrides.webTransport } }, options)
}

/** By this a client knows the proxy. */
export async function certificateSha256(): Promise<string> {
  const { fingerprint256 } = new X509Certificate(readFileSync((await testCertificates()).server))
  return fingerprint256.replaceAll(':', '').toLowerCase()
}

export async function newPackageClient(
  server: MasqueServer,
  overrides: ClientConfigOverrides = {},
  options: ClientOptions = {},
): Promise<MasqueClient> {
  const tunnel = { carrier: 'webtransport' as const, certificateSha256: await certificateSha256(), ...overrides.tunnel }
  return newClient({ address: server.packageAddress as SocketAddress }, { ...overrides, tunnel }, options)
}
