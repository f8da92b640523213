import { expect } from 'chai'
import { CapsuleType, encodeCapsule } from '../../src/connect-ip/capsule.ts'
import { IpPrefix } from '../../src/ip/prefix.ts'
import { CLIENT_NETWORK_LIMITS } from '../../src/server/client-networks.ts'
import { bytes } from '../http3/conversation.ts'
import { closeHostilePeers, HostileClient } from '../support/hostile-peer.ts'
import { closeLoopback, connectClient, ping, startServer, until } from '../support/loopback.ts'

/** IPv6 ranges that no prefix is: each one would be more than 200 prefixes. 34 bytes each. */
function oddRoutes(place: number, count: number): Uint8Array {
  const entry = (i: number) => {
    const both = [0xfd, 0x00, 0x00, 0x07, place, i >> 8, i & 0xff]
    const start = [...both, ...new Array(8).fill(0), 1]
    const end = [...both, ...new Array(8).fill(0xff), 0xfe]
    return bytes([6], start, end, [0])
  }
  return encodeCapsule(CapsuleType.ROUTE_ADVERTISEMENT, bytes(...Array.from({ length: count }, (_, i) => entry(i))))
}

describe('routes that a client advertises', () => {
  afterEach(async () => {
    await closeHostilePeers()
    await closeLoopback()
  })

  it('AT-04 CIP-18 cost the proxy an entry for each range, up to a bound, however odd they are', async () => {
    const server = await startServer({ tunnel: { clientRoutes: [IpPrefix.parse('fd00:7::/32')] } })
    const { client } = await connectClient(server)
    const peer = await HostileClient.connect(server)
    const tunnels = [await peer.openTunnel(), await peer.openTunnel()]
    const capsules = tunnels.map((_, i) => oddRoutes(i, 1000))
    expect(capsules[0].length).to.be.within(34_000, 34_010)
    for (const [i, { streamId }] of tunnels.entries()) peer.sendData(streamId, capsules[i])
    const entries = () => server.clients().map(({ networks }) => networks.length)
    await until(() => entries().filter(count => count > 0).length === 2)
    // They were 220 000 each.
    expect(entries()).to.deep.equal([0, CLIENT_NETWORK_LIMITS.perTunnel, CLIENT_NETWORK_LIMITS.perTunnel])
    await ping(client, '10.90.0.1')
  })
})
