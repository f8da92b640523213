import { expect } from 'chai'
import { QuicDriver } from '../../src/quic/driver.ts'
import { DEFAULT_QUIC_SETTINGS, type QuicSettings, type SocketAddress } from '../../src/quic/quic.ts'
import {
  type FakeConnection,
  FakeEngine,
  FakeSocket,
  longPacket,
  shortPacket,
  VirtualIo,
} from '../support/fake-engine.ts'
import { Recorder } from '../support/quic-peer.ts'

const SERVER: SocketAddress = { host: '192.0.2.1', port: 4433 }
const CLIENT: SocketAddress = { host: '198.51.100.7', port: 50_000 }
const THEIR_ID = Uint8Array.of(1, 2, 3, 4, 5, 6, 7, 8)
const bytes = (length: number): Uint8Array => new Uint8Array(length).fill(7)

describe('the driver, on an engine and a clock that are not real', () => {
  const dial = (settings: Partial<QuicSettings> = {}) => {
    const io = new VirtualIo()
    const engine = new FakeEngine()
    const sockets = [new FakeSocket('10.0.0.1', 1001), new FakeSocket('10.0.0.2', 1002)]
    const driver = new QuicDriver({ engine, io, sockets, settings: { ...DEFAULT_QUIC_SETTINGS, ...settings } })
    const connection = driver.connect({ remote: SERVER, serverName: 'localhost' })
    const recorder = new Recorder()
    connection.handler = recorder
    return { io, driver, sockets, connection, recorder, fake: engine.connections[0] }
  }

  const listen = () => {
    const io = new VirtualIo()
    const engine = new FakeEngine()
    const socket = new FakeSocket('192.0.2.1', 4433)
    const recorder = new Recorder()
    const driver = new QuicDriver({
      engine,
      io,
      sockets: [socket],
      settings: DEFAULT_QUIC_SETTINGS,
      accept: { retry: 'never', maxConnections: 10, maxConnectionsPerAddress: 10, onConnection: () => recorder },
    })
    socket.arrive(longPacket(THEIR_ID, THEIR_ID), CLIENT)
    io.settle()
    return { io, driver, socket, recorder, fake: engine.connections[0] }
  }

  it('gives all packets that came together one turn', () => {
    const { io, sockets, fake } = dial()
    io.settle()
    expect(fake.turns).to.have.length(1)
    for (const payload of [1, 2, 3]) sockets[0].arrive(shortPacket(fake.id, [payload]), SERVER)
    expect(fake.received.map(({ packet }) => packet[9])).to.deep.equal([1, 2, 3])
    expect(fake.turns).to.have.length(1)
    io.settle()
    expect(fake.turns).to.have.length(2)
  })

  it('calls at the deadline, neither before nor after, and moves with it', () => {
    const { io, sockets, fake } = dial()
    fake.deadlineAt = 100
    io.settle()
    io.pass(50)
    expect(fake.rings).to.deep.equal([])
    // Something has happened: it is earlier now.
    fake.deadlineAt = 70
    sockets[0].arrive(shortPacket(fake.id), SERVER)
    io.pass(100)
    expect(fake.rings).to.deep.equal([70])
    fake.deadlineAt = 500
    sockets[0].arrive(shortPacket(fake.id), SERVER)
    io.pass(1000)
    expect(fake.rings).to.deep.equal([70, 500])
  })

  it('tells on which path and when a packet came, and sends each from the socket that its path names', () => {
    const { io, sockets, fake } = dial()
    const [first, second] = sockets
    const elsewhere = { host: '203.0.113.9', port: 9 }
    io.pass(25)
    second.arrive(shortPacket(fake.id), elsewhere)
    expect(fake.received).to.deep.equal([
      { packet: Uint8Array.from(shortPacket(fake.id)), path: { local: second.local, remote: elsewhere }, now: 25 },
    ])
    fake.toSend.push(
      { bytes: bytes(20), path: { local: { ...second.local }, remote: elsewhere } },
      { bytes: bytes(30), path: fake.path },
    )
    io.settle()
    expect(first.sent).to.deep.equal([{ packet: bytes(30), to: SERVER }])
    expect(second.sent).to.deep.equal([{ packet: bytes(20), to: elsewhere }])
  })

  it('Q-03 knows the peer by the path that packets take now, and says when that changes', () => {
    const { io, socket, fake, driver, recorder } = listen()
    const [connection] = driver.table.all
    const heard: SocketAddress[] = []
    Object.assign(recorder, { onPathChanged: (remote: SocketAddress) => heard.push(remote) })
    const moved = { host: CLIENT.host, port: 50_001 }
    fake.events.push(events => events.onPathChanged({ local: socket.local, remote: moved }))
    socket.arrive(shortPacket(fake.id), moved)
    expect(connection.remote).to.deep.equal(CLIENT)
    io.settle()
    expect(connection.remote).to.deep.equal(moved)
    expect(heard).to.deep.equal([moved])
    expect(connection.firstRemote).to.deep.equal(CLIENT)
  })

  it('finds a connection by each id that it has, and by none that is retired', () => {
    const { io, socket, fake, driver } = listen()
    const ids: Uint8Array[] = []
    fake.events.push(events => ids.push(events.newConnectionId()))
    socket.arrive(shortPacket(fake.id), CLIENT)
    io.settle()
    socket.arrive(shortPacket(ids[0]), CLIENT)
    expect(fake.received).to.have.length(3)
    fake.events.push(events => events.onConnectionIdRetired(ids[0]))
    io.settle()
    socket.arrive(shortPacket(ids[0]), CLIENT)
    expect(fake.received).to.have.length(3)
    expect(driver.counters.stray).to.equal(1)
  })

  it('AT-12 sends an address three times what came from it, and more when it has shown that it can hear', () => {
    const { socket, fake, driver } = listen()
    const send = () => {
      for (let i = 0; i < 4; i++) fake.toSend.push({ bytes: bytes(1200), path: fake.path })
      for (const connection of driver.table.all) connection.transmit()
    }
    socket.arrive(longPacket(THEIR_ID, THEIR_ID), CLIENT)
    send()
    send()
    expect(socket.sent).to.have.length(6)
    expect(driver.counters.withheld).to.equal(2)
    socket.arrive(shortPacket(fake.id), CLIENT)
    send()
    expect(socket.sent).to.have.length(10)
  })

  it('keeps what a stream does not take, in order, and sends it when it does', () => {
    const { io, sockets, connection, recorder, fake } = dial()
    fake.credit = 5
    connection.streamSend(0, Uint8Array.of(1, 2, 3), false)
    connection.streamSend(0, Uint8Array.of(4, 5, 6), false)
    connection.streamSend(0, Uint8Array.of(7), true)
    expect(connection.streamBuffered(0)).to.equal(2)
    io.settle()
    expect(recorder.drained).to.deep.equal([])
    fake.credit = 10
    sockets[0].arrive(shortPacket(fake.id), SERVER)
    io.settle()
    expect(fake.written.flatMap(({ data }) => [...data])).to.deep.equal([1, 2, 3, 4, 5, 6, 7])
    expect(fake.written.map(({ fin }) => fin)).to.deep.equal([false, false, false, true])
    expect([connection.streamBuffered(0), recorder.drained]).to.deep.equal([0, [0]])
  })

  it('sends something that must be answered in a third of the idle timeout, until the end', () => {
    const { io, connection, fake } = dial({ idleTimeoutMs: 30_000 })
    fake.events.push(events => events.onEstablished())
    io.pass(35_000)
    expect(fake.pings).to.equal(3)
    connection.close(0x100, '')
    io.pass(35_000)
    expect(fake.pings).to.equal(3)
  })

  it('lets an engine rest that sends empty packets without end, for longer each time', () => {
    const { io, sockets, fake } = dial()
    const stuck = (connection: FakeConnection) => {
      connection.send = buffer => {
        buffer.fill(0, 0, 30)
        return { length: 30, path: connection.path }
      }
    }
    stuck(fake)
    const sentIn = (ms: number): number => {
      const before = sockets[0].sent.length
      io.pass(ms)
      return sockets[0].sent.length - before
    }
    expect([sentIn(1), sentIn(1), sentIn(3), sentIn(1)]).to.deep.equal([64, 64, 0, 64])
    sentIn(10_000)
    expect(sentIn(10_000)).to.equal(640)
  })

  it('closes the sockets of a client with its connection', () => {
    const { io, sockets, connection, recorder, fake } = dial()
    io.settle()
    fake.isOver = true
    connection.close(0x100, 'done')
    io.settle()
    expect(recorder.closed).to.deep.equal({ source: 'local', application: true, code: 0x100, reason: 'done' })
    expect(sockets.map(({ open }) => open)).to.deep.equal([false, false])
  })

  it('closes them a second after its close, however long the engine would answer late packets', () => {
    const { io, sockets, connection, recorder, fake } = dial()
    io.settle()
    fake.deadlineAt = io.now() + 30_000
    connection.close(0x100, 'done')
    io.settle()
    expect(sockets.map(({ open }) => open)).to.deep.equal([true, true])
    io.pass(1000)
    expect(sockets.map(({ open }) => open)).to.deep.equal([false, false])
    expect(recorder.closed).to.deep.equal({ source: 'local', application: true, code: 0x100, reason: 'done' })
  })

  it('ends one connection when the engine fails, and goes on', () => {
    const { io, socket, fake, driver, recorder } = listen()
    fake.receive = () => {
      throw new Error('a bug')
    }
    socket.arrive(shortPacket(fake.id), CLIENT)
    io.settle()
    expect(recorder.closed).to.include({ source: 'local', code: 0x102 })
    expect(driver.counters.faults).to.equal(1)
    socket.arrive(longPacket(bytes(8), bytes(8)), CLIENT)
    expect(driver.counters.accepted).to.equal(2)
  })
})
