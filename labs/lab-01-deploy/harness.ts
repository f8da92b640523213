/**
 * The checks of lab 1: do this, expect that.
 *
 * The network that the student builds:
 *
 *     client ====== CONNECT-IP over HTTP/3 ====== proxy ------ library
 *     10.89.1.x                                   10.89.1.1    10.90.1.7
 *     fd00:89:1::x                                fd00:89:1::1 fd00:90:1::7
 */
import { createPrivateKey, X509Certificate } from 'node:crypto'
import { existsSync, readFileSync, statSync } from 'node:fs'
import { basename, join, relative } from 'node:path'
import { makeTestCertificates } from '../../src/cert/make-certificates.ts'
import { ClientError, MasqueClient } from '../../src/client/client.ts'
import { type ClientConfig, defaultClientConfig, loadClientConfig } from '../../src/client/config.ts'
import { ConfigError } from '../../src/config/config-error.ts'
import { folderKeepsModes } from '../../src/config/private-file.ts'
import { PingError } from '../../src/hosts/userspace/pinger.ts'
import { IpAddress } from '../../src/ip/address.ts'
import { loadServerConfig, type ServerConfig } from '../../src/server/config.ts'
import { MasqueServer } from '../../src/server/server.ts'
import type { ClientInfo, ServerStatus } from '../../src/server/status.ts'
import type { CheckContext, Feedback, Live } from '../kit/lab/types.ts'
import { CheckFailure } from '../kit/run/engine.ts'
import type { Topology, Traffic } from './ui.tsx'

/** What task 2 asks for. */
export const NETWORK = {
  pool4: '10.89.1.0/26',
  pool6: 'fd00:89:1::/64',
  gateway4: '10.89.1.1',
  gateway6: 'fd00:89:1::1',
  library4: '10.90.1.7',
  library6: 'fd00:90:1::7',
} as const

const CERTIFICATES = ['ca.pem', 'server.pem', 'server-key.pem', 'client.pem', 'client-key.pem'] as const
const ROUTING = 'RFC 9484 §7.2 Routing Operation'
const ASSIGN = 'RFC 9484 §4.7.1 ADDRESS_ASSIGN Capsule'
const TRUST = 'RFC 9001 §4.8 Cryptographic Handshake Errors; RFC 8446 §6.2 Error Alerts'

// Task 1 ---------------------------------------------------------------------------------------------------------------

