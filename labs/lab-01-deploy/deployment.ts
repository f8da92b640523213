/**
 * What the student deploys, and how the checks start it: servers and clients from the files in `exercises/`.
 *
 *     client ====== CONNECT-IP over HTTP/3 ====== proxy ------ library
 *     10.89.1.x                                   10.89.1.1    10.90.1.7
 *     fd00:89:1::x                                fd00:89:1::1 fd00:90:1::7
 */
import { existsSync } from 'node:fs'
import { join, relative } from 'node:path'
import { makeTestCertificates } from '../../src/cert/make-certificates.ts'
import { ClientError, MasqueClient } from '../../src/client/client.ts'
import {
  type ClientConfig,
  type ClientConfigOverrides,
  defaultClientConfig,
  loadClientConfig,
} from '../../src/client/config.ts'
import { ConfigError } from '../../src/config/config-error.ts'
import { PingError } from '../../src/hosts/userspace/pinger.ts'
import type { SocketAddress } from '../../src/quic/quic.ts'
import { loadServerConfig, type ServerConfig } from '../../src/server/config.ts'
import { MasqueServer } from '../../src/server/server.ts'
import type { ServerStatus } from '../../src/server/status.ts'
import { CheckFailure } from '../kit/check/check-failure.ts'
import type { CheckContext, Live } from '../kit/lab/types.ts'
import type { Topology, Traffic } from './ui.tsx'

/** What task 2 asks for. */
export const NETWORK = {
  pool4: '10.89.1.0/26',
  pool6: 'fd00:89:1::/64',
  gateway4: '10.89.1.1',
  gateway6: 'fd00:89:1::1',
  library4: '10.90.1.7',
  library6: 'fd00:90:1::7',
  routes: ['10.89.1.0/26', '10.90.1.0/24', 'fd00:89:1::/64', 'fd00:90:1::/64'],
} as const

export const ROUTING = 'RFC 9484 §7.2 Routing Operation'
export const TRUST = 'RFC 9001 §4.8 Cryptographic Handshake Errors; RFC 8446 §6.2 Error Alerts'
export const CERTIFICATES = ['ca.pem', 'server.pem', 'server-key.pem', 'client.pem', 'client-key.pem'] as const

// The files ------------------------------------------------------------------------------------------------------------

/**
 * The folder with the certificates. Grading needs none on the machine: it makes a set of its own and uses it for every path
 * into `cert/out`.
 */
export async function certificateDirectory(context: CheckContext): Promise<string> {
  if (context.mode === 'live') return join(context.root, 'cert', 'out')
  const directory = join(await context.scratch(), 'cert')
  if (!existsSync(directory)) await makeTestCertificates(directory)
  return directory
}

/** The paths of a `tls` section, as they are on this machine. */
async function withCertificates<T extends object>(context: CheckContext, tls: T): Promise<T> {
  if (context.mode === 'live') return tls
  const directory = await certificateDirectory(context)
  const entries = Object.entries(tls).map(([key, value]) => {
    const inside = typeof value === 'string' ? relative(join(context.root, 'cert', 'out'), value) : ''
    return [key, CERTIFICATES.some(name => name === inside) ? join(directory, inside) : value]
  })
  return Object.fromEntries(entries) as T
}

export async function loadServer(context: CheckContext): Promise<ServerConfig> {
  const config = await context.do('read server.toml', () =>
    explained(() => loadServerConfig(join(context.exercises, 'server.toml'))),
  )
  return { ...config, tls: await withCertificates(context, config.tls) }
}

export async function loadClient(context: CheckContext, name: string): Promise<ClientConfig> {
  const config = await context.do(`read ${name}`, () =>
    explained(() => loadClientConfig(join(context.exercises, name))),
  )
  return { ...config, tls: await withCertificates(context, config.tls) }
}

/** A client of the check's own that trusts the authority of this lab and asks for both families. */
export async function ownClient(context: CheckContext): Promise<{ tls: { ca: string; insecure: false } }> {
  return { tls: { ca: join(await certificateDirectory(context), 'ca.pem'), insecure: false } }
}

/** What is wrong with a configuration: so much of it is said at once. */
const MOST_PROBLEMS = 5

/** Turns a ConfigError into feedback: file and key, what was found, what is expected. */
async function explained<T>(action: () => T | Promise<T>): Promise<T> {
  try {
    return await action()
  } catch (error) {
    if (!(error instanceof ConfigError)) throw error
    // `file: key: what was found; expected what is allowed`
    const [first = error.message, ...others] = error.problems
    const split = /^(.*?)[;,] expected (.*)$/s.exec(first)
    const shown = others.slice(0, MOST_PROBLEMS - 1)
    const hidden = others.length - shown.length
    throw new CheckFailure({
      expected: split?.[2] ?? `${error.file} to be a configuration that can be used`,
      found: [split?.[1] ?? first, ...shown, ...(hidden > 0 ? [`and ${hidden} more`] : [])].join('\n'),
      read: ['src/server/config.ts and src/client/config.ts: every key and its meaning'],
    })
  }
}

