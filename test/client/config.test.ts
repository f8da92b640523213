import { chmodSync, mkdtempSync, rmSync, writeFileSync } from 'node:fs'
import { tmpdir } from 'node:os'
import { join, resolve } from 'node:path'
import { fileURLToPath } from 'node:url'
import { expect } from 'chai'
import { defaultClientConfig, loadClientConfig, parseClientConfig } from '../../src/client/config.ts'
import { readToken } from '../../src/client/token.ts'
import { ConfigError } from '../../src/config/config-error.ts'

const parse = (text: string) => parseClientConfig(text, { file: 'client.toml' })

describe('client configuration', () => {
  it('reads config/client.local.toml, with paths relative to it', () => {
    const file = fileURLToPath(new URL('../../config/client.local.toml', import.meta.url))
    const config = loadClientConfig(file)
    expect(config.proxy.address).to.deep.equal({ host: '127.0.0.1', port: 4433 })
    expect(config.tls).to.deep.equal({
      ca: resolve(file, '../../cert/out/ca.pem'),
      certificate: resolve(file, '../../cert/out/client.pem'),
      key: resolve(file, '../../cert/out/client-key.pem'),
      insecure: false,
    })
  })

  it('CIP-02 uses the default template unless another is configured', () => {
    expect(parse('').proxy).to.deep.equal({
      template: 'https://localhost:4433/.well-known/masque/ip/{target}/{ipproto}/',
      target: '*',
      ipproto: '*',
    })
  })

  it('verifies the proxy, asks for both families and reconnects by default', () => {
    const config = parse('')
    expect(config.tls.insecure).to.equal(false)
    expect(config.tunnel).to.deep.equal({
      carrier: 'h3',
      encapsulation: 'datagram',
      requestAddresses: ['ipv4', 'ipv6'],
      linkProbe: 'auto',
      queue: 'fifo',
      fec: 0,
      tcpLostAfterMs: 10_000,
      acceptDns: true,
      tunDns: false,
      webTransportPath: '/webtransport',
    })
    expect(config.reconnect).to.deep.equal({
      enabled: true,
      knockMs: 25,
      initialDelayMs: 500,
      maxDelayMs: 30_000,
      maxAttempts: 0,
    })
  })

  it('checks what the file says for the carrier that is given in its place', () => {
    const file = 'client.toml'
    const text = 'tls.ca = "ca.pem"'
    expect(() => parseClientConfig(text, { file, carrier: 'webtransport' })).to.throw(
      ConfigError,
      /tls\.ca: cannot be used .*: give tunnel\.certificate_sha256/,
    )
    expect(parseClientConfig(text, { file, carrier: 'h2' }).tunnel.carrier).to.equal('h2')
    const pinned = `tunnel = { carrier = "webtransport", certificate_sha256 = "${'ab'.repeat(32)}" }`
    expect(parseClientConfig(pinned, { file, carrier: 'h3' }).tunnel).to.include({ carrier: 'h3' })
  })

  it('reads the address to connect to, for both families', () => {
    expect(parse('proxy.address = "[2001:db8::1]:443"').proxy.address).to.deep.equal({ host: '2001:db8::1', port: 443 })
    expect(parse('proxy.address = "proxy.example:4433"').proxy.address).to.deep.equal({
      host: 'proxy.example',
      port: 4433,
    })
  })

  it('reads the size of a group of forward error correction: none, or 2 to 32 packets', () => {
    for (const fec of [0, 2, 32]) expect(parse(`tunnel.fec = ${fec}`).tunnel.fec).to.equal(fec)
    for (const fec of ['1', '33', '-2', '2.5', 'true']) {
      expect(() => parse(`tunnel.fec = ${fec}`), fec).to.throw(
        ConfigError,
        /^client\.toml: tunnel\.fec: found \S+,? expected 0, or a number of packets from 2 to 32$/,
      )
    }
  })

  it('reads the networks behind the client, for any protocol unless one is given', () => {
    const { advertise } = parse(
      '[[advertise]]\nprefix = "10.20.0.0/16"\n[[advertise]]\nprefix = "fd00:20::/48"\nprotocol = 6',
    )
    expect(advertise.map(({ prefix, protocol }) => `${prefix} ${protocol}`)).to.deep.equal([
      '10.20.0.0/16 0',
      'fd00:20::/48 6',
    ])
    expect(parse('').advertise).to.deep.equal([])
  })

  it('refuses more networks behind the client than one capsule holds', () => {
    // Every other one, so that none are merged.
    const list = Array.from({ length: 1025 }, (_, i) => `{ prefix = "10.${i >> 7}.${(2 * i) % 256}.0/24" }`)
    expect(parse(`advertise = [${list.slice(1).join(', ')}]`).advertise).to.have.length(1024)
    expect(() => parse(`advertise = [${list.join(', ')}]`)).to.throw(ConfigError, 'advertise: found 1025 (adjacent')
  })

  for (const [what, text, expected] of [
    [
      'a network behind the client with host bits',
      'advertise = [{ prefix = "10.20.0.1/16" }]',
      'client.toml: advertise[0].prefix: found "10.20.0.1/16", expected an IP prefix',
    ],
    [
      'a network behind the client that no router leads to',
      'advertise = [{ prefix = "10.20.0.0/16" }, { prefix = "fe80::/64" }]',
      'client.toml: advertise[1].prefix: found fe80::/64; expected a network that can be reached through a router',
    ],
    [
      'an address without a port',
      'proxy.address = "::1"',
      'client.toml: proxy.address: found "::1", expected HOST:PORT',
    ],
    [
      'a port out of range',
      'proxy.address = "a:65536"',
      'client.toml: proxy.address: found "a:65536", expected HOST:PORT',
    ],
    [
      'a certificate without its key',
      'tls.certificate = "a.pem"',
      'client.toml: tls.key: missing, but tls.certificate is given',
    ],
    [
      'a key without its certificate',
      'tls.key = "a.pem"',
      'client.toml: tls.certificate: missing, but tls.key is given',
    ],
    ['two tokens', 'auth = { token = "a", token_file = "b" }', 'client.toml: auth.token_file: given beside auth.token'],
    [
      'a longest delay below the first one',
      'reconnect.max_delay_ms = 10',
      'client.toml: reconnect.max_delay_ms: found 10; expected at least',
    ],
    ['a slip in a key', 'tunnel.encapsulations = "datagram"', 'did you mean encapsulation?'],
    ['a malformed target', 'proxy.target = "10.0.0.1/24"', 'client.toml: proxy.target, proxy.ipproto: '],
    ['a malformed protocol', 'proxy.ipproto = "256"', 'client.toml: proxy.target, proxy.ipproto: '],
  ] as const) {
    it(`refuses ${what}`, () => {
      expect(() => parse(text)).to.throw(ConfigError, expected)
    })
  }

  it('CIP-03 takes a target in the form of the URI, too', () => {
    for (const [written, target] of [
      ['10.89.0.0%2F24', '10.89.0.0/24'],
      ['2001%3adb8%3A%3a%2f32', '2001:db8::/32'],
      ['%2A', '*'],
      ['10.89.0.0/24', '10.89.0.0/24'],
    ]) {
      expect(parse(`proxy.target = "${written}"`).proxy.target).to.equal(target)
    }
  })

  it('CIP-03 refuses a target with an example that differs from it, and no zone', () => {
    expect(() => parse('proxy.target = "10.89.0.0%252F24"')).to.throw(
      ConfigError,
      'a prefix as in 10.89.0.0/24 (its slash as %2F',
    )
    expect(() => parse('proxy.target = "fe80%3A%3A1%25eth0"')).to.throw(ConfigError)
  })

  it('CIP-01 refuses a template that breaks the rules', () => {
    for (const template of ['http://a/{target}/', '/ip/{target}/', 'https://{target}/', 'https://a/{+target}/']) {
      expect(() => parse(`proxy.template = "${template}"`), template).to.throw(
        ConfigError,
        'client.toml: proxy.template: ',
      )
    }
  })

  it('leaves DNS of the system alone unless asked, and is asked only where the proxy is listened to', () => {
    expect(parse('').tunnel.tunDns).to.equal(false)
    expect(parse('tunnel.tun_dns = true').tunnel.tunDns).to.equal(true)
    expect(() => parse('tunnel = { tun_dns = true, accept_dns = false }')).to.throw(
      ConfigError,
      'tunnel.tun_dns: found true, but tunnel.accept_dns is false; expected both, or neither',
    )
  })

  it('does not repeat a wrong token', () => {
    expect(() => parse('auth.token = "secret with spaces"'))
      .to.throw(ConfigError, 'auth.token: found a text of 18 characters (not shown), expected a bearer token')
      .with.property('message')
      .that.does.not.include('secret')
  })

  it('gives tests a default configuration with overrides that are checked too', () => {
    expect(defaultClientConfig({ tls: { insecure: true } }).tls).to.deep.equal({ insecure: true })
    expect(() => defaultClientConfig({ tls: { key: '/a' } })).to.throw(ConfigError, 'tls.certificate: missing')
  })
})