export async function checkCertificates(context: CheckContext): Promise<Feedback> {
  const directory = await certificateDirectory(context)
  const files = await context.do('look for the certificates in cert/out', () =>
    CERTIFICATES.map(name => ({ name, path: join(directory, name) })),
  )
  const missing = files.filter(file => !existsSync(file.path)).map(file => file.name)
  context.expect('all of them are there', missing.length === 0, {
    expected: `cert/out to hold ${CERTIFICATES.join(', ')}`,
    found: `no ${missing.join(', ')}. Run: npm run cert`,
    read: ['cert/README.md'],
  })
  const read = (name: string) => new X509Certificate(readFileSync(join(directory, name)))
  const [ca, server, client] = await context.do('read them', () => [
    read('ca.pem'),
    read('server.pem'),
    read('client.pem'),
  ])

  for (const [name, certificate] of [['server.pem', server] as const, ['client.pem', client] as const]) {
    context.expect(`${name} is signed by the authority in ca.pem`, certificate.verify(ca.publicKey), {
      expected: `${name} to be signed by the key that belongs to ca.pem`,
      found: `a signature by another key (issuer: ${certificate.issuer.replace(/\n/g, ', ')})`,
      misconception:
        'Certificates of two runs have been mixed: a new authority does not vouch for what an old one signed.',
      read: ['cert/README.md'],
    })
    const expired = Date.parse(certificate.validTo) < Date.now()
    context.expect(`${name} is valid today`, !expired, {
      expected: `${name} to be valid`,
      found: `that it expired on ${certificate.validTo}. Run: npm run cert`,
    })
  }
  context.expect('the server certificate names localhost', server.checkHost('localhost') !== undefined, {
    expected: 'localhost among the names (subjectAltName) of server.pem',
    found: server.subjectAltName ?? 'no names at all',
    misconception: 'A client compares the name it wanted to reach with these names; the common name does not count.',
    read: ['RFC 9114 §3.3 Connection Reuse', 'cert/README.md'],
  })
  const key = createPrivateKey(readFileSync(join(directory, 'server-key.pem')))
  context.expect('server-key.pem is the key of server.pem', server.checkPrivateKey(key), {
    expected: 'a private key that fits the public key in server.pem',
    found: 'another key. Run: npm run cert -- --force',
  })
  if (process.platform !== 'win32') {
    const mode = statSync(join(directory, 'server-key.pem')).mode & 0o777
    context.expect('only you can read the private key', (mode & 0o077) === 0, {
      expected: 'mode 600 on server-key.pem',
      found: folderKeepsModes(directory)
        ? `mode ${mode.toString(8)}: others on this machine can read it. Run: chmod 600 cert/out/*-key.pem`
        : `mode ${mode.toString(8)}, and chmod cannot change it: the file system of cert/out keeps no modes (a Windows drive under WSL, exFAT). Clone masque-lab into your home folder, on a Linux file system, and go on there`,
    })
  }

  const answer = basename(context.answers.trust ?? '').toLowerCase()
  const wrong: Record<string, string> = {
    'server.pem':
      'The server sends server.pem itself in the handshake. A client that kept a copy would have to be given a new one at every renewal; an authority avoids that.',
    'server-key.pem': 'This key proves that the server is the server. Whoever has it can pass for the server.',
    'ca-key.pem': 'This key signs certificates. Whoever has it can pass for any server and for any client.',
    'client.pem': 'That is how a client shows who it is. Here the client asks who the server is.',
    'client-key.pem': 'That is how a client proves who it is. Here the client asks who the server is.',
  }
  context.expect('you know which file a client needs to trust the server', answer === 'ca.pem', {
    expected: 'the one file with which a client can verify the certificate that the server shows',
    found: answer === '' ? 'no answer yet' : `the answer "${context.answers.trust}"`,
    ...(wrong[answer] ? { misconception: wrong[answer] } : {}),
    read: ['cert/README.md', 'labs/lab-01-deploy/README.md, "Who trusts whom"'],
  })
  return {
    passed: true,
    expected: 'certificates that fit together, and the one that carries the trust',
    found: `server.pem for ${(server.subjectAltName ?? '').replace(/(DNS|IP Address):/g, '')}, valid until ${server.validTo}, signed by ca.pem`,
    read: ['cert/README.md'],
  }
}

// Task 2 ---------------------------------------------------------------------------------------------------------------

