import { expect } from 'chai'
import { createLogger } from '../../src/log/logger.ts'
import { closeLoopback, connectClient, ping, startServer, until } from '../support/loopback.ts'
import { closeAll, connect, listen } from '../support/quic-peer.ts'
import { openRelay } from '../support/udp-relay.ts'

describe('a client behind a NAT', () => {
  afterEach(async () => {
    await closeLoopback()
    await closeAll()
  })

  it('Q-03 keeps its tunnel through five rebinds', async () => {
    const server = await startServer()
    const relay = await openRelay(server.address)
    const { client } = await connectClient(server, { proxy: { address: relay.local } })
    let downs = 0
    client.on('down', () => downs++)
    for (let i = 0; i < 5; i++) {
      await ping(client, '10.89.0.1')
      await relay.rebind()
      // A NAT that forgets loses what is under way to the old binding, and nothing that is sent from then on.
      expect((await ping(client, '10.89.0.1', { timeoutMs: 5000 })).rttMs).to.be.lessThan(5000)
    }
    expect(downs).to.equal(0)
  })

  it('Q-03 is shown by the proxy with the address it has now, and a line of the log says when that changed', async () => {
    const lines: string[] = []
    const logger = createLogger({ level: 'info', to: { write: line => void lines.push(line) } })
    const server = await startServer({}, { logger })
    const relay = await openRelay(server.address)
    const { client } = await connectClient(server, { proxy: { address: relay.local } })
    const shown = () => server.clients().map(({ remote }) => remote)
    for (let i = 1; i <= 3; i++) {
      const before = shown()
      await relay.rebind()
      await ping(client, '10.89.0.1')
      await until(() => shown()[0] !== before[0])
      const moves = lines.map(line => JSON.parse(line)).filter(({ msg }) => /another address/.test(msg))
      expect(moves.map(({ to }) => to)).to.have.length(i)
      expect(shown()).to.deep.equal([moves[i - 1].to])
    }
    const [{ moves, lastMovedAt }] = server.clients()
    expect(moves).to.equal(3)
    expect(Date.parse(lastMovedAt as string)).to.be.closeTo(Date.now(), 60_000)
    expect(server.status().movesTotal).to.equal(3)
    expect(server.connectionLog().filter(({ event }) => event === 'moved')).to.have.length(3)
  })

  it('Q-03 is known to the server by the address it has now', async () => {
    const server = await listen()
    const relay = await openRelay(server.endpoint.local)
    const client = await connect(server, { remote: relay.local })
    await client.recorder.until(() => client.recorder.established)
    const { connection, recorder } = server.accepted[0]
    const before = connection.remote
    await relay.rebind()
    client.connection.streamSend(0, Uint8Array.of(1), false)
    await recorder.until(() => recorder.streams.size === 1)
    await until(() => connection.remote.port !== before.port)
    expect(connection.remote).to.deep.equal(connection.paths().find(path => path.active)?.remote)
    client.connection.close(0x100, '')
    // What was counted against the first address is given back to the first address.
    await until(() => [...server.endpoint.connections].length === 0)
  })
})
