import { expect } from 'chai'
import type { MigrateResult, QuicConnection } from '../../src/quic/quic.ts'
import { until } from '../support/loopback.ts'
import { closeAll, connect, exchange, type Listening, listen, type Recorder } from '../support/quic-peer.ts'
import { openRelay } from '../support/udp-relay.ts'
import { IS_TYPESCRIPT } from '../support/which-engine.ts'

/** A server keeps what it knows of each address that a client had: for so many of them it has room (docs/security.md). */
const ADDRESSES = 8

interface Pair {
  server: Listening
  client: { connection: QuicConnection; recorder: Recorder }
  /** The server's end. */
  peer: { connection: QuicConnection; recorder: Recorder }
}

function moved(result: MigrateResult) {
  if (!result.moved) expect.fail(result.why)
  return result
}

function whyNot(result: MigrateResult): string {
  return result.moved ? expect.fail('it has moved') : result.why
}

describe('connection migration', () => {
  afterEach(closeAll)

  const pair = async (): Promise<Pair> => {
    const server = await listen()
    const client = await connect(server)
    await client.recorder.until(() => client.recorder.established)
    const both = { server, client, peer: server.accepted[0] }
    // Behind this, connection ids have come.
    await exchange(both.client, both.peer)
    return both
  }

  it('Q-03 goes on from another local address: the server follows, and nothing else changes', async () => {
    const both = await pair()
    const { client, peer, server } = both
    const before = client.connection.local
    const { path } = moved(await client.connection.migrate())
    expect(path.local).to.not.deep.equal(before)
    expect(client.connection.local).to.deep.equal(path.local)
    // Without a word of the application.
    await until(() => peer.connection.remote.port === path.local.port)
    await exchange(both.client, both.peer)
    expect([...server.endpoint.connections]).to.have.length(1)
    const active = client.connection.paths().filter(path => path.active)
    expect(active.map(({ local }) => local)).to.deep.equal([path.local])
  })

  it('Q-03 sends from the local address that is asked for', async () => {
    const both = await pair()
    const { path } = moved(await both.client.connection.migrate({ local: '127.0.0.1' }))
    expect(path.local.host).to.equal('127.0.0.1')
    await exchange(both.client, both.peer)
  })

  it('Q-03 moves as often as there are connection ids, and then, on quiche, stays where it is', async () => {
    const both = await pair()
    const { connection } = both.client
    const ports = new Set([connection.local.port])
    for (let i = 1; i < ADDRESSES; i++) {
      // To a relay of its own, so that there is no way back that is known already.
      const relay = await openRelay(both.server.endpoint.local)
      ports.add(moved(await connection.migrate({ remote: relay.local })).path.local.port)
      await exchange(both.client, both.peer)
    }
    expect(ports.size).to.equal(ADDRESSES)
    const last = await openRelay(both.server.endpoint.local)
    if (IS_TYPESCRIPT) {
      // What a path that was given up has used is retired, and the server sends another.
      moved(await connection.migrate({ remote: last.local }))
      await exchange(both.client, both.peer)
      return
    }
    expect(whyNot(await connection.migrate({ remote: last.local }))).to.equal(
      'there is no connection id for one more path',
    )
    await exchange(both.client, both.peer)
  })

  it('Q-03 goes back and forth between two paths for as long as one likes', async () => {
    const both = await pair()
    const { connection } = both.client
    const ports = []
    for (let i = 0; i < 3 * ADDRESSES; i++) {
      ports.push(moved(await connection.migrate()).path.local.port)
      await exchange(both.client, both.peer)
    }
    expect(new Set(ports).size).to.equal(2)
  })

  it('Q-03 stays where it is when nothing comes back on the new path', async () => {
    const both = await pair()
    const silent = await openRelay(both.server.endpoint.local)
    silent.cut()
    const { connection } = both.client
    const before = connection.local
    const under = connection.migrate({ remote: silent.local })
    await exchange(both.client, both.peer)
    expect(whyNot(await under)).to.equal('nothing came back on the new path in 3 s')
    expect(connection.local).to.equal(before)
    await exchange(both.client, both.peer)
  })

  it('Q-03 says why it cannot even try', async () => {
    const { client, peer } = await pair()
    expect(whyNot(await peer.connection.migrate())).to.match(/only a client/)
    expect(whyNot(await client.connection.migrate({ local: '192.0.2.77' }))).to.match(/EADDRNOTAVAIL/)
    client.connection.close(0x100, '')
    expect(whyNot(await client.connection.migrate())).to.equal('the connection has ended')
  })
})
