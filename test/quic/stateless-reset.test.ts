import { expect } from 'chai'
import type { EndpointCounters } from '../../src/quic/counters.ts'
import { QuicDriver } from '../../src/quic/driver.ts'
import { DEFAULT_QUIC_SETTINGS, type EngineChoice, type SocketAddress } from '../../src/quic/quic.ts'
import { RESETS } from '../../src/quic/reset-answers.ts'
import { freePort } from '../../src/testbed/free-port.ts'
import { type Sender, UdpRelay } from '../../src/testbed/udp-relay.ts'
import { FakeEngine, FakeSocket, longPacket, shortPacket } from '../support/fake-engine.ts'
import { until } from '../support/loopback.ts'
import { pretendArrival } from '../support/odd-senders.ts'
import { closeAll, connect, exchange, type Listening, listen } from '../support/quic-peer.ts'
import { skipWithoutQuiche } from '../support/quiche.ts'
import { VirtualIo } from '../support/virtual-io.ts'

const TYPESCRIPT = { engine: 'typescript' } as const
/** Longer than any test: who notices in time has not waited for it. */
const IDLE_MS = 600_000
const isShort = (packet: Uint8Array): boolean => (packet[0] & 0x80) === 0

describe('a server that was started anew', () => {
  const relays: UdpRelay[] = []
  afterEach(async () => {
    await closeAll()
    for (const relay of relays.splice(0)) relay.close()
  })

  /** A client that has no word of the first server's end, as if it had lost its power, and a second server in its place. */
  const startAnew = async (engine: EngineChoice) => {
    // Not port 0: a port that the system chooses has no successor.
    const port = await freePort()
    const before = await listen({ port, settings: { ...TYPESCRIPT, idleTimeoutMs: IDLE_MS } })
    const relay = await UdpRelay.open(before.endpoint.local)
    relays.push(relay)
    const way = { ...before, endpoint: { local: relay.address } } as Listening
    const client = await connect(way, { settings: { engine, idleTimeoutMs: IDLE_MS, keepAliveMs: 0 } })
    await client.recorder.until(() => client.recorder.established)
    await until(() => before.accepted[0]?.recorder.established)
    await exchange(client, before.accepted[0])
    const lost: Sender[] = []
    relay.passes = (_, from) => {
      lost.push(from)
      return false
    }
    await before.endpoint.close()
    // Its last word waits in the relay's socket, and is not to pass later.
    await until(() => lost.includes('server'))
    const after = await listen({ port, settings: TYPESCRIPT })
    relay.passes = () => true
    return { client, after, relay }
  }

  for (const engine of ['typescript', 'quiche'] as const) {
    it(`resets the connections that it has left, with the first packet of the client (${engine}; RFC 9000 §10.3)`, async function () {
      if (engine === 'quiche') skipWithoutQuiche.call(this)
      const { client, after } = await startAnew(engine)
      expect(client.recorder.closed).to.equal(undefined)
      client.connection.sendDatagram(Uint8Array.of(1))
      await client.recorder.until(() => client.recorder.closed)
      // Packets that were sent again meanwhile are answered, too.
      expect(after.endpoint.counters.resets).to.be.at.least(1)
      expect(after.endpoint.counters).to.include({ accepted: 0, faults: 0 })
      if (engine === 'typescript') expect(client.recorder.closed?.reason).to.contain('stateless reset')
    })
  }

  it('does not reset what it has not left: somebody who sends other bytes is not believed', async () => {
    const { client, after, relay } = await startAnew('typescript')
    const spoilt: Buffer[] = []
    relay.passes = (payload, from) => {
      if (from === 'client') return true
      payload[payload.length - 1] ^= 1
      spoilt.push(payload)
      return true
    }
    client.connection.sendDatagram(Uint8Array.of(1))
    await until(() => spoilt.length > 0)
    await new Promise(resolve => setTimeout(resolve, 50))
    expect(client.recorder.closed).to.equal(undefined)
    expect(after.endpoint.counters.resets).to.be.greaterThan(0)
    client.connection.close(0x100, '')
  })
})