export async function checkConfig(context: CheckContext): Promise<Feedback> {
  const config = await loadServer(context)
  for (const [key, file] of [['certificate', config.tls.certificate] as const, ['key', config.tls.key] as const]) {
    context.expect(`the file in tls.${key} exists`, existsSync(file), {
      expected: `server.toml: tls.${key} to name a file that exists, such as the one in cert/out`,
      found: `${file}, and there is no such file`,
      misconception:
        'A path in the configuration is relative to the configuration file, not to where you start the server.',
      read: ['src/server/config.ts, section tls'],
    })
  }
  const server = await startServer(context, config)
  const client = await connect(context, server, await ownClient(context))

  const [ipv4, ipv6] = ([4, 6] as const).map(version =>
    client.info.assigned.find(prefix => prefix.version === version)?.toString(),
  )
  context.expect(
    `a client gets an IPv4 address from ${NETWORK.pool4}`,
    config.pool.ipv4?.toString() === NETWORK.pool4 && ipv4,
    {
      expected: `server.toml: pool.ipv4 to be ${NETWORK.pool4}`,
      found: config.pool.ipv4 ? `${config.pool.ipv4}` : 'no pool.ipv4',
      read: ['src/server/config.ts, section pool'],
    },
  )
  context.expect(
    `a client gets an IPv6 address from ${NETWORK.pool6}`,
    config.pool.ipv6?.toString() === NETWORK.pool6 && ipv6,
    {
      expected: `server.toml: pool.ipv6 to be ${NETWORK.pool6}`,
      found: config.pool.ipv6
        ? `${config.pool.ipv6}`
        : 'no pool.ipv6, so the client that asked for an IPv6 address was refused (it was assigned ::/128)',
      misconception:
        'The two families are independent: a proxy that leases IPv4 addresses does not have IPv6 ones by itself.',
      read: ['RFC 9484 §4.7.2 ADDRESS_REQUEST Capsule', 'src/server/config.ts, section pool'],
    },
  )

  for (const [address, family] of [[NETWORK.library4, 'ipv4'] as const, [NETWORK.library6, 'ipv6'] as const]) {
    const configured = config.hosts.some(host => host[family]?.toString() === address)
    context.expect(`the library has the address ${address}`, configured, {
      expected: `server.toml: [[hosts]] "library" with ${family} = "${address}"`,
      found:
        config.hosts.length === 0
          ? 'no hosts'
          : config.hosts.map(host => `${host.name}: ${host.ipv4 ?? 'no IPv4'}, ${host.ipv6 ?? 'no IPv6'}`).join('; '),
      read: ['src/server/config.ts, section hosts'],
    })
    const target = IpAddress.parse(address)
    const routed = client.info.routes.some(route => route.range.contains(target))
    context.expect(`the client is told a route to ${address}`, routed, {
      expected: `a [[routes]] prefix that contains ${address}, so that it is advertised to clients`,
      found: `the client was told ${client.info.routes.map(route => route.range).join(', ') || 'no routes'}`,
      misconception:
        'A host that the proxy can reach is not thereby reachable for clients: they send only where a route has been advertised, and the proxy drops everything else.',
      read: ['RFC 9484 §4.7.3 ROUTE_ADVERTISEMENT Capsule', ROUTING],
    })
    await context.do(`ping ${address} through the tunnel`, () => ping(context, client, address))
  }
  return {
    passed: true,
    expected: 'a server with both families, the library behind it, and routes to it',
    found: `client ${ipv4} and ${ipv6}; the library answered pings to ${NETWORK.library4} and ${NETWORK.library6}`,
    read: ['RFC 9484 §8.1 Remote Access VPN'],
  }
}

// Task 3 ---------------------------------------------------------------------------------------------------------------

export async function checkServer(context: CheckContext): Promise<Feedback> {
  const { config, url } = await runningServer(context)
  const status = await context.do(`GET ${url}/api/v1/status`, () => api<ServerStatus>(context, url, '/api/v1/status'))
  showStatus(context, status)
  expectSameServer(context, config, status)

  const pool = status.pools.find(candidate => candidate.family === 4)
  const total = pool?.total ?? 0
  const answer = context.answers.leases ?? ''
  const size = config.pool.ipv4 ? 2 ** (32 - config.pool.ipv4.length) : 0
  const why: Record<string, string> = {
    [size]: `There are ${size} addresses in the prefix, but not all can be leased: which are kept for something else?`,
    [size - 1]: 'More than one address of the prefix cannot be leased.',
    [size - 2]: 'Network and broadcast are left out, as on every IPv4 link. One more is in use: by whom?',
    [pool?.used ?? 0]: 'That is how many are leased now (used); asked is how many there are to lease (total).',
  }
  context.expect('you read how many IPv4 addresses can be leased', answer === String(total), {
    expected: 'the number of IPv4 addresses that this server can lease, as /api/v1/status gives it under pools',
    found: answer === '' ? 'no answer yet' : `the answer "${answer}"`,
    ...(why[answer] ? { misconception: why[answer] } : {}),
    read: [`${url}/api/v1/status`, 'src/ip/address-pool.ts'],
  })
  return {
    passed: true,
    expected: 'a healthy server, and what its status says',
    found: `/health is well; ${total} IPv4 addresses to lease, ${pool?.used} of them leased; running for ${Math.round(status.uptimeSeconds)} s`,
    read: ['src/ip/address-pool.ts'],
  }
}

