import { createHash } from 'node:crypto'
import { expect } from 'chai'
import { MasqueClient } from '../../src/client/client.ts'
import { defaultServerConfig, type ServerConfigOverrides } from '../../src/server/config.ts'
import { MasqueServer } from '../../src/server/server.ts'
import { clientConfig } from '../harness/client-config.ts'
import { GoPeer } from '../harness/go-peer.ts'
import { type Certificates, makeCertificates } from '../harness/go-programs.ts'
import { failureOf, ping, pingMany, until } from '../harness/wait.ts'

const GATEWAY = { v4: '10.89.0.1', v6: 'fd00:89::1' }
const HOST = { v4: '10.90.0.1', v6: 'fd00:90::1' }
const TOKEN = 'a-token-for-the-interop-tests-only'

/** RFC 8446 §6.2. */
const TLS_ALERT_BAD_CERTIFICATE = 42
const TLS_ALERT_UNKNOWN_CA = 48

/** ICMP payloads; the last makes an IPv6 packet of exactly 1280 bytes. */
const SIZES = [0, 56, 512, 1000, 1232]

describe('the Go client against our server', () => {
  let certificates: Certificates
  let server: MasqueServer
  const clients: MasqueClient[] = []
  const goClients: GoPeer[] = []

  before(async () => {
    certificates = await makeCertificates('interop-client')
  })

  after(() => certificates?.remove())

  afterEach(async () => {
    // The server first: it would wait a while for clients that vanished without a word.
    await server?.close()
    await Promise.all(clients.splice(0).map(client => client.close()))
    for (const client of goClients.splice(0)) {
      await client.kill()
      expect(client.complaints(), client.describe()).to.deep.equal([])
    }
  })

  async function startServer(overrides: ServerConfigOverrides = {}): Promise<void> {
    server = await MasqueServer.start(
      defaultServerConfig({
        ...overrides,
        tls: { ...certificates.server, ...overrides.tls },
        tunnel: { linkProbe: 'off', ...overrides.tunnel },
        api: { enabled: false },
        log: { level: 'silent' },
      }),
    )
  }

  /** Starts a Go client; `path` is our server's default template with its variables filled in. */
  function goClient(args: string[] = [], path = '/.well-known/masque/ip/*/*/'): GoPeer {
    const url = `https://127.0.0.1:${server.address.port}${path}`
    const client = new GoPeer('client', [
      '-url',
      url,
      ...(args.includes('-ca') ? [] : ['-ca', certificates.ca]),
      ...args,
    ])
    goClients.push(client)
    return client
  }

  const clientCertificate = ({ certificate, key }: Certificates['client']) => ['-certificate', certificate, '-key', key]

  /** A client of ours on the same server, to send packets to the Go client through it. */
  async function ourClient(maxUdpPayload?: number): Promise<MasqueClient> {
    const client = new MasqueClient(clientConfig({ port: server.address.port, ca: certificates.ca, maxUdpPayload }))
    clients.push(client)
    await client.connect()
    return client
  }

  it('CIP-06 CIP-19 gets its addresses unprompted, one of each family, and the routes', async () => {
    await startServer()
    const client = goClient()
    expect(await client.waitFor('tunnel')).to.include({ status: 200, capsule_protocol: '?1' })
    expect(await client.waitFor('assigned')).to.deep.include({
      prefixes: ['10.89.0.2/32', 'fd00:89::2/128'],
      ids: [0, 0],
      refused: 0,
    })
    expect((await client.waitFor('routes')).routes).to.deep.equal([
      { start: '10.89.0.0', end: '10.89.0.255', protocol: 0 },
      { start: HOST.v4, end: HOST.v4, protocol: 0 },
      { start: 'fd00:89::', end: 'fd00:89::ffff:ffff:ffff:ffff', protocol: 0 },
      { start: HOST.v6, end: HOST.v6, protocol: 0 },
    ])
  })

  it('CIP-13 gets an answer with its own id to every address it asks for', async () => {
    await startServer()
    const client = goClient(['-request', '0.0.0.0/32,::/128'])
    const { ids } = await client.waitFor('requested')
    const assigned = await client.waitFor('assigned', event => event.ids.includes(ids[0]))
    expect(assigned.ids).to.include.members(ids)
    expect(assigned.refused).to.equal(0)
    await client.ready()
    for (const target of [GATEWAY.v4, GATEWAY.v6]) {
      expect(await client.ping({ target, size: 56 })).to.include({ received: 1 })
    }
  })

  it('CIP-13 is refused by its id what is more than our server gives', async () => {
    await startServer()
    const client = goClient(['-request', Array(6).fill('0.0.0.0/32').join()])
    const { ids } = await client.waitFor('requested')
    const { prefixes, refused } = await client.waitFor('assigned', event => event.ids.includes(ids[0]))
    expect(refused).to.be.within(1, 5)
    expect(prefixes.filter((prefix: string) => prefix.endsWith('/32'))).to.have.length(6 - refused)
    expect(prefixes).to.include('fd00:89::2/128') // the list is the whole list, each time
  })

  it('finds the tunnel with the asterisks percent-encoded and as they are', async () => {
    await startServer()
    for (const path of ['/.well-known/masque/ip/%2A/%2A/', '/.well-known/masque/ip/*/*/']) {
      await goClient([], path).waitFor('assigned')
    }
  })

  it('connects when our server first makes it prove its address with a Retry', async () => {
    await startServer({ limits: { retry: 'always' } })
    await goClient().waitFor('assigned')
    // Two, perhaps: Go's first flight, with its post-quantum key share, fills two UDP packets, and both are answered.
    expect(server.status().handshakes.retried).to.be.within(1, 2)
    expect(server.status().handshakes.accepted).to.equal(1)
  })

  for (const [name, target, ttl] of [
    ['the proxy itself over IPv4', GATEWAY.v4, 64],
    ['the proxy itself over IPv6', GATEWAY.v6, 64],
    ['a host behind the proxy over IPv4', HOST.v4, 63],
    ['a host behind the proxy over IPv6', HOST.v6, 63],
  ] as const) {
    it(`CIP-29 pings ${name}; the answers arrive with a TTL of ${ttl}`, async () => {
      await startServer()
      const client = goClient()
      await client.ready()
      for (const size of SIZES) {
        const report = await client.ping({ target, size, count: 3 })
        expect(report, `${size} bytes`).to.include({ sent: 3, received: 3 })
        for (const pong of report.pongs) expect(pong).to.include({ size, ttl, intact: true })
      }
    })
  }

  it('CIP-33 is pinged through our server by another client, in both families and all sizes', async () => {
    await startServer()
    const go = goClient()
    const addresses = await go.ready()
    const ours = await ourClient()
    for (const [i, target] of addresses.entries()) {
      const source = String(ours.info.assigned[i]?.address)
      for (const size of SIZES) {
        const { bytes, hopCount } = await ping(ours, target, size)
        expect(bytes).to.equal(size)
        // The Go library counts the TTL of its own answer down, then our server that of a forwarded packet.
        expect(hopCount).to.equal(62)
        // Our client's own packet left with 64; one hop, our server, forwarded it.
        const answered = await go.waitFor('answered', event => event.size === size && event.source === source)
        expect(answered).to.include({ target, ttl: 63 })
      }
    }
  })

  it('CIP-33 answers the ping by which our server tests whether 1280 bytes pass', async () => {
    await startServer({ tunnel: { linkProbe: 'require' } })
    const go = goClient()
    const answered = await go.waitFor('answered', event => event.size === 1232)
    expect(answered).to.include({ source: GATEWAY.v6, bytes: 1280, ttl: 64 })
    // The first one may overtake the capsule with the address, and is then dropped with a complaint.
    goClients.length = 0
    await go.kill()
  })

  it('loses none of many pings in both directions at once', async () => {
    await startServer()
    const go = goClient()
    const [target] = (await go.ready()) as [string]
    const client = await ourClient()
    const theirs = go.ping({ target: HOST.v6, size: 1000, count: 300 })
    const ours = pingMany(client, target, 1000, 300)
    expect(await theirs).to.include({ sent: 300, received: 300 })
    expect(await ours).to.equal(300)
  })

  it('CIP-29 is told by ICMP when the TTL ran out at our server', async () => {
    await startServer()
    const go = goClient()
    await go.ready()
    const ours = await ourClient()
    for (const prefix of ours.info.assigned) {
      const target = prefix.address.toString()
      // The Go library sends it with 1, and our server may not forward that.
      const { failures } = await go.ping({ target, size: 56, ttl: 2 })
      expect(failures).to.have.length(1)
      expect(failures[0]).to.include({ event: 'ping-failed', kind: 'time-exceeded', code: 0, origin: 'peer' })
      expect([GATEWAY.v4, GATEWAY.v6]).to.include(failures[0]?.from)
    }
  })

  it('CIP-26 is told by ICMP when it pings an address that nobody has', async () => {
    await startServer()
    const client = goClient()
    await client.ready()
    for (const target of ['10.89.0.200', 'fd00:89::200']) {
      const { failures } = await client.ping({ target, size: 56 })
      expect(failures[0]).to.include({ event: 'ping-failed', kind: 'unreachable', code: 0, origin: 'peer' })
    }
  })

  it('CIP-32 CIP-34 goes on after an oversized packet, which its library refuses by itself', async () => {
    await startServer()
    const client = goClient()
    await client.ready()
    for (const target of [HOST.v4, HOST.v6]) {
      const { failures } = await client.ping({ target, size: 2000 })
      expect(failures[0]).to.include({ event: 'ping-failed', kind: 'too-big', origin: 'local' })
      expect(await client.ping({ target, size: 1000 })).to.include({ received: 1 })
    }
  })

  it('CIP-32 is not sent what is too big for its tunnel; the sender is told the MTU', async () => {
    await startServer()
    const go = goClient(['-packet-size', '1452']) // so that its answers fit
    const addresses = await go.ready()
    const ours = await ourClient(1450)
    // A client is there when the search of its own direction is over; that of ours may go on for a moment.
    await until(() => server.clients().every(client => client.mtu >= 1280))
    const mtu = server.clients().find(client => client.addresses.includes('10.89.0.2'))?.mtu ?? 0
    // The answer comes back through another tunnel, whose longer connection ids leave less room.
    const bothWays = Math.min(...server.clients().map(client => client.mtu))
    expect(bothWays).to.be.within(1280, 1400)
    for (const target of addresses) {
      const header = target.includes(':') ? 48 : 28
      expect(await ping(ours, target, bothWays - header)).to.include({ bytes: bothWays - header })
      const error = await failureOf(ping(ours, target, mtu + 1 - header))
      expect(error).to.include({ kind: 'icmp' })
      expect(error.icmp).to.include({ kind: 'packet-too-big', mtu })
    }
  })

  it('CIP-11 is forgotten and its addresses are free again after it closed in order', async () => {
    await startServer()
    const client = goClient()
    await client.ready()
    expect(server.clients()).to.have.length(1)
    expect(await client.close()).to.equal(0)
    expect(await client.waitFor('closed')).to.include({ by: 'us' })
    await until(() => server.clients().length === 0)
    expect(server.status().pools.map(pool => pool.used)).to.deep.equal([0, 0])
    // The end of the stream and that of the connection are two packets, between which this may have looked.
    await until(() => server.connectionLog().some(entry => entry.event === 'closed'))
    expect(server.connectionLog().map(entry => entry.event)).to.include.members([
      'tunnel-opened',
      'tunnel-closed',
      'closed',
    ])
  })

  it('H3-06 learns of it in order when our server closes', async () => {
    await startServer()
    const client = goClient()
    await client.ready()
    await server.close()
    const closed = await client.waitFor('closed')
    expect(closed.by).to.be.oneOf(['peer', 'connection'])
    if (closed.code !== undefined) expect(closed.code).to.equal(0x100)
    expect(await client.exited()).to.equal(0)
  })

  it('shares the server with a second client, each with addresses of its own', async () => {
    await startServer()
    const [first, second] = [goClient(), goClient()]
    const addresses = await Promise.all([first.ready(), second.ready()])
    expect(new Set(addresses.flat())).to.have.property('size', 4)
    for (const target of addresses[1]) {
      expect(await first.ping({ target, size: 1000, count: 3 })).to.include({ received: 3 })
    }
  })

  it('is let in with the right bearer token, and refused with a wrong one or none', async () => {
    const sha256 = createHash('sha256').update(TOKEN).digest('hex')
    await startServer({ auth: { mode: 'token', tokens: [{ identity: 'gopher', sha256, maxTunnels: 1 }] } })
    const client = goClient(['-token', TOKEN])
    await client.ready()
    expect(server.clients()[0]).to.include({ identity: 'gopher' })
    for (const args of [['-token', 'another-token'], []]) {
      const refused = goClient(args)
      expect((await refused.waitFor('rejected')).status).to.be.oneOf([401, 403])
      expect(await refused.exited()).to.equal(1)
    }
    expect(await client.ping({ target: GATEWAY.v4, size: 56 })).to.include({ received: 1 })
  })

  it('is let in with a client certificate, and refused without one', async () => {
    await startServer({ tls: { clientCa: certificates.ca }, auth: { mode: 'mtls' } })
    const client = goClient(clientCertificate(certificates.client))
    await client.ready()
    expect(server.clients()[0]).to.include({ identity: 'interop-client' })
    const refused = goClient()
    expect(await refused.waitFor('rejected')).to.include({ status: 403 })
    expect(await refused.exited()).to.equal(1)
  })

  it('gets a TLS alert when another CA signed its certificate', async () => {
    await startServer({ tls: { clientCa: certificates.ca }, auth: { mode: 'mtls' } })
    const refused = goClient(clientCertificate(certificates.stranger))
    expect(await refused.exited()).to.equal(1)
    expect(await refused.waitFor('error')).to.include({ where: 'connect', tls_alert: TLS_ALERT_UNKNOWN_CA })
    expect(server.clients()).to.deep.equal([])
  })

  it('does not trust our server when another CA signed its certificate', async () => {
    await startServer()
    const client = goClient(['-ca', certificates.otherCa])
    expect(await client.exited()).to.equal(1)
    expect(await client.waitFor('error')).to.include({ where: 'connect', tls_alert: TLS_ALERT_BAD_CERTIFICATE })
    expect(await goClient().waitFor('tunnel')).to.include({ status: 200 })
  })

  it('is told that a path is unknown', async () => {
    await startServer()
    expect(await goClient([], '/somewhere/else/').waitFor('rejected')).to.include({ status: 404 })
  })
})
