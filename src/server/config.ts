/** The server's configuration: a TOML file, checked by the schema below, which also documents every key. */

import { dirname, resolve } from 'node:path'
import { fileURLToPath } from 'node:url'
import type { z } from 'zod'
import { failOnProblems, type KeyProblem } from '../config/config-error.ts'
import {
  choice,
  choices,
  flag,
  integer,
  ipAddress,
  ipPrefix,
  ipPrefixes,
  listOf,
  parsed,
  table,
  tables,
  text,
} from '../config/fields.ts'
import { ipv6RoomProblems } from '../config/ipv6-room.ts'
import { type LogOptions, logSection } from '../config/log-section.ts'
import { parseToml, readConfigFile } from '../config/read-toml.ts'
import {
  allowExposedKey,
  ENCAPSULATIONS,
  type Encapsulation,
  type LinkProbe,
  linkProbe,
  path,
  type QuicOptions,
  quicSection,
  type SendQueueName,
  sendQueueField,
  toQuicOptions,
} from '../config/sections.ts'
import { DEFAULT_MAX_ENTRIES } from '../connect-ip/address-entry.ts'
import type { DnsConfiguration } from '../connect-ip/dns/dns-assign.ts'
import { policyRoutes } from '../connect-ip/routes.ts'
import { DEFAULT_PATH_TEMPLATE, parsePathTemplate, TemplateError } from '../connect-ip/uri-template.ts'
import type { IpAddress } from '../ip/address.ts'
import { AddressPool } from '../ip/address-pool.ts'
import { IpPrefix } from '../ip/prefix.ts'
import { mergeRanges } from '../ip/range.ts'
import { dnsProblems, dnsSection, nat64Section, toDnsConfigurations } from './dns-config.ts'
import { canonicalHost } from './own-names.ts'
import { isOrigin } from './webtransport-request.ts'

const AUTH_MODES = ['none', 'mtls', 'token', 'mtls-or-token'] as const
export type AuthMode = (typeof AUTH_MODES)[number]

/** Every path is absolute. What the keys mean is said in `serverConfigSchema`. */
export interface ServerConfig {
  listen: { host: string; port: number; tcp: boolean; names: string[] }
  tls: { certificate: string; key: string; clientCa?: string; allowExposedKey?: boolean }
  tunnel: {
    template: string
    encapsulations: Encapsulation[]
    clientToClient: boolean
    clientRoutes: IpPrefix[]
    linkProbe: LinkProbe
    queue: SendQueueName
    fec: boolean
    leaseGraceMs: number
  }
  /** At least one of the two. */
  pool: { ipv4?: IpPrefix; ipv6?: IpPrefix }
  /** Advertised to clients. `protocol` 0 is any. */
  routes: { prefix: IpPrefix; protocol: number }[]
  hosts: HostConfig[]
  /** Web pages may open tunnels. `origins`: beside the proxy's own page. `packagePort`: clients on the npm package may, too, on this TCP port. */
  webTransport?: { path: string; origins: string[]; packagePort?: number }
  /** The operating system takes part, over a TUN device. */
  tun?: { name: string; mtu: number; nat: boolean; offload: boolean }
  /** What clients are told about DNS and NAT64. */
  dns: DnsConfiguration[]
  nat64: { prefixes: IpPrefix[] }
  auth: {
    mode: AuthMode
    tokens: { identity: string; sha256: string; maxTunnels: number }[]
    identities: { identity: string; maxTunnels: number }[]
    maxTunnelsPerIdentity: number
  }
  limits: {
    maxConnections: number
    maxConnectionsPerAddress: number
    /** How long a connection may be without a tunnel. */
    tunnelTimeoutMs: number
    maxTunnels: number
    maxTunnelsPerAddress: number
    maxTunnelsPerConnection: number
    retry: 'always' | 'auto' | 'never'
    /** SETTINGS of HTTP/3 leave before the handshake is over, where the QUIC engine can send them then. */
    earlySettings: boolean
  }
  quic: QuicOptions
  /** On loopback, or with TLS and a token. */
  api: {
    enabled: boolean
    host: string
    port: number
    live?: boolean
    tls: boolean
    /** At most one of the two. */
    tokenSha256?: string
    tokenFile?: string
    allowExposedToken?: boolean
  }
  log: LogOptions
}