// Task 4 ---------------------------------------------------------------------------------------------------------------

export async function checkAddress(context: CheckContext): Promise<Feedback> {
  const clientConfig = await loadClient(context, 'client.toml')
  const { config, url } = await runningServer(context)
  const status = await context.do(`GET ${url}/api/v1/status`, () => api<ServerStatus>(context, url, '/api/v1/status'))
  showStatus(context, status)
  expectSameServer(context, config, status)
  if (context.mode === 'unattended') await connect(context, status.listen, clientConfig)

  const clients = await context.do(`GET ${url}/api/v1/clients`, () => clientList(context, url))
  show(context, 'client', clients.length > 0 ? 'connected' : 'connecting')
  if (clients.length > 0) show(context, 'addresses', clients[0]!.addresses)
  context.expect('a client is connected', clients.length > 0, {
    expected: 'your client among the clients of the server',
    found:
      'no client. Leave the server running and start, in one more terminal: npm run client -- -c labs/lab-01-deploy/exercises/client.toml',
  })
  const { target } = clientConfig.proxy
  const narrow =
    target === '*'
      ? undefined
      : `Nothing is wrong with the server: the client asks for a tunnel to ${target} only (proxy.target), and the proxy keeps to that scope.`
  const both = clients.find(client => family(client.addresses, 4) && family(client.addresses, 6))
  context.expect('it has an address of each family', both, () => ({
    expected: `one address from ${NETWORK.pool4} and one from ${NETWORK.pool6}`,
    found: clients.map(client => `${client.remote}: ${client.addresses.join(', ') || 'no address'}`).join('; '),
    misconception: narrow ?? 'The proxy leases addresses of the families it has pools for. Task 2 is about that.',
    read: ['RFC 9484 §4.7.2 ADDRESS_REQUEST Capsule', 'RFC 9484 §4.6 Limiting Request Scope'],
  }))
  const routed = clients.find(client => client.routes.length >= config.routes.length)
  context.expect('it is told all routes that the server offers', routed, () => ({
    expected: `the routes in server.toml: ${config.routes.map(route => route.prefix).join(', ')}`,
    found: clients.map(client => `${client.remote}: ${client.routes.join(', ') || 'no routes'}`).join('; '),
    misconception: narrow ?? 'client.toml asks for everything; was the client started before you changed it?',
    read: ['RFC 9484 §4.6 Limiting Request Scope', 'src/client/config.ts, section proxy'],
  }))

  const origin = (context.answers.origin ?? '')
    .toLowerCase()
    .replace(/[^a-d]/g, '')
    .slice(0, 1)
  const wrongOrigin: Record<string, string> = {
    a: 'The operating system of the client does not even know of this tunnel: it lives in a process without special rights.',
    c: 'No DHCP runs here, and no router advertisements or neighbour discovery either (RFC 9484 §7.1): the proxy tells addresses in capsules of its own.',
    d: 'The QUIC handshake knows nothing of the inner network. Its transport parameters are about the connection itself.',
  }
  context.expect('you can say where the address comes from', origin === 'b', {
    expected: 'the right one of the four explanations',
    found: origin === '' ? 'no answer yet' : `the answer ${origin}`,
    ...(wrongOrigin[origin] ? { misconception: wrongOrigin[origin] } : {}),
    read: [ASSIGN, 'RFC 9484 §7.1 Link Operation'],
  })
  const sources = context.answers.sources ?? ''
  const wrongSources: Record<string, string> = {
    '32': '32 is the length of the prefix in bits, not a number of addresses.',
    '64': 'That is the size of the pool. The client was given a part of it.',
    '61': 'That is how many addresses the pool can lease. The client was given one lease.',
    '0': 'The client has been assigned an address: it may send from that.',
  }
  context.expect('you can say what the prefix length means', /^(1|one)$/i.test(sources), {
    expected: 'the number of addresses that a /32 covers',
    found: sources === '' ? 'no answer yet' : `the answer "${sources}"`,
    ...(wrongSources[sources] ? { misconception: wrongSources[sources] } : {}),
    read: [ASSIGN],
  })
  return {
    passed: true,
    expected: 'a connected client with an address of each family and all routes, and its explanation',
    found: `${both.addresses.join(' and ')}, leased from the pools and told in an ADDRESS_ASSIGN capsule`,
    read: [ASSIGN, 'src/connect-ip/address-assign.ts'],
  }
}

