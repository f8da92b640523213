import type { Socket } from 'node:dgram'
import { expect } from 'chai'
import { bindUdp, LOOPBACK } from '../../src/net/udp.ts'
import { UdpRelay } from '../../src/testbed/udp-relay.ts'
import { until } from '../support/loopback.ts'
import { closeAll, connect, exchange, listen } from '../support/quic-peer.ts'

describe('migrations that are not what they seem', () => {
  const cleanup: (() => unknown)[] = []
  afterEach(async () => {
    await closeAll()
    for (const undo of cleanup.splice(0)) undo()
  })

  /** An address that is not the client's, and how much it has heard. */
  const open = async (): Promise<{ socket: Socket; heard: () => number }> => {
    const socket = await bindUdp(LOOPBACK)
    cleanup.push(() => socket.close())
    let bytes = 0
    socket.on('message', message => {
      bytes += message.length
    })
    return { socket, heard: () => bytes }
  }

  /** A client behind a relay, on which everything that passes can be copied or lost. */
  const relayed = async () => {
    const server = await listen()
    const relay = await UdpRelay.open(server.endpoint.local)
    cleanup.push(() => relay.close())
    const client = await connect(server, { remote: relay.address })
    await client.recorder.until(() => client.recorder.established)
    const [peer] = server.accepted
    const talk = () => exchange(client, peer)
    await talk()
    return { server, relay, client, peer, exchange: talk }
  }

  it('AT-27 a packet of a client that somebody sends from another address draws three times its bytes there, and the next one brings all back', async () => {
    const { server, relay, client, peer, exchange } = await relayed()
    const before = peer.connection.remote
    const victim = await open()
    const { port, host } = server.endpoint.local
    let stolen = 0
    relay.passes = (payload, from) => {
      if (from !== 'client') return true
      stolen += payload.length
      victim.socket.send(payload, port, host)
      return false
    }
    client.connection.sendDatagram(new Uint8Array(500))
    await until(() => peer.connection.remote.port === victim.socket.address().port)
    for (let i = 0; i < 500; i++) peer.connection.sendDatagram(new Uint8Array(1000))
    // Long enough for a probe timeout of a path that nobody has answered on.
    await new Promise(resolve => setTimeout(resolve, 300))
    expect(victim.heard()).to.be.within(1, 3 * stolen)
    relay.passes = () => true
    client.connection.sendDatagram(Uint8Array.of(1))
    await until(() => peer.connection.remote.port === before.port)
    await exchange()
    expect([...server.endpoint.connections]).to.have.length(1)
  })

  it('AT-27 whoever knows a connection id, and not its keys, moves nothing', async () => {
    const { server, relay, client, peer, exchange } = await relayed()
    const before = peer.connection.remote
    const { socket, heard } = await open()
    const { port, host } = server.endpoint.local
    let seen: Buffer | undefined
    relay.passes = (payload, from) => {
      if (from === 'client' && (payload[0] & 0x80) === 0) seen ??= Buffer.from(payload)
      return true
    }
    client.connection.sendDatagram(new Uint8Array(500))
    await until(() => seen !== undefined)
    const forged = Buffer.from(seen as Buffer)
    for (let i = 9; i < forged.length; i++) forged[i] ^= 0x55
    for (let i = 0; i < 20; i++) socket.send(forged, port, host)
    await exchange()
    expect(peer.connection.remote).to.deep.equal(before)
    expect(peer.connection.paths()).to.have.length(1)
    expect(heard()).to.equal(0)
  })

  for (const lost of ['client', 'server'] as const) {
    it(`AT-28 a path on which nothing comes from the ${lost} is no path: both stay where they are`, async () => {
      const { server, client, peer, exchange } = await relayed()
      const [here, there] = [client.connection.local, peer.connection.remote]
      const oneWay = await UdpRelay.open(server.endpoint.local, (_, from) => from !== lost)
      cleanup.push(() => oneWay.close())
      const moving = client.connection.migrate({ remote: oneWay.address })
      await exchange()
      expect(await moving).to.deep.equal({ moved: false, why: 'nothing came back on the new path in 3 s' })
      expect(client.connection.local).to.equal(here)
      expect(peer.connection.remote).to.deep.equal(there)
      await exchange()
    })
  }

  it('AT-28 a network that changes all the time costs no more paths than there may be, and the connection goes on', async () => {
    const { client, exchange } = await relayed()
    const results: Promise<unknown>[] = []
    for (let i = 0; i < 100; i++) {
      results.push(client.connection.migrate())
      if (i % 10 === 0) await exchange()
    }
    await Promise.all(results)
    expect(client.connection.paths().length).to.be.at.most(3)
    await exchange()
  })
})
