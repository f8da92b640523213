import { expect } from 'chai'
import fc from 'fast-check'
import { type DnsConfiguration, decodeDnsAssign, encodeDnsAssign } from '../../../src/connect-ip/dns/dns-assign.ts'
import { NO_PARAMETERS } from '../../../src/connect-ip/dns/service-parameters.ts'
import { ConnectIpError } from '../../../src/connect-ip/errors.ts'
import { IpAddress } from '../../../src/ip/address.ts'
import { addressOf, bytes } from '../arbitraries.ts'
import { capsuleValue } from '../capsule-value.ts'

/** "01 02 'abc'": bytes in hexadecimal, and text between quotes. */
function wire(text: string): Uint8Array {
  const parts = [...text.matchAll(/'([^']*)'|([0-9a-f]{2})/g)]
  return Uint8Array.from(
    parts.flatMap(([, quoted, hex]) => (quoted === undefined ? [Number.parseInt(hex, 16)] : [...Buffer.from(quoted)])),
  )
}

const CAPSULE_TYPE = '9a ce 79 ec'

/** The examples of the draft, §3.6.1 and §3.6.2. */
const FULL_TUNNEL: DnsConfiguration = {
  nameservers: [
    {
      priority: 1,
      addresses: [],
      authenticationName: 'masque.example.org',
      parameters: { ...NO_PARAMETERS, alpn: ['h2', 'h3'], noDefaultAlpn: true, dohpath: '/dns-query{?dns}' },
    },
  ],
  internalDomains: [''],
  searchDomains: [],
}
const SPLIT_TUNNEL: DnsConfiguration = {
  nameservers: [
    {
      priority: 1,
      addresses: [IpAddress.parse('192.0.2.33'), IpAddress.parse('2001:db8::1')],
      authenticationName: '',
      parameters: NO_PARAMETERS,
    },
  ],
  internalDomains: ['internal.corp.example'],
  searchDomains: ['internal.corp.example', 'corp.example'],
}

function expectMalformed(value: string, message: RegExp): void {
  expect(() => decodeDnsAssign(wire(value)))
    .to.throw(ConnectIpError, message)
    .with.property('abortReason', 'malformed')
}

const label = fc.stringMatching(/^[a-z0-9]([a-z0-9-]{0,10}[a-z0-9])?$/)
const domain = fc.array(label, { minLength: 1, maxLength: 4 }).map(labels => labels.join('.'))
const printable = fc.stringMatching(/^[\x21-\x7e]{1,20}$/)
const nameserver = fc
  .record({
    priority: fc.integer({ min: 1, max: 0xffff }),
    v4: fc.array(addressOf(4), { maxLength: 3 }),
    v6: fc.array(addressOf(6), { maxLength: 3 }),
    name: fc.option(domain, { nil: '' }),
    alpn: fc.array(printable, { maxLength: 3 }),
    encryptedOnly: fc.boolean(),
    port: fc.option(fc.integer({ min: 0, max: 0xffff }), { nil: undefined }),
    dohpath: fc.option(printable, { nil: undefined }),
    others: fc.dictionary(fc.integer({ min: 8, max: 0xffff }).map(String), fc.uint8Array({ maxLength: 20 })),
  })
  .map(({ priority, v4, v6, name, alpn, encryptedOnly, port, dohpath, others }) => {
    const protocols = name === '' ? [] : alpn
    const noDefaultAlpn = encryptedOnly && protocols.length > 0
    const addresses = noDefaultAlpn || v4.length + v6.length > 0 ? [...v4, ...v6] : [IpAddress.parse('192.0.2.1')]
    const byKey = new Map(Object.entries(others).map(([key, value]) => [Number(key), value] as const))
    const parameters = { alpn: protocols, noDefaultAlpn, port, dohpath, others: byKey }
    return { priority, addresses, authenticationName: name, parameters }
  })
const configuration: fc.Arbitrary<DnsConfiguration> = fc.record({
  nameservers: fc.array(nameserver, { maxLength: 3 }),
  internalDomains: fc.array(fc.oneof(domain, fc.constant('')), { maxLength: 3 }),
  searchDomains: fc.array(domain, { maxLength: 3 }),
})