function family(addresses: readonly string[], version: 4 | 6): string | undefined {
  return addresses.find(address => address.includes(':') === (version === 6))
}

// Task 5 ---------------------------------------------------------------------------------------------------------------

export async function checkPing(context: CheckContext): Promise<Feedback> {
  for (const id of ['host', 'gateway']) {
    const answer = context.answers[id] ?? ''
    context.expect(`you predict before you measure: ${id}`, /^\d+$/.test(answer), {
      expected: 'a number for each of the two questions, before anything is measured',
      found: answer === '' ? `no answer to "${id}" yet` : `the answer "${answer}" to "${id}"`,
    })
  }
  const config = await loadServer(context)
  const server = await startServer(context, config)
  const clientConfig = await loadClient(context, 'client.toml')
  const client = await connect(context, server, clientConfig)

  const measure = (address: string) =>
    context.do(`ping ${address}`, async () => (await ping(context, client, address)).hopCount)
  const library4 = await measure(NETWORK.library4)
  const library6 = await measure(NETWORK.library6)
  const gateway4 = await measure(NETWORK.gateway4)
  const gateway6 = await measure(NETWORK.gateway6)

  const host = Number(context.answers.host)
  const why: Record<number, string> = {
    64: 'The library sends with 64, but its packet is forwarded by the proxy, from one link to another, and forwarding costs one hop.',
    62: 'It is decremented once for the tunnel, not at both of its ends: on encapsulation, not on decapsulation. Otherwise a tunnel would count as two hops.',
    65: 'The field only ever goes down.',
    255: 'Some systems start at 255, but the library starts at 64, as the brief says.',
    128: 'Some systems start at 128, but the library starts at 64, as the brief says.',
  }
  context.compare('TTL of the library, beside your prediction', library4, { min: host, max: host })
  const gateway = Number(context.answers.gateway)
  context.compare('TTL of the proxy, beside your prediction', gateway4, { min: gateway, max: gateway })
  context.expect('your prediction for the library', host === library4 && host === library6, {
    expected: `what was measured on the answers of the library: TTL ${library4}, hop limit ${library6}`,
    found: `your prediction ${host}`,
    ...(why[host] ? { misconception: why[host] } : {}),
    read: [ROUTING],
  })
  context.expect('your prediction for the proxy itself', gateway === gateway4 && gateway === gateway6, {
    expected: `what was measured on the answers of the proxy: TTL ${gateway4}, hop limit ${gateway6}`,
    found: `your prediction ${gateway}`,
    ...(gateway === 63
      ? {
          misconception:
            'The proxy makes this answer itself, it does not forward it from another link. Packets that the endpoint generates are not decremented.',
        }
      : {}),
    read: [ROUTING],
  })
  return {
    passed: true,
    expected: `${host} from the library and ${gateway} from the proxy`,
    found: `library: TTL ${library4}, hop limit ${library6}; proxy: TTL ${gateway4}, hop limit ${gateway6}`,
    read: [ROUTING, 'src/connect-ip/session.ts'],
  }
}

