import { expect } from 'chai'
import { ALL_NODES } from '../../src/carriers/link-probe.ts'
import { ENCAPSULATIONS } from '../../src/config/sections.ts'
import { describeRoute } from '../../src/connect-ip/route-advertisement.ts'
import { FlowSource } from '../../src/hosts/userspace/flow.ts'
import { IpAddress } from '../../src/ip/address.ts'
import { IpPrefix } from '../../src/ip/prefix.ts'
import {
  addressOf,
  closeLoopback,
  connectClient,
  failure,
  itOverAll,
  itOverEach,
  newClient,
  ping,
  startServer,
  until,
} from '../support/loopback.ts'

const HOST = { 4: IpAddress.parse('10.90.0.1'), 6: IpAddress.parse('fd00:90::1') }
const GATEWAY = { 4: IpAddress.parse('10.89.0.1'), 6: IpAddress.parse('fd00:89::1') }

describe('a tunnel', () => {
  afterEach(closeLoopback)

  itOverAll(
    'CIP-02 CIP-19 opens under the default template: addresses of both families and routes arrive',
    async () => {
      const server = await startServer()
      const { info } = await connectClient(server)
      expect(info.assigned.map(String)).to.deep.equal(['10.89.0.2/32', 'fd00:89::2/128'])
      expect(info.routes.map(describeRoute)).to.deep.equal(server.status().routes)
      expect(info.resumed).to.equal(false)
      if (info.carrier === 'h3') {
        expect(info.encapsulation).to.equal('datagram')
        expect(info.mtu).to.be.within(1280, 1400)
      } else expect(info).to.include({ encapsulation: 'single-stream', mtu: 1500 })
      expect(info.handshakeMs).to.be.greaterThan(0)
      expect(info.sessionMs).to.be.greaterThan(0)
    },
  )

  it('shows in the status and the list of clients while it is there, and in the counters afterwards', async () => {
    const server = await startServer()
    const { client, info } = await connectClient(server)
    await ping(client, HOST[4])
    // The proxy's own search has ended.
    await until(() => server.clients()[0].mtu === info.mtu)
    expect(server.status()).to.include({ connections: 1, tunnels: 1, tunnelsTotal: 1, draining: false })
    const [shown] = server.clients()
    expect(shown.addresses).to.deep.equal(info.assigned.map(prefix => String(prefix.address)))
    expect(shown.routes).to.deep.equal(info.routes.map(describeRoute))
    expect(shown).to.include({ identity: undefined, encapsulation: 'datagram', mtu: info.mtu })
    expect(shown.packets.received).to.be.greaterThan(0)
    await client.close()
    await until(() => server.status().connections === 0)
    const { tunnels, tunnelsTotal, packets, bytes } = server.status()
    expect({ tunnels, tunnelsTotal }).to.deep.equal({ tunnels: 0, tunnelsTotal: 1 })
    expect(packets.fromClients).to.be.greaterThan(0)
    expect(bytes.toClients).to.be.greaterThan(0)
    expect(server.connectionLog().map(entry => entry.event)).to.deep.equal([
      'closed',
      'tunnel-closed',
      'tunnel-opened',
      'connected',
    ])
  })

  for (const version of [4, 6] as const) {
    itOverAll(
      `CIP-29 answers of the proxy itself arrive with 64 hops left, those of a host behind it with 63 (IPv${version})`,
      async () => {
        const { client } = await connectClient(await startServer())
        expect((await ping(client, GATEWAY[version])).hopCount).to.equal(64)
        expect((await ping(client, HOST[version])).hopCount).to.equal(63)
      },
    )

    itOverAll(`CIP-29 CIP-20 between two clients the proxy takes one hop (IPv${version})`, async () => {
      const server = await startServer()
      const [a, b] = [await connectClient(server), await connectClient(server)]
      const reply = await ping(a.client, addressOf(b.info, version))
      expect(reply.hopCount).to.equal(63)
      expect(String(reply.from)).to.equal(String(addressOf(b.info, version)))
    })

    itOverAll(
      `CIP-29 a packet with one hop left reaches a host behind the proxy: nothing is taken off on decapsulation (IPv${version})`,
      async () => {
        const { client } = await connectClient(await startServer())
        expect((await ping(client, HOST[version], { hopCount: 1 })).hopCount).to.equal(63)
      },
    )
  }

  it('CIP-21 carries pings of every size up to the reported MTU', async () => {
    const server = await startServer()
    const { client, info } = await connectClient(server)
    // Each end searches for what its own way carries, and the replies are as large.
    await until(() => server.clients()[0].mtu >= info.mtu)
    const largest = info.mtu - 28
    for (const size of [0, 1, 56, 1000, largest - 1, largest]) {
      expect((await ping(client, HOST[4], { size })).bytes).to.equal(size)
    }
  })

  itOverAll(
    'CIP-33 carries an IPv6 packet of 1280 bytes, to the proxy by its link-local group and to a host',
    async () => {
      const { client } = await connectClient(await startServer())
      expect((await ping(client, HOST[6], { size: 1232 })).bytes).to.equal(1232)
      const reply = await ping(client, ALL_NODES, { size: 1232 })
      expect(reply.bytes).to.equal(1232)
      expect(String(reply.from)).to.equal(String(GATEWAY[6]))
    },
  )

  itOverAll('CIP-20 the proxy and a host behind it reach the client too', async () => {
    const server = await startServer()
    const { info } = await connectClient(server)
    for (const version of [4, 6] as const) {
      const target = addressOf(info, version)
      const fromGateway = await server.host('gateway')?.ping(target, { timeoutMs: 10_000 })
      const fromHost = await server.host('echo')?.ping(target, { timeoutMs: 10_000 })
      expect([fromGateway?.hopCount, fromHost?.hopCount]).to.deep.equal([64, 64])
    }
  })

  for (const encapsulation of ENCAPSULATIONS) {
    it(`CIP-21 CIP-23 carries pings and a UDP flow as ${encapsulation}`, async () => {
      const server = await startServer()
      const { client, info } = await connectClient(server, { tunnel: { encapsulation } })
      expect(info.encapsulation).to.equal(encapsulation)
      expect(server.clients()[0].encapsulation).to.equal(encapsulation)
      for (const version of [4, 6] as const) {
        expect((await ping(client, HOST[version], { size: 1200 })).bytes).to.equal(1200)
        const flow = new FlowSource({ source: addressOf(info, version), destination: HOST[version], flowId: version })
        const sink = server.host('echo')?.flowSink(version)
        for (let i = 0; i < 100; i++) {
          client.sendPacket(flow.next(Date.now() * 1000))
          // A little at a time: this is about what arrives, not about how fast.
          await until(() => client.writable && (sink?.received ?? 0) >= i - 10)
        }
        await until(() => sink?.received === 100)
        expect(sink?.summary(flow.sent)).to.include({ received: 100, lost: 0, duplicates: 0 })
      }
    })
  }

  itOverEach('refuses an encapsulation that the proxy does not offer with 400', async () => {
    const server = await startServer({ tunnel: { encapsulations: ['datagram'] } })
    const client = await newClient(server, { tunnel: { encapsulation: 'stream-per-packet' } })
    const error = await failure(client.connect(), Error)
    expect(error).to.include({ kind: 'http', status: 400 })
  })

  itOverAll(
    'CIP-20 packets for a network behind the client go through its tunnel and come from there, where that is allowed',
    async () => {
      // A link probe, or the answer to one, would count as a packet to the client whenever it comes.
      const linkProbe = 'off' as const
      const server = await startServer({ tunnel: { clientRoutes: [IpPrefix.parse('192.168.7.0/24')], linkProbe } })
      const { client, info } = await connectClient(server, { tunnel: { linkProbe } })
      const network = IpPrefix.parse('192.168.7.0/24').toRange()
      const elsewhere = IpPrefix.parse('192.168.70.0/24').toRange()
      client.advertiseRoutes([
        { range: network, protocol: 0 },
        { range: elsewhere, protocol: 0 },
      ])
      // What goes through the tunnel after the capsule, in order or not, is behind this answer.
      const behind = IpAddress.parse('192.168.7.9')
      client.host.configure({ addresses: [...info.assigned.map(prefix => prefix.address), behind] })
      const host = server.host('echo')
      await until(() => host?.ping(behind, { timeoutMs: 50 }).catch(() => undefined))
      const reply = await host?.ping(behind, { timeoutMs: 10_000 })
      expect(String(reply?.from)).to.equal('192.168.7.9')
      // The other one was not accepted: the proxy has no way there.
      const { packets } = server.status()
      await host?.ping(IpAddress.parse('192.168.70.9'), { timeoutMs: 1 }).catch(() => undefined)
      expect(server.status().packets.toClients).to.equal(packets.toClients)
    },
  )

  itOverAll(
    'AT-05 AT-06 a client that advertises what is another’s gets none of its packets, and nothing is lost when it leaves',
    async () => {
      const clientRoutes = [IpPrefix.parse('192.168.7.0/24'), IpPrefix.parse('192.168.9.0/24')]
      // A link probe would count as an answer.
      const server = await startServer({ tunnel: { clientRoutes, linkProbe: 'off' } })
      const [first, second, third] = [
        await connectClient(server),
        await connectClient(server),
        await connectClient(server),
      ]
      const behind = IpAddress.parse('192.168.7.9')
      const advertise = async ({ client, info }: typeof first, ...prefixes: string[]) => {
        client.host.configure({ addresses: [...info.assigned.map(prefix => prefix.address), behind] })
        client.advertiseRoutes(prefixes.map(prefix => ({ range: IpPrefix.parse(prefix).toRange(), protocol: 0 })))
        const own = String(addressOf(info, 4))
        await until(() =>
          server.clients().some(({ addresses, networks }) => addresses.includes(own) && networks.length > 0),
        )
      }
      const answersFor = ({ client }: typeof first) => client.host.counters.echoRequestsAnswered
      await advertise(first, '192.168.7.0/24')
      // A host, the proxy, another client, and a part of what the first one has.
      await advertise(second, '10.89.0.1', String(addressOf(third.info, 4)), '10.90.0.1', '192.168.7.9', '192.168.9.9')
      for (const target of [HOST[4], GATEWAY[4], addressOf(first.info, 4)]) await ping(third.client, target)
      const host = server.host('echo')
      const reach = () => host?.ping(behind, { timeoutMs: 10_000 })
      await reach()
      // One ping for its own address, one for the network behind it.
      expect([answersFor(first), answersFor(second)]).to.deep.equal([2, 0])

      await first.client.close()
      await until(() => server.clients().length === 2)
      await reach()
      expect(answersFor(second)).to.equal(1)
      await second.client.close()
      await until(() => server.clients().length === 1)
      for (const target of [HOST[4], GATEWAY[4]]) await ping(third.client, target)
    },
  )
})
