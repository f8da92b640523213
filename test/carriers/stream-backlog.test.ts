import { expect } from 'chai'
import { ENCAPSULATION_HEADER } from '../../src/carriers/carrier.ts'
import { GATEWAY } from '../../src/server/server.ts'
import { ping as echoRequest } from '../connect-ip/packets.ts'
import { CONNECT_IP } from '../http3/conversation.ts'
import { closeHostilePeers, HostileClient } from '../support/hostile-peer.ts'
import { closeLoopback, startServer, until } from '../support/loopback.ts'
import { closeAll, connect, listen } from '../support/quic-peer.ts'
import { openRelay } from '../support/udp-relay.ts'

/** A peer that bounds nothing by itself. */
const ENDLESS = {
  maxStreamsUni: 2 ** 40,
  streamWindow: 2 ** 30,
  connectionWindow: 2 ** 30,
  maxStreamWindow: 2 ** 30,
  maxConnectionWindow: 2 ** 30,
}

/** What a tunnel may have under way on streams, and waiting for them, whatever the peer grants: see docs/security.md. */
const STREAMS = 256

describe('packets on streams towards a peer that grants everything and acknowledges nothing', () => {
  afterEach(async () => {
    await closeLoopback()
    await closeHostilePeers()
    await closeAll()
  })

  for (const size of [8, 1400]) {
    it(`AT-13 are dropped when ${STREAMS} wait, with ${size} bytes of data each`, async () => {
      const server = await startServer()
      const relay = await openRelay(server.address)
      const peer = await HostileClient.connect({ address: relay.local }, { quic: ENDLESS })
      await peer.openTunnel([...CONNECT_IP, [ENCAPSULATION_HEADER, 'stream-per-packet']])
      relay.narrow(0)
      const sent = 3 * STREAMS
      const echo = echoRequest(String(server.gateway.v4), server.clients()[0].addresses[0], size)
      for (let i = 0; i < sent; i++) server.host(GATEWAY)?.send(Uint8Array.from(echo))
      const { packets } = server.clients()[0]
      // The proxy has perhaps a few streams of its own under way, that test the path or are ignored.
      expect(packets.dropped).to.be.within(sent - STREAMS, sent - STREAMS + 20)
    })
  }

  it('AT-13 go on when it acknowledges again, so that loss and round trips only delay them', async () => {
    const server = await listen({ settings: ENDLESS })
    const relay = await openRelay(server.endpoint.local)
    const { connection, recorder } = await connect(server, { remote: relay.local })
    await recorder.until(() => recorder.established)
    let streamId = 2
    const fill = () => {
      for (; connection.canOpenStream('uni') && streamId < 2 + 4 * 4 * STREAMS; streamId += 4) {
        connection.streamSend(streamId, new Uint8Array(1000), true)
      }
    }
    relay.narrow(0)
    fill()
    expect(streamId).to.equal(2 + 4 * STREAMS)
    relay.narrow(65_535)
    await until(() => {
      fill()
      return streamId === 2 + 4 * 4 * STREAMS
    })
    const { streams } = server.accepted[0].recorder
    await server.accepted[0].recorder.until(() => [...streams.values()].filter(({ fin }) => fin).length === 4 * STREAMS)
    connection.close(0x100, '')
  })
})