// Task 6 ---------------------------------------------------------------------------------------------------------------

export async function checkTrust(context: CheckContext): Promise<Feedback> {
  const config = await loadServer(context)
  const server = await startServer(context, config)
  const alert = await context.do('connect a client that trusts another authority', async () => {
    show(context, 'client', 'refused')
    const other = await makeTestCertificates(join(await context.scratch(), 'another-authority'), { clientNames: [] })
    const client = newClient(context, server, { ...(await ownClient(context)), tls: { ca: other.ca, insecure: false } })
    try {
      await client.connect()
    } catch (error) {
      if (error instanceof ClientError && error.tlsAlert) return error.tlsAlert
      throw error
    }
    throw new Error(
      'it was connected, although the certificate of the server is signed by an authority it does not trust',
    )
  })

  const name = (context.answers.alert ?? '').toLowerCase().replace(/[\s-]+/g, '_')
  const wrongAlert: Record<string, string> = {
    bad_certificate:
      'bad_certificate (42) says that the certificate is corrupt or its signature wrong. This one is sound.',
    certificate_unknown:
      'certificate_unknown (46) is for what no other alert names. There is one that says it exactly.',
    certificate_expired: 'certificate_expired (45) is about time. This certificate is valid, but for somebody else.',
    handshake_failure:
      'handshake_failure (40) says that no common parameters were found. It does not come to that question.',
    certificate_required: 'certificate_required (116) is sent by a server that wants to see a client certificate.',
    access_denied: 'access_denied (49) is sent to a peer whose certificate is valid but who may not come in.',
  }
  context.expect('you name the TLS alert', name === alert.name, {
    expected: 'the name of the alert with which the client ends the handshake',
    found: name === '' ? 'no answer yet' : `the answer "${context.answers.alert}"`,
    ...(wrongAlert[name] ? { misconception: wrongAlert[name] } : {}),
    read: [TRUST],
  })
  const code = (context.answers.code ?? '').trim().toLowerCase()
  const value = /^(0x[0-9a-f]+|\d+)$/.test(code) ? Number(code) : Number.NaN
  context.expect('you give the QUIC error code', value === 0x100 + alert.code, {
    expected: 'the error code in the CONNECTION_CLOSE frame that carries this alert',
    found: code === '' ? 'no answer yet' : `the answer "${context.answers.code}"`,
    ...(value === alert.code
      ? {
          misconception:
            'That is the number of the alert in TLS. QUIC has one space of codes for all transport errors: where do the alerts begin in it?',
        }
      : value === 130
        ? { misconception: 'Decimal or hexadecimal? 0x130 is not 130.' }
        : {}),
    read: [TRUST, 'RFC 9000 §20.1 Transport Error Codes'],
  })

  const mended = await loadClient(context, 'client-trust.toml')
  context.expect('verification is still on', !mended.tls.insecure, {
    expected: 'client-trust.toml: tls.insecure left at false',
    found: 'tls.insecure = true: the client accepts any certificate',
    misconception:
      'That silences the alarm instead of mending the trust: now anybody on the path can pass for the proxy, and the tunnel is encrypted to them.',
    read: ['labs/lab-01-deploy/README.md, "Who trusts whom"'],
  })
  await connect(context, server, mended, 'client-trust.toml')
  return {
    passed: true,
    expected: 'an untrusted server refused, a trusted one accepted',
    found: `alert ${alert.name} (${alert.code}), QUIC error 0x${(0x100 + alert.code).toString(16)}; with the right authority the client connects`,
    read: [TRUST],
  }
}

// What the checks share ------------------------------------------------------------------------------------------------

async function loadServer(context: CheckContext): Promise<ServerConfig> {
  const config = await context.do('read server.toml', () =>
    explained(() => loadServerConfig(join(context.exercises, 'server.toml'))),
  )
  const { certificate, key, clientCa } = config.tls
  return {
    ...config,
    tls: {
      certificate: await certificateFile(context, certificate),
      key: await certificateFile(context, key),
      ...(clientCa === undefined ? {} : { clientCa: await certificateFile(context, clientCa) }),
    },
  }
}