// Servers and clients --------------------------------------------------------------------------------------------------

/** The student's server on ports of its own, so that it disturbs nothing that runs. Its API knows the token of the caller, or none. */
export async function startServer(
  context: CheckContext,
  config: ServerConfig,
  tokenSha256?: string,
): Promise<SocketAddress & { apiUrl: string }> {
  return await context.do('start a server from server.toml', async () => {
    try {
      const server = await explained(() =>
        MasqueServer.start({
          ...config,
          listen: { ...config.listen, host: '127.0.0.1', port: 0 },
          api: {
            enabled: true,
            host: '127.0.0.1',
            port: 0,
            tls: false,
            ...(tokenSha256 !== undefined && { tokenSha256 }),
          },
          log: { level: 'silent' },
        }),
      )
      context.defer(() => server.close())
      show(context, 'server', 'up')
      countTraffic(context, () => server.status())
      return { ...server.address, apiUrl: server.apiUrl ?? '' }
    } catch (error) {
      // What keeps a server from starting is in its configuration, which is what task 2 is about.
      if (error instanceof CheckFailure) throw error
      throw new CheckFailure({
        expected: 'a server to start with your server.toml',
        found: error instanceof Error ? error.message : String(error),
        read: ['task 2, "config", which checks server.toml key by key', 'src/server/config.ts'],
      })
    }
  })
}

/** Closed when the check ends, if not before. */
export function newClient(context: CheckContext, server: SocketAddress, config: ClientConfigOverrides): MasqueClient {
  const { host, port } = server
  const complete = defaultClientConfig({
    ...config,
    proxy: { ...config.proxy, address: { host, port } },
    reconnect: { enabled: false },
    log: { level: 'silent' },
  })
  const client = new MasqueClient(complete)
  context.defer(() => client.close())
  return client
}

export async function connect(
  context: CheckContext,
  server: SocketAddress,
  config: ClientConfigOverrides,
  name = 'a client',
): Promise<MasqueClient> {
  return await context.do(`connect ${name}`, async () => {
    const client = newClient(context, server, config)
    show(context, 'client', 'connecting')
    try {
      const { assigned } = await explained(() => client.connect())
      show(context, 'client', 'connected')
      show(context, 'addresses', assigned.map(String))
    } catch (error) {
      show(context, 'client', 'refused')
      if (!(error instanceof ClientError) || !error.tlsAlert) throw error
      throw new CheckFailure({
        expected: `${name} to accept the certificate of the server`,
        found: `TLS alert ${error.tlsAlert.name} (${error.tlsAlert.code}): ${error.message}`,
        misconception: 'The file in tls.ca has to be the authority that signed the certificate of the server.',
        read: [TRUST],
      })
    }
    return client
  })
}

/** Returns the TTL, or hop limit, with which the answer arrived. */
export async function ping(context: CheckContext, client: MasqueClient, address: string): Promise<number> {
  try {
    const { rttMs, hopCount } = await client.ping(address, { timeoutMs: 10_000 })
    context.measure('round trip', rttMs, 'ms')
    show(context, 'answered', address)
    return hopCount
  } catch (error) {
    if (!(error instanceof PingError)) throw error
    throw new CheckFailure({
      expected: `an answer to a ping from ${address}`,
      found: error.message,
      ...(error.kind === 'no-source'
        ? {
            misconception:
              'A host without an address of a family cannot send packets of that family. Task 4 is about that.',
          }
        : {}),
      read: [ROUTING, 'RFC 9484 §7.2.1 Error Signalling'],
    })
  }
}

// What the panel draws -------------------------------------------------------------------------------------------------

export function show<K extends keyof Topology>(live: Live, key: K, value: Topology[K]): void {
  live.show(key, value)
}

export function showStatus(context: CheckContext, status: ServerStatus): void {
  show(context, 'server', 'up')
  show(context, 'traffic', traffic(status))
}

const COUNT_EVERY_MS = 100

/** Keeps the panel's packet counters up to date until the check ends. */
function countTraffic(context: CheckContext, status: () => ServerStatus): void {
  const count = () => show(context, 'traffic', traffic(status()))
  const timer = setInterval(count, COUNT_EVERY_MS)
  context.defer(() => {
    clearInterval(timer)
    count()
  })
}

export function traffic({ packets, bytes }: Pick<ServerStatus, 'packets' | 'bytes'>): Traffic {
  return {
    fromClient: { packets: packets.fromClients, bytes: bytes.fromClients },
    toClient: { packets: packets.toClients, bytes: bytes.toClients },
  }
}
