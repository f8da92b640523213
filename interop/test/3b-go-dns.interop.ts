/** draft-ietf-masque-connect-ip-dns-06, which connect-ip-go v0.7.0 speaks too. */
import { expect } from 'chai'
import { MasqueClient } from '../../src/client/client.ts'
import { describeDns } from '../../src/connect-ip/dns/dns-assign.ts'
import { NO_PARAMETERS } from '../../src/connect-ip/dns/service-parameters.ts'
import { IpAddress } from '../../src/ip/address.ts'
import { IpPrefix } from '../../src/ip/prefix.ts'
import { defaultServerConfig } from '../../src/server/config.ts'
import { MasqueServer } from '../../src/server/server.ts'
import { clientConfig } from '../harness/client-config.ts'
import { GoPeer } from '../harness/go-peer.ts'
import { type Certificates, makeCertificates } from '../harness/go-programs.ts'
import { ping, until } from '../harness/wait.ts'

let certificates: Certificates

before(async () => {
  certificates = await makeCertificates('interop-client')
})

after(() => certificates?.remove())

describe('our client against the Go proxy', () => {
  it('CIP-40 hears of DNS servers and of a NAT64, and can say what they are', async () => {
    const { certificate, key } = certificates.server
    const proxy = new GoPeer('proxy', ['-certificate', certificate, '-key', key, '-dns'])
    const { port } = await proxy.waitFor('listening')
    const client = new MasqueClient(clientConfig({ port, ca: certificates.ca }))
    try {
      await client.connect()
      await until(() => client.info.nat64Prefixes.length > 0)
      expect(client.info.dns.map(describeDns)).to.deep.equal([
        '192.0.2.53 or 2001:db8:77::53, dns.example port 8853 (h3, doq) for corp.example, all names; search corp.example',
      ])
      expect(client.info.dns[0].nameservers[1].parameters.dohpath).to.equal('/dns-query{?dns}')
      expect(client.info.nat64Prefixes.map(String)).to.deep.equal(['64:ff9b::/96'])
      await ping(client, '192.0.2.9', 56)
    } finally {
      await client.close()
      await proxy.kill()
    }
    expect(proxy.complaints(), proxy.describe()).to.deep.equal([])
  })
})

describe('the Go client against our server', () => {
  it('CIP-40 hears of DNS servers and of NAT64s', async () => {
    const server = await MasqueServer.start(
      defaultServerConfig({
        tls: certificates.server,
        tunnel: { linkProbe: 'off' },
        api: { enabled: false },
        log: { level: 'silent' },
        dns: [
          {
            nameservers: [
              {
                priority: 1,
                addresses: [IpAddress.parse('10.90.0.53'), IpAddress.parse('fd00:90::53')],
                authenticationName: 'dns.example',
                parameters: { ...NO_PARAMETERS, alpn: ['h3', 'dot'], port: 8853, dohpath: '/dns-query{?dns}' },
              },
            ],
            internalDomains: ['', 'corp.example'],
            searchDomains: ['corp.example'],
          },
        ],
        nat64: { prefixes: [IpPrefix.parse('64:ff9b::/96'), IpPrefix.parse('2001:db8:64::/48')] },
      }),
    )
    const url = `https://127.0.0.1:${server.address.port}/.well-known/masque/ip/*/*/`
    const client = new GoPeer('client', ['-url', url, '-ca', certificates.ca])
    try {
      const { configurations } = await client.waitFor('dns')
      expect(configurations).to.deep.equal([
        {
          nameservers: [
            {
              priority: 1,
              addresses: ['10.90.0.53', 'fd00:90::53'],
              name: 'dns.example',
              parameters: {
                '1': Buffer.from('\x02h3\x03dot').toString('hex'),
                '3': '2295',
                '7': Buffer.from('/dns-query{?dns}').toString('hex'),
              },
            },
          ],
          internal: ['', 'corp.example'],
          search: ['corp.example'],
        },
      ])
      const { prefixes } = await client.waitFor('pref64')
      expect(prefixes).to.deep.equal(['64:ff9b::/96', '2001:db8:64::/48'])
    } finally {
      await server.close()
      await client.kill()
    }
    expect(client.complaints(), client.describe()).to.deep.equal([])
  })
})
