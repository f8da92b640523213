import { expect } from 'chai'
import { ClientError } from '../../src/client/errors.ts'
import { describeRoute } from '../../src/connect-ip/route-advertisement.ts'
import type { PingError } from '../../src/hosts/userspace/pinger.ts'
import { IpAddress } from '../../src/ip/address.ts'
import { IpPrefix } from '../../src/ip/prefix.ts'
import { encodeUdpPacket } from '../../src/ip/udp.ts'
import { ping as echoRequest, packet, TCP } from '../connect-ip/packets.ts'
import { CONNECT_IP } from '../http3/conversation.ts'
import { expectHeldToMtu } from '../support/held-to-mtu.ts'
import { closeHostilePeers, HostileClient } from '../support/hostile-peer.ts'
import {
  addressOf,
  closeLoopback,
  connectClient,
  failure,
  itOverAll,
  itOverEach,
  newClient,
  ping,
  pingFailure,
  startServer,
  until,
} from '../support/loopback.ts'
import { openRelay } from '../support/udp-relay.ts'

const resolveName = async (name: string): Promise<IpAddress[]> => {
  if (name !== 'echo.example') throw Object.assign(new Error('not found'), { code: 'ENOTFOUND' })
  return [IpAddress.parse('10.90.0.1'), IpAddress.parse('fd00:90::1')]
}