export interface HostConfig {
  name: string
  ipv4?: IpAddress
  ipv6?: IpAddress
}

const host = () => text('a host name or IP address, such as 127.0.0.1 or ::1', /^[A-Za-z0-9.:_-]+$/)
const port = () => integer(0, 65_535, 'a port')
const identity = () => text('a name without control characters, at most 64 characters', /^[^\p{Cc}]{1,64}$/u)
const sha256 = () => text('the SHA-256 of the token as 64 hexadecimal digits', /^[0-9a-fA-F]{64}$/)
const tunnels = () => integer(1, 100_000, 'a number of tunnels')
const connections = () => integer(1, 100_000, 'a number of connections')

/** The file's form: TOML's snake_case names. `ServerConfig` is what the program works with. */
export const serverConfigSchema = table({
  listen: table({
    host: host()
      .default('127.0.0.1')
      .describe(
        'Address to listen on; a name is resolved once, at the start. 0.0.0.0 and :: listen on every interface.',
      ),
    port: port().default(4433).describe('Port to listen on; 0 takes any free one.'),
    tcp: flag()
      .default(true)
      .describe(
        'Listen on TCP, too, with the same port number: for HTTP/2 and HTTP/1.1, which get through where UDP is blocked. HTTP/3 is on UDP.',
      ),
    names: listOf(
      parsed('a host name or IP address without a port', canonicalHost),
      'a list of host names and IP addresses',
    )
      .default([])
      .describe(
        'Names and IP addresses of the proxy beside those in its certificate (subjectAltName): requests for others are answered with ' +
          '421 (RFC 9110 §7.4). Without ports. The first one names the proxy in Proxy-Status; default is the first name in the certificate.',
      ),
  })
    .prefault({})
    .describe('Where the proxy listens.'),

  tls: table({
    certificate: path().describe(
      'PEM file with the server certificate, followed by intermediate ones if there are any.',
    ),
    key: path().describe('PEM file with the private key; must not be readable by everyone (chmod 600).'),
    client_ca: path()
      .optional()
      .describe(
        'PEM file with the CA that client certificates must be signed by. Needed for auth.mode mtls and mtls-or-token.',
      ),
    allow_exposed_key: allowExposedKey(),
  }).describe('Certificates. Paths are relative to this file. `npm run cert` makes them.'),

  tunnel: table({
    template: text('a path that starts with /', /^\//)
      .default(DEFAULT_PATH_TEMPLATE)
      .describe('Path of the URI template under which CONNECT-IP is served (RFC 9484 §3).'),
    encapsulations: choices(ENCAPSULATIONS, 1)
      .default([...ENCAPSULATIONS])
      .describe(
        'How IP packets may travel: datagram (QUIC datagrams, the normal way), single-stream (capsules on the request stream), ' +
          'stream-per-packet (a new stream for each packet: slow, for comparison).',
      ),
    client_to_client: flag().default(true).describe('May clients send packets to each other?'),
    client_routes: ipPrefixes()
      .default([])
      .describe(
        'Networks behind clients: routes inside these prefixes that a client advertises are used (RFC 9484 §8.2). They must not ' +
          'overlap the pools and hosts. Of two clients that advertise the same, the first has it until it leaves. Default: none are used.',
      ),
    link_probe: linkProbe('require'),
    queue: sendQueueField(),
    fec: flag()
      .default(false)
      .describe(
        'Forward error correction for clients that ask for it, in groups of as many packets as they say. It costs bandwidth: one packet more for each group. ' +
          'Ours and not RFC 9484, docs/research.md.',
      ),
    lease_grace_ms: integer(0, 3_600_000, 'milliseconds')
      .default(60_000)
      .describe(
        'So long the addresses of a tunnel that was lost are kept for the identity that had them, as far as the pool suffices; 0: not at all. ' +
          'Without authentication there is no identity, and nothing is kept.',
      ),
  })
    .prefault({})
    .describe('The tunnels.'),

  pool: table({
    ipv4: ipPrefix(4)
      .optional()
      .describe('IPv4 addresses that are leased to clients, as a prefix. The first usable one is the proxy itself.'),
    ipv6: ipPrefix(6)
      .optional()
      .describe('IPv6 addresses that are leased to clients, as a prefix. The first usable one is the proxy itself.'),
  }).describe('Addresses for clients: ipv4, ipv6 or both.'),

  routes: tables({
    prefix: ipPrefix().describe('Destinations that clients may send packets to through the tunnel.'),
    protocol: integer(0, 255, 'an IP protocol number')
      .default(0)
      .describe('Only packets of this IP protocol (6 is TCP, 17 UDP); 0 is any. ICMP is always allowed.'),
  })
    .optional()
    .describe('Routes that are advertised to clients (RFC 9484 §4.7.3). Default: the pools and the hosts.'),

  hosts: tables({
    name: text('a name of letters, digits and dashes', /^[A-Za-z0-9]([A-Za-z0-9.-]{0,61}[A-Za-z0-9])?$/).describe(
      'Name, for the log.',
    ),
    ipv4: ipAddress(4).optional().describe('Its IPv4 address.'),
    ipv6: ipAddress(6).optional().describe('Its IPv6 address.'),
  })
    .default([])
    .describe(
      'Hosts inside the server process, behind the proxy. They answer ping and UDP echo; no rights are needed for that.',
    ),

  webtransport: table({
    path: text('a path that starts with /, without query', /^\/[^?#]*$/)
      .default('/webtransport')
      .describe('Where sessions are taken.'),
    origins: listOf(
      parsed('an origin, such as https://example.org or http://127.0.0.1:8000', text =>
        isOrigin(text) ? text : undefined,
      ),
      'a list of origins',
    )
      .default([])
      .describe(
        'Origins of the web pages that may open tunnels, beside the page that the proxy itself serves on loopback, on the port of the REST API.',
      ),
    package_port: integer(0, 65_535, 'a port')
      .optional()
      .describe(
        'Also take clients with tunnel.carrier = "webtransport", on this port of listen.host: WebTransport over HTTP/2 (TCP), by the npm package ' +
          '@fails-components/webtransport. 0: any free port. Default: not.',
      ),
  })
    .optional()
    .describe(
      'Web pages open tunnels by WebTransport, and the REST API serves one that does, at /browser/ (docs/webtransport.md). This is ours and not ' +
        'RFC 9484. Pages cannot send a client certificate; their bearer token is in the query (?token=…).',
    ),

  tun: table({
    name: text(
      'a name of at most 15 letters, digits, dots, dashes, underscores, or a pattern such as masque%d',
      /^(?=.{1,15}$)[A-Za-z0-9_.-]+(%d)?$/,
    )
      .default('masque%d')
      .describe('Name of the interface; of masque%d the system makes the first free name.'),
    mtu: integer(1280, 65_535, 'bytes')
      .default(1400)
      .describe(
        'MTU of the interface. Clients with less are told of by ICMP, and TCP heeds the smaller one from the start.',
      ),
    nat: flag()
      .default(false)
      .describe(
        'Do packets of clients leave this machine with its own address (with nftables, or iptables where nft is missing)? Without it, the routers ' +
          'around must know a route to the pools. For Linux.',
      ),
    offload: flag()
      .default(false)
      .describe(
        'Does the interface pass on many packets of a flow at once, as network cards do (TSO, USO, GRO)? For Linux.',
      ),
  })
    .optional()
    .describe(
      'A TUN device: clients reach this machine and, with [[routes]] that lead there, the networks around it. As root or administrator. On Linux, ' +
        'the system forwards packets while the server runs (ip_forward); on macOS and Windows, whoever runs it has to see to that.',
    ),

  dns: dnsSection,

  nat64: nat64Section,

  auth: table({
    mode: choice(AUTH_MODES)
      .default('none')
      .describe(
        'Who may open tunnels: none (anybody), mtls (a client certificate), token (a bearer token), mtls-or-token (either).',
      ),
    tokens: tables({
      identity: identity().describe('Who the token stands for.'),
      sha256: sha256().describe(
        'SHA-256 of the bearer token in hexadecimal, so that the file holds no secret: printf %s "$TOKEN" | openssl dgst -sha256. The token itself must be long and random, e.g. openssl rand -hex 24.',
      ),
      max_tunnels: tunnels()
        .optional()
        .describe('How many tunnels it may have open at once. Default: auth.max_tunnels_per_identity.'),
    })
      .default([])
      .describe('Bearer tokens.'),
    identities: tables({
      identity: identity().describe('Common name (CN) of a client certificate.'),
      max_tunnels: tunnels().describe('How many tunnels it may have open at once.'),
    })
      .default([])
      .describe('Limits for single client certificates; certificates not listed have the general limit.'),
    max_tunnels_per_identity: tunnels()
      .default(16)
      .describe('How many tunnels one identity may have open at once, if nothing else is said.'),
  })
    .prefault({})
    .describe('Authentication.'),

  limits: table({
    max_connections: connections().default(1000).describe('QUIC connections at once; and as many on TCP.'),
    max_connections_per_address: connections()
      .default(512)
      .describe('QUIC connections at once from one IP address; and as many on TCP.'),
    tunnel_timeout_ms: integer(100, 3_600_000, 'milliseconds')
      .default(10_000)
      .describe(
        'A connection that has had no tunnel for this long is closed: before its first one, and after its last.',
      ),
    max_tunnels: tunnels().default(1000).describe('Tunnels at once.'),
    max_tunnels_per_address: tunnels().default(512).describe('Tunnels at once from one IP address.'),
    max_tunnels_per_connection: tunnels().default(8).describe('Tunnels at once on one connection.'),
    retry: choice(['always', 'auto', 'never'])
      .default('auto')
      .describe(
        'Whether a new client must first prove its address with a Retry (RFC 9000 §8.1.2), which costs a round trip: auto does so under load.',
      ),
    early_settings: flag()
      .default(true)
      .describe(
        "Whether HTTP/3's SETTINGS leave with the server's half of the handshake (0.5-RTT data, RFC 9001 §5.7), which saves a session a round trip: by the QUIC engine in TypeScript, to who need not show a certificate.",
      ),
  })
    .prefault({})
    .describe('What the server takes on before it refuses.'),

  quic: quicSection.prefault({}).describe('The QUIC transport.'),

  api: table({
    enabled: flag().default(true).describe('Is the REST API served?'),
    host: host()
      .default('127.0.0.1')
      .describe('Address of the REST API. Others than loopback need api.tls and a token.'),
    port: port().default(8080).describe('TCP port of the REST API; 0 takes any free one.'),
    live: flag()
      .default(false)
      .describe(
        'Is the live view served at /live/? It shows who is connected, and parts of packets, to whoever reads the API.',
      ),
    tls: flag().default(false).describe('HTTPS instead of HTTP, with the certificate and the key of [tls]; TLS 1.3.'),
    token_sha256: sha256()
      .optional()
      .describe(
        'SHA-256 of the bearer token that ends tunnels (DELETE /api/v1/clients/ID) and, on other addresses than loopback, is needed for all but ' +
          '/health; in hexadecimal, as in auth.tokens. Default: none, and what needs it is off.',
      ),
    token_file: path()
      .optional()
      .describe(
        'In place of token_sha256: file whose only line is the token itself; must be readable by its owner only (chmod 600). Read once, at the start.',
      ),
    allow_exposed_token: flag()
      .default(false)
      .describe('Accept a token file that others may read, on a file system that keeps no modes.'),
  })
    .prefault({})
    .describe('The REST API: /health, /api/v1/status, /api/v1/clients, /metrics and more; docs/api.md.'),

  log: logSection.prefault({}).describe('The log, on standard error.'),
})

/**
 * Reads and checks a configuration file. `tun`: a TUN device whatever the file says, and its name; `live`: the live view, and the API that it
 * is a part of. Throws ConfigError.
 */
export function loadServerConfig(
  file: string,
  { tun, live }: { tun?: string | true; live?: boolean } = {},
): ServerConfig {
  const config = parseServerConfig(readConfigFile(file), { file })
  if (live) config.api = { ...config.api, enabled: true, live }
  if (tun !== undefined) config.tun = { ...DEFAULT_TUN, ...config.tun, ...(tun !== true && { name: tun }) }
  return config
}

/** Checks the text of a configuration file. `file` is named in errors, and relative paths are relative to its directory. Throws ConfigError. */
export function parseServerConfig(text: string, { file }: { file: string }): ServerConfig {
  const config = toServerConfig(parseToml(serverConfigSchema, text, file), dirname(resolve(file)))
  failOnProblems(file, findProblems(config))
  return config
}

/** What may be changed in `defaultServerConfig`: any key of any section. A pool or a list replaces the default one as a whole. */
export type ServerConfigOverrides = {
  [K in keyof ServerConfig]?: ServerConfig[K] extends unknown[] ? ServerConfig[K] : Partial<ServerConfig[K]>
}

const DEFAULT_FILE = fileURLToPath(new URL('../../config/default.toml', import.meta.url))
const DEFAULT_TOML = `
listen.port = 0
tls = { certificate = "../cert/out/server.pem", key = "../cert/out/server-key.pem" }
pool = { ipv4 = "10.89.0.0/24", ipv6 = "fd00:89::/64" }
hosts = [{ name = "echo", ipv4 = "10.90.0.1", ipv6 = "fd00:90::1" }]
api.port = 0
`

const DEFAULT_WEBTRANSPORT = { path: '/webtransport', origins: [] }

const DEFAULT_TUN = { name: 'masque%d', mtu: 1400, nat: false, offload: false }

/**
 * A configuration for tests and demonstrations: the schema's defaults, but any free port for QUIC and for the API, the certificates
 * of `npm run cert`, pools for both families and one host "echo". Throws ConfigError when the overrides make no sense.
 */
export function defaultServerConfig(overrides: ServerConfigOverrides = {}): ServerConfig {
  const base = parseServerConfig(DEFAULT_TOML, { file: DEFAULT_FILE })
  const pool = overrides.pool ?? base.pool
  const hosts = overrides.hosts ?? base.hosts
  const config: ServerConfig = {
    listen: { ...base.listen, ...overrides.listen },
    tls: { ...base.tls, ...overrides.tls },
    tunnel: { ...base.tunnel, ...overrides.tunnel },
    pool,
    hosts,
    ...(overrides.webTransport !== undefined && {
      webTransport: { ...DEFAULT_WEBTRANSPORT, ...overrides.webTransport },
    }),
    ...(overrides.tun !== undefined && { tun: { ...DEFAULT_TUN, ...overrides.tun } }),
    routes: overrides.routes ?? defaultRoutes(pool, hosts),
    dns: overrides.dns ?? base.dns,
    nat64: { ...base.nat64, ...overrides.nat64 },
    auth: { ...base.auth, ...overrides.auth },
    limits: { ...base.limits, ...overrides.limits },
    quic: { ...base.quic, ...overrides.quic },
    api: { ...base.api, ...overrides.api },
    log: { ...base.log, ...overrides.log },
  }
  failOnProblems('server configuration', findProblems(config))
  return config
}

function toServerConfig(toml: z.output<typeof serverConfigSchema>, directory: string): ServerConfig {
  const resolvePath = (path: string): string => resolve(directory, path)
  const { tls, tunnel, auth, limits } = toml
  return {
    listen: toml.listen,
    tls: {
      certificate: resolvePath(tls.certificate),
      key: resolvePath(tls.key),
      ...(tls.allow_exposed_key && { allowExposedKey: true }),
      ...(tls.client_ca !== undefined && { clientCa: resolvePath(tls.client_ca) }),
    },
    tunnel: {
      template: tunnel.template,
      encapsulations: tunnel.encapsulations,
      clientToClient: tunnel.client_to_client,
      clientRoutes: tunnel.client_routes,
      linkProbe: tunnel.link_probe,
      queue: tunnel.queue,
      fec: tunnel.fec,
      leaseGraceMs: tunnel.lease_grace_ms,
    },
    pool: toml.pool,
    routes: toml.routes ?? defaultRoutes(toml.pool, toml.hosts),
    hosts: toml.hosts,
    ...(toml.webtransport !== undefined && { webTransport: toWebTransport(toml.webtransport) }),
    ...(toml.tun !== undefined && { tun: toml.tun }),
    dns: toDnsConfigurations(toml.dns),
    nat64: toml.nat64,
    auth: {
      mode: auth.mode,
      tokens: auth.tokens.map(token => ({
        identity: token.identity,
        sha256: token.sha256.toLowerCase(),
        maxTunnels: token.max_tunnels ?? auth.max_tunnels_per_identity,
      })),
      identities: auth.identities.map(entry => ({ identity: entry.identity, maxTunnels: entry.max_tunnels })),
      maxTunnelsPerIdentity: auth.max_tunnels_per_identity,
    },
    limits: {
      maxConnections: limits.max_connections,
      maxConnectionsPerAddress: limits.max_connections_per_address,
      tunnelTimeoutMs: limits.tunnel_timeout_ms,
      maxTunnels: limits.max_tunnels,
      maxTunnelsPerAddress: limits.max_tunnels_per_address,
      maxTunnelsPerConnection: limits.max_tunnels_per_connection,
      retry: limits.retry,
      earlySettings: limits.early_settings,
    },
    quic: toQuicOptions(toml.quic, resolvePath),
    api: {
      enabled: toml.api.enabled,
      host: toml.api.host,
      port: toml.api.port,
      live: toml.api.live,
      tls: toml.api.tls,
      ...(toml.api.token_sha256 !== undefined && { tokenSha256: toml.api.token_sha256.toLowerCase() }),
      ...(toml.api.token_file !== undefined && { tokenFile: resolvePath(toml.api.token_file) }),
      ...(toml.api.allow_exposed_token && { allowExposedToken: true }),
    },
    log: toml.log,
  }
}

/** The pools, and each host that is not inside one of them. */
function defaultRoutes(pool: ServerConfig['pool'], hosts: readonly HostConfig[]): ServerConfig['routes'] {
  const pools = [pool.ipv4, pool.ipv6].filter(prefix => prefix !== undefined)
  const outside = hosts.flatMap(hostAddresses).filter(address => !pools.some(prefix => prefix.contains(address)))
  const prefixes = [...pools, ...outside.map(address => IpPrefix.single(address))]
  // Two hosts with one address are reported as such, not as overlapping routes.
  const different = prefixes.filter((prefix, i) => prefixes.findIndex(other => other.equals(prefix)) === i)
  return different.map(prefix => ({ prefix, protocol: 0 }))
}

function hostAddresses(host: HostConfig): IpAddress[] {
  return [host.ipv4, host.ipv6].filter(address => address !== undefined)
}

/** What the schema cannot say: keys that do not make sense together. */
function findProblems(config: ServerConfig): KeyProblem[] {
  return [
    ...templateProblems(config),
    ...poolProblems(config),
    ...routeProblems(config),
    ...hostProblems(config),
    ...clientRouteProblems(config),
    ...dnsProblems(config),
    ...authProblems(config),
    ...apiProblems(config),
    ...linkProblems(config),
    ...tunProblems(config),
    ...webTransportProblems(config),
  ]
}

function toWebTransport({
  package_port: packagePort,
  ...rest
}: NonNullable<z.output<typeof serverConfigSchema>['webtransport']>): ServerConfig['webTransport'] {
  return { ...rest, ...(packagePort !== undefined && { packagePort }) }
}

/** Web pages have no client certificates. */
function webTransportProblems({ webTransport, auth }: ServerConfig): KeyProblem[] {
  if (webTransport === undefined || auth.mode !== 'mtls') return []
  const message = 'found "mtls", but a web page cannot send a certificate; expected "none", "token" or "mtls-or-token"'
  return [{ key: 'auth.mode', message: `${message} beside [webtransport]` }]
}

/** What is built for Linux only. */
function tunProblems({ tun }: ServerConfig): KeyProblem[] {
  if (tun === undefined || process.platform === 'linux') return []
  const expected = `expected false: that is built for Linux, and this is ${process.platform}`
  return (['nat', 'offload'] as const)
    .filter(key => tun[key])
    .map(key => ({ key: `tun.${key}`, message: `found true; ${expected}` }))
}

function linkProblems({ quic, tunnel, pool }: ServerConfig): KeyProblem[] {
  return ipv6RoomProblems({
    maxUdpPayload: quic.maxUdpPayload,
    linkProbe: tunnel.linkProbe,
    ipv6: pool.ipv6 !== undefined,
    datagrams: tunnel.encapsulations.includes('datagram'),
    otherwise: 'no pool.ipv6, tunnel.encapsulations without "datagram", or tunnel.link_probe = "off"',
  })
}

function templateProblems({ tunnel }: ServerConfig): KeyProblem[] {
  try {
    parsePathTemplate(tunnel.template)
    return []
  } catch (error) {
    if (!(error instanceof TemplateError)) throw error
    return [{ key: 'tunnel.template', message: error.message }]
  }
}

function poolProblems({ pool, hosts }: ServerConfig): KeyProblem[] {
  if (pool.ipv4 === undefined && pool.ipv6 === undefined) {
    return [
      {
        key: 'pool',
        message: 'no addresses for clients; give ipv4 (such as "10.89.0.0/24"), ipv6 (such as "fd00:89::/64") or both',
      },
    ]
  }
  const problems: KeyProblem[] = []
  for (const prefix of [pool.ipv4, pool.ipv6]) {
    if (prefix === undefined) continue
    const key = `pool.ipv${prefix.version}`
    const { address } = prefix
    if (address.isMulticast || address.isLinkLocal || address.isLoopback) {
      const expected = 'addresses that can be forwarded, not multicast, link-local or loopback ones'
      problems.push({ key, message: `found ${prefix}; expected ${expected}` })
      continue
    }
    const addresses = new AddressPool(prefix, { reserved: hosts.flatMap(hostAddresses) })
    if (addresses.total < 1) {
      const example = prefix.version === 4 ? '10.89.0.0/24' : 'fd00:89::/64'
      const lack = 'too small: beside the proxy and the hosts it has no address for a client'
      problems.push({ key, message: `found ${prefix}, which is ${lack}; expected a larger pool, such as ${example}` })
    }
    for (const [i, host] of hosts.entries()) {
      if (!hostAddresses(host).some(taken => taken.equals(addresses.gateway))) continue
      const message = `found ${addresses.gateway}, which is the proxy's own address in the pool; expected another one`
      problems.push({ key: `hosts[${i}].ipv${prefix.version}`, message })
    }
  }
  return problems
}

/** Ranges for the same protocol, or for any protocol and for one, must not overlap: RFC 9484 §4.7.3. */
function routeProblems({ routes }: ServerConfig): KeyProblem[] {
  const problems: KeyProblem[] = []
  for (const [i, a] of routes.entries()) {
    for (const [j, b] of routes.slice(0, i).entries()) {
      const sameTraffic = a.protocol === b.protocol || a.protocol === 0 || b.protocol === 0
      if (sameTraffic && (a.prefix.containsPrefix(b.prefix) || b.prefix.containsPrefix(a.prefix))) {
        const message = `found ${a.prefix}, which overlaps routes[${j}] (${b.prefix}); expected routes without overlap (RFC 9484 §4.7.3)`
        problems.push({ key: `routes[${i}].prefix`, message })
      }
    }
  }
  if (problems.length > 0) return problems
  // A scope may be narrower, and then has no more of them; see scopeRoutes.
  const count = policyRoutes(routes).length
  if (count <= DEFAULT_MAX_ENTRIES) return []
  const message = `found ${count} (by default they are the pools and the hosts; adjacent ones count as one); expected at most ${DEFAULT_MAX_ENTRIES}, the entries of one ROUTE_ADVERTISEMENT: give larger prefixes`
  return [{ key: 'routes', message }]
}

/** What the proxy's own host is called, so that no other can be. */
const GATEWAY_NAME = 'gateway'

function hostProblems({ hosts }: ServerConfig): KeyProblem[] {
  const problems: KeyProblem[] = []
  const owners = new Map<string, number>()
  const names = new Set<string>([GATEWAY_NAME])
  for (const [i, host] of hosts.entries()) {
    if (names.has(host.name)) {
      const message = `found "${host.name}", which is taken (the proxy itself is "${GATEWAY_NAME}"); expected another name`
      problems.push({ key: `hosts[${i}].name`, message })
    }
    names.add(host.name)
    const addresses = hostAddresses(host)
    if (addresses.length === 0)
      problems.push({ key: `hosts[${i}]`, message: `the host "${host.name}" has no address; give ipv4, ipv6 or both` })
    for (const address of addresses) {
      const key = `hosts[${i}].ipv${address.version}`
      const owner = owners.get(address.toString())
      if (owner !== undefined)
        problems.push({ key, message: `found ${address}, which hosts[${owner}] has already; expected another address` })
      if (
        address.isUnspecified ||
        address.isMulticast ||
        address.isBroadcast ||
        address.isLinkLocal ||
        address.isLoopback
      ) {
        problems.push({
          key,
          message: `found ${address}; expected the address of one host that can be reached through a tunnel`,
        })
      }
      owners.set(address.toString(), i)
    }
  }
  return problems
}

/** Each route that a client advertises is compared with each of them. */
const MAX_CLIENT_ROUTES = 256

/**
 * Addresses that the proxy gives out itself cannot be behind a client as well: the client would get packets that are
 * meant for a host, for the proxy, or for whoever leases the address next.
 */
function clientRouteProblems({ tunnel, pool, hosts }: ServerConfig): KeyProblem[] {
  const own: [IpPrefix, string][] = []
  if (pool.ipv4 !== undefined) own.push([pool.ipv4, 'pool.ipv4'])
  if (pool.ipv6 !== undefined) own.push([pool.ipv6, 'pool.ipv6'])
  for (const [i, host] of hosts.entries()) {
    for (const address of hostAddresses(host)) own.push([IpPrefix.single(address), `hosts[${i}].ipv${address.version}`])
  }
  const count = mergeRanges(tunnel.clientRoutes.map(prefix => prefix.toRange())).length
  if (count > MAX_CLIENT_ROUTES) {
    const message = `found ${count} (adjacent ones count as one); expected at most ${MAX_CLIENT_ROUTES}: give larger prefixes`
    return [{ key: 'tunnel.client_routes', message }]
  }
  return tunnel.clientRoutes.flatMap((prefix, i): KeyProblem[] => {
    const found = own.find(([other]) => prefix.containsPrefix(other) || other.containsPrefix(prefix))
    if (found === undefined) return []
    const message = `found ${prefix}, which overlaps ${found[1]} (${found[0]}); expected networks that are behind clients only`
    return [{ key: `tunnel.client_routes[${i}]`, message }]
  })
}

/** As the system reads them: 127.1 is 127.0.0.1. What a name stands for is known when it is listened on (api-server.ts). */
const LOOPBACK_HOST = /^(localhost|127(\.\d+){0,3}|0*(:0*){1,6}:0*1|::ffff:127\.\d+\.\d+\.\d+)$/i

function apiProblems({ api }: ServerConfig): KeyProblem[] {
  const problems: KeyProblem[] = []
  if (api.tokenSha256 !== undefined && api.tokenFile !== undefined) {
    problems.push({ key: 'api.token_file', message: 'given beside api.token_sha256; expected one of the two' })
  }
  if (!api.enabled || LOOPBACK_HOST.test(api.host)) return problems
  const why = `other machines can reach ${api.host}`
  if (!api.tls)
    problems.push({ key: 'api.tls', message: `found false; expected true, because ${why} (or api.host = "127.0.0.1")` })
  if (api.tokenSha256 === undefined && api.tokenFile === undefined) {
    problems.push({
      key: 'api.token_sha256',
      message: `missing; expected the SHA-256 of a token, or api.token_file, because ${why} (or api.host = "127.0.0.1")`,
    })
  }
  return problems
}

function authProblems({ auth, tls }: ServerConfig): KeyProblem[] {
  const problems: KeyProblem[] = []
  if (auth.mode.includes('mtls') && tls.clientCa === undefined) {
    problems.push({
      key: 'tls.client_ca',
      message: `missing, but auth.mode is "${auth.mode}"; give the file with the CA that signs client certificates`,
    })
  }
  if (auth.mode.includes('token') && auth.tokens.length === 0) {
    problems.push({
      key: 'auth.tokens',
      message: `empty, but auth.mode is "${auth.mode}"; give at least one [[auth.tokens]]`,
    })
  }
  const seen = new Map<string, number>()
  for (const [i, token] of auth.tokens.entries()) {
    const earlier = seen.get(token.sha256)
    if (earlier !== undefined) {
      problems.push({
        key: `auth.tokens[${i}].sha256`,
        message: `the same token as auth.tokens[${earlier}]; expected one entry for each token`,
      })
    }
    seen.set(token.sha256, i)
  }
  return problems
}