describe('a server whose connection was closed in good order', () => {
  afterEach(closeAll)

  it('answers late packets with no reset while it remembers it, and with one afterwards', async () => {
    const server = await listen({ settings: TYPESCRIPT })
    const relay = await UdpRelay.open(server.endpoint.local)
    const client = await connect({ ...server, endpoint: { local: relay.address } } as Listening, {
      settings: TYPESCRIPT,
    })
    await client.recorder.until(() => client.recorder.established)
    await until(() => server.accepted[0]?.recorder.established)
    let late: Buffer | undefined
    relay.passes = (payload, from) => {
      if (from === 'client' && isShort(payload)) late = Buffer.from(payload)
      return true
    }
    await exchange(client, server.accepted[0])
    client.connection.close(0x100, '')
    await server.accepted[0].recorder.until(() => server.accepted[0].recorder.closed)
    const { counters, connections } = server.endpoint
    const { port } = server.endpoint.local
    const from = { host: '127.0.0.1', port: 4000 }
    expect([...connections]).to.have.length(1)
    pretendArrival(late as Buffer, from, port)
    expect(counters.resets, 'draining').to.equal(0)
    await until(() => [...server.endpoint.connections].length === 0)
    const before = counters.resets
    pretendArrival(late as Buffer, from, port)
    expect(counters.resets - before, 'forgotten').to.equal(1)
    relay.close()
  })
})

describe('packets of no connection, at a server', () => {
  const SERVER: SocketAddress = { host: '192.0.2.1', port: 443 }
  const ANYBODY: SocketAddress = { host: '198.51.100.7', port: 50_000 }
  const unknown = (n: number): Buffer =>
    shortPacket(Uint8Array.of(9, 9, 9, 9, 9, 9, n >> 8, n), [...new Array(40).keys()])

  const start = (accepts = true) => {
    const io = new VirtualIo()
    let asked = 0
    const engine = Object.assign(new FakeEngine(), {
      statelessReset: (packet: Uint8Array) => {
        asked++
        return packet.subarray(0, packet.length - 1)
      },
    })
    const socket = new FakeSocket(SERVER.host, SERVER.port)
    const accept = {
      retry: 'never',
      maxConnections: 10,
      maxConnectionsPerAddress: 10,
      onConnection: () => ({}) as never,
    } as const
    const driver = new QuicDriver({
      engine,
      io,
      sockets: [socket],
      settings: DEFAULT_QUIC_SETTINGS,
      ...(accepts && { accept }),
    })
    return { io, engine, socket, driver, asked: () => asked }
  }
  const countersOf = ({ counters }: { counters: EndpointCounters }) => ({
    stray: counters.stray,
    resets: counters.resets,
  })

  it('are answered where they came from, so many at once and a second, and cost nothing beyond that', () => {
    const { io, socket, driver, asked } = start()
    for (let n = 0; n < 5000; n++) socket.arrive(unknown(n), ANYBODY)
    expect(socket.sent).to.have.length(RESETS.burst)
    expect(socket.sent[0]).to.deep.equal({ packet: Uint8Array.from(unknown(0)).subarray(0, -1), to: ANYBODY })
    expect(asked()).to.equal(RESETS.burst)
    expect(countersOf(driver)).to.deep.equal({ stray: 5000, resets: RESETS.burst })
    io.pass(1000)
    for (let n = 0; n < 5000; n++) socket.arrive(unknown(n), ANYBODY)
    expect(socket.sent).to.have.length(RESETS.burst + RESETS.perSecond)
  })

  it('are not answered when they have the id of a connection that is there, from whatever address (§21.11)', () => {
    const { io, socket, driver, engine } = start()
    const theirs = Uint8Array.of(1, 2, 3, 4, 5, 6, 7, 8)
    socket.arrive(longPacket(theirs, theirs), ANYBODY)
    io.settle()
    for (const id of [theirs, engine.connections[0].id]) {
      socket.arrive(shortPacket(id, [...new Array(40).keys()]), { host: '203.0.113.1', port: 1 })
    }
    expect(countersOf(driver)).to.deep.equal({ stray: 0, resets: 0 })
  })

  it('are not answered by a client, which asks its connection with whoever has sent them', () => {
    const { io, socket, driver, engine, asked } = start(false)
    driver.connect({ remote: ANYBODY, serverName: 'localhost' })
    socket.arrive(unknown(1), ANYBODY)
    socket.arrive(unknown(2), { ...ANYBODY, port: 1 })
    io.settle()
    expect(engine.connections[0].received.map(({ packet }) => packet)).to.deep.equal([Uint8Array.from(unknown(1))])
    expect(countersOf(driver)).to.deep.equal({ stray: 1, resets: 0 })
    expect(asked()).to.equal(0)
  })
})
