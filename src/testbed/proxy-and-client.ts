/**
 * A proxy and clients in this process, on loopback unless the overrides say otherwise, with throw-away certificates and without a word in
 * the log. What needs a link that delays and loses, or processes apart, is a `Testbed`.
 *
 *     const certificates = await makeTestCertificates(directory)
 *     const proxy = await startTestProxy(certificates)
 *     const client = newTestClient(certificates, proxy.address)
 *     await client.connect()
 *     await client.ping('10.90.0.1')
 *
 * Whoever makes them closes them: clients first, which the proxy would wait for.
 */

import type { TestCertificates } from '../cert/make-certificates.ts'
import { type ClientOptions, MasqueClient } from '../client/client.ts'
import { type ClientConfigOverrides, defaultClientConfig } from '../client/config.ts'
import { defaultTemplate } from '../connect-ip/uri-template.ts'
import type { SocketAddress } from '../net/udp.ts'
import { defaultServerConfig, type ServerConfigOverrides } from '../server/config.ts'
import { MasqueServer, type ServerOptions } from '../server/server.ts'

/** On any free port, without REST API; its host behind is "echo", 10.90.0.1 and fd00:90::1. */
export function startTestProxy(
  certificates: Pick<TestCertificates, 'server' | 'serverKey'>,
  overrides: ServerConfigOverrides = {},
  options: ServerOptions = {},
): Promise<MasqueServer> {
  const config = defaultServerConfig({
    api: { enabled: false },
    log: { level: 'silent' },
    ...overrides,
    tls: { certificate: certificates.server, key: certificates.serverKey, ...overrides.tls },
  })
  return MasqueServer.start(config, options)
}

/** Not connected yet, does not reconnect, and does not take a proxy for lost before the idle timeout. `at`: where the proxy listens, or a link to it; there it is called "localhost". */
export function newTestClient(
  certificates: Pick<TestCertificates, 'ca'>,
  at: SocketAddress,
  overrides: ClientConfigOverrides = {},
  options: ClientOptions = {},
): MasqueClient {
  const config = defaultClientConfig({
    log: { level: 'silent' },
    ...overrides,
    proxy: { template: defaultTemplate('localhost', at.port), address: at, ...overrides.proxy },
    tls: { ca: certificates.ca, ...overrides.tls },
    tunnel: { tcpLostAfterMs: 0, ...overrides.tunnel },
    reconnect: { enabled: false, knockMs: 0, ...overrides.reconnect },
  })
  return new MasqueClient(config, options)
}
