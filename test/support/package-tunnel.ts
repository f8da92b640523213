/** Proxies and clients that speak WebTransport by the npm package. Closed by `closeLoopback`. */

import { readFileSync } from 'node:fs'
import { type ClientHttp2Session, type ClientHttp2Stream, connect, type Settings } from 'node:http2'
import { PackageServer, type PackageServerOptions } from '../../src/carriers/webtransport/server.ts'
import type { ClientOptions, MasqueClient } from '../../src/client/client.ts'
import type { ClientConfigOverrides } from '../../src/client/config.ts'
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

export async function newPackageClient(
  server: MasqueServer,
  overrides: ClientConfigOverrides = {},
  options: ClientOptions = {},
): Promise<MasqueClient> {
  return newClient(server, { ...overrides, tunnel: { carrier: 'webtransport', ...overrides.tunnel } }, options)
}

/** The proxy's part of the package alone. Nothing ends by a timer. */
export async function listenForPackage(
  handlers: Pick<PackageServerOptions, 'onConnection' | 'onError' | 'onWarning'>,
): Promise<PackageServer> {
  const { server, serverKey } = await testCertificates()
  return PackageServer.listen({
    host: '127.0.0.1',
    port: 0,
    certificateChain: readFileSync(server, 'utf8'),
    key: readFileSync(serverKey, 'utf8'),
    maxConnections: 10,
    maxConnectionsPerAddress: 10,
    handshakeTimeoutMs: 60_000,
    idleTimeoutMs: 60_000,
    ...handlers,
  })
}

/** An HTTP/2 connection to the port of the package, by node:http2. */
export function connectHttp2(port: number, settings: Settings = {}): ClientHttp2Session {
  const session = connect(`https://127.0.0.1:${port}`, { rejectUnauthorized: false, settings })
  session.on('error', () => {})
  return session
}

/** Asks there for a session of WebTransport. */
export function askForSession(session: ClientHttp2Session, changes: Record<string, string> = {}): ClientHttp2Stream {
  const stream = session.request({
    ':method': 'CONNECT',
    ':protocol': 'webtransport',
    ':scheme': 'https',
    ':path': '/webtransport',
    origin: '127.0.0.1',
    ...changes,
  })
  stream.on('error', () => {}).resume()
  return stream
}
