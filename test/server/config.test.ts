import { mkdtempSync, rmSync, writeFileSync } from 'node:fs'
import { tmpdir } from 'node:os'
import { join, resolve } from 'node:path'
import { fileURLToPath } from 'node:url'
import { expect } from 'chai'
import fc from 'fast-check'
import { z } from 'zod'
import { clientConfigSchema } from '../../src/client/config.ts'
import { ConfigError } from '../../src/config/config-error.ts'
import { unwrap } from '../../src/config/read-toml.ts'
import {
  defaultServerConfig,
  loadServerConfig,
  parseServerConfig,
  serverConfigSchema,
} from '../../src/server/config.ts'
import { onPlatform } from '../support/platform.ts'

const TLS = 'tls = { certificate = "server.pem", key = "server-key.pem" }\n'
const POOL = 'pool = { ipv4 = "10.89.0.0/24" }\n'
const FILE = 'config/server.toml'

const parse = (text: string) => parseServerConfig(text, { file: FILE })

/** The problems that a text is refused for, without the file name in front. */
function problems(text: string): string[] {
  try {
    parse(text)
  } catch (error) {
    expect(error).to.be.instanceOf(ConfigError)
    expect((error as ConfigError).file).to.equal(FILE)
    return (error as ConfigError).problems.map(line => {
      expect(line.startsWith(`${FILE}:`), line).to.equal(true)
      return line.slice(FILE.length + 1).trim()
    })
  }
  throw new Error('the configuration was accepted')
}

