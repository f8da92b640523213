import { expect } from 'chai'
import fc from 'fast-check'
import type { DnsConfiguration } from '../../../src/connect-ip/dns/dns-assign.ts'
import type { Nameserver } from '../../../src/connect-ip/dns/nameserver.ts'
import { NO_PARAMETERS } from '../../../src/connect-ip/dns/service-parameters.ts'
import { describeDnsSettings, planDns } from '../../../src/hosts/tun/dns-plan.ts'
import { IpAddress } from '../../../src/ip/address.ts'
import { IpPrefix } from '../../../src/ip/prefix.ts'

const ALL = { splits: true, searches: true, maxServers: 8 }
const ONE_LIST = { splits: false, searches: true, maxServers: 3 }
const everywhere = () => true

const server = (addresses: string[], more: Partial<Nameserver> = {}): Nameserver => ({
  priority: 1,
  addresses: addresses.map(text => IpAddress.parse(text)),
  authenticationName: '',
  parameters: NO_PARAMETERS,
  ...more,
})
const configuration = (nameservers: Nameserver[], internalDomains = [''], searchDomains: string[] = []) => ({
  nameservers,
  internalDomains,
  searchDomains,
})
const plan = (
  configurations: DnsConfiguration[],
  abilities = ALL,
  isInside: (a: IpAddress) => boolean = everywhere,
) => {
  const { settings, leftOut } = planDns(configurations, abilities, isInside)
  return { used: settings && describeDnsSettings(settings), leftOut }
}

describe('the DNS servers that a system is given', () => {
  it('are those of the proxy, by priority, for its domains', () => {
    const servers = [server(['10.90.0.2'], { priority: 2 }), server(['10.90.0.1', 'fd00:90::1'])]
    expect(plan([configuration(servers, ['corp.example'], ['corp.example', 'lab.example'])])).to.deep.equal({
      used: '10.90.0.1, fd00:90::1, 10.90.0.2 for corp.example; search corp.example, lab.example',
      leftOut: [],
    })
    expect(plan([configuration(servers, ['corp.example', ''])]).used).to.include('for all names')
    expect(plan([])).to.deep.equal({ used: undefined, leftOut: [] })
  })

  it('lie behind the tunnel: the proxy cannot send questions to anybody else', () => {
    const tunnel = IpPrefix.parse('10.90.0.0/16')
    const inside = (address: IpAddress): boolean => tunnel.contains(address)
    expect(plan([configuration([server(['192.168.1.1', '10.90.0.1'])])], ALL, inside)).to.deep.equal({
      used: '10.90.0.1 for all names',
      leftOut: ['192.168.1.1 is not used for DNS: the tunnel does not lead there'],
    })
    const own = ['127.0.0.1', '::1', '0.0.0.0', '224.0.0.251', '169.254.1.1', 'fe80::1']
    for (const text of own) expect(plan([configuration([server([text])])]).used, text).to.equal(undefined)
  })

  it('speak DNS without encryption, at its port', () => {
    const encrypted = { alpn: ['dot'], noDefaultAlpn: true }
    const name = { authenticationName: 'dns.example' }
    const parameters = (more: object) => ({ parameters: { ...NO_PARAMETERS, ...more } })
    const tls = server(['10.90.0.1'], { ...name, ...parameters(encrypted) })
    const other = server(['10.90.0.2'], parameters({ port: 5353 }))
    const both = server(['10.90.0.3'], { ...name, ...parameters({ alpn: ['dot'], port: 8853 }) })
    expect(plan([configuration([tls, other, both])])).to.deep.equal({
      used: '10.90.0.3 for all names',
      leftOut: [
        'dns.example at 10.90.0.1 (dot) is not used: it speaks encrypted DNS only',
        '10.90.0.2 port 5353 is not used: it is not at port 53',
      ],
    })
    expect(plan([configuration([server([], { ...name, ...parameters({ alpn: ['dot'] }) })])]).used).to.equal(undefined)
  })

  it('are not for some names alone where all names are asked of the same ones', () => {
    const some = configuration([server(['10.90.0.1'])], ['corp.example'])
    expect(plan([some, configuration([server(['10.90.0.2'])])], ONE_LIST)).to.deep.equal({
      used: '10.90.0.2 for all names',
      leftOut: ['DNS servers for corp.example alone are not used: this system asks the same ones for all names'],
    })
  })

  it('are one list: that of the first configuration', () => {
    const two = [
      configuration([server(['10.90.0.1'])], ['corp.example']),
      configuration([server(['10.90.0.2'])], ['lab.example']),
    ]
    expect(plan(two)).to.deep.equal({
      used: '10.90.0.1 for corp.example',
      leftOut: ['10.90.0.2 for lab.example is not used: one device has one list of DNS servers'],
    })
  })

  it('are bounded, and so are domains and what is said about the rest', () => {
    const many = Array.from({ length: 900 }, (_, i) => `10.90.${i >> 8}.${i & 255}`)
    const names = Array.from({ length: 100 }, (_, i) => `d${i}.example`)
    const { settings, leftOut } = planDns([configuration([server(many)], names, names)], ALL, everywhere)
    expect(settings?.servers).to.have.length(8)
    expect(settings?.domains).to.have.length(64)
    expect(settings?.searchDomains).to.have.length(6)
    expect(leftOut).to.deep.equal([
      'of 900 DNS servers the first 8 are used',
      'of 100 domains the first 64 are used',
      'of 100 search domains 6 are used',
    ])
    const outside = plan([configuration([server(many)])], ALL, () => false)
    expect(outside.leftOut).to.have.length(6)
    expect(outside.leftOut[5]).to.equal('895 more of what the proxy says about DNS is not used')
  })

  it('never come with a name that is none, whatever the proxy has made of it', () => {
    const hostile = fc.oneof(
      fc.string({ maxLength: 300 }),
      fc.constantFrom('a b', 'a\nnameserver 6.6.6.6', '~.', '-x', '"', 'a\0b', 'ok.example', ''),
    )
    fc.assert(
      fc.property(fc.array(hostile, { maxLength: 90 }), fc.array(hostile, { maxLength: 90 }), (domains, search) => {
        const { settings } = planDns([configuration([server(['10.90.0.1'])], domains, search)], ALL, everywhere)
        for (const name of settings?.domains ?? []) expect(name).to.match(/^([a-z0-9_][a-z0-9._-]*)?$/i)
        for (const name of settings?.searchDomains ?? []) expect(name).to.match(/^[a-z0-9_][a-z0-9._-]*$/i)
      }),
    )
  })
})
