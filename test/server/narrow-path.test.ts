import type { Connection } from '@matrixai/quic/native/index.js'
import { expect } from 'chai'
import type { ClientError } from '../../src/client/errors.ts'
import { encodeAddressAssign } from '../../src/connect-ip/address-assign.ts'
import { encodeAddressRequest } from '../../src/connect-ip/address-request.ts'
import { encodeRouteAdvertisement } from '../../src/connect-ip/route-advertisement.ts'
import { IpPrefix } from '../../src/ip/prefix.ts'
import { MasqueServer } from '../../src/server/server.ts'
import { OK } from '../http3/conversation.ts'
import { closeHostilePeers, HostileClient, startHostileProxy } from '../support/hostile-peer.ts'
import { closeLoopback, connectClient, newClient, ping, startServer, until } from '../support/loopback.ts'
import { quiche } from '../support/quiche.ts'
import { openRelay } from '../support/udp-relay.ts'

describe('a path on which large packets are lost', () => {
  afterEach(async () => {
    await closeLoopback()
    await closeHostilePeers()
  })

  it('CIP-33 ends a tunnel for whoever begins to listen when it is up', async () => {
    const server = await startServer({ tunnel: { linkProbe: 'off' } })
    const client = await newClient(server)
    // Which a configuration refuses to say: as on a path that carries no more, without the search for that.
    client.config.quic.maxUdpPayload = 1250
    await client.connect()
    const down = await new Promise<ClientError>(resolve => client.once('down', resolve))
    expect(down.message).to.match(/its MTU is 12[0-9]{2}, because of the path or of quic\.max_udp_payload/)
    const failure = await client.ping('10.90.0.1').catch(error => error)
    expect(failure.message).to.equal('ping 10.90.0.1: there is no tunnel at the moment')
  })

  // The probe's patience is seven seconds and more, so all of this happens at the same time.
  it('CIP-33 ends the tunnel, whichever end looks, and is tolerated where neither does', async () => {
    const run = async (ofServer: 'require' | 'auto' | 'off', ofClient: 'require' | 'auto' | 'off') => {
      const server = await startServer({ tunnel: { linkProbe: ofServer } })
      const relay = await openRelay(server.address, 1300)
      const client = await newClient(server, { proxy: { address: relay.local }, tunnel: { linkProbe: ofClient } })
      // The path's MTU is found at once, perhaps before the tunnel is up.
      const down = new Promise<ClientError>(resolve => {
        client.once('down', resolve)
        client.connect().catch(resolve)
      })
      return { server, client, down }
    }
    const [proxyLooks, clientLooks, nobodyLooks] = await Promise.all([
      run('require', 'off'),
      run('off', 'auto'),
      run('off', 'off'),
    ])
    expect((await proxyLooks.down).message).to.match(
      /the peer reset .*; its MTU was.* bytes, and .* IPv6 has to have 1280/,
    )
    expect((await clientLooks.down).message).to.match(/does not carry 1280 bytes: its MTU is 1266/)
    await until(() => proxyLooks.server.status().tunnels === 0 && clientLooks.server.status().tunnels === 0)
    expect(
      proxyLooks.server
        .connectionLog()
        .map(entry => entry.detail)
        .join(),
    ).to.match(/does not carry 1280 bytes/)
    await nobodyLooks.client.connect()
    await ping(nobodyLooks.client, 'fd00:90::1')
  })

  it('Q-01 CIP-33 has its MTU found where the peer grants no streams beyond those that HTTP/3 needs', async function () {
    // The engine in TypeScript needs no stream for that.
    if (quiche === undefined) return this.skip()
    // quiche, at the other end, would grant another one for each that is over.
    const connection = (quiche.Connection as unknown as { prototype: Connection }).prototype
    const { peerStreamsLeftUni } = connection
    connection.peerStreamsLeftUni = () => 0
    try {
      const server = await startServer()
      const relay = await openRelay(server.address, 1320)
      const { client } = await connectClient(server, { proxy: { address: relay.local } })
      await until(() => client.info.mtu === 1286 && server.clients()[0].mtu === 1286)
      await ping(client, 'fd00:90::1', { size: 1280 - 40 - 8 })
      await until(() => server.clients()[0].linkProbe === 'ok')
    } finally {
      connection.peerStreamsLeftUni = peerStreamsLeftUni
    }
  })

  it('CIP-33 ends a tunnel of IPv4 when IPv6 comes to it later: the client’s end', async () => {
    const v4 = { requestId: 1n, prefix: IpPrefix.parse('10.0.0.2') }
    const v6 = { requestId: 0n, prefix: IpPrefix.parse('fd00::2') }
    const { address, peers } = await startHostileProxy({
      onRequest(peer, streamId) {
        peer.h3.respond(streamId, OK)
        peer.h3.sendData(streamId, encodeAddressAssign([v4]))
        peer.h3.sendData(streamId, encodeRouteAdvertisement([]))
        peer.flush()
      },
    })
    const relay = await openRelay(address, 1250)
    const { client } = await connectClient(
      { address },
      { proxy: { address: relay.local }, tunnel: { requestAddresses: ['ipv4'] } },
    )
    await until(() => client.tunnel?.tunnel?.carrier.mtuSettled)
    expect(client.connected).to.equal(true)
    const down = new Promise<ClientError>(resolve => client.once('down', resolve))
    peers[0].h3.sendData(0, encodeAddressAssign([v4, v6]))
    peers[0].flush()
    expect((await down).message).to.match(/does not carry 1280 bytes: its MTU is 1216/)
  })

  it('CIP-33 ends a tunnel of IPv4 when IPv6 comes to it later: the proxy’s end', async () => {
    const pool = { ipv4: IpPrefix.parse('10.89.0.0/24'), ipv6: IpPrefix.parse('fd00:89::/126') }
    // A search with one step, so that it is over when it has a result. No configuration allows this with IPv6.
    const quic = { maxUdpPayload: 1250 }
    const allowed = await startServer({ pool, quic, tunnel: { linkProbe: 'off' } })
    const server = await MasqueServer.start({
      ...allowed.config,
      tunnel: { ...allowed.config.tunnel, linkProbe: 'require' },
    })
    const total = Number(server.status().pools[1].total)
    const onStream = { encapsulation: 'single-stream' } as const
    const others = await Promise.all(Array.from({ length: total }, () => connectClient(server, { tunnel: onStream })))
    const peer = await HostileClient.connect(server)
    const { streamId } = await peer.openTunnel()
    await until(() => server.clients().some(({ mtu }) => mtu === 1216))
    expect(peer.recorder.resets.size).to.equal(0)
    await others[0].client.close()
    await until(() => server.status().pools[1].used < total)
    peer.sendData(streamId, encodeAddressRequest([{ requestId: 1n, prefix: IpPrefix.parse('::/128') }]))
    expect(await peer.streamError(streamId)).to.equal('H3_REQUEST_CANCELLED')
    await server.close()
  })
})