describe('server configuration', () => {
  it('has a TUN device everywhere, and NAT and offload on Linux only', () => {
    const text = `${TLS}${POOL}[tun]\n`
    const found = (platform: NodeJS.Platform, keys: string): string[] =>
      onPlatform(platform, () => problems(`${text}${keys}`))
    for (const platform of ['darwin', 'win32'] as const) {
      expect(onPlatform(platform, () => parse(text)).tun?.nat).to.equal(false)
      const expected = `expected false: that is built for Linux, and this is ${platform}`
      expect(found(platform, 'nat = true\noffload = true')).to.deep.equal([
        `tun.nat: found true; ${expected}`,
        `tun.offload: found true; ${expected}`,
      ])
    }
    expect(onPlatform('linux', () => parse(`${text}nat = true`)).tun?.nat).to.equal(true)
  })

  it('reads config/server.local.toml, with paths relative to it', () => {
    const file = fileURLToPath(new URL('../../config/server.local.toml', import.meta.url))
    const config = loadServerConfig(file)
    expect(config.listen).to.deep.equal({ host: '127.0.0.1', port: 4433, tcp: true, names: [] })
    expect(config.tls.clientCa).to.equal(resolve(file, '../../cert/out/ca.pem'))
    expect(config.auth.mode).to.equal('mtls')
    expect(config.routes.map(route => `${route.prefix} ${route.protocol}`)).to.deep.equal([
      '10.89.0.0/24 0',
      'fd00:89::/64 0',
      '10.90.0.1/32 0',
      'fd00:90::1/128 0',
    ])
  })

  it('reads config/server.browser.toml, which a browser may use', () => {
    const config = loadServerConfig(fileURLToPath(new URL('../../config/server.browser.toml', import.meta.url)))
    expect(config.webTransport).to.deep.equal({ path: '/webtransport', origins: [] })
    expect(config.auth.mode).to.equal('none')
  })

  it('takes no web pages unless told to, of these origins, and with a way for them to say who they are', () => {
    const section = (keys: string) => `${TLS}${POOL}\n[webtransport]\n${keys}\n`
    expect(parse(TLS + POOL).webTransport).to.equal(undefined)
    expect(parse(section('origins = ["https://lab.example"]')).webTransport?.origins).to.deep.equal([
      'https://lab.example',
    ])
    for (const origin of ['lab.example', 'https://lab.example/', 'https://lab.example:443', '*', 'null']) {
      expect(problems(section(`origins = ["${origin}"]`)).join(), origin).to.match(
        /webtransport\.origins\[0\].*an origin/,
      )
    }
    const tls = 'tls = { certificate = "server.pem", key = "server-key.pem", client_ca = "ca.pem" }\n'
    expect(problems(`${tls}${POOL}auth.mode = "mtls"\n[webtransport]\n`).join()).to.match(
      /auth\.mode.*a web page cannot send a certificate/,
    )
  })

  it('says which engine speaks QUIC, and refuses one that there is not', () => {
    expect(parse(`${TLS}${POOL}[quic]\nengine = "typescript"\n`).quic.engine).to.equal('typescript')
    expect(() => parse(`${TLS}${POOL}[quic]\nengine = "msquic"\n`)).to.throw(/quic\.engine/)
  })

  it('fills in the documented defaults', () => {
    const config = parse(TLS + POOL)
    expect(config.tls).to.deep.equal({
      certificate: resolve('config/server.pem'),
      key: resolve('config/server-key.pem'),
    })
    expect(config.tunnel.template).to.equal('/.well-known/masque/ip/{target}/{ipproto}/')
    expect(config.tunnel.encapsulations).to.deep.equal(['datagram', 'stream-per-packet', 'single-stream'])
    expect(config.auth).to.deep.equal({ mode: 'none', tokens: [], identities: [], maxTunnelsPerIdentity: 16 })
    expect(config.quic).to.deep.equal({
      engine: 'auto',
      congestionControl: 'cubic',
      idleTimeoutMs: 30_000,
      maxUdpPayload: 1400,
      datagramQueue: 1024,
    })
    expect(config.api).to.deep.equal({ enabled: true, host: '127.0.0.1', port: 8080, live: false, tls: false })
  })

  it('advertises the pools and the hosts outside them when no routes are given', () => {
    const config = parse(
      `${TLS}${POOL}hosts = [{ name = "in", ipv4 = "10.89.0.9" }, { name = "out", ipv6 = "fd00:90::1" }]`,
    )
    expect(config.routes.map(route => route.prefix.toString())).to.deep.equal(['10.89.0.0/24', 'fd00:90::1/128'])
  })

  it('maps tokens, with the general limit where none is given', () => {
    const sha256 = 'AB'.repeat(32)
    const config = parse(
      `${TLS}${POOL}[auth]\nmode = "token"\nmax_tunnels_per_identity = 3\n[[auth.tokens]]\nidentity = "alice"\nsha256 = "${sha256}"`,
    )
    expect(config.auth.tokens).to.deep.equal([{ identity: 'alice', sha256: sha256.toLowerCase(), maxTunnels: 3 }])
  })

  it('names file, key, what was found and what is expected', () => {
    expect(() => parse(`${TLS}pool = { ipv4 = "10.89.0.1/24" }`)).to.throw(
      ConfigError,
      /^config\/server\.toml: pool\.ipv4: found "10\.89\.0\.1\/24", expected an IPv4 prefix whose host bits are zero, such as 10\.89\.0\.0\/24$/,
    )
  })

  for (const [what, text, expected] of [
    [
      'a value of another type',
      `${TLS}${POOL}listen.port = "4433"`,
      'listen.port: found "4433", expected a port from 0 to 65535',
    ],
    [
      'a number out of range',
      `${TLS}${POOL}listen.port = 65536`,
      'listen.port: found 65536, expected a port from 0 to 65535',
    ],
    [
      'a number that is none',
      `${TLS}${POOL}listen.port = nan`,
      'listen.port: found NaN, expected a port from 0 to 65535',
    ],
    [
      'a word that is not offered',
      `${TLS}${POOL}auth.mode = "tls"`,
      'auth.mode: found "tls", expected one of "none", "mtls", "token", "mtls-or-token"',
    ],
    [
      'a value instead of a table',
      `${TLS}${POOL}listen = 4433`,
      'listen: found 4433, expected a table [listen] with the keys host, port, tcp, names',
    ],
    ['a missing key', `${POOL}tls.certificate = "x"`, 'tls.key: missing, expected the path of a file'],
    ['a missing section', POOL, 'tls: missing, expected a table [tls] with the keys certificate, key, client_ca'],
    [
      'an address of the wrong family',
      `${TLS}pool = { ipv6 = "10.0.0.0/8" }`,
      'pool.ipv6: found "10.0.0.0/8", expected an IPv6 prefix',
    ],
    [
      'a slip in a key',
      `${TLS}${POOL}listen.prot = 1`,
      'listen.prot: unknown key, did you mean port?; allowed here: host, port',
    ],
    ['an unknown section', `${TLS}${POOL}[database]`, 'database: unknown key; allowed here: listen, tls, tunnel,'],
    [
      'a slip in a list of tables',
      `${TLS}${POOL}[[hosts]]\nname = "a"\nipv5 = "1"`,
      'hosts[0].ipv5: unknown key, did you mean ipv4?',
    ],
    [
      'a repeated encapsulation',
      `${TLS}${POOL}tunnel.encapsulations = ["datagram", "datagram"]`,
      'tunnel.encapsulations: found ["datagram","datagram"], expected a list of',
    ],
    [
      'a template with a wrong variable syntax',
      `${TLS}${POOL}tunnel.template = "/ip/{+target}/"`,
      'tunnel.template: URI template',
    ],
    ['no pool', `${TLS}[pool]`, 'pool: no addresses for clients'],
    [
      'a pool without a leasable IPv4 address',
      `${TLS}pool.ipv4 = "10.0.0.1/32"`,
      'pool.ipv4: found 10.0.0.1/32, which is too small: beside the proxy and the hosts it has no address for a client; expected a larger pool, such as 10.89.0.0/24',
    ],
    [
      'a pool without a leasable IPv6 address',
      `${TLS}pool.ipv6 = "fd00::1/128"`,
      'pool.ipv6: found fd00::1/128, which is too small',
    ],
    [
      'a pool that the hosts fill',
      `${TLS}pool.ipv4 = "10.0.0.0/30"
hosts = [{ name = "a", ipv4 = "10.0.0.2" }]`,
      'pool.ipv4: found 10.0.0.0/30, which is too small',
    ],
    [
      "a host with the proxy's address",
      `${TLS}${POOL}hosts = [{ name = "a", ipv4 = "10.89.0.1" }]`,
      "hosts[0].ipv4: found 10.89.0.1, which is the proxy's own address",
    ],
    [
      'two hosts with one name',
      `${TLS}${POOL}hosts = [{ name = "a", ipv4 = "10.0.0.1" }, { name = "a", ipv4 = "10.0.0.2" }]`,
      'hosts[1].name: found "a", which is taken',
    ],
    [
      "a host with the proxy's name",
      `${TLS}${POOL}hosts = [{ name = "gateway", ipv4 = "10.0.0.1" }]`,
      'hosts[0].name: found "gateway", which is taken',
    ],
    [
      'a pool that cannot be forwarded',
      `${TLS}pool.ipv6 = "fe80::/64"`,
      'pool.ipv6: found fe80::/64; expected addresses that can be forwarded',
    ],
    [
      'overlapping routes',
      `${TLS}${POOL}routes = [{ prefix = "10.0.0.0/8" }, { prefix = "10.1.0.0/16", protocol = 6 }]`,
      'routes[1].prefix: found 10.1.0.0/16, which overlaps routes[0]',
    ],
    [
      'two hosts with one address',
      `${TLS}${POOL}hosts = [{ name = "a", ipv4 = "10.0.0.1" }, { name = "b", ipv4 = "10.0.0.1" }]`,
      'hosts[1].ipv4: found 10.0.0.1, which hosts[0] has already',
    ],
    ['a host without an address', `${TLS}${POOL}hosts = [{ name = "a" }]`, 'hosts[0]: the host "a" has no address'],
    ['mtls without a CA', `${TLS}${POOL}auth.mode = "mtls"`, 'tls.client_ca: missing, but auth.mode is "mtls"'],
    ['token mode without tokens', `${TLS}${POOL}auth.mode = "token"`, 'auth.tokens: empty, but auth.mode is "token"'],
  ] as const) {
    it(`refuses ${what}`, () => {
      const found = problems(text)
      expect(found).to.have.length(1)
      expect(found[0]).to.include(expected)
    })
  }

  it('does not repeat a token that was written where its hash belongs', () => {
    const [problem] = problems(`${TLS}${POOL}auth.tokens = [{ identity = "a", sha256 = "my-secret-token" }]`)
    expect(problem).to.include('auth.tokens[0].sha256: found a text of 15 characters (not shown), expected the SHA-256')
    expect(problem).to.not.include('my-secret-token')
  })

  it("does not repeat a token that was written where the hash of the API's belongs", () => {
    const [problem] = problems(`${TLS}${POOL}api.token_sha256 = "my-secret-token"`)
    expect(problem).to.include('api.token_sha256: found a text of 15 characters (not shown), expected the SHA-256')
  })

  describe('the REST API on an address that other machines reach', () => {
    const sha256 = 'ab'.repeat(32)
    const withHost = (host: string, more = ''): string[] => problems(`${TLS}${POOL}[api]\nhost = "${host}"\n${more}`)

    it('is refused without TLS and a token', () => {
      for (const host of [
        '0.0.0.0',
        '::',
        '192.0.2.1',
        '2001:db8::1',
        'lab.example',
        '128.0.0.1',
        'localhost.example',
      ]) {
        const found = withHost(host)
        expect(found, host).to.have.length(2)
        expect(found[0]).to.include(`api.tls: found false; expected true, because other machines can reach ${host}`)
        expect(found[1]).to.include('api.token_sha256: missing')
        expect(withHost(host, 'tls = true'), host).to.have.length(1)
        expect(withHost(host, `token_sha256 = "${sha256}"`), host).to.have.length(1)
        expect(withHost(host, 'token_file = "token"'), host).to.have.length(1)
      }
    })

    it('is served with both, and on loopback, however it is written, without', () => {
      const config = parse(`${TLS}${POOL}[api]\nhost = "0.0.0.0"\ntls = true\ntoken_sha256 = "${sha256.toUpperCase()}"`)
      expect(config.api).to.include({ tls: true, tokenSha256: sha256 })
      for (const host of [
        '127.0.0.1',
        '127.1',
        '127.0.0.3',
        'localhost',
        'LocalHost',
        '::1',
        '0:0:0:0:0:0:0:1',
        '::ffff:127.0.0.1',
      ]) {
        expect(() => parse(`${TLS}${POOL}api.host = "${host}"`), host).to.not.throw()
      }
    })

    it('has its token from one place', () => {
      const both = problems(`${TLS}${POOL}[api]\ntoken_sha256 = "${sha256}"\ntoken_file = "token"`)
      expect(both).to.have.length(1)
      expect(both[0]).to.include('api.token_file: given beside api.token_sha256')
    })

    it('does not matter where the API is off', () => {
      expect(() => parse(`${TLS}${POOL}[api]\nenabled = false\nhost = "0.0.0.0"`)).to.not.throw()
    })
  })

  it('reports every problem, one a line', () => {
    expect(problems(`${TLS}${POOL}listen = { host = 1, prt = 2 }\nlog.level = "loud"`)).to.have.length(3)
  })

  it('gives line and column of what is not TOML', () => {
    expect(problems('[tls]\ncertificate = \n')[0]).to.match(/^2:\d+: not valid TOML: \S/)
    expect(problems('a = 1\na = 2')[0]).to.match(/^2:1: not valid TOML: /)
  })

  it('throws ConfigError and nothing else for any text and any TOML value', () => {
    const accepts = (text: string): void => {
      try {
        parse(text)
      } catch (error) {
        expect(error).to.be.instanceOf(ConfigError)
      }
    }
    fc.assert(fc.property(fc.string(), accepts), { numRuns: 300 })
    const keys = [
      'listen',
      'tls',
      'pool',
      'pool.ipv4',
      'hosts',
      'routes',
      'auth.tokens',
      'tunnel.template',
      'quic.key_log',
    ]
    const values = [
      '1',
      '1.5',
      'inf',
      'true',
      '""',
      '"x"',
      '"0.0.0.0/0"',
      '[]',
      '[1]',
      '[[]]',
      '[{}]',
      '{}',
      '1979-05-27',
      '{ a.b = 1 }',
    ]
    fc.assert(
      fc.property(fc.constantFrom(...keys), fc.constantFrom(...values), (key, value) => {
        accepts(`${key} = ${value}`)
        accepts(`${TLS.repeat(Number(key !== 'tls'))}${POOL.repeat(Number(!key.startsWith('pool')))}${key} = ${value}`)
      }),
      { numRuns: 200 },
    )
  })

  it('says in one sentence that the file is not there, or is not a file', () => {
    const directory = mkdtempSync(join(tmpdir(), 'masque-lab-config-'))
    try {
      const missing = join(directory, 'none.toml')
      expect(() => loadServerConfig(missing)).to.throw(ConfigError, `${missing}: there is no such configuration file`)
      expect(() => loadServerConfig(directory)).to.throw(ConfigError, 'this is a directory')
      writeFileSync(join(directory, 'a.toml'), TLS + POOL)
      expect(loadServerConfig(join(directory, 'a.toml')).tls.key).to.equal(join(directory, 'server-key.pem'))
    } finally {
      rmSync(directory, { recursive: true })
    }
  })

  describe('defaultServerConfig', () => {
    it('listens on any free port, has both families, and takes overrides', () => {
      const config = defaultServerConfig({ limits: { maxTunnels: 2 }, api: { enabled: false } })
      expect(config.listen.port).to.equal(0)
      expect(config.api).to.deep.equal({ enabled: false, host: '127.0.0.1', port: 0, live: false, tls: false })
      expect(config.limits.maxTunnels).to.equal(2)
      expect(config.limits.maxConnections).to.equal(1000)
      expect([config.pool.ipv4?.version, config.pool.ipv6?.version]).to.deep.equal([4, 6])
    })

    it('derives the routes from an overridden pool', () => {
      const { pool } = parse(`${TLS}pool.ipv4 = "192.0.2.0/24"`)
      const config = defaultServerConfig({ pool, hosts: [] })
      expect(config.routes.map(route => route.prefix.toString())).to.deep.equal(['192.0.2.0/24'])
    })

    it('checks the overrides like a file', () => {
      expect(() => defaultServerConfig({ auth: { mode: 'token' } })).to.throw(ConfigError, 'auth.tokens: empty')
    })
  })
})

