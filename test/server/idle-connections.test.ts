import { expect } from 'chai'
import { closeHostilePeers, HostileClient } from '../support/hostile-peer.ts'
import { closeLoopback, connectClient, ping, startServer, until } from '../support/loopback.ts'

/** The handshake and the request of a client that is slow because the machine is busy. */
const SECOND = 1000

describe('connections that nobody uses', () => {
  afterEach(async () => {
    await closeHostilePeers()
    await closeLoopback()
  })

  it('AT-10 a connection without a tunnel ends after limits.tunnel_timeout_ms, whatever it sends', async () => {
    const server = await startServer({ limits: { tunnelTimeoutMs: SECOND } })
    const peer = await HostileClient.connect(server, { quic: { keepAliveMs: 20 } })
    await peer.recorder.until(() => peer.recorder.closed)
    expect(peer.recorder.closed).to.include({ source: 'peer', application: true, code: 0x100 })
    expect(peer.recorder.closed?.reason).to.match(/there was no tunnel for 1 s/)
  })

  it('AT-10 a connection with a tunnel stays, and gets the same time again when its last tunnel has ended', async () => {
    const server = await startServer({ limits: { tunnelTimeoutMs: SECOND } })
    const peer = await HostileClient.connect(server, { quic: { keepAliveMs: 20 } })
    const { streamId } = await peer.openTunnel()
    await new Promise(resolve => setTimeout(resolve, 1.1 * SECOND))
    expect(peer.recorder.closed).to.equal(undefined)
    // Unlike a client of ours, this one does not close the connection with its tunnel.
    peer.sendData(streamId, new Uint8Array(0), true)
    await until(() => server.status().tunnels === 0)
    await peer.recorder.until(() => peer.recorder.closed)
    expect(peer.recorder.closed?.reason).to.match(/there was no tunnel for 1 s/)
  })

  it('AT-10 a newcomer finds room where an address is full of connections that are not in use', async () => {
    const server = await startServer({ limits: { maxConnectionsPerAddress: 4 } })
    const { client } = await connectClient(server)
    const idle: HostileClient[] = []
    for (let i = 0; i < 3; i++) idle.push(await HostileClient.connect(server))
    await new Promise(resolve => setTimeout(resolve, 1.1 * SECOND))
    const newcomer = await connectClient(server)
    await ping(newcomer.client, '10.90.0.1')
    // The oldest had to go, and not the one with a tunnel, which is older.
    await idle[0].recorder.until(() => idle[0].recorder.closed)
    expect(idle[0].recorder.closed).to.include({ source: 'peer', application: true, code: 0x107 })
    expect(idle[1].recorder.closed).to.equal(undefined)
    await ping(client, '10.90.0.1')
    expect(server.status().connections).to.equal(4)
  })
})