async function loadClient(context: CheckContext, name: string): Promise<ClientConfig> {
  const config = await context.do(`read ${name}`, () =>
    explained(() => loadClientConfig(join(context.exercises, name))),
  )
  const { ca, certificate, key } = config.tls
  return {
    ...config,
    tls: {
      ...config.tls,
      ...(ca === undefined ? {} : { ca: await certificateFile(context, ca) }),
      ...(certificate === undefined ? {} : { certificate: await certificateFile(context, certificate) }),
      ...(key === undefined ? {} : { key: await certificateFile(context, key) }),
    },
  }
}

/** The student's server on ports of its own, so that it disturbs nothing that runs. */
async function startServer(
  context: CheckContext,
  config: ServerConfig,
): Promise<{ host: string; port: number; apiUrl: string }> {
  return await context.do('start a server from server.toml', () =>
    startable(async () => {
      const server = await MasqueServer.start({
        ...config,
        listen: { ...config.listen, host: '127.0.0.1', port: 0 },
        api: { enabled: true, host: '127.0.0.1', port: 0 },
        log: { level: 'silent' },
      })
      context.defer(() => server.close())
      show(context, 'server', 'up')
      countTraffic(context, () => server.status())
      return { ...server.address, apiUrl: server.apiUrl ?? '' }
    }),
  )
}

/** What keeps a server from starting is in its configuration, which is what task 2 is about. */
async function startable<T>(start: () => Promise<T>): Promise<T> {
  try {
    return await explained(start)
  } catch (error) {
    if (error instanceof CheckFailure) throw error
    throw new CheckFailure({
      expected: 'a server to start with your server.toml',
      found: error instanceof Error ? error.message : String(error),
      read: ['task 2, "config", which checks server.toml key by key', 'src/server/config.ts'],
    })
  }
}

/** A client of the check's own that trusts the authority of this lab and asks for both families. */
async function ownClient(context: CheckContext): Promise<Pick<ClientConfig, 'tls'> & Partial<ClientConfig>> {
  return { tls: { ca: join(await certificateDirectory(context), 'ca.pem'), insecure: false } }
}

function newClient(
  context: CheckContext,
  server: { host: string; port: number },
  config: Partial<ClientConfig>,
): MasqueClient {
  const complete = defaultClientConfig({
    ...config,
    proxy: { ...config.proxy, address: { host: server.host, port: server.port } },
    reconnect: { enabled: false },
    log: { level: 'silent' },
  })
  const client = new MasqueClient(complete)
  context.defer(() => client.close())
  return client
}