describe('connect-ip/dns/dns-assign', () => {
  it('CIP-40 encodes the full-tunnel example of the draft, with DNS over HTTPS', () => {
    const parameters = "00 01 00 06 02 'h2' 02 'h3' 00 02 00 00 00 07 00 10 '/dns-query{?dns}'"
    const value = `01 00 01 00 00 12 'masque.example.org' 22 ${parameters} 01 00 00`
    expect([...encodeDnsAssign([FULL_TUNNEL])]).to.deep.equal([...wire(`${CAPSULE_TYPE} 3e ${value}`)])
    expect(decodeDnsAssign(wire(value))).to.deep.equal([FULL_TUNNEL])
  })

  it('CIP-40 reads that example as the draft prints it, without no-default-alpn, although its text forbids that', () => {
    const parameters = "00 01 00 06 02 'h2' 02 'h3' 00 07 00 10 '/dns-query{?dns}'"
    const [{ nameservers }] = decodeDnsAssign(wire(`01 00 01 00 00 12 'masque.example.org' 1e ${parameters} 01 00 00`))
    expect(nameservers[0].parameters.alpn).to.deep.equal(['h2', 'h3'])
    expect(() => encodeDnsAssign([{ nameservers, internalDomains: [], searchDomains: [] }])).to.throw(RangeError)
  })

  it('CIP-40 encodes the split-tunnel example of the draft, with plain DNS and search domains', () => {
    const addresses = '01 c0 00 02 21 01 20 01 0d b8 00 00 00 00 00 00 00 00 00 00 00 01'
    const domains = "01 15 'internal.corp.example' 02 15 'internal.corp.example' 0c 'corp.example'"
    const value = `01 00 01 ${addresses} 00 00 ${domains}`
    expect([...encodeDnsAssign([SPLIT_TUNNEL])]).to.deep.equal([...wire(`${CAPSULE_TYPE} 40 56 ${value}`)])
    expect(decodeDnsAssign(wire(value))).to.deep.equal([SPLIT_TUNNEL])
  })

  it('CIP-40 reads an empty list, which takes all configurations away', () => {
    expect(decodeDnsAssign(new Uint8Array(0))).to.deep.equal([])
  })

  it('CIP-40 gives back any list', () => {
    fc.assert(
      fc.property(fc.array(configuration, { maxLength: 3 }), configurations => {
        expect(decodeDnsAssign(capsuleValue(encodeDnsAssign(configurations)))).to.deep.equal(configurations)
      }),
      { numRuns: 200 },
    )
  })

  it('CIP-40 either reads any bytes or finds them malformed', () => {
    const nearlyRight = fc
      .tuple(fc.array(configuration, { minLength: 1, maxLength: 2 }), fc.nat(), fc.integer({ min: 0, max: 255 }))
      .map(([configurations, at, byte]) => {
        const value = Uint8Array.from(capsuleValue(encodeDnsAssign(configurations)))
        value[at % value.length] = byte
        return value
      })
    fc.assert(
      fc.property(fc.oneof(bytes, nearlyRight), value => {
        try {
          decodeDnsAssign(value)
        } catch (error) {
          expect(error).to.be.instanceOf(ConnectIpError)
        }
      }),
      { numRuns: 500 },
    )
  })

  it('CIP-40 reads names in any case and with the dot of the root, as one name', () => {
    const [{ searchDomains }] = decodeDnsAssign(wire("00 00 01 0d 'Corp.Example.'"))
    expect(searchDomains).to.deep.equal(['corp.example'])
  })

  it('CIP-40 finds a configuration malformed that ends too early', () => {
    const value = capsuleValue(encodeDnsAssign([SPLIT_TUNNEL]))
    for (let length = 1; length < value.length; length++) {
      expect(() => decodeDnsAssign(value.subarray(0, length)), `${length} bytes`).to.throw(ConnectIpError)
    }
  })

  it('CIP-40 finds nameservers malformed that the draft forbids', () => {
    const address = '01 c0 00 02 01 00'
    const name = "03 'a.b'"
    expectMalformed(`01 00 00 ${address} 00 00 00 00`, /priority 0/)
    expectMalformed(`01 00 01 00 00 00 00 00 00`, /without an address/)
    expectMalformed(`01 00 01 ${address} 00 07 00 01 00 03 02 'h3' 00 00`, /without a name/)
    expectMalformed(`01 00 01 ${address} ${name} 04 00 02 00 00 00 00`, /no-default-alpn without alpn/)
    expectMalformed(`01 00 01 ${address} ${name} 08 00 04 00 04 c0 00 02 01 00 00`, /ipv4hint/)
    expectMalformed(`01 00 01 ${address} ${name} 0c 00 03 00 02 00 35 00 03 00 02 00 35 00 00`, /ascending/)
    expectMalformed(`01 00 01 ${address} ${name} 05 00 03 00 01 35 00 00`, /port of 1 bytes/)
    expectMalformed(`01 00 01 ${address} ${name} 05 00 01 00 01 00 00 00`, /empty name/)
    expectMalformed("00 00 01 04 'a..b'", /domain name/)
    expectMalformed("00 00 01 05 'b\u00fc.c'", /domain name/)
  })

  it('CIP-40 never sends what a receiver would refuse', () => {
    const [nameserver] = SPLIT_TUNNEL.nameservers
    for (const wrong of [
      { ...nameserver, priority: 0 },
      { ...nameserver, addresses: [] },
      { ...nameserver, parameters: { ...NO_PARAMETERS, alpn: ['dot'] } },
      { ...nameserver, authenticationName: 'a', parameters: { ...NO_PARAMETERS, noDefaultAlpn: true } },
    ]) {
      expect(() => encodeDnsAssign([{ ...SPLIT_TUNNEL, nameservers: [wrong] }])).to.throw(RangeError)
    }
    expect(() => encodeDnsAssign([{ ...SPLIT_TUNNEL, searchDomains: ['two words'] }])).to.throw(RangeError)
  })

  it('CIP-40 takes a bounded number of entries, whatever the counts claim', () => {
    const many = `00 44 01 ${'00 '.repeat(1025)}00`
    expect(() => decodeDnsAssign(wire(many)))
      .to.throw(ConnectIpError, /more than 1024/)
      .with.property('abortReason', 'excessive-load')
    expect(() => decodeDnsAssign(wire('ff ff ff ff ff ff ff ff'))).to.throw(ConnectIpError, /more than 1024/)
    expect(() => decodeDnsAssign(wire('00 '.repeat(3 * 1025)))).to.throw(ConnectIpError, /more than 1024/)
  })
})