describe('the bearer token of the client', () => {
  let directory: string
  let file: string

  beforeEach(() => {
    directory = mkdtempSync(join(tmpdir(), 'masque-lab-token-'))
    file = join(directory, 'token')
    writeFileSync(file, 'abc-123==\n', { mode: 0o600 })
  })
  afterEach(() => rmSync(directory, { recursive: true }))

  it('comes from the configuration or from the first line of its file', () => {
    expect(readToken({})).to.equal(undefined)
    expect(readToken({ token: 'abc' })).to.equal('abc')
    expect(readToken({ tokenFile: file })).to.equal('abc-123==')
  })

  it('is refused, also when the configuration is loaded, while others may read its file', function () {
    if (process.platform === 'win32') this.skip()
    const config = join(directory, 'client.toml')
    writeFileSync(config, 'auth.token_file = "token"')
    for (const mode of [0o640, 0o604]) {
      chmodSync(file, mode)
      expect(() => loadClientConfig(config)).to.throw(
        ConfigError,
        `(mode 0${mode.toString(8)}); run: chmod 600 ${file}`,
      )
    }
    chmodSync(file, 0o600)
    expect(loadClientConfig(config).auth).to.deep.equal({ tokenFile: file })
  })

  it('is refused when its file is missing or holds something else', () => {
    expect(() => readToken({ tokenFile: join(directory, 'none') })).to.throw(ConfigError, 'there is no such token file')
    expect(() => readToken({ tokenFile: directory })).to.throw(ConfigError)
    writeFileSync(file, 'two\nlines')
    expect(() => readToken({ tokenFile: file })).to.throw(ConfigError, 'this is not a bearer token')
  })
})