async function connect(
  context: CheckContext,
  server: { host: string; port: number },
  config: Partial<ClientConfig>,
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

/** What the panel draws. */
function show<K extends keyof Topology>(live: Live, key: K, value: Topology[K]): void {
  live.show(key, value)
}

function showStatus(context: CheckContext, status: ServerStatus): void {
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

function traffic({ packets, bytes }: ServerStatus): Traffic {
  return {
    fromClient: { packets: packets.fromClients, bytes: bytes.fromClients },
    toClient: { packets: packets.toClients, bytes: bytes.toClients },
  }
}

async function ping(
  context: CheckContext,
  client: MasqueClient,
  address: string,
): Promise<{ rttMs: number; hopCount: number }> {
  try {
    const answer = await client.ping(address, { timeoutMs: 10_000 })
    context.measure('round trip', answer.rttMs, 'ms')
    show(context, 'answered', address)
    return answer
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

/** Live: the server that the student has started. Unattended: one that is started here. */
async function runningServer(context: CheckContext): Promise<{ config: ServerConfig; url: string }> {
  const config = await loadServer(context)
  if (context.mode === 'unattended') return { config, url: (await startServer(context, config)).apiUrl }
  const host = config.api.host.includes(':') ? `[${config.api.host}]` : config.api.host
  const url = `http://${host}:${config.api.port}`
  context.expect('the REST API is on', config.api.enabled, {
    expected: 'server.toml: api.enabled = true, so that the server can be asked',
    found: 'api.enabled = false',
  })
  await context.do(`GET ${url}/health`, async () => {
    try {
      await api(context, url, '/health')
    } catch (error) {
      throw new CheckFailure({
        expected: `your server to answer at ${url}/health`,
        found: `${(error as Error).message}. Start it in another terminal and leave it running: npm run server -- -c labs/lab-01-deploy/exercises/server.toml`,
        read: ['labs/lab-01-deploy/README.md, "Three terminals"'],
      })
    }
  })
  return { config, url }
}

async function api<T>(context: CheckContext, url: string, path: string): Promise<T> {
  let response: Response
  try {
    // No keep-alive: an idle connection would keep a server of ours from closing.
    response = await fetch(url + path, {
      headers: { connection: 'close' },
      signal: AbortSignal.any([context.signal, AbortSignal.timeout(10_000)]),
    })
  } catch (error) {
    const { code } = ((error as Error).cause ?? {}) as { code?: string }
    throw new Error(
      code === 'ECONNREFUSED'
        ? `nothing listens at ${url}`
        : `no answer from ${url}${path}: ${code ?? (error as Error).message}`,
    )
  }
  const text = await response.text()
  if (!response.ok) throw new Error(`${url}${path} answered ${response.status}: ${text.slice(0, 100)}`)
  try {
    return JSON.parse(text) as T
  } catch {
    throw new Error(`${url}${path} is not our server: it answered "${text.slice(0, 60)}"`)
  }
}

async function clientList(context: CheckContext, url: string): Promise<ClientInfo[]> {
  return await api<ClientInfo[]>(context, url, '/api/v1/clients')
}

/** A server that was started before the file was changed still has the old pools. */
function expectSameServer(context: CheckContext, config: ServerConfig, status: ServerStatus): void {
  const configured = [config.pool.ipv4, config.pool.ipv6].filter(prefix => prefix !== undefined).map(String)
  const running = status.pools.map(pool => pool.prefix)
  context.expect('it runs with the pools in server.toml', configured.join() === running.join(), {
    expected: `a server with the pools ${configured.join(' and ')}`,
    found: `one with ${running.join(' and ')}`,
    misconception: 'The server reads its configuration when it starts. Stop it with Ctrl-C and start it again.',
  })
}

/**
 * The folder with the certificates. Grading needs none on the machine: it makes a set of its own and uses it for every path
 * into `cert/out`.
 */
async function certificateDirectory(context: CheckContext): Promise<string> {
  if (context.mode === 'live') return join(context.root, 'cert', 'out')
  const directory = join(await context.scratch(), 'cert')
  if (!existsSync(directory)) await makeTestCertificates(directory)
  return directory
}

async function certificateFile(context: CheckContext, path: string): Promise<string> {
  if (context.mode === 'live') return path
  const inside = relative(join(context.root, 'cert', 'out'), path)
  return CERTIFICATES.some(name => name === inside) ? join(await certificateDirectory(context), inside) : path
}

/** Turns a ConfigError into feedback: file and key, what was found, what is expected. */
async function explained<T>(action: () => T | Promise<T>): Promise<T> {
  try {
    return await action()
  } catch (error) {
    if (!(error instanceof ConfigError)) throw error
    const more = error.problems.length > 1 ? ` (and ${error.problems.length - 1} more)` : ''
    const problem = error.problems[0] ?? error.message
    const split = /^(.*?)[;,] expected (.*)$/s.exec(problem)
    throw new CheckFailure({
      expected: split?.[2] ?? `${error.file} to be a configuration that can be used`,
      found: (split?.[1] ?? problem) + more,
      read: ['src/server/config.ts and src/client/config.ts: every key and its meaning'],
    })
  }
}
