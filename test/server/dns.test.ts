import { expect } from 'chai'
import { CapsuleParser, CapsuleType, encodeCapsule } from '../../src/connect-ip/capsule.ts'
import { DNS_ASSIGN, describeDns } from '../../src/connect-ip/dns/dns-assign.ts'
import { encodePref64, PREF64 } from '../../src/connect-ip/dns/pref64.ts'
import { IpPrefix } from '../../src/ip/prefix.ts'
import { parseServerConfig } from '../../src/server/config.ts'
import { closeHostilePeers, HostileClient } from '../support/hostile-peer.ts'
import { closeLoopback, connectClient, itOverAll, itOverEach, ping, startServer, until } from '../support/loopback.ts'

const CONFIG = `
tls = { certificate = "c.pem", key = "k.pem" }
pool = { ipv4 = "10.89.0.0/24" }

[[dns]]
internal_domains = ["corp.example", "lab.example."]
search_domains = ["corp.example"]
[[dns.nameservers]]
addresses = ["10.90.0.53", "fd00:90::53"]

[[dns]]
[[dns.nameservers]]
name = "dns.example"
alpn = ["h3", "dot"]
unencrypted = false
dohpath = "/dns-query{?dns}"
priority = 2

[nat64]
prefixes = ["64:ff9b::/96"]
`
const { dns, nat64 } = parseServerConfig(CONFIG, { file: 'server.toml' })

describe('DNS and NAT64 configuration through a tunnel', () => {
  afterEach(async () => {
    await closeHostilePeers()
    await closeLoopback()
  })

  itOverAll('CIP-40 comes to the client with the tunnel, and is told in words', async () => {
    const { info } = await connectClient(await startServer({ dns, nat64 }))
    expect(info.dns.map(describeDns)).to.deep.equal([
      '10.90.0.53 or fd00:90::53 for corp.example, lab.example; search corp.example',
      'dns.example (h3, dot) for all names',
    ])
    expect(info.nat64Prefixes.map(String)).to.deep.equal(['64:ff9b::/96'])
  })

  it('CIP-40 comes behind the routes, so that no query leaves outside of the tunnel', async () => {
    const peer = await HostileClient.connect(await startServer({ dns, nat64 }))
    const parser = new CapsuleParser({}, [DNS_ASSIGN, PREF64])
    const types: bigint[] = []
    peer.onEvent = event => {
      if (event.type === 'data') for (const { type } of parser.push(event.data)) types.push(type)
    }
    await peer.openTunnel()
    await until(() => types.includes(PREF64))
    expect(types).to.deep.equal([CapsuleType.ADDRESS_ASSIGN, CapsuleType.ROUTE_ADVERTISEMENT, DNS_ASSIGN, PREF64])
  })

  itOverAll('CIP-40 is ignored by a client that does not accept it', async () => {
    const { info, client } = await connectClient(await startServer({ dns, nat64 }), { tunnel: { acceptDns: false } })
    await ping(client, '10.90.0.1')
    expect(info).to.deep.include({ dns: [], nat64Prefixes: [] })
  })

  itOverEach('CIP-40 is not sent in a tunnel that stands for one network or protocol only', async () => {
    const server = await startServer({ dns, nat64 })
    for (const proxy of [{ target: '10.90.0.1' }, { ipproto: '17' }]) {
      const { client } = await connectClient(server, { proxy: { ...proxy } as never, tunnel: { linkProbe: 'off' } })
      await ping(client, '10.90.0.1')
      expect(client.info).to.deep.include({ dns: [], nat64Prefixes: [] })
    }
  })

  itOverAll('CIP-40 is ignored by a proxy, which has asked nobody for it', async () => {
    const server = await startServer()
    const { client } = await connectClient(server)
    const { carrier } = client.tunnel!.tunnel!
    carrier.sendCapsules(encodePref64([IpPrefix.parse('64:ff9b::/96')]))
    carrier.sendCapsules(encodeCapsule(PREF64, Uint8Array.of(1)))
    await ping(client, '10.90.0.1')
    await until(() => server.status().tunnels === 1)
  })

  it('is refused in a configuration that a client could make nothing of', () => {
    const refused = (from: string, to: string, message: RegExp) =>
      expect(() => parseServerConfig(CONFIG.replace(from, to), { file: 'server.toml' })).to.throw(message)
    refused(
      'addresses = ["10.90.0.53", "fd00:90::53"]',
      'addresses = []',
      /dns\[0\]\.nameservers\[0\].*without an address/,
    )
    refused('name = "dns.example"\n', '', /dns\[1\]\.nameservers\[0\].*without a name/)
    refused('alpn = ["h3", "dot"]\n', '', /no-default-alpn and without alpn/)
    refused('64:ff9b::/96', '64:ff9b::/80', /nat64\.prefixes\[0\].*96/)
    refused('"corp.example", "lab', '"two words", "lab', /DNS name/)
    refused('"fd00:90::53"', '"fd00:90::x"', /IP address/)
  })
})
