import { expect } from 'chai'
import type { SocketAddress } from '../../src/net/udp.ts'
import { BASE_UDP_PAYLOAD, PathMtuSearch } from '../../src/quic/path-mtu.ts'
import { closeLoopback, connectClient, ping, startServer, until } from '../support/loopback.ts'

describe('a proxy with parts of its owner', () => {
  afterEach(closeLoopback)

  it('sends through the carrier that it is given, and searches for the MTU with the search that it is given', async () => {
    const streams: number[] = []
    const passed: number[] = []
    const limits: number[] = []
    const server = await startServer(
      { tunnel: { linkProbe: 'off' } },
      {
        wrapCarrier: (carrier, connection, streamId) => {
          expect(connection.closed).to.equal(false)
          streams.push(streamId)
          return new Proxy(carrier, {
            get: (target, name) => {
              const value = Reflect.get(target, name, target)
              if (name !== 'sendPacket') return typeof value === 'function' ? value.bind(target) : value
              return (packet: Uint8Array) => {
                passed.push(packet.length)
                return target.sendPacket(packet)
              }
            },
          })
        },
        newMtuSearch: ({ max, now }) => {
          limits.push(max)
          // One that is content with the base.
          return new PathMtuSearch({ max: BASE_UDP_PAYLOAD, now })
        },
      },
    )
    const { client } = await connectClient(server)
    await ping(client, '10.90.0.1')
    expect(streams).to.deep.equal([0])
    expect(passed).to.have.length.of.at.least(1)
    expect(limits).to.deep.equal([server.config.quic.maxUdpPayload])
    await until(() => client.info.mtu > BASE_UDP_PAYLOAD)
    // 34 bytes around a packet: the proxy's end stays at the base, though the client's has found more.
    expect(server.clients()[0].mtu).to.equal(BASE_UDP_PAYLOAD - 34)
  })

  it('asks for the congestion control of each connection, by the address that it comes from', async () => {
    const asked: SocketAddress[] = []
    const server = await startServer(
      {},
      {
        congestionControl: remote => {
          asked.push(remote)
          return asked.length === 1 ? 'bbr' : 'reno'
        },
      },
    )
    for (let i = 0; i < 2; i++) {
      const { client } = await connectClient(server)
      await ping(client, '10.90.0.1')
      expect(asked[i].port).to.equal(client.path.local?.port)
    }
    expect(asked).to.have.length(2)
  })
})
