/** The client's configuration: a TOML file, checked by the schema below, which also documents every key. */
import { dirname, resolve } from 'node:path'
import type { z } from 'zod'
import { DecodeError } from '../bytes/errors.ts'
import { failOnProblems, type KeyProblem } from '../config/config-error.ts'
import { choice, choices, flag, hostAndPort, integer, ipPrefix, table, tables, text } from '../config/fields.ts'
import { ipv6RoomProblems } from '../config/ipv6-room.ts'
import { type LogOptions, logSection } from '../config/log-section.ts'
import { parseToml, readConfigFile } from '../config/read-toml.ts'
import {
  allowExposedKey,
  ENCAPSULATIONS,
  type Encapsulation,
  fecGroupField,
  type LinkProbe,
  linkProbe,
  path,
  type QuicOptions,
  quicSection,
  type SendQueueName,
  sendQueueField,
  toQuicOptions,
} from '../config/sections.ts'
import { BEARER_TOKEN } from '../config/token-file.ts'
import { DEFAULT_MAX_ENTRIES } from '../connect-ip/address-entry.ts'
import { policyRoutes } from '../connect-ip/routes.ts'
import { defaultTemplate, expandTemplate, parseUriTemplate } from '../connect-ip/uri-template.ts'
import type { IpPrefix } from '../ip/prefix.ts'
import { readToken } from './token.ts'

export const CARRIERS = ['h3', 'h2', 'h1'] as const
/** `auto`: whichever of h3 and h2 gets through (carrier-race.ts). */
export const CARRIER_CHOICES = [...CARRIERS, 'webtransport', 'auto'] as const

/** Every path is absolute. What the keys mean is said in `clientConfigSchema`. */
export interface ClientConfig {
  proxy: { template: string; target: string; ipproto: string; address?: { host: string; port: number } }
  tls: {
    ca?: string
    certificate?: string
    key?: string
    serverName?: string
    insecure: boolean
    allowExposedKey?: boolean
  }
  auth: { token?: string; tokenFile?: string; allowExposedToken?: boolean }
  tunnel: {
    carrier: (typeof CARRIER_CHOICES)[number]
    encapsulation: Encapsulation
    requestAddresses: ('ipv4' | 'ipv6')[]
    linkProbe: LinkProbe
    queue: SendQueueName
    /** Packets in a group; 0: no forward error correction. */
    fec: number
    /** 0: never before the idle timeout. */
    tcpLostAfterMs: number
    acceptDns: boolean
    tunDns: boolean
    /** Of `carrier = "webtransport"`. */
    webTransportPath: string
    certificateSha256?: string
  }
  /** Networks behind this client. */
  advertise: { prefix: IpPrefix; protocol: number }[]
  quic: QuicOptions
  migration: { enabled: boolean }
  reconnect: { enabled: boolean; knockMs: number; initialDelayMs: number; maxDelayMs: number; maxAttempts: number }
  log: LogOptions
}

