import { expect } from 'chai'
import { encodeAddressAssign } from '../../src/connect-ip/address-assign.ts'
import { encodeRouteAdvertisement } from '../../src/connect-ip/route-advertisement.ts'
import { IpPrefix } from '../../src/ip/prefix.ts'
import { GATEWAY } from '../../src/server/server.ts'
import { ping as echoRequest } from '../connect-ip/packets.ts'
import { bytes, hex, OK } from '../http3/conversation.ts'
import { closeHostilePeers, HostileClient, type HostilePeer, startHostileProxy } from '../support/hostile-peer.ts'
import { closeLoopback, connectClient, startServer, until } from '../support/loopback.ts'

const ASSIGNED = encodeAddressAssign([
  { requestId: 1n, prefix: IpPrefix.parse('10.0.0.2') },
  { requestId: 2n, prefix: IpPrefix.parse('fd00::2') },
])
const ROUTES = encodeRouteAdvertisement([{ range: IpPrefix.parse('10.0.0.0/8').toRange(), protocol: 0 }])

/** More than a new connection may send at once, and less than the queue holds. */
const BACKLOG = 900

/** Writes down in which order things arrive at a peer: `d` a datagram of a stream, `end` and `reset` of the stream itself. */
function orderOf(peer: HostilePeer, streamId: number): string[] {
  const order: string[] = []
  const { recorder } = peer
  const { onDatagram, onStreamReset } = recorder
  const { onData } = recorder
  recorder.onDatagram = data => {
    if (data[0] === streamId / 4) order.push('d')
    onDatagram.call(recorder, data)
  }
  recorder.onData = (id, data, fin) => {
    if (id === streamId && fin) order.push('end')
    onData?.(id, data, fin)
  }
  recorder.onStreamReset = (id, code) => {
    if (id === streamId) order.push('reset')
    onStreamReset.call(recorder, id, code)
  }
  return order
}

/** Until nothing has come for a while. */
async function silence(order: readonly string[]): Promise<void> {
  for (let before = -1; order.length > before; ) {
    before = order.length
    await new Promise(resolve => setTimeout(resolve, 50))
  }
}

/** A capsule for which a tunnel is aborted: an ADDRESS_REQUEST without an entry. */
const MALFORMED = hex('02 00')

describe('HTTP/3 datagrams and the end of their stream (RFC 9297 §2.1)', () => {
  afterEach(async () => {
    await closeLoopback()
    await closeHostilePeers()
  })

  for (const [last, what] of [
    ['end', 'ends'],
    ['reset', 'aborts'],
  ]) {
    it(`CIP-37 a proxy that ${what} a tunnel sends nothing for it afterwards, however much waits`, async () => {
      const server = await startServer()
      const peer = await HostileClient.connect(server)
      const { streamId } = await peer.openTunnel()
      const order = orderOf(peer, streamId)
      const echo = echoRequest(String(server.gateway.v4), server.clients()[0].addresses[0], 1000)
      if (last === 'reset') peer.sendData(streamId, MALFORMED)
      for (let i = 0; i < BACKLOG; i++) server.host(GATEWAY)?.send(Uint8Array.from(echo))
      const closed = last === 'end' ? server.close() : undefined
      await until(() => order.includes(last))
      await silence(order)
      // What the path took at once has come; a reset may overtake all of it.
      if (last === 'end') expect(order[0]).to.equal('d')
      expect(order.at(-1)).to.equal(last)
      peer.sendData(streamId, new Uint8Array(0), true)
      await closed
    })
  }

  it('CIP-37 a client that ends its tunnel sends nothing for it afterwards, however much waits', async () => {
    const proxy = await startHostileProxy({
      onRequest: (peer, streamId) => {
        peer.h3.respond(streamId, OK)
        peer.h3.sendData(streamId, bytes(ASSIGNED, ROUTES))
        peer.flush()
      },
    })
    const { client } = await connectClient(proxy)
    const [peer] = proxy.peers
    const order = orderOf(peer, 0)
    const echo = echoRequest('10.0.0.2', '10.0.0.1', 1000)
    for (let i = 0; i < BACKLOG; i++) client.sendPacket(Uint8Array.from(echo))
    const closed = client.close()
    await until(() => order.includes('end'))
    await silence(order)
    expect([order[0], order.at(-1)]).to.deep.equal(['d', 'end'])
    await closed
  })
})
