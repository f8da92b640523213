import { expect } from 'chai'
import { MasqueClient } from '../../src/client/client.ts'
import { type ClientOptions, clientConfig } from '../harness/client-config.ts'
import { GoPeer } from '../harness/go-peer.ts'
import { type Certificates, makeCertificates } from '../harness/go-programs.ts'
import { failureOf, ping, pingMany, until } from '../harness/wait.ts'

const GATEWAY = { v4: '10.77.0.1', v6: 'fd77::1' }
const HOST = { v4: '192.0.2.9', v6: '2001:db8:77::5' }
const CLIENT = { v4: '10.77.0.2', v6: 'fd77::2' }
/** RFC 4291 §2.7.1. */
const ALL_NODES = 'ff02::1'
const TOKEN = 'a-token-for-the-interop-tests-only'

/** RFC 8446 §6.2. */
const TLS_ALERT_CERTIFICATE_REQUIRED = 116

/** ICMP payloads; the last makes an IPv6 packet of exactly 1280 bytes. */
const SIZES = [0, 56, 512, 1000, 1232]

describe('our client against the Go proxy', () => {
  let certificates: Certificates
  let proxy: GoPeer
  let port: number
  const clients: MasqueClient[] = []

  before(async () => {
    certificates = await makeCertificates('interop-client')
  })

  after(() => certificates?.remove())

  afterEach(async () => {
    await Promise.all(clients.splice(0).map(client => client.close()))
    await proxy?.kill()
    expect(proxy.complaints(), proxy.describe()).to.deep.equal([])
  })

  async function startProxy(...args: string[]): Promise<void> {
    const { certificate, key } = certificates.server
    proxy = new GoPeer('proxy', ['-certificate', certificate, '-key', key, ...args])
    port = (await proxy.waitFor('listening')).port
  }

  function newClient(options: Partial<ClientOptions> = {}): MasqueClient {
    const client = new MasqueClient(clientConfig({ port, ca: certificates.ca, ...options }))
    clients.push(client)
    return client
  }

  async function connect(options: Partial<ClientOptions> = {}): Promise<MasqueClient> {
    const client = newClient(options)
    await client.connect()
    return client
  }

  const assigned = (client: MasqueClient) => client.info.assigned.map(String)

  it('CIP-19 takes the addresses that the proxy assigns unprompted', async () => {
    await startProxy()
    const client = await connect({ requestAddresses: [] })
    expect(assigned(client)).to.have.members([`${CLIENT.v4}/32`, `${CLIENT.v6}/128`])
    expect(proxy.events.filter(event => event.event === 'address-request')).to.deep.equal([])
  })

  it('CIP-13 asks for an address of each family, and takes those it gets', async () => {
    await startProxy('-assign-on-request')
    const client = await connect()
    expect(assigned(client)).to.have.members([`${CLIENT.v4}/32`, `${CLIENT.v6}/128`])
    const { prefixes } = await proxy.waitFor('address-request')
    expect(prefixes).to.have.members(['0.0.0.0/32', '::/128'])
  })

  it('CIP-14 understands the advertised routes, protocols included', async () => {
    await startProxy()
    const client = await connect({ requestAddresses: [] })
    await until(() => client.info.routes.length > 0)
    expect(
      client.info.routes.map(({ range, protocol }) => [String(range.start), String(range.end), protocol]),
    ).to.deep.equal([
      ['10.77.0.0', '10.77.0.255', 0],
      ['192.0.2.0', '192.0.2.255', 0],
      ['198.51.100.0', '198.51.100.255', 17],
      ['2001:db8:77::', '2001:db8:77:ffff:ffff:ffff:ffff:ffff', 0],
      ['fd77::', 'fd77::ffff:ffff:ffff:ffff', 0],
    ])
  })

  it('CIP-02 CIP-06 sends a request that the Go library takes as well-formed', async () => {
    await startProxy()
    await connect()
    const tunnel = await proxy.waitFor('tunnel')
    expect(tunnel.authority).to.equal(`127.0.0.1:${port}`)
    expect(decodeURIComponent(tunnel.path)).to.equal('/.well-known/masque/ip/*/*/')
  })

  for (const [name, target] of [
    ['the proxy itself over IPv4', GATEWAY.v4],
    ['the proxy itself over IPv6', GATEWAY.v6],
    ['a host behind the proxy over IPv4', HOST.v4],
    ['a host behind the proxy over IPv6', HOST.v6],
  ] as const) {
    it(`CIP-29 pings ${name}; its own requests leave with their TTL untouched`, async () => {
      await startProxy()
      const client = await connect()
      for (const size of SIZES) {
        for (let i = 0; i < 3; i++) {
          const { bytes, hopCount } = await ping(client, target, size)
          expect(bytes).to.equal(size)
          expect(hopCount).to.equal(63) // the Go library counts down what its own end made, too
        }
        expect(await proxy.waitFor('answered', event => event.size === size)).to.include({ target, ttl: 64 })
      }
    })
  }

  it('CIP-31 CIP-33 tests by a ping to all nodes on the link whether 1280 bytes pass', async () => {
    // Only with such a route does the Go library let packets to ff02::1 through to us.
    await startProxy('-routes', `192.0.2.0/24,fd77::/64,${ALL_NODES}/128`)
    const client = await connect({ linkProbe: 'require' })
    expect(await proxy.waitFor('answered')).to.include({
      source: CLIENT.v6,
      target: ALL_NODES,
      size: 1232,
      bytes: 1280,
    })
    expect(await ping(client, GATEWAY.v6, 1232)).to.include({ bytes: 1232 })
  })

  it('CIP-33 answers the pings of the proxy, in both families and all sizes', async () => {
    await startProxy()
    await connect()
    for (const target of [CLIENT.v4, CLIENT.v6]) {
      for (const size of SIZES) {
        const report = await proxy.ping({ target, size, count: 3 })
        expect(report, `${size} bytes`).to.include({ sent: 3, received: 3 })
        for (const pong of report.pongs) expect(pong).to.include({ size, intact: true, ttl: 64 })
      }
    }
  })

  it('loses none of many pings in both directions at once', async () => {
    await startProxy()
    const client = await connect()
    const theirs = proxy.ping({ target: CLIENT.v6, size: 1000, count: 300 })
    const ours = pingMany(client, HOST.v4, 1000, 300)
    expect(await theirs).to.include({ sent: 300, received: 300 })
    expect(await ours).to.equal(300)
  })

  it('CIP-32 tells its own host the MTU when a packet is too big for the tunnel, and goes on', async () => {
    await startProxy('-packet-size', '1452') // so that its answers fit
    const client = await connect()
    const { mtu } = client.info
    expect(mtu).to.be.within(1280, 1400)
    for (const target of [HOST.v4, HOST.v6]) {
      const header = target.includes(':') ? 48 : 28
      expect(await ping(client, target, mtu - header)).to.include({ bytes: mtu - header })
      for (const size of [mtu - header + 1, 2000]) {
        const error = await failureOf(ping(client, target, size))
        expect(error).to.include({ kind: 'icmp' })
        expect(error.icmp).to.include({ kind: 'packet-too-big', mtu })
      }
      expect(await ping(client, target, 56)).to.include({ bytes: 56 })
    }
  })

  it('CIP-34 goes on after an oversized packet of the proxy, which the Go library refuses by itself', async () => {
    await startProxy()
    const client = await connect()
    for (const target of [CLIENT.v4, CLIENT.v6]) {
      const { failures } = await proxy.ping({ target, size: 2000 })
      expect(failures[0]).to.include({ event: 'ping-failed', kind: 'too-big', origin: 'local' })
      expect(await proxy.ping({ target, size: 1000 })).to.include({ received: 1 })
    }
    expect(await ping(client, GATEWAY.v4, 56)).to.include({ bytes: 56 })
  })

  it('CIP-11 closes in order: the proxy sees the end of the stream, then H3_NO_ERROR', async () => {
    await startProxy()
    const client = await connect()
    await proxy.waitFor('tunnel')
    await client.close()
    expect(await proxy.waitFor('tunnel-closed')).to.include({ by: 'peer' })
    expect(await proxy.waitFor('connection-closed')).to.include({ by: 'peer', code: 0x100 })
  })

  it('H3-06 notices when the proxy closes in order', async () => {
    await startProxy()
    const client = await connect()
    const down = new Promise(resolve => client.on('down', resolve))
    expect(await proxy.close(), proxy.describe()).to.equal(0)
    await down
    expect(await proxy.waitFor('tunnel-closed')).to.include({ by: 'us' })
    expect(await proxy.waitFor('connection-closed')).to.include({ code: 0x100 })
    // A message would say that our client did not leave after GOAWAY and the end of its tunnel.
    expect(await proxy.waitFor('closed')).to.deep.equal({ event: 'closed', by: 'us' })
  })

  it('is let in with the right bearer token, and reports status 401 with a wrong one', async () => {
    await startProxy('-token', TOKEN)
    await connect({ token: TOKEN })
    for (const token of ['another-token', undefined]) {
      const error = await failureOf(newClient({ token }).connect())
      expect(error).to.include({ kind: 'http', status: 401 })
    }
  })

  it('is let in with its client certificate, and reports the TLS alert without one', async () => {
    await startProxy('-client-ca', certificates.ca)
    await connect({ clientCertificate: certificates.client })
    const error = await failureOf(newClient().connect())
    expect(error.kind).to.equal('tls')
    expect(error.tlsAlert).to.include({ code: TLS_ALERT_CERTIFICATE_REQUIRED })
  })

  it('does not trust the proxy when another CA signed its certificate', async () => {
    await startProxy()
    const error = await failureOf(newClient({ ca: certificates.otherCa }).connect())
    expect(error.kind).to.equal('tls')
    expect(proxy.events.filter(event => event.event === 'tunnel')).to.deep.equal([])
  })

  it('reports status 404 when the proxy serves another path', async () => {
    await startProxy('-path', '/elsewhere/')
    expect(await failureOf(newClient().connect())).to.include({ kind: 'http', status: 404 })
  })
})
