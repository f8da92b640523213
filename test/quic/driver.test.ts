import { expect } from 'chai'
import { RETRY_ABOVE_HANDSHAKES } from '../../src/quic/acceptor.ts'
import { QuicDriver } from '../../src/quic/driver.ts'
import { CE, ECT_0, type EcnCodepoint, NOT_ECT } from '../../src/quic/ecn.ts'
import { INBOX_ROOM } from '../../src/quic/inbox.ts'
import { DEFAULT_QUIC_SETTINGS, type QuicSettings, type SocketAddress } from '../../src/quic/quic.ts'
import { type FakeConnection, FakeEngine, FakeSocket, longPacket, shortPacket } from '../support/fake-engine.ts'
import { heldMemory } from '../support/held-memory.ts'
import { Recorder } from '../support/quic-peer.ts'
import { VirtualIo } from '../support/virtual-io.ts'

const SERVER: SocketAddress = { host: '192.0.2.1', port: 4433 }
const CLIENT: SocketAddress = { host: '198.51.100.7', port: 50_000 }
const OTHER: SocketAddress = { host: '198.51.100.8', port: 50_000 }
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

  const listen = (limits = { maxConnections: 10, maxConnectionsPerAddress: 10 }, ecn?: EcnCodepoint) => {
    const io = new VirtualIo()
    const engine = new FakeEngine()
    const socket = new FakeSocket('192.0.2.1', 4433, ecn !== undefined)
    const recorder = new Recorder()
    let isFirst = true
    const onConnection = (): Recorder => {
      const handler = isFirst ? recorder : new Recorder()
      isFirst = false
      return handler
    }
    const accept = { retry: 'never', ...limits, onConnection } as const
    const driver = new QuicDriver({ engine, io, sockets: [socket], settings: DEFAULT_QUIC_SETTINGS, accept })
    socket.arrive(longPacket(THEIR_ID, THEIR_ID), CLIENT, ecn)
    io.settle()
    return { io, driver, socket, engine, recorder, fake: engine.connections[0] }
  }

  it('keeps nothing of the packet that a connection began with', async () => {
    const many = { maxConnections: 1000, maxConnectionsPerAddress: 1000 }
    const { io, socket, engine } = listen(many)
    let client = 0
    const held = await heldMemory(() => {
      for (let i = 0; i < 20; i++) {
        const id = new Uint8Array(8)
        new DataView(id.buffer).setUint32(0, ++client)
        // As from a socket that has one room for all, and gives each packet a part of it.
        const room = Buffer.from(new ArrayBuffer(65_536))
        longPacket(id, id).copy(room)
        socket.arrive(room.subarray(0, 1200), CLIENT)
        io.settle()
      }
    })
    expect(engine.connections).to.have.length(1 + client)
    expect(held / 20).to.be.below(16_384)
  })

  it('lets nothing escape, also when it can neither end a connection nor forget it', () => {
    const { io, sockets, connection, driver, fake } = dial()
    io.settle()
    const broken = (): never => {
      throw new Error('a bug')
    }
    Object.assign(fake, { onDeadline: broken, deadlineAt: 10 })
    Object.assign(connection, { fail: broken })
    Object.assign(driver, { forget: broken })
    sockets[0].arrive(shortPacket(fake.id), SERVER)
    io.pass(10)
    expect(driver.counters.faults).to.equal(3)
  })

  it('gives all packets that came together one turn', () => {
    const { io, sockets, fake } = dial()
    io.settle()
    expect(fake.turns).to.have.length(1)
    for (const payload of [1, 2, 3]) sockets[0].arrive(shortPacket(fake.id, [payload]), SERVER)
    expect(fake.turns).to.have.length(1)
    io.settle()
    expect(fake.received.map(({ packet }) => packet[9])).to.deep.equal([1, 2, 3])
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

  it('reads what has come before it judges a deadline that is due: a process that had to wait finds both at once', () => {
    for (const answer of ['moves the deadline', 'does not']) {
      const { io, sockets, fake } = dial()
      fake.deadlineAt = 100
      io.settle()
      const { receive } = fake
      Object.assign(fake, {
        receive: (...packet: Parameters<typeof receive>) => {
          if (answer === 'moves the deadline') fake.deadlineAt = 500
          return receive.apply(fake, packet)
        },
      })
      sockets[0].arrive(shortPacket(fake.id), SERVER)
      // The timer rings before the turn of the packet.
      expect(io.step(200)).to.equal(true)
      expect(fake.rings).to.deep.equal([])
      io.pass(0)
      expect(fake.received.map(({ now }) => now)).to.deep.equal([100])
      expect(fake.rings).to.deep.equal(answer === 'moves the deadline' ? [] : [100])
      io.pass(1000)
      expect(fake.rings).to.deep.equal([answer === 'moves the deadline' ? 500 : 100])
    }
  })

  it('tells on which path and when a packet came, and sends each from the socket that its path names', () => {
    const { io, sockets, fake } = dial()
    const [first, second] = sockets
    const elsewhere = { host: '203.0.113.9', port: 9 }
    io.pass(25)
    second.arrive(shortPacket(fake.id), elsewhere)
    fake.toSend.push(
      { bytes: bytes(20), path: { local: { ...second.local }, remote: elsewhere } },
      { bytes: bytes(30), path: fake.path },
    )
    io.settle()
    expect(fake.received).to.deep.equal([
      { packet: Uint8Array.from(shortPacket(fake.id)), path: { local: second.local, remote: elsewhere }, now: 25 },
    ])
    expect(first.sent).to.deep.equal([{ packet: bytes(30), to: SERVER }])
    expect(second.sent).to.deep.equal([{ packet: bytes(20), to: elsewhere }])
  })

  it('hands on the ECN field of each packet, the first included, and sends each with that which the engine asks for', () => {
    const { io, socket, fake } = listen(undefined, CE)
    expect([fake.isEcnEnabled, fake.receivedEcn]).to.deep.equal([true, [CE]])
    for (const ecn of [ECT_0, NOT_ECT, CE] as const) socket.arrive(shortPacket(fake.id), CLIENT, ecn)
    fake.toSend.push({ bytes: bytes(30), path: fake.path, ecn: ECT_0 }, { bytes: bytes(30), path: fake.path })
    io.settle()
    expect(fake.receivedEcn).to.deep.equal([CE, ECT_0, NOT_ECT, CE])
    expect(socket.sentEcn).to.deep.equal([ECT_0, undefined])
  })

  it('tells no engine to mark packets whose socket cannot do that', () => {
    expect(listen().fake.isEcnEnabled).to.equal(false)
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
    io.settle()
    expect(fake.received).to.have.length(3)
    fake.events.push(events => events.onConnectionIdRetired(ids[0]))
    socket.arrive(shortPacket(fake.id), CLIENT)
    io.settle()
    socket.arrive(shortPacket(ids[0]), CLIENT)
    io.settle()
    expect(fake.received).to.have.length(4)
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

  it('asks a peer of whom the system says that it is gone, and believes it when there is no answer', () => {
    const { io, sockets, fake, recorder } = dial()
    fake.events.push(events => events.onEstablished())
    io.settle()
    // An answer comes: somebody has forged the message.
    sockets[0].fail('ECONNREFUSED')
    io.pass(100)
    expect(fake.pings).to.equal(1)
    sockets[0].arrive(shortPacket(fake.id), SERVER)
    io.pass(1000)
    expect(recorder.closed).to.equal(undefined)
    // Another socket's, or another error, says nothing.
    sockets[1].fail('ECONNREFUSED')
    sockets[0].fail('EMSGSIZE')
    io.pass(1000)
    expect(fake.pings).to.equal(1)
    for (let i = 0; i < 10; i++) sockets[0].fail('ECONNREFUSED')
    expect(fake.pings).to.equal(2)
    io.pass(199)
    expect(recorder.closed).to.equal(undefined)
    io.pass(1)
    expect(recorder.closed).to.include({ source: 'timeout', reason: 'nobody listens there any more' })
    expect(sockets.some(({ open }) => open)).to.equal(false)
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

  it('ends a connection of which the peer knows nothing without a word, and closes its sockets', () => {
    const { io, sockets, connection, recorder, fake } = dial()
    io.settle()
    fake.toSend.push({ bytes: bytes(20), path: fake.path })
    connection.vanish()
    connection.vanish()
    io.pass(10_000)
    expect(recorder.closed).to.deep.equal({ source: 'local', application: true, code: 0x100, reason: '' })
    expect(sockets.flatMap(({ sent }) => sent)).to.deep.equal([])
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

  it('says that it closes also when that second is over before its turn, as in a process that had to wait', () => {
    const { io, sockets, connection, recorder, fake } = dial()
    io.settle()
    connection.close(0x100, 'done')
    fake.toSend.push({ bytes: bytes(20), path: fake.path })
    // Without the end of a turn of the event loop in between.
    io.step(io.now() + 1000)
    expect(sockets[0].sent.map(({ packet }) => packet.length)).to.deep.equal([20])
    expect(sockets.map(({ open }) => open)).to.deep.equal([false, false])
    expect(recorder.closed).to.deep.equal({ source: 'local', application: true, code: 0x100, reason: 'done' })
  })

  it('hears from ICMP that nobody listens: that ends a handshake at once, and what is established not', () => {
    const { io, driver, sockets, connection, recorder, fake } = dial()
    fake.events.push(events => events.onEstablished())
    io.settle()
    expect(connection.established).to.equal(true)
    const another = new Recorder()
    driver.connect({ remote: OTHER, serverName: 'localhost' }).handler = another
    sockets[0].fail('ECONNREFUSED')
    io.settle()
    expect([recorder.closed, connection.closed, connection.listed]).to.deep.equal([undefined, false, true])
    expect(another.closed).to.deep.equal({
      source: 'local',
      application: false,
      code: 0x02,
      reason: 'ECONNREFUSED',
    })
  })

  it('ends every connection of a server when its only socket has ended, and none for an error of a packet', () => {
    const { io, driver, socket, recorder } = listen()
    socket.fail('EINVAL')
    io.settle()
    expect([recorder.closed, driver.table.size, driver.counters.faults]).to.deep.equal([undefined, 1, 1])
    socket.open = false
    socket.fail('EBADF')
    expect(recorder.closed).to.include({ source: 'local', reason: 'the endpoint was closed' })
    expect(driver.table.size).to.equal(0)
  })

  for (const [why, code] of [
    ['a probe of the path is too large for the interface', 'EMSGSIZE'],
    ['there is no way to a client', 'ENETUNREACH'],
    ['a firewall forbids a packet', 'EPERM'],
    ['the system has no memory for a packet', 'ENOBUFS'],
  ]) {
    it(`takes it for no fault of a server, which goes on, when ${why}`, () => {
      const { io, driver, socket, recorder, fake } = listen()
      socket.fail(code)
      io.settle()
      expect([driver.counters.faults, recorder.closed, driver.table.size]).to.deep.equal([0, undefined, 1])
      fake.toSend.push({ bytes: bytes(20), path: fake.path })
      for (const connection of driver.table.all) connection.transmit()
      expect(socket.sent.at(-1)?.packet).to.deep.equal(bytes(20))
    })
  }

  it('asks for no more packets while many wait in the socket, and goes on when they have left', () => {
    const { io, connection, sockets, fake } = dial()
    io.settle()
    for (let i = 0; i < 3; i++) fake.toSend.push({ bytes: bytes(20), path: fake.path })
    sockets[0].queued = 65
    connection.transmit()
    expect([sockets[0].sent.length, fake.toSend.length]).to.deep.equal([0, 3])
    sockets[0].queued = 64
    connection.transmit()
    expect([sockets[0].sent.length, fake.toSend.length]).to.deep.equal([3, 0])
  })

  it('lets the last packets leave before it closes the sockets, but does not wait for ever', async () => {
    const { io, driver, sockets } = dial()
    io.settle()
    sockets[1].queued = 1
    const isOpen = () => sockets.map(({ open }) => open)
    /** The clock goes on, and whoever awaited it has had its turn. */
    const pass = async (ms: number) => {
      io.pass(ms)
      await new Promise(setImmediate)
    }
    const closed = driver.close()
    await pass(10)
    await pass(10)
    expect(isOpen()).to.deep.equal([true, true])
    sockets[1].queued = 0
    await pass(10)
    await closed
    expect(isOpen()).to.deep.equal([false, false])

    const stuck = dial()
    stuck.sockets[0].queued = 1
    let isOver = false
    const over = stuck.driver.close().then(() => {
      isOver = true
    })
    // Before the connection itself is over, which is a second after its close.
    for (let i = 0; i < 60 && !isOver; i++) {
      stuck.io.pass(10)
      await new Promise(setImmediate)
    }
    expect(isOver).to.equal(true)
    await over
  })

  it('reads the packets of all connections, one turn of the event loop after the other, though no further one comes', () => {
    const { io, driver, sockets, fake } = dial()
    const fakes = [fake]
    const engine = driver.engine as FakeEngine
    for (let i = 1; i < 20; i++) driver.connect({ remote: SERVER, serverName: 'localhost' })
    fakes.push(...engine.connections.slice(1))
    for (let i = 0; i < 20; i++) io.settle()
    for (const { id } of fakes) {
      for (let i = 0; i < 16; i++) sockets[0].arrive(shortPacket(id), SERVER)
    }
    for (let i = 0; i < 100; i++) io.settle()
    expect(fakes.map(({ received }) => received.length)).to.deep.equal(Array(20).fill(16))
  })

  it('in a flood of handshakes lets only those speak before the end of theirs who have proved their address', () => {
    const { io, socket, engine, driver } = listen({ maxConnections: 1000, maxConnectionsPerAddress: 1000 })
    const spoken = new Set<number>()
    /** A client begins, or goes on; its engine says that it may be spoken to. */
    const hearFrom = (i: number, packet: Buffer): void => {
      socket.arrive(packet, { ...CLIENT, port: 1 + i })
      engine.connections[i].events.push(events => events.onMaySend?.())
      const connection = [...driver.table.all][i]
      connection.handler.onMaySend = () => spoken.add(i)
      for (let turn = 0; turn < 3; turn++) io.settle()
    }
    // The first one was there before.
    for (let i = 1; i < RETRY_ABOVE_HANDSHAKES; i++) hearFrom(i, longPacket(bytes(8).fill(i), bytes(8)))
    expect(spoken.size).to.equal(RETRY_ABOVE_HANDSHAKES - 1)
    spoken.clear()
    for (let i = 0; i < 5; i++) {
      hearFrom(RETRY_ABOVE_HANDSHAKES + i, longPacket(bytes(8).fill(100 + i), bytes(8)))
    }
    expect([...spoken]).to.deep.equal([])
    // Only who has read our answer knows this id.
    const last = RETRY_ABOVE_HANDSHAKES + 4
    hearFrom(last, shortPacket(engine.connections[last].id))
    expect([...spoken]).to.deep.equal([last])
  })

  it('AT-37 counts a handshake that has failed among those that are unfinished until it is forgotten', () => {
    const { io, socket, fake, driver, recorder } = listen()
    const [connection] = driver.table.all
    const isCounted = [driver.handshaking.has(connection)]
    fake.ended = { source: 'peer', application: false, code: 0, reason: '' }
    for (const isOver of [false, true]) {
      fake.isOver = isOver
      socket.arrive(shortPacket(fake.id), CLIENT)
      io.settle()
      isCounted.push(driver.handshaking.has(connection))
    }
    expect([recorder.closed?.source, ...isCounted]).to.deep.equal(['peer', true, true, false])
  })

  it('ends one connection when the engine fails, and goes on', () => {
    const { io, socket, fake, driver, recorder } = listen()
    fake.receive = () => {
      throw new Error('a bug')
    }
    socket.arrive(shortPacket(fake.id), CLIENT)
    io.settle()
    // The close leaves in a turn of its own.
    io.settle()
    expect(recorder.closed).to.include({ source: 'local', code: 0x102 })
    expect(driver.counters.faults).to.equal(1)
    socket.arrive(longPacket(bytes(8), bytes(8)), CLIENT)
    expect(driver.counters.accepted).to.equal(2)
  })

  describe('with a flood of connections that are to begin', () => {
    const MANY = { maxConnections: 1000, maxConnectionsPerAddress: 1000 }
    const firstPacket = (client: number): Buffer =>
      longPacket(Uint8Array.of(9, 9, 9, 9, 9, 9, client >> 8, client), THEIR_ID)

    it('AT-37 begins few in a turn of the event loop, so that a connection that is there waits for those only', () => {
      const { io, socket, engine, fake } = listen(MANY)
      for (let client = 0; client < 300; client++) socket.arrive(firstPacket(client), OTHER)
      expect(engine.connections.length - 1, 'at once').to.equal(2)
      socket.arrive(shortPacket(fake.id), CLIENT)
      io.settle()
      expect(fake.received).to.have.length(2)
      expect(engine.connections.length - 1, 'a turn later').to.equal(4)
      for (let turns = 0; turns < 300 / 2; turns++) io.settle()
      expect(engine.connections.length - 1).to.equal(300)
    })

    it('lets nobody wait for what begins none', () => {
      const { driver, socket, engine } = listen()
      for (let i = 0; i < 300; i++) socket.arrive(firstPacket(i).subarray(0, 1199), OTHER)
      expect(driver.counters.stray).to.equal(300)
      socket.arrive(firstPacket(1), OTHER)
      expect(engine.connections.length - 1).to.equal(1)
    })

    it('gives a packet that had to wait to the connection that one before it has begun', () => {
      const { io, socket, engine } = listen(MANY)
      for (let client = 0; client < 5; client++) socket.arrive(firstPacket(client), OTHER)
      for (let times = 0; times < 2; times++) socket.arrive(firstPacket(5), OTHER, CE)
      for (let turns = 0; turns < 5; turns++) io.settle()
      expect(engine.connections.length - 1).to.equal(6)
      expect(engine.connections.at(-1)?.received).to.have.length(2)
      expect(engine.connections.at(-1)?.receivedEcn).to.deep.equal([CE, CE])
    })

    it('AT-37 keeps so many as there is room for, counts the rest, and lets go of them in the end', async () => {
      const { driver, socket, engine } = listen(MANY)
      const flood = 5000
      for (let client = 0; client < flood; client++) socket.arrive(firstPacket(client), OTHER)
      // Two have their turn at once; the others have half of the room, in pieces of 2 KiB.
      expect(driver.counters.crowdedOut).to.be.closeTo(flood - INBOX_ROOM / 2 / 2048, 8)
      await driver.close()
      expect(engine.connections.length - 1).to.equal(2)
      expect(driver.inboxRoom.free).to.equal(INBOX_ROOM)
    })
  })

  describe('with a flood from one client, and a packet of another', () => {
    /** Two connections; `order` grows by the names of those whose packets are read. */
    const twoClients = () => {
      const { io, driver, socket, engine } = listen()
      const otherId = bytes(8)
      socket.arrive(longPacket(otherId, otherId), OTHER)
      io.settle()
      io.settle()
      const order: string[] = []
      const [flooding, quiet] = engine.connections
      for (const [name, fake] of Object.entries({ flooding, quiet })) {
        fake.receive = () => {
          order.push(name)
          return true
        }
      }
      return { io, driver, socket, order, flooding, quiet }
    }

    it('AT-22 reads that packet in the next turn of the event loop, however many came before it', () => {
      const { io, socket, order, flooding, quiet } = twoClients()
      // The flood is in its rotation, with much left of it.
      for (let i = 0; i < 500; i++) socket.arrive(shortPacket(flooding.id, [i & 255]), CLIENT)
      io.settle()
      expect(order.length).to.be.within(1, 100)
      order.length = 0
      for (let i = 0; i < 500; i++) socket.arrive(shortPacket(flooding.id, [i & 255]), CLIENT)
      socket.arrive(shortPacket(quiet.id), OTHER)
      io.settle()
      expect(order[0]).to.equal('quiet')
    })

    it('reads fewer packets in a turn of the event loop than came in it, when its socket may have more', () => {
      const { io, socket, order, flooding, quiet } = twoClients()
      for (let turn = 0; turn < 20; turn++) {
        for (let i = 0; i < socket.readsAtOnce / 2; i++) {
          socket.arrive(shortPacket(flooding.id), CLIENT)
          socket.arrive(shortPacket(quiet.id), OTHER)
        }
        order.length = 0
        io.settle()
        expect(order.length).to.be.within(1, socket.readsAtOnce / 2)
      }
    })

    it('reads many packets in a turn of the event loop again when the flood is over', () => {
      const { io, socket, order, flooding, quiet } = twoClients()
      for (let i = 0; i < 500; i++) socket.arrive(shortPacket(flooding.id), CLIENT)
      while (order.length < 500) io.settle()
      io.settle()
      order.length = 0
      for (let i = 0; i < 15; i++) {
        socket.arrive(shortPacket(flooding.id), CLIENT)
        socket.arrive(shortPacket(quiet.id), OTHER)
      }
      io.settle()
      expect(order).to.have.length(30)
    })

    it('AT-22 gives both the same when both flood', () => {
      const { io, socket, order, flooding, quiet } = twoClients()
      for (let i = 0; i < 900; i++) socket.arrive(shortPacket(flooding.id), CLIENT)
      for (let i = 0; i < 300; i++) socket.arrive(shortPacket(quiet.id), OTHER)
      while (order.filter(name => name === 'quiet').length < 300) io.settle()
      expect(order.filter(name => name === 'flooding').length).to.be.within(280, 320)
    })

    it('AT-22 keeps so much of the flood as there is room for, counts the rest, and has room for the other still', () => {
      const { io, driver, socket, order, flooding, quiet } = twoClients()
      const flood = 10_000
      for (let i = 0; i < flood; i++) socket.arrive(shortPacket(flooding.id), CLIENT)
      const lost = driver.counters.crowdedOut
      // Half of the room, in pieces of 2 KiB.
      expect(flood - lost).to.equal(INBOX_ROOM / 2 / 2048)
      socket.arrive(shortPacket(quiet.id), OTHER)
      expect(driver.counters.crowdedOut).to.equal(lost)
      while (order.length < flood - lost + 1) io.settle()
      expect(driver.inboxRoom.free).to.equal(INBOX_ROOM)
    })

    it('keeps nobody waiting for the sake of fairness when it is alone', () => {
      const { io, driver, socket, engine } = listen()
      const [alone] = driver.table.all
      expect(driver.table.size).to.equal(1)
      const [fake] = engine.connections
      let read = 0
      fake.receive = () => {
        read++
        return true
      }
      for (let i = 0; i < socket.readsAtOnce; i++) socket.arrive(shortPacket(fake.id), CLIENT)
      io.settle()
      expect(read).to.be.greaterThan(socket.readsAtOnce / 2)
      expect(alone.listed).to.equal(true)
    })

    it('lets go of what waits when the connection is gone', () => {
      const { io, driver, socket, order, flooding } = twoClients()
      for (let i = 0; i < 500; i++) socket.arrive(shortPacket(flooding.id), CLIENT)
      flooding.isOver = true
      const [connection] = driver.table.all
      connection.close(0x100, '')
      while (driver.table.size === 2) io.settle()
      expect(driver.inboxRoom.free).to.equal(INBOX_ROOM)
      expect(order.length).to.be.below(500)
    })
  })
})