describe('packets that may not pass', () => {
  afterEach(async () => {
    await closeHostilePeers()
    await closeLoopback()
  })

  const icmpOf = (error: PingError) => `${error.icmp?.from} ${error.icmp?.type}/${error.icmp?.code}`

  itOverAll('CIP-26 between clients, where the proxy prohibits that: ICMP administratively prohibited', async () => {
    const server = await startServer({ tunnel: { clientToClient: false } })
    const [a, b] = [await connectClient(server), await connectClient(server)]
    expect(icmpOf(await pingFailure(a.client, addressOf(b.info, 4)))).to.equal('10.89.0.1 3/13')
    expect(icmpOf(await pingFailure(a.client, addressOf(b.info, 6)))).to.equal('fd00:89::1 1/1')
    await ping(a.client, '10.90.0.1')
  })

  itOverAll('CIP-26 to an address of the pool that nobody has: ICMP no route', async () => {
    const { client } = await connectClient(await startServer())
    expect(icmpOf(await pingFailure(client, '10.89.0.200'))).to.equal('10.89.0.1 3/0')
    expect(icmpOf(await pingFailure(client, 'fd00:89::200'))).to.equal('fd00:89::1 1/0')
  })

  itOverAll('CIP-26 to where no route was advertised: the client does not even send them', async () => {
    const server = await startServer()
    const { client } = await connectClient(server)
    const error = await pingFailure(client, '192.0.2.1')
    expect(error).to.include({ kind: 'icmp' })
    expect(error.icmp).to.include({ type: 3, code: 0 })
  })

  itOverAll('CIP-26 from a forged source: ICMP of the source policy', async () => {
    const server = await startServer()
    const { client } = await connectClient(server)
    for (const [source, target, expected] of [
      ['10.89.0.77', '10.90.0.1', '3/13'],
      ['fd00:89::77', 'fd00:90::1', '1/5'],
    ]) {
      const error = await pingFailure(client, target, { source: IpAddress.parse(source) })
      expect(`${error.icmp?.type}/${error.icmp?.code}`).to.equal(expected)
    }
  })

  itOverAll('CIP-32 larger than the tunnel: ICMP too big with the real MTU, on both ways', async () => {
    const server = await startServer()
    const { client, info } = await connectClient(server)
    await expectHeldToMtu(server, client, info)
  })

  itOverAll('CIP-29 with no hop left for the second client: ICMP time exceeded from the proxy', async () => {
    const server = await startServer()
    const [a, b] = [await connectClient(server), await connectClient(server)]
    expect(icmpOf(await pingFailure(a.client, addressOf(b.info, 4), { hopCount: 1 }))).to.equal('10.89.0.1 11/0')
    expect(icmpOf(await pingFailure(a.client, addressOf(b.info, 6), { hopCount: 1 }))).to.equal('fd00:89::1 3/0')
    expect((await ping(a.client, addressOf(b.info, 4), { hopCount: 2 })).hopCount).to.equal(63)
  })

  itOverAll(
    'CIP-29 a packet that a client forwards loses a hop there, and needs one; a packet of its own does not',
    async () => {
      const { client, info } = await connectClient(await startServer())
      const own = String(addressOf(info, 4))
      const [forwarded, lastHop] = [5, 1].map(hops => packet(own, '10.90.0.1', { hops }))
      expect(client.forwardPacket(forwarded)).to.equal(undefined)
      expect(forwarded[8]).to.equal(4)
      const timeExceeded = 11
      expect(client.forwardPacket(lastHop)?.[20]).to.equal(timeExceeded)
      const reply = client.ping('10.90.0.1', { hopCount: 1 })
      expect((await reply).hopCount).to.equal(63)
    },
  )

  itOverAll('CIP-34 never end the tunnel, and are counted', async () => {
    const server = await startServer()
    const { client } = await connectClient(server)
    for (let i = 0; i < 20; i++) await pingFailure(client, '10.89.0.200')
    await ping(client, '10.90.0.1')
    expect(server.status().packets.dropped['no-route']).to.equal(20)
  })

  it('CIP-33 are not those that the proxy answers: its status shows pings of the link apart from drops', async () => {
    const server = await startServer()
    const peer = await HostileClient.connect(server)
    await peer.openTunnel()
    const packets = () => server.status().packets
    for (let sent = 1; sent <= 2; sent++) {
      peer.quic.sendDatagram(Uint8Array.of(0, 0, ...echoRequest('fe80::2', 'ff02::1')))
      await until(() => packets().answered === sent)
    }
    expect(packets().dropped).to.deep.equal({})
    expect(server.clients()[0].packets).to.deep.include({ answered: 2, dropped: 0 })
    await closeHostilePeers()
    await until(() => server.status().tunnels === 0)
    expect(packets()).to.deep.include({ answered: 2, dropped: {} })
  })

  itOverEach('CIP-34 leave the tunnel as it is, whoever sends them, in whichever direction', async () => {
    const server = await startServer()
    const { client, info } = await connectClient(server, { proxy: { ipproto: '17' } })
    const host = server.host('echo')
    const own = String(addressOf(info, 4))
    for (let i = 0; i < 5; i++) {
      // From the host: a protocol that the scope keeps out, and an address that is nobody's. From the client: likewise.
      for (const bytes of [packet('10.90.0.1', own, { protocol: TCP }), packet('10.90.0.1', '10.9.9.9')]) {
        host?.send(bytes)
      }
      client.forwardPacket(packet(own, '192.0.2.1'))
      client.forwardPacket(packet('192.0.2.1', '10.90.0.1'))
      client.forwardPacket(packet(own, '10.90.0.1', { hops: 1 }))
    }
    await ping(client, '10.90.0.1')
    expect(server.status().tunnelsTotal).to.equal(1)
    expect(server.status().packets.dropped.prohibited).to.equal(5)
  })

  describe('because of the scope of the request', () => {
    const advertised = (info: { routes: Parameters<typeof describeRoute>[0][] }) => info.routes.map(describeRoute)

    itOverEach('CIP-27 a target prefix limits routes and packets', async () => {
      const { client, info } = await connectClient(await startServer(), { proxy: { target: '10.90.0.0/24' } })
      expect(advertised(info)).to.deep.equal(['10.90.0.1'])
      await ping(client, '10.90.0.1')
      expect(await pingFailure(client, '10.89.0.1')).to.include({ kind: 'icmp' })
      // No IPv6 address either (CIP-38).
      expect(await pingFailure(client, 'fd00:90::1')).to.include({ kind: 'no-source' })
    })

    itOverEach('CIP-05 CIP-27 a target name stands for its addresses', async () => {
      const server = await startServer({}, { resolveName })
      const { client, info } = await connectClient(server, { proxy: { target: 'echo.example' } })
      expect(advertised(info)).to.deep.equal(['10.90.0.1', 'fd00:90::1'])
      await ping(client, '10.90.0.1')
      await ping(client, 'fd00:90::1')
      expect(await pingFailure(client, '10.89.0.1')).to.include({ kind: 'icmp' })
    })

    itOverEach('CIP-05 a name that cannot be resolved: 502 with Proxy-Status dns_error', async () => {
      const server = await startServer({}, { resolveName })
      const client = await newClient(server, { proxy: { target: 'nowhere.example' } })
      const error = await failure(client.connect(), ClientError)
      expect(error).to.include({ kind: 'http', status: 502 })
      const peer = await HostileClient.connect(server)
      const headers = CONNECT_IP.map(([name, value]): [string, string] => [
        name,
        name === ':path' ? '/.well-known/masque/ip/nowhere.example/*/' : value,
      ])
      const proxyStatus = (await peer.request(headers)).headers.find(([name]) => name === 'proxy-status')?.[1]
      expect(proxyStatus).to.match(/^"localhost"; ?error=dns_error; ?rcode="NXDOMAIN"/)
    })

    itOverEach('CIP-05 capsules that come before the name is resolved are not lost', async () => {
      let resolve = (_: IpAddress[]): void => {}
      const answer = new Promise<IpAddress[]>(done => {
        resolve = done
      })
      let asked = false
      const server = await startServer(
        {},
        {
          resolveName: () => {
            asked = true
            return answer
          },
        },
      )
      const client = await newClient(server, { proxy: { target: 'echo.example' } })
      const connecting = client.connect()
      await until(() => asked)
      resolve(['10.90.0.1', 'fd00:90::1'].map(text => IpAddress.parse(text)))
      expect((await connecting).assigned.length).to.equal(2)
      await ping(client, '10.90.0.1')
    })

    itOverEach('CIP-27 ipproto 17 lets UDP through, and ICMP all the same, and nothing else', async () => {
      const server = await startServer()
      const { client, info } = await connectClient(server, { proxy: { ipproto: '17' } })
      expect(info.routes.map(route => route.protocol)).to.deep.equal(info.routes.map(() => 17))
      await ping(client, '10.90.0.1')
      const echoed = new Promise<number>(done => {
        const socket = client.host.udp.bind(0, datagram => done(datagram.payload.length))
        const to = { destination: IpAddress.parse('10.90.0.1'), destinationPort: 7 }
        client.host.udp.send({ sourcePort: socket.port, ...to }, new Uint8Array(99))
      })
      expect(await echoed).to.equal(99)
    })

    itOverEach('CIP-27 ipproto 6 keeps UDP out', async () => {
      const server = await startServer()
      const { client, info } = await connectClient(server, { proxy: { ipproto: '6' } })
      await ping(client, '10.90.0.1')
      const packet = encodeUdpPacket(
        { source: addressOf(info, 4), sourcePort: 1000, destination: IpAddress.parse('10.90.0.1'), destinationPort: 7 },
        new Uint8Array(8),
      )
      expect(client.forwardPacket(packet)?.[20]).to.equal(3)
      expect(server.host('echo')?.counters.udpEchoed).to.equal(0)
    })

    itOverEach('CIP-27 a target to which the proxy has no route gives a tunnel without routes', async () => {
      const { info } = await connectClient(await startServer(), { proxy: { target: '192.0.2.0/24' } })
      expect(info.routes).to.deep.equal([])
    })
  })

  describe('because the link is too narrow for IPv6', () => {
    it('CIP-33 the client ends the tunnel when its QUIC packets are too small', async () => {
      const server = await startServer()
      const { client, info } = await connectClient(server, {
        quic: { maxUdpPayload: 1200 },
        // It does not ask for IPv6, and gets it.
        tunnel: { requestAddresses: ['ipv4'] },
      })
      expect(info.mtu).to.be.lessThan(1280)
      if (client.connected) await new Promise(resolve => client.once('down', resolve))
      await until(() => server.status().tunnels === 0)
    })

    it('CIP-33 the proxy ends the tunnel when its QUIC packets have to be too small, and keeps nothing of it', async () => {
      const server = await startServer()
      const { local } = await openRelay(server.address, 1250)
      const client = await newClient(server, { proxy: { address: local }, tunnel: { linkProbe: 'off' } })
      const down = new Promise<ClientError>(resolve => {
        client.once('down', resolve)
        client.connect().catch(resolve)
      })
      expect(await down).to.include({ kind: 'tunnel' })
      await until(() => server.status().connections === 0)
      expect(server.status()).to.include({ tunnels: 0, tunnelsTotal: 1 })
      expect(server.clients()).to.deep.equal([])
      expect(server.status().pools.map(pool => pool.used)).to.deep.equal([0, 0])
    })

    it('CIP-33 the proxy ends it for a client that asks for nothing, and the next one on that connection, too', async () => {
      const { local } = await openRelay((await startServer()).address, 1250)
      const peer = await HostileClient.connect({ address: local })
      for (let i = 0; i < 2; i++) {
        const streamId = peer.h3.request(CONNECT_IP)
        peer.flush()
        expect(await peer.streamError(streamId)).to.equal('H3_REQUEST_CANCELLED')
      }
    })

    it('CIP-33 nobody minds where the probe is off, or where packets travel on streams, or without IPv6', async () => {
      const quic = { maxUdpPayload: 1200 }
      const off = { linkProbe: 'off' } as const
      const first = await connectClient(await startServer({ quic, tunnel: off }), { quic, tunnel: off })
      await ping(first.client, 'fd00:90::1')
      const second = await connectClient(await startServer({ quic, tunnel: { encapsulations: ['single-stream'] } }), {
        quic,
        tunnel: { encapsulation: 'single-stream' },
      })
      await ping(second.client, 'fd00:90::1', { size: 1232 })
      const pool = { ipv4: IpPrefix.parse('10.89.0.0/24') }
      const third = await connectClient(await startServer({ quic, pool }), {
        quic,
        tunnel: { requestAddresses: ['ipv4'] },
      })
      await ping(third.client, '10.90.0.1')
    })
  })
})
