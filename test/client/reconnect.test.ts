import { expect } from 'chai'
import { connectByHttp3 } from '../../src/carriers/h3/client-connection.ts'
import type { MasqueClient } from '../../src/client/client.ts'
import { defaultClientConfig } from '../../src/client/config.ts'
import { quicSettings } from '../../src/config/sections.ts'
import { freePort } from '../../src/testbed/free-port.ts'
import { TwoPaths } from '../../src/testbed/two-paths.ts'
import { UdpRelay } from '../../src/testbed/udp-relay.ts'
import { closeHostilePeers, type HostileProxy } from '../support/hostile-peer.ts'
import {
  clientCertificate,
  closeLoopback,
  connectClient,
  newClient,
  ping,
  startServer,
  until,
} from '../support/loopback.ts'
import { expectNamesOfTheirOwn, namesSaid } from '../support/said-names.ts'

const addresses = ({ info }: Pick<MasqueClient, 'info'>) => info.assigned.map(String)

describe('a client whose proxy starts anew', () => {
  const cleanup: (() => unknown)[] = []
  afterEach(async () => {
    await closeLoopback()
    for (const undo of cleanup.splice(0).reverse()) await undo()
  })

  it('is there again with its first knock that can be answered, and has the addresses that it had', async () => {
    const listen = { port: await freePort() }
    let server = await startServer({ listen })
    const paths = await TwoPaths.open(server.address, 20)
    cleanup.push(() => paths.close())
    // Others have the first addresses, so that the next of a new proxy would be others than before.
    for (let i = 0; i < 3; i++) await connectClient(server)
    const { client } = await connectClient(server, {
      proxy: { address: paths.first },
      reconnect: { enabled: true, knockMs: 20, initialDelayMs: 60_000, maxDelayMs: 60_000 },
    })
    const before = addresses(client)
    for (let i = 0; i < 3; i++) {
      // Not knocked for otherwise.
      await new Promise(resolve => setTimeout(resolve, 1000))
      const up = new Promise(resolve => client.once('up', resolve))
      await server.close()
      expect(client.connected).to.equal(false)
      server = await startServer({ listen })
      await up
      expect(addresses(client)).to.deep.equal(before)
      await ping(client, '10.90.0.1')
    }
  })

  it('notices with its first packet that a proxy in the place of its own knows nothing of it, by a stateless reset (RFC 9000 §10.3)', async () => {
    // Longer than the test. A port that the system chooses would have no successor.
    const quic = { engine: 'typescript', idleTimeoutMs: 600_000 } as const
    const listen = { port: await freePort() }
    const before = await startServer({ quic, listen })
    const relay = await UdpRelay.open(before.address)
    cleanup.push(() => relay.close())
    const { client } = await connectClient(before, {
      quic,
      proxy: { address: relay.address },
      reconnect: { enabled: true, knockMs: 0, initialDelayMs: 1 },
    })
    // As if its machine had lost its power: the client hears nothing of its end.
    relay.passes = () => false
    await before.close()
    const after = await startServer({ quic, listen })
    relay.passes = () => true
    expect(client.connected).to.equal(true)
    const up = new Promise(resolve => client.once('up', resolve))
    const lost = client.ping('10.90.0.1').catch(() => {})
    await up
    await ping(client, '10.90.0.1')
    expect(after.status()).to.include({ tunnels: 1, tunnelsTotal: 1 })
    await lost
  })

  it('resumes TLS where the proxy is the same, and gets the addresses that were kept for it', async () => {
    const server = await startServer({ auth: { mode: 'mtls' } })
    const tls = await clientCertificate('client')
    const { client } = await connectClient(server, {
      tls,
      reconnect: { enabled: true, knockMs: 20, initialDelayMs: 10 },
    })
    const before = addresses(client)
    await until(() => client.tunnel?.resumptionTicket !== undefined)
    const up = new Promise(resolve => client.once('up', resolve))
    client.tunnel?.quic?.close(0x102, 'gone')
    await up
    expect(client.info.resumed).to.equal(true)
    expect(addresses(client)).to.deep.equal(before)
  })

  it('is not asked by a Retry to prove its address again where the proxy is the same (RFC 9000 §8.1.3)', async () => {
    const quic = { engine: 'typescript' } as const
    const server = await startServer({ quic, limits: { retry: 'always' } })
    const { client } = await connectClient(server, {
      quic,
      reconnect: { enabled: true, knockMs: 0, initialDelayMs: 10 },
    })
    // More than one where the first packet was repeated meanwhile.
    const { retried } = server.status().handshakes
    expect(retried).to.be.at.least(1)
    const up = new Promise(resolve => client.once('up', resolve))
    client.tunnel?.quic?.close(0x102, 'gone')
    await up
    await ping(client, '10.90.0.1')
    expect(server.status().handshakes).to.deep.equal({ accepted: 2, rejected: 0, retried })
  })

  it('does not knock for a tunnel that the proxy has ended at once', async () => {
    const server = await startServer()
    const { client } = await connectClient(server, {
      reconnect: { enabled: true, knockMs: 1, initialDelayMs: 60_000, maxDelayMs: 60_000 },
    })
    const reconnecting = new Promise<number>(resolve => client.once('reconnecting', resolve))
    client.tunnel?.quic?.close(0x102, 'gone')
    expect(await reconnecting).to.be.at.least(30_000)
  })
})

describe('a client that is back before the proxy has missed it', () => {
  const cleanup: (() => unknown)[] = []
  afterEach(async () => {
    await closeLoopback()
    await closeHostilePeers()
    for (const undo of cleanup.splice(0).reverse()) await undo()
  })

  it('has the addresses that it had, again and again, and one tunnel, though nobody asks who it is', async () => {
    const server = await startServer()
    // Each tunnel takes a way of its own, which is cut for both ends: for the proxy, its connection is only silent.
    const ways: UdpRelay[] = []
    const openWay = async (): Promise<void> => {
      const way = await UdpRelay.open(server.address)
      cleanup.push(() => way.close())
      ways.push(way)
    }
    await openWay()
    const connect = connectByHttp3(quicSettings(defaultClientConfig().quic))
    const { client } = await connectClient(
      server,
      { reconnect: { enabled: true, knockMs: 0, initialDelayMs: 10, maxDelayMs: 10 } },
      { connect: options => connect({ ...options, remote: (ways.at(-1) as UdpRelay).address }) },
    )
    const before = addresses(client)
    for (let i = 0; i < 3; i++) {
      const up = new Promise(resolve => client.once('up', resolve))
      ;(ways.at(-1) as UdpRelay).passes = () => false
      await openWay()
      client.tunnel?.quic?.close(0x100, '')
      await up
      expect(addresses(client)).to.deep.equal(before)
      await ping(client, '10.90.0.1')
      expect(server.status()).to.include({ tunnels: 1, tunnelsTotal: i + 2 })
    }
  })

  it('has said the same name as before in its request, which a client that does not reconnect never says', async () => {
    const newOne = (proxy: HostileProxy) => newClient(proxy, { reconnect: { enabled: true } })
    const names = await namesSaid(async proxy => {
      const one = await newOne(proxy)
      return [one, one, await newOne(proxy), await newClient(proxy)]
    })
    expect(names.pop()).to.equal(undefined)
    expectNamesOfTheirOwn(names)
  })
})