/** The file's form: TOML's snake_case names. `ClientConfig` is what the program works with. */
export const clientConfigSchema = table({
  proxy: table({
    template: text('an absolute URI template, such as https://localhost:4433/.well-known/masque/ip/{target}/{ipproto}/')
      .default(defaultTemplate('localhost', 4433))
      .describe(
        'URI template of the proxy (RFC 9484 §3): https, its host and port, and the path with {target} and {ipproto}.',
      ),
    target: text('an IP prefix, a DNS name or "*"')
      .default('*')
      .describe(
        'What the tunnel is for: an IP prefix (10.90.0.0/24, or as in a URI 10.90.0.0%2F24), a host name, or * for everything the proxy offers.',
      ),
    ipproto: text('an IP protocol number from 0 to 255, in quotes, or "*"')
      .default('*')
      .describe('The IP protocol the tunnel is for, as a text: "17" is UDP, "*" is any.'),
    address: hostAndPort()
      .optional()
      .describe(
        'Connect to this HOST:PORT instead of the one in the template, whose name or IP address the certificate must still be for.',
      ),
  })
    .prefault({})
    .describe('The proxy.'),

  tls: table({
    ca: path()
      .optional()
      .describe("PEM file with the CA that the proxy's certificate must be signed by. Default: the system's."),
    certificate: path().optional().describe('PEM file with the client certificate, when the proxy asks for one.'),
    key: path().optional().describe('PEM file with its private key; must not be readable by everyone (chmod 600).'),
    allow_exposed_key: allowExposedKey(),
    server_name: text('a host name or an IP address', /^[A-Za-z0-9._:-]+$/)
      .optional()
      .describe(
        "Name or IP address that is looked for in the proxy's certificate; a name is also sent (SNI). Default: the host in the template.",
      ),
    insecure: flag()
      .default(false)
      .describe('Accept any certificate. Then anybody on the path can pass for the proxy: for experiments only.'),
  })
    .prefault({})
    .describe('Certificates. Paths are relative to this file. `npm run cert` makes them.'),

  auth: table({
    token: text('a bearer token: letters, digits and -._~+/, then perhaps =', BEARER_TOKEN)
      .optional()
      .describe('Bearer token that the proxy asks for. token_file keeps it out of this file.'),
    token_file: path()
      .optional()
      .describe('File whose only line is the bearer token; must be readable by its owner only (chmod 600).'),
    allow_exposed_token: flag()
      .default(false)
      .describe('Accept a token file that others may read, on a file system that keeps no modes.'),
  })
    .prefault({})
    .describe('Authentication by bearer token, beside or instead of the client certificate.'),

  tunnel: table({
    carrier: choice(CARRIER_CHOICES)
      .default('h3')
      .describe(
        'The version of HTTP that carries the tunnel: h3 (HTTP/3, over UDP), h2 (HTTP/2, over TCP: for networks that block UDP; packets then ' +
          'travel on the request stream, and each that is lost holds up all that follow), h1 (HTTP/1.1, also over TCP, by Upgrade: where ' +
          'something on the way speaks nothing newer), auto (h3; h2 where that gets no answer within 250 ms or fails, and back to h3 when UDP works again), ' +
          'webtransport (WebTransport by the npm package @fails-components/webtransport; ours and not RFC 9484, docs/webtransport.md).',
      ),
    encapsulation: choice(ENCAPSULATIONS)
      .default('datagram')
      .describe(
        'How IP packets travel: datagram (QUIC datagrams, the normal way), single-stream (capsules on the request stream), ' +
          'stream-per-packet (a new stream for each packet: slow, for comparison).',
      ),
    request_addresses: choices(['ipv4', 'ipv6'])
      .default(['ipv4', 'ipv6'])
      .describe('Families to ask an address for (ADDRESS_REQUEST); [] waits for what the proxy assigns.'),
    link_probe: linkProbe('auto'),
    queue: sendQueueField(),
    fec: fecGroupField()
      .default(0)
      .describe(
        'Ask the proxy for forward error correction in both directions: behind so many packets (2 to 32) goes one more, by which one that is lost can be ' +
          'made again; 0: none. Over h3 with encapsulation datagram; the proxy has to have it (its tunnel.fec). Ours and not RFC 9484, docs/research.md.',
      ),
    tcp_lost_after_ms: integer(0, 3_600_000, 'milliseconds')
      .default(10_000)
      .describe(
        'Over h2, h1 and webtransport, a proxy from which nothing comes for this long counts as lost, and the tunnel with it; over h2 it is asked by PING (RFC 9113 §6.7) when it was ' +
          'quiet for a quarter of that time, over h1 it is asked in the request to write at least so often (where it does not know that, quic.idle_timeout_ms has to do), over webtransport the package asks each second. What TCP gets over by itself takes up to twice as long as the outage. 0: only after quic.idle_timeout_ms.',
      ),
    accept_dns: flag()
      .default(true)
      .describe(
        'Show the DNS servers and NAT64 prefixes that the proxy tells of. They are only shown, unless tun_dns is true: names are looked up as before.',
      ),
    tun_dns: flag()
      .default(false)
      .describe(
        'With --tun: let the system ask those DNS servers while the tunnel is up, where they lie behind it. The same as --tun-dns.',
      ),
    webtransport_path: text('a path that starts with /, without query', /^\/[^?#]*$/)
      .default('/webtransport')
      .describe(
        'With carrier = "webtransport": where the proxy takes sessions (its webtransport.path). Of proxy.template only host and port count then.',
      ),
    certificate_sha256: text(
      'the 64 hexadecimal digits of a SHA-256, perhaps with colons',
      /^[0-9A-Fa-f]{2}(:?[0-9A-Fa-f]{2}){31}$/,
    )
      .optional()
      .describe(
        'With carrier = "webtransport": the SHA-256 of the proxy\'s certificate, which may be valid for at most 14 days then. Default: one that the system\'s CAs have signed.',
      ),
  })
    .prefault({})
    .describe('The tunnel.'),

  advertise: tables({
    prefix: ipPrefix().describe('A network behind this client.'),
    protocol: integer(0, 255, 'an IP protocol number')
      .default(0)
      .describe('Only packets of this IP protocol (6 is TCP, 17 UDP); 0 is any. ICMP is always allowed.'),
  })
    .default([])
    .describe(
      'Networks behind this client that the proxy is told of (RFC 9484 §8.2), in each tunnel. It uses those inside its tunnel.client_routes. ' +
        'For --tun: this machine is then their router, and its system has to forward.',
    ),

  quic: quicSection.prefault({}).describe('The QUIC transport.'),

  migration: table({
    enabled: flag()
      .default(true)
      .describe(
        'Move the tunnel when the system sends from another address than before, because the network is another one? Addresses and flows inside it stay ' +
          '(RFC 9000 §9). SIGUSR2 moves it at once, whatever is said here.',
      ),
  })
    .prefault({})
    .describe('What happens when this machine comes into another network.'),

  reconnect: table({
    enabled: flag()
      .default(true)
      .describe(
        'Connect again when the connection is lost? The proxy then knows the client by a random name in its requests (not with carrier = "webtransport"), and gives it the ' +
          'addresses that it had, even where it has not noticed yet that the old tunnel is gone.',
      ),
    knock_ms: integer(0, 3_600_000, 'milliseconds')
      .default(25)
      .describe(
        'When a tunnel is lost that was up for a second or more, the proxy is asked for a new one at once, and then this often, until it answers or ten seconds have ' +
          'passed; only then the delays below begin. 0: they begin at once.',
      ),
    initial_delay_ms: integer(1, 3_600_000, 'milliseconds')
      .default(500)
      .describe('Wait before the next attempt; it doubles with each, until a tunnel has lived for max_delay_ms.'),
    max_delay_ms: integer(1, 3_600_000, 'milliseconds').default(30_000).describe('The longest wait between attempts.'),
    max_attempts: integer(0, 1_000_000, 'a number of attempts')
      .default(0)
      .describe(
        'Give up after so many in a row; a tunnel that lived for less than max_delay_ms does not end the row. 0 never does.',
      ),
  })
    .prefault({})
    .describe('What happens when the connection is lost.'),

  log: logSection.prefault({}).describe('The log, on standard error.'),
})

/** Of `tunnel.carrier`. */
export type CarrierChoice = ClientConfig['tunnel']['carrier']

/** Reads and checks a configuration file, and that its token file is there and private. `carrier` takes the place of what it says. Throws ConfigError. */
export function loadClientConfig(file: string, { carrier }: { carrier?: CarrierChoice } = {}): ClientConfig {
  const config = parseClientConfig(readConfigFile(file), { file, carrier })
  readToken(config.auth)
  return config
}

/** Checks the text of a configuration file. `file` is named in errors, and relative paths are relative to its directory. Throws ConfigError. */
export function parseClientConfig(
  text: string,
  { file, carrier }: { file: string; carrier?: CarrierChoice | undefined },
): ClientConfig {
  const config = toClientConfig(parseToml(clientConfigSchema, text, file), dirname(resolve(file)))
  if (carrier !== undefined) {
    config.tunnel.carrier = carrier
    // What only another one needs does no harm.
    if (carrier !== 'webtransport') delete config.tunnel.certificateSha256
  }
  failOnProblems(file, findProblems(config))
  return config
}

/** What may be changed in `defaultClientConfig`: any key of any section. A list replaces the default one as a whole. */
export type ClientConfigOverrides = {
  [K in keyof ClientConfig]?: ClientConfig[K] extends unknown[] ? ClientConfig[K] : Partial<ClientConfig[K]>
}

/** A configuration for tests and demonstrations: the schema's defaults with some keys changed. Throws ConfigError when they make no sense. */
export function defaultClientConfig(overrides: ClientConfigOverrides = {}): ClientConfig {
  const base = parseClientConfig('', { file: 'client configuration' })
  const config: ClientConfig = {
    proxy: { ...base.proxy, ...overrides.proxy },
    tls: { ...base.tls, ...overrides.tls },
    auth: { ...base.auth, ...overrides.auth },
    tunnel: { ...base.tunnel, ...overrides.tunnel },
    advertise: overrides.advertise ?? base.advertise,
    quic: { ...base.quic, ...overrides.quic },
    migration: { ...base.migration, ...overrides.migration },
    reconnect: { ...base.reconnect, ...overrides.reconnect },
    log: { ...base.log, ...overrides.log },
  }
  failOnProblems('client configuration', findProblems(config))
  return config
}

function toClientConfig(toml: z.output<typeof clientConfigSchema>, directory: string): ClientConfig {
  const resolvePath = (path: string): string => resolve(directory, path)
  const { tls, auth, tunnel, reconnect } = toml
  return {
    proxy: { ...toml.proxy, target: withoutUriEncoding(toml.proxy.target) },
    tls: {
      ...(tls.ca !== undefined && { ca: resolvePath(tls.ca) }),
      ...(tls.certificate !== undefined && { certificate: resolvePath(tls.certificate) }),
      ...(tls.key !== undefined && { key: resolvePath(tls.key) }),
      ...(tls.server_name !== undefined && { serverName: tls.server_name }),
      insecure: tls.insecure,
      ...(tls.allow_exposed_key && { allowExposedKey: true }),
    },
    auth: {
      ...(auth.token !== undefined && { token: auth.token }),
      ...(auth.token_file !== undefined && { tokenFile: resolvePath(auth.token_file) }),
      ...(auth.allow_exposed_token && { allowExposedToken: true }),
    },
    tunnel: {
      carrier: tunnel.carrier,
      encapsulation: tunnel.encapsulation,
      requestAddresses: tunnel.request_addresses,
      linkProbe: tunnel.link_probe,
      queue: tunnel.queue,
      fec: tunnel.fec,
      tcpLostAfterMs: tunnel.tcp_lost_after_ms,
      acceptDns: tunnel.accept_dns,
      tunDns: tunnel.tun_dns,
      webTransportPath: tunnel.webtransport_path,
      ...(tunnel.certificate_sha256 !== undefined && {
        certificateSha256: tunnel.certificate_sha256.replaceAll(':', '').toLowerCase(),
      }),
    },
    advertise: toml.advertise,
    quic: toQuicOptions(toml.quic, resolvePath),
    migration: toml.migration,
    reconnect: {
      enabled: reconnect.enabled,
      knockMs: reconnect.knock_ms,
      initialDelayMs: reconnect.initial_delay_ms,
      maxDelayMs: reconnect.max_delay_ms,
      maxAttempts: reconnect.max_attempts,
    },
    log: toml.log,
  }
}

/** A target may also be written as it stands in the request's URI: 10.89.0.0%2F24, 2001%3Adb8%3A%3A1. */
function withoutUriEncoding(target: string): string {
  return target.replace(/%2f/gi, '/').replace(/%3a/gi, ':').replace(/%2a/gi, '*')
}

/** What the schema cannot say: the URI template's own rules, and keys that do not make sense together. */
function findProblems({ proxy, tls, auth, tunnel, advertise, quic, reconnect }: ClientConfig): KeyProblem[] {
  const problems: KeyProblem[] = []
  // CIP-01: a client with a wrong template refuses its configuration and sends nothing.
  const template = attempt('proxy.template', () => parseUriTemplate(proxy.template), problems)
  if (template !== undefined) attempt('proxy.target, proxy.ipproto', () => expandTemplate(template, proxy), problems)
  if ((tls.certificate === undefined) !== (tls.key === undefined)) {
    const [missing, there] = tls.key === undefined ? ['key', 'certificate'] : ['certificate', 'key']
    problems.push({ key: `tls.${missing}`, message: `missing, but tls.${there} is given; expected both or neither` })
  }
  if (auth.token !== undefined && auth.tokenFile !== undefined) {
    problems.push({ key: 'auth.token_file', message: 'given beside auth.token; expected one of the two' })
  }
  if (tunnel.tunDns && !tunnel.acceptDns) {
    problems.push({
      key: 'tunnel.tun_dns',
      message: 'found true, but tunnel.accept_dns is false; expected both, or neither',
    })
  }
  problems.push(
    ...webTransportProblems({ proxy, tls, tunnel }),
    ...advertiseProblems(advertise),
    ...ipv6RoomProblems({
      maxUdpPayload: quic.maxUdpPayload,
      linkProbe: tunnel.linkProbe,
      // In a scope of IPv4 addresses there are no others.
      ipv6: tunnel.requestAddresses.includes('ipv6') && !/^[\d.]+(\/\d+)?$/.test(proxy.target),
      datagrams: (tunnel.carrier === 'h3' || tunnel.carrier === 'auto') && tunnel.encapsulation === 'datagram',
      otherwise: 'tunnel.request_addresses = ["ipv4"], another tunnel.encapsulation, or tunnel.link_probe = "off"',
    }),
  )
  if (reconnect.maxDelayMs < reconnect.initialDelayMs) {
    const message = `found ${reconnect.maxDelayMs}; expected at least reconnect.initial_delay_ms, which is ${reconnect.initialDelayMs}`
    problems.push({ key: 'reconnect.max_delay_ms', message })
  }
  return problems
}

/** The package takes no CA and no client certificate, and its sessions are always for any target. */
function webTransportProblems({ proxy, tls, tunnel }: Pick<ClientConfig, 'proxy' | 'tls' | 'tunnel'>): KeyProblem[] {
  if (tunnel.carrier !== 'webtransport') {
    if (tunnel.certificateSha256 === undefined) return []
    return [{ key: 'tunnel.certificate_sha256', message: 'is for tunnel.carrier = "webtransport" only' }]
  }
  const given = [
    { key: 'tls.ca', is: tls.ca !== undefined && tunnel.certificateSha256 === undefined },
    { key: 'tls.certificate', is: tls.certificate !== undefined },
    { key: 'tls.insecure', is: tls.insecure },
    { key: 'proxy.target', is: proxy.target !== '*' },
    { key: 'proxy.ipproto', is: proxy.ipproto !== '*' },
  ]
  const message = 'cannot be used with tunnel.carrier = "webtransport"'
  const instead: Record<string, string> = { 'tls.ca': ': give tunnel.certificate_sha256' }
  return given.filter(({ is }) => is).map(({ key }) => ({ key, message: message + (instead[key] ?? '') }))
}

/** What no proxy could send on to this client; and more than the capsule that says it may hold. */
function advertiseProblems(advertise: ClientConfig['advertise']): KeyProblem[] {
  const problems = advertise.flatMap(({ prefix }, i): KeyProblem[] => {
    const { address } = prefix
    if (!address.isMulticast && !address.isLinkLocal && !address.isLoopback) return []
    const expected = 'a network that can be reached through a router, not a multicast, link-local or loopback one'
    return [{ key: `advertise[${i}].prefix`, message: `found ${prefix}; expected ${expected}` }]
  })
  const count = policyRoutes(advertise).length
  if (count <= DEFAULT_MAX_ENTRIES) return problems
  const message = `found ${count} (adjacent ones count as one); expected at most ${DEFAULT_MAX_ENTRIES}, the entries of one ROUTE_ADVERTISEMENT: give larger prefixes`
  return [...problems, { key: 'advertise', message }]
}

function attempt<T>(key: string, decode: () => T, problems: KeyProblem[]): T | undefined {
  try {
    return decode()
  } catch (error) {
    if (!(error instanceof DecodeError)) throw error
    problems.push({ key, message: error.message })
    return undefined
  }
}
