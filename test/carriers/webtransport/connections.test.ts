import { createHash } from 'node:crypto'
import { expect } from 'chai'
import { ClientError } from '../../../src/client/errors.ts'
import type { PingError } from '../../../src/hosts/userspace/pinger.ts'
import { IpAddress } from '../../../src/ip/address.ts'
import { IpPrefix } from '../../../src/ip/prefix.ts'
import { freePort } from '../../../src/testbed/free-port.ts'
import { expectHeldToMtu } from '../../support/held-to-mtu.ts'
import { addressOf, closeLoopback, connectClient, failure, ping, pingFailure, until } from '../../support/loopback.ts'
import { newPackageClient, startPackageServer } from '../../support/package-tunnel.ts'

describe('a tunnel on the npm package for WebTransport', function () {
  // Each end starts a thread that loads TypeScript.
  this.slow(10_000)
  afterEach(closeLoopback)

  it('carries pings of any size to a host behind the proxy, and to another client', async () => {
    const server = await startPackageServer()
    const client = await newPackageClient(server)
    const info = await client.connect()
    expect(info).to.include({ carrier: 'webtransport', encapsulation: 'single-stream', mtu: 1500 })
    const other = await connectClient(server)
    for (const target of ['10.90.0.1', 'fd00:90::1', other.info.assigned[0].address]) {
      await ping(client, target)
      await ping(client, target, { size: 1200 })
    }
    const seen = server.clients().find(({ carrier }) => carrier === 'webtransport')
    expect(seen).to.include({ encapsulation: 'single-stream', mtu: 1500 })
    expect(seen?.backlog).to.include({ dropped: 0 })
  })

  it('ends in good order: the proxy has its addresses back, and says who has closed it', async () => {
    const server = await startPackageServer()
    const client = await newPackageClient(server)
    await client.connect()
    await client.close()
    await until(() => server.status().connections === 0)
    expect(server.status().pools.map(({ used }) => used)).to.deep.equal([0, 0])
    const closed = server.connectionLog().find(({ event }) => event === 'tunnel-closed')
    expect(closed?.detail).to.equal('the peer closed the tunnel')
  })

  it('needs the token that the proxy asks for, and says so when it is missing', async () => {
    const sha256 = createHash('sha256').update('secret').digest('hex')
    const server = await startPackageServer({
      auth: { mode: 'token', tokens: [{ identity: 'ada', sha256, maxTunnels: 1 }] },
    })
    const stranger = await newPackageClient(server)
    const refused = await failure(stranger.connect(), ClientError)
    expect(refused).to.include({ kind: 'http', status: 401 })
    const client = await newPackageClient(server, { auth: { token: 'secret' } })
    await client.connect()
    expect(server.clients().map(({ identity }) => identity)).to.deep.equal(['ada'])
  })

  it('is refused at another path, as pages are', async () => {
    const server = await startPackageServer()
    const client = await newPackageClient(server, { tunnel: { webTransportPath: '/elsewhere' } })
    expect(await failure(client.connect(), ClientError)).to.include({ kind: 'http', status: 404 })
  })

  it('does not come about with another certificate than the expected one', async () => {
    const server = await startPackageServer()
    const client = await newPackageClient(server, { tunnel: { certificateSha256: '00'.repeat(32) } })
    const refused = await failure(client.connect(), ClientError)
    expect(refused.message).to.match(/^we do not trust the proxy: its SHA-256/)
    expect(refused.kind).to.equal('tls')
    expect(refused.message).to.match(
      /^we do not trust the proxy: its SHA-256 is [0-9a-f]{64}, not that of tunnel\.certificate_sha256/,
    )
  })

  it('does not come about where nobody listens, which is said in a sentence', async () => {
    const server = await startPackageServer({ webTransport: { packagePort: await freePort() } })
    const client = await newPackageClient(server)
    await server.close()
    const refused = await failure(client.connect(), ClientError)
    expect(refused).to.include({ kind: 'network' })
    expect(refused.message).to.match(/^nobody listens at 127\.0\.0\.1:\d+: is the proxy running\?$/)
  })

  describe('is held to what every tunnel is', () => {
    const icmpOf = ({ icmp }: PingError): string => `${icmp?.from} ${icmp?.type}/${icmp?.code}`

    it('by source, destination and hop count: ICMP says so', async () => {
      const server = await startPackageServer({ tunnel: { clientToClient: false } })
      const client = await newPackageClient(server)
      await client.connect()
      const other = await connectClient(server)
      expect(icmpOf(await pingFailure(client, addressOf(other.info, 4)))).to.equal('10.89.0.1 3/13')
      expect(icmpOf(await pingFailure(client, addressOf(other.info, 6)))).to.equal('fd00:89::1 1/1')
      expect(icmpOf(await pingFailure(client, '10.89.0.200'))).to.equal('10.89.0.1 3/0')
      const forged = { source: IpAddress.parse('fd00:89::77') }
      expect((await pingFailure(client, 'fd00:90::1', forged)).icmp).to.include({ type: 1, code: 5 })
      expect((await pingFailure(client, '192.0.2.1')).icmp).to.include({ type: 3, code: 0 })
      await ping(client, '10.90.0.1')
    })

    it('by its MTU, which ICMP names, on both ways', async () => {
      const server = await startPackageServer()
      const client = await newPackageClient(server)
      await expectHeldToMtu(server, client, await client.connect())
    })

    it('by the pool of addresses, which has room again when it ends', async () => {
      const server = await startPackageServer({
        pool: { ipv4: IpPrefix.parse('10.89.0.0/30') },
        hosts: [],
      })
      for (let i = 0; i < 2; i++) {
        const client = await newPackageClient(server)
        expect((await client.connect()).assigned.map(String)).to.deep.equal(['10.89.0.2/32'])
        const refused = await failure((await newPackageClient(server)).connect(), ClientError)
        expect(refused.message).to.match(/no address for us: its pool is exhausted/)
        await client.close()
        await until(() => server.status().pools[0].used === 0)
      }
    })
  })

  it('comes again when what runs the package at the proxy has ended; other tunnels do not notice', async () => {
    const server = await startPackageServer()
    const bystander = await connectClient(server)
    const client = await newPackageClient(server, { reconnect: { enabled: true, initialDelayMs: 100 } })
    await client.connect()
    const again = new Promise(resolve => client.once('up', resolve))
    server.killPackageThread()
    await again
    await ping(client, '10.90.0.1')
    await ping(bystander.client, '10.90.0.1')
    expect(server.clients().map(({ carrier }) => carrier)).to.have.members(['h3', 'webtransport'])
  })
})
