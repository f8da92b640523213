/** Task 2: the server's configuration, key by key and in use. */
import { existsSync } from 'node:fs'
import { IpAddress } from '../../../src/ip/address.ts'
import type { ServerConfig } from '../../../src/server/config.ts'
import type { CheckContext, Feedback } from '../../kit/lab/types.ts'
import { connect, loadServer, NETWORK, ownClient, ping, ROUTING, startServer } from '../deployment.ts'

// Cases ----------------------------------------------------------------------------------------------------------------

const POOLS = [
  { key: 'ipv4', family: 'an IPv4', prefix: NETWORK.pool4 },
  {
    key: 'ipv6',
    family: 'an IPv6',
    prefix: NETWORK.pool6,
    without: 'no pool.ipv6, so the client that asked for an IPv6 address was refused (it was assigned ::/128)',
    misconception:
      'The two families are independent: a proxy that leases IPv4 addresses does not have IPv6 ones by itself.',
  },
] as const

const LIBRARY = [
  { key: 'ipv4', address: NETWORK.library4 },
  { key: 'ipv6', address: NETWORK.library6 },
] as const

// Judgement ------------------------------------------------------------------------------------------------------------

export async function check(context: CheckContext): Promise<Feedback> {
  const config = await loadServer(context)
  for (const key of ['certificate', 'key'] as const) {
    context.expect(`the file in tls.${key} exists`, existsSync(config.tls[key]), {
      expected: `server.toml: tls.${key} to name a file that exists, such as the one in cert/out`,
      found: `${config.tls[key]}, and there is no such file`,
      misconception:
        'A path in the configuration is relative to the configuration file, not to where you start the server.',
      read: ['src/server/config.ts, section tls'],
    })
  }
  const server = await startServer(context, config)
  const client = await connect(context, server, await ownClient(context))
  const { assigned, routes } = client.info
  for (const { key, family, prefix, ...more } of POOLS) {
    const pool = config.pool[key]
    const leased = assigned.some(address => address.version === pool?.version)
    context.expect(`a client gets ${family} address from ${prefix}`, pool?.toString() === prefix && leased, {
      expected: `server.toml: pool.${key} to be ${prefix}`,
      found: pool?.toString() ?? ('without' in more ? more.without : `no pool.${key}`),
      ...(pool === undefined && 'misconception' in more ? { misconception: more.misconception } : {}),
      read: ['RFC 9484 §4.7.2 ADDRESS_REQUEST Capsule', 'src/server/config.ts, section pool'],
    })
  }
  for (const { key, address } of LIBRARY) {
    context.expect(
      `the library has the address ${address}`,
      config.hosts.some(host => `${host[key]}` === address),
      {
        expected: `server.toml: [[hosts]] "library" with ${key} = "${address}"`,
        found:
          config.hosts.length === 0
            ? 'no hosts'
            : config.hosts.map(host => `${host.name}: ${host.ipv4 ?? 'no IPv4'}, ${host.ipv6 ?? 'no IPv6'}`).join('; '),
        read: ['src/server/config.ts, section hosts'],
      },
    )
    const target = IpAddress.parse(address)
    context.expect(
      `the client is told a route to ${address}`,
      routes.some(route => route.range.contains(target)),
      {
        expected: `a [[routes]] prefix that contains ${address}, so that it is advertised to clients`,
        found: `the client was told ${routes.map(route => route.range).join(', ') || 'no routes'}`,
        misconception:
          'A host that the proxy can reach is not thereby reachable for clients: they send only where a route has been advertised, and the proxy drops everything else.',
        read: ['RFC 9484 §4.7.3 ROUTE_ADVERTISEMENT Capsule', ROUTING],
      },
    )
    await context.do(`ping ${address} through the tunnel`, () => ping(context, client, address))
  }
  expectRoutes(context, config)
  return {
    passed: true,
    expected: 'a server with both families, the library behind it, and the routes that the task names',
    found: `client ${assigned.join(' and ')}; the library answered pings to ${NETWORK.library4} and ${NETWORK.library6}`,
    read: ['RFC 9484 §8.1 Remote Access VPN'],
  }
}

/** A route is a promise, and a permission. So the four that were asked for, for every protocol, and no other. */
function expectRoutes(context: CheckContext, { routes }: ServerConfig): void {
  const given = routes.map(({ prefix, protocol }) => `${prefix}${protocol === 0 ? '' : `, protocol ${protocol}`}`)
  const missing = NETWORK.routes.filter(route => !given.includes(route))
  const more = given.filter(route => !NETWORK.routes.some(named => named === route))
  context.expect('clients are told the routes that the task names', missing.length + more.length === 0, {
    expected: `the routes ${NETWORK.routes.join(', ')}, and no others`,
    found: [
      ...(missing.length > 0 ? [`no route to ${missing.join(', ')}`] : []),
      ...(more.length > 0 ? [`one to ${more.join(', ')}`] : []),
    ].join('; '),
    ...(more.length > 0
      ? {
          misconception:
            'What is advertised is what the client sends into the tunnel, and what the proxy lets pass. A prefix that is too wide takes traffic away from where it belongs; one that is too narrow leaves hosts out.',
        }
      : { misconception: 'Clients reach each other through the proxy, and only where they have been told a route.' }),
    read: ['RFC 9484 §4.7.3 ROUTE_ADVERTISEMENT Capsule', 'RFC 9484 §8.1 Remote Access VPN'],
  })
}