describe('configuration schemas', () => {
  /** Every key of a schema as a dotted path, with its documentation. */
  function* keys(schema: z.ZodType, path = ''): Generator<[string, string | undefined]> {
    const inner = unwrap(schema)
    if (inner instanceof z.ZodArray) yield* keys(inner.element as z.ZodType, path)
    if (!(inner instanceof z.ZodObject)) return
    for (const [key, value] of Object.entries(inner.shape)) {
      yield [`${path}${key}`, (value as z.ZodType).description]
      yield* keys(value as z.ZodType, `${path}${key}.`)
    }
  }

  it('document every key', () => {
    for (const schema of [serverConfigSchema, clientConfigSchema]) {
      const all = [...keys(schema)]
      expect(all.length).to.be.greaterThan(20)
      for (const [key, description] of all) expect(description, key).to.match(/^[A-Z(].*[.?]$|\.$/s)
    }
  })

  it('AT-05 refuses networks behind clients that overlap a pool or a host, in whatever way', () => {
    const base = `${TLS}${POOL}hosts = [{ name = "echo", ipv4 = "10.90.0.1", ipv6 = "fd00:90::1" }]\n`
    const withRoutes = (...prefixes: string[]) =>
      `${base}[tunnel]\nclient_routes = [${prefixes.map(prefix => `"${prefix}"`).join(', ')}]\n`
    for (const [prefix, other] of [
      ['10.89.0.0/24', 'pool.ipv4 (10.89.0.0/24)'],
      ['10.89.0.77/32', 'pool.ipv4 (10.89.0.0/24)'],
      ['0.0.0.0/0', 'pool.ipv4 (10.89.0.0/24)'],
      ['10.90.0.0/16', 'hosts[0].ipv4 (10.90.0.1/32)'],
      ['fd00:90::1/128', 'hosts[0].ipv6 (fd00:90::1/128)'],
    ]) {
      expect(problems(withRoutes('192.168.0.0/16', prefix))).to.deep.equal([
        `tunnel.client_routes[1]: found ${prefix}, which overlaps ${other}; expected networks that are behind clients only`,
      ])
    }
    expect(parse(withRoutes('192.168.0.0/16', 'fd00:91::/32')).tunnel.clientRoutes.length).to.equal(2)
    const both = POOL.replace(' }', ', ipv6 = "fd00:89::/64" }')
    expect(problems(withRoutes('fd00:89::/72').replace(POOL, both))).to.deep.equal([
      'tunnel.client_routes[0]: found fd00:89::/72, which overlaps pool.ipv6 (fd00:89::/64); expected networks that are behind clients only',
    ])
  })

  it('CIP-14 refuses more routes than one capsule holds, counted as they will be sent', () => {
    const list = (count: number, step: number) =>
      Array.from({ length: count }, (_, i) => `{ prefix = "10.${i >> 8}.${i & 255}.${step}/32" }`).join(', ')
    const routes = (count: number) => `${TLS}${POOL}routes = [${list(count, 7)}]\n`
    expect(parse(routes(1024)).routes.length).to.equal(1024)
    expect(problems(routes(1025)).join()).to.match(/^routes: found 1025 .*expected at most 1024.*give larger prefixes$/)
    // Adjacent prefixes are sent as one range.
    const adjacent = Array.from({ length: 1100 }, (_, i) => `{ prefix = "10.1.${i >> 8}.${i & 255}/32" }`).join(', ')
    expect(parse(`${TLS}${POOL}routes = [${adjacent}]\n`).routes.length).to.equal(1100)
    // And the hosts make routes where none are given.
    const hosts = Array.from({ length: 1100 }, (_, i) => `{ name = "h${i}", ipv4 = "10.1.${i >> 7}.${(2 * i) & 255}" }`)
    expect(problems(`${TLS}${POOL}hosts = [${hosts.join(', ')}]\n`).join()).to.match(/^routes: found 1101 .*the hosts/)
  })

  it('refuses more networks behind clients than are looked through for each route of a client', () => {
    const list = (count: number) => Array.from({ length: count }, (_, i) => `"172.16.${i}.0/25"`).join(', ')
    const text = (count: number) => `${TLS}${POOL}tunnel.client_routes = [${list(count)}, "172.20.0.0/16"]\n`
    expect(parse(text(255)).tunnel.clientRoutes.length).to.equal(256)
    expect(problems(text(256)).join()).to.match(/^tunnel.client_routes: found 257 .*at most 256/)
  })
})
