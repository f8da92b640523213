import { expect } from 'chai'
import { defaultClientConfig } from '../../src/client/config.ts'
import { ClientError } from '../../src/client/errors.ts'
import { type ResolveHost, resolveProxy } from '../../src/client/proxy-address.ts'
import { failure } from '../support/loopback.ts'

const TEMPLATE = 'https://proxy.example:4433/masque/{target}/{ipproto}/'
const config = (proxy = {}, tls = {}) => defaultClientConfig({ proxy: { template: TEMPLATE, ...proxy }, tls })
const nobody: ResolveHost = () => {
  throw new Error('nothing is to be resolved')
}

describe('the address of the proxy', () => {
  it('is the host and port of the template, with the name for the certificate', async () => {
    expect(await resolveProxy(config(), async () => ['192.0.2.1'])).to.deep.equal({
      addresses: [{ host: '192.0.2.1', port: 4433 }],
      serverName: 'proxy.example',
    })
  })

  it('is an IP address as it stands', async () => {
    const literal = config({ template: 'https://[2001:db8::1]/{target}/{ipproto}/' })
    expect(await resolveProxy(literal, nobody)).to.deep.equal({
      addresses: [{ host: '2001:db8::1', port: 443 }],
      serverName: '2001:db8::1',
    })
  })

  it('is what is configured beside the template, while the name stays the template’s', async () => {
    const address = { host: '192.0.2.9', port: 1 }
    expect(await resolveProxy(config({ address }), nobody)).to.deep.equal({
      addresses: [address],
      serverName: 'proxy.example',
    })
    expect(await resolveProxy(config({ address }, { serverName: 'other.example' }), nobody)).to.include({
      serverName: 'other.example',
    })
  })

  it('is all addresses of a name, the two families in turn', async () => {
    const found = ['2001:db8::1', '2001:db8::2', '2001:db8::3', '192.0.2.1', '192.0.2.2']
    const { addresses } = await resolveProxy(config(), async () => found)
    expect(addresses.map(({ host }) => host)).to.deep.equal([
      '2001:db8::1',
      '192.0.2.1',
      '2001:db8::2',
      '192.0.2.2',
      '2001:db8::3',
    ])
  })

  it('begins with 127.0.0.1 for the machine itself, where the example server listens', async () => {
    const { addresses } = await resolveProxy(config(), async () => ['::1', '127.0.0.1'])
    expect(addresses.map(({ host }) => host)).to.deep.equal(['127.0.0.1', '::1'])
  })

  for (const [code, expected] of [
    ['ENOTFOUND', /proxy\.example cannot be resolved: there is no such name/],
    ['EAI_AGAIN', /no name server answers \(EAI_AGAIN\); is this machine connected/],
    [undefined, /cannot be resolved: it has no addresses/],
  ] as const) {
    it(`is worth another attempt when the name cannot be resolved: ${code ?? 'no addresses'}`, async () => {
      const resolve: ResolveHost = async () => {
        if (code === undefined) return []
        throw Object.assign(new Error(`getaddrinfo ${code}`), { code, syscall: 'getaddrinfo' })
      }
      const error = await failure(resolveProxy(config(), resolve), ClientError)
      expect(error).to.include({ kind: 'network', retryable: true })
      expect(error.message).to.match(expected)
    })
  }
})
