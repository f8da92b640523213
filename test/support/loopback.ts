/** The proxy and the clients of testbed/proxy-and-client.ts with the certificates of the test run, closed after each test. */

import type { HttpVersion } from '../../src/carriers/http-connection.ts'
import type { ClientOptions, MasqueClient } from '../../src/client/client.ts'
import type { TunnelInfo } from '../../src/client/client-tunnel.ts'
import { CARRIERS, type ClientConfigOverrides } from '../../src/client/config.ts'
import { PingError, type PingOptions, type PingResult } from '../../src/hosts/userspace/pinger.ts'
import type { IpAddress, IpVersion } from '../../src/ip/address.ts'
import type { SocketAddress } from '../../src/net/udp.ts'
import type { ServerConfigOverrides } from '../../src/server/config.ts'
import type { MasqueServer, ServerOptions } from '../../src/server/server.ts'
import { newTestClient, startTestProxy } from '../../src/testbed/proxy-and-client.ts'
import { certificateSha256, testCertificates } from './certificates.ts'
import { PATIENCE_MS } from './patience.ts'

/** A ping on loopback takes a millisecond; on a machine that is busy with other things it may take long. */
export const PATIENT: PingOptions = { timeoutMs: 10_000 }

const servers: MasqueServer[] = []
const clients: MasqueClient[] = []

/** What carries the tunnels of clients that are made without saying so. */
let carrier: HttpVersion = 'h3'

/**
 * A test that is made once for each version of HTTP, and not over WebTransport by the npm package: of what a session of that cannot say (a client
 * certificate, a target or protocol, an encapsulation). docs/conformance.md knows both by their names.
 */
export function itOverEach(title: string, test: () => Promise<void>): void {
  itOver(CARRIERS, title, test)
}

/** A test that is made over WebTransport by the npm package, too: of what holds whatever carries a tunnel. */
export function itOverAll(title: string, test: () => Promise<void>): void {
  itOver([...CARRIERS, 'webtransport'], title, test)
}

function itOver(carriers: readonly HttpVersion[], title: string, test: () => Promise<void>): void {
  for (const each of carriers) {
    it(`${title} (${each})`, async () => {
      carrier = each
      await test().finally(() => {
        carrier = 'h3'
      })
    })
  }
}

/** A silent proxy on any free port, without REST API. Closed by `closeLoopback`. */
export async function startServer(
  overrides: ServerConfigOverrides = {},
  options: ServerOptions = {},
): Promise<MasqueServer> {
  const certificates = await testCertificates()
  const tls = { clientCa: certificates.ca, ...overrides.tls }
  const byPackage = carrier === 'webtransport' && { webTransport: { packagePort: 0, ...overrides.webTransport } }
  const server = await startTestProxy(certificates, { ...overrides, tls, ...byPackage }, options)
  servers.push(server)
  return server
}

/** A client of this proxy that is not connected yet and does not reconnect. Closed by `closeLoopback`. */
export async function newClient(
  server: { address: SocketAddress; packageAddress?: SocketAddress | undefined },
  overrides: ClientConfigOverrides = {},
  options: ClientOptions = {},
): Promise<MasqueClient> {
  const tunnel: ClientConfigOverrides['tunnel'] = { carrier, ...overrides.tunnel }
  const byPackage = tunnel.carrier === 'webtransport'
  if (byPackage) tunnel.certificateSha256 ??= await certificateSha256()
  const address = (byPackage ? server.packageAddress : undefined) ?? server.address
  // On a busy machine its thread needs longer than what a client waits for by default.
  const given = byPackage ? { timeouts: { connectMs: PATIENCE_MS, graceMs: 2000 }, ...options } : options
  const client = newTestClient(await testCertificates(), address, { ...overrides, tunnel }, given)
  clients.push(client)
  return client
}

export async function connectClient(
  server: Parameters<typeof newClient>[0],
  overrides: ClientConfigOverrides = {},
  options: ClientOptions = {},
): Promise<{ client: MasqueClient; info: TunnelInfo }> {
  const client = await newClient(server, overrides, options)
  return { client, info: await client.connect() }
}

/** Ends everything that the functions above have begun. Call it in `afterEach`. */
export async function closeLoopback(): Promise<void> {
  await Promise.all(clients.splice(0).map(client => client.close()))
  await Promise.all(servers.splice(0).map(server => server.close()))
}

/** Certificate and key of one of the test clients, as the client's configuration wants them. */
export async function clientCertificate(name: string): Promise<{ certificate: string; key: string }> {
  return (await testCertificates()).clients[name]
}

/** The first address of this version that the proxy assigned. */
export function addressOf({ assigned }: TunnelInfo, version: IpVersion): IpAddress {
  const prefix = assigned.find(candidate => candidate.version === version)
  if (prefix === undefined) throw new Error(`no IPv${version} address among ${assigned.join(', ')}`)
  return prefix.address
}

export function ping(client: MasqueClient, target: IpAddress | string, options: PingOptions = {}): Promise<PingResult> {
  return client.ping(target, { ...PATIENT, ...options })
}

/** How a ping fails. Throws when it does not. */
export async function pingFailure(
  client: MasqueClient,
  target: IpAddress | string,
  options: PingOptions = {},
): Promise<PingError> {
  return failure(ping(client, target, options), PingError)
}

/** The error with which a promise is rejected. Throws when it is not, or with another kind of error. */
export async function failure<E extends Error>(
  promise: Promise<unknown>,
  kind: abstract new (...args: never[]) => E,
): Promise<E> {
  const error = await promise.then(
    value => new Error(`expected ${kind.name}, but it succeeded with ${JSON.stringify(value)}`),
    reason => reason,
  )
  if (error instanceof kind) return error
  throw error
}

/**
 * Resolves when the condition holds. For states that come without an event, such as a server's counters. Gives up after a
 * time that only a broken test needs, so that its loop does not outlive it.
 */
export async function until(condition: () => unknown): Promise<void> {
  const deadline = performance.now() + PATIENCE_MS
  while (!(await condition())) {
    if (performance.now() > deadline) throw new Error(`still not so: ${condition}`)
    await new Promise(resolve => setTimeout(resolve, 5))
  }
}

export interface PingTrain {
  readonly answered: number
  /** Why a ping was lost, if one was; the train then stands. */
  readonly failed: unknown
  /** Waits for the ping that is under way. Rejects when one was lost; returns how many were answered. */
  stop(): Promise<number>
}

/** Pings without pause, to see that others are not disturbed by what happens meanwhile. */
export function keepPinging(client: MasqueClient, target: IpAddress | string): PingTrain {
  let running = true
  const train = { answered: 0, failed: undefined as unknown, stop }
  const done = (async () => {
    while (running) {
      await ping(client, target)
      train.answered++
      await new Promise(resolve => setTimeout(resolve, 2))
    }
  })().catch(error => {
    train.failed = error
  })
  async function stop(): Promise<number> {
    running = false
    await done
    if (train.failed !== undefined) throw train.failed
    return train.answered
  }
  return train
}
