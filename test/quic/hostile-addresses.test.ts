import { randomBytes } from 'node:crypto'
import type { Socket } from 'node:dgram'
import { expect } from 'chai'
import { bindUdp, LOOPBACK } from '../../src/net/udp.ts'
import { QuicEndpoint } from '../../src/quic/endpoint.ts'
import { DEFAULT_QUIC_SETTINGS } from '../../src/quic/quic.ts'
import { clientTls, serverTls } from '../support/certificates.ts'
import { initialWithToken, loneInitial, sealInitial } from '../support/initial.ts'
import { failure, until } from '../support/loopback.ts'
import { pretendArrival, sendFromPortZero } from '../support/odd-senders.ts'
import { closeAll, connect, type Listening, listen } from '../support/quic-peer.ts'
import { IS_TYPESCRIPT } from '../support/which-engine.ts'

/** A Version Negotiation packet (RFC 9000 §17.2.1), as large as an Initial: a header of 23 bytes and a list of 295 versions. */
function versionNegotiation(): Uint8Array {
  const packet = new Uint8Array(23 + 4 * 295)
  packet[0] = 0xc0
  packet[5] = 8
  packet[14] = 8
  return packet
}

/** RFC 9000 §19.19: no error, because of no frame, without a word. */
const CONNECTION_CLOSE = Uint8Array.of(0x1c, 0, 0, 0)

describe('a QUIC endpoint and addresses that are not what they seem', () => {
  const sockets: Socket[] = []
  afterEach(async () => {
    for (const socket of sockets.splice(0)) socket.close()
    await closeAll()
  })

  const open = async (): Promise<{ socket: Socket; heard: () => number }> => {
    const socket = await bindUdp(LOOPBACK)
    sockets.push(socket)
    let bytes = 0
    socket.on('message', message => {
      bytes += message.length
    })
    return { socket, heard: () => bytes }
  }

  const stillServes = async (server: Listening): Promise<void> => {
    const client = await connect(server)
    await client.recorder.until(() => client.recorder.established)
    client.connection.close(0x100, '')
  }

  it('AT-01 a datagram from port 0 is dropped and counted', async () => {
    const server = await listen()
    const { local } = server.endpoint
    sendFromPortZero(loneInitial({ host: '127.0.0.1', port: 1 }, local), local.port)
    await until(() => server.endpoint.counters.stray === 1)
    expect(server.endpoint.counters).to.include({ accepted: 0, faults: 0 })
    await stillServes(server)
  })

  it('AT-02 a client with a link-local address gets an answer instead of an exception', async () => {
    const server = await listen({ host: '::' })
    const { local } = server.endpoint
    const from = { host: 'fe80::1%lo', port: 4000 }
    pretendArrival(loneInitial({ host: '::1', port: 4000 }, local), from, local.port)
    expect(server.endpoint.counters).to.include({ accepted: 1, faults: 0 })
    expect(server.accepted[0].connection.remote).to.deep.equal(from)
  })

  it('AT-02 what quiche cannot accept costs the packet and nothing else', async function () {
    // To the other engine an address is a name.
    if (IS_TYPESCRIPT) this.skip()
    const server = await listen()
    const { local } = server.endpoint
    pretendArrival(loneInitial({ host: '127.0.0.1', port: 1 }, local), { host: 'no address', port: 1 }, local.port)
    expect(server.endpoint.counters).to.include({ accepted: 0, faults: 1 })
    expect(server.errors).to.have.length(1)
    await stillServes(server)
  })

  it('AT-12 an address that never answers gets at most three times what came from it', async () => {
    // A long chain of certificates: the first flight alone takes up the allowance, and the first probe exceeds it.
    const tls = await serverTls()
    const chain = Buffer.concat(Array(5).fill(tls.certificateChain))
    const server = await listen({ tls: { ...tls, certificateChain: chain } })
    const { socket, heard } = await open()
    const { local, counters } = server.endpoint
    const initial = loneInitial({ host: '127.0.0.1', port: socket.address().port }, local)
    socket.send(initial, local.port, local.host)
    if (IS_TYPESCRIPT) {
      // This engine keeps to the limit by itself: nothing has to be withheld when the first probe is due, after a second.
      await until(() => heard() > 2 * initial.length)
      await new Promise(resolve => setTimeout(resolve, 1500))
      expect(counters.withheld).to.equal(0)
    } else await until(() => counters.withheld > 0 || heard() > 3 * initial.length)
    await new Promise(setImmediate)
    expect(heard()).to.be.within(1, 3 * initial.length)
  })

  it('AT-12 a handshake with a chain of certificates of nine kilobytes succeeds within that limit', async () => {
    const tls = await serverTls()
    const chain = Buffer.concat(Array(20).fill(tls.certificateChain))
    const server = await listen({ tls: { ...tls, certificateChain: chain } })
    await stillServes(server)
  })

  it('AT-12 an address that has answered may be sent any amount', async () => {
    const server = await listen()
    const client = await connect(server)
    await client.recorder.until(() => client.recorder.established)
    client.connection.streamSend(0, Uint8Array.of(1), true)
    const { connection, recorder } = server.accepted[0]
    await recorder.until(() => recorder.streams.get(0)?.fin)
    connection.streamSend(0, new Uint8Array(100_000), true)
    await client.recorder.until(() => client.recorder.streams.get(0)?.fin || server.endpoint.counters.withheld > 0)
    expect(server.endpoint.counters.withheld).to.equal(0)
    client.connection.close(0x100, '')
  })

  it('AT-12 no answer without a connection is larger than what it answers', async () => {
    const { socket, heard } = await open()
    const from = { host: '127.0.0.1', port: socket.address().port }
    const refusing = await listen({ maxConnections: 0 })
    const careful = await listen({ retry: 'always' })
    const strange = versionNegotiation()
    strange[4] = 0x7a
    const answered: [Listening, Uint8Array, number][] = [
      [refusing, loneInitial(from, refusing.endpoint.local), 3],
      [careful, loneInitial(from, careful.endpoint.local), 1],
      [careful, strange, 1],
    ]
    for (const [server, packet, times] of answered) {
      const before = heard()
      socket.send(packet, server.endpoint.local.port, server.endpoint.local.host)
      await until(() => heard() > before)
      expect(heard() - before).to.be.at.most(times * packet.length)
    }
    expect(refusing.endpoint.counters.rejected.limit).to.equal(1)
    expect(careful.endpoint.counters.retried).to.equal(1)
    expect(careful.endpoint.counters.rejected.version).to.equal(1)
  })

  describe('and tokens that are not ours', () => {
    /** An Initial with a token of another server. */
    const foreign = async (to: Listening): Promise<Uint8Array> => {
      const other = await listen({ retry: 'always' })
      const { socket } = await open()
      const from = { host: '127.0.0.1', port: socket.address().port }
      return initialWithToken(from, to.endpoint.local, first => {
        const { local } = other.endpoint
        socket.send(first, local.port, local.host)
        return new Promise(resolve => socket.once('message', resolve))
      })
    }
    const arrive = (initial: Uint8Array, server: Listening): void =>
      pretendArrival(initial, { host: '127.0.0.1', port: 4444 }, server.endpoint.local.port)

    it('are as good as none', async () => {
      const server = await listen()
      arrive(await foreign(server), server)
      expect(server.endpoint.counters).to.deep.include({ accepted: 1, rejected: { limit: 0, token: 1, version: 0 } })
    })

    it('are no way around the Retry', async () => {
      const server = await listen({ retry: 'always' })
      arrive(await foreign(server), server)
      expect(server.endpoint.counters).to.deep.include({
        accepted: 0,
        retried: 1,
        rejected: { limit: 0, token: 1, version: 0 },
      })
    })
  })

  it('AT-10 nobody has to make room for what cannot be read', async () => {
    const server = await listen({ maxConnections: 1 })
    const { recorder, connection } = await connect(server)
    await recorder.until(() => recorder.established)
    await until(() => server.accepted[0]?.recorder.established)
    const { startedAt } = server.accepted[0].connection as unknown as { startedAt: number }
    Object.assign(server.accepted[0].connection, { startedAt: startedAt - 10_000 })
    const noise = loneInitial({ host: '127.0.0.1', port: 4444 }, server.endpoint.local)
    noise[100] ^= 1
    const { counters } = server.endpoint
    // What was repeated of the handshake may be of no use any more, and so stray.
    const { stray } = counters
    pretendArrival(noise, { host: '127.0.0.1', port: 4444 }, server.endpoint.local.port)
    expect(counters).to.include({ accepted: 1, evicted: 0, stray: stray + 1 })
    connection.close(0x100, '')
  })

  it('AT-37 while 64 handshakes are unfinished, who comes next has to prove its address', async () => {
    const { local, counters } = (await listen({ retry: 'auto' })).endpoint
    for (let port = 1001; port <= 1065; port++) {
      const from = { host: '127.0.0.1', port }
      pretendArrival(loneInitial(from, local), from, local.port)
      // Few begin in one turn.
      await new Promise(setImmediate)
    }
    expect(counters).to.include({ accepted: 64, retried: 1, faults: 0 })
  })

  it('AT-37 handshakes that fail at once are unfinished, too, until nothing is kept of them', async () => {
    const { local, counters } = (await listen({ retry: 'auto' })).endpoint
    for (let port = 1001; port <= 1065; port++) {
      const id = randomBytes(8)
      const close = sealInitial('client', id, id, randomBytes(8), CONNECTION_CLOSE)
      pretendArrival(close, { host: '127.0.0.1', port }, local.port)
      await new Promise(setImmediate)
    }
    expect(counters).to.include({ accepted: 64, retried: 1, faults: 0 })
  })

  it('AT-21 a Version Negotiation packet is not answered with another', async () => {
    const server = await listen()
    const { socket, heard } = await open()
    socket.send(versionNegotiation(), server.endpoint.local.port, '127.0.0.1')
    await until(() => server.endpoint.counters.stray === 1)
    expect(server.endpoint.counters.rejected.version).to.equal(0)
    await stillServes(server)
    expect(heard()).to.equal(0)
  })

  it('an Initial that nobody can decrypt starts no connection', async () => {
    const server = await listen()
    const { socket } = await open()
    const { local, counters } = server.endpoint
    const initial = loneInitial({ host: '127.0.0.1', port: socket.address().port }, local)
    initial[100] ^= 1
    socket.send(initial, local.port, local.host)
    await until(() => counters.stray === 1)
    expect(server.accepted).to.deep.equal([])
    expect([...server.endpoint.connections]).to.deep.equal([])
  })

  it('AT-20 an address that the system does not let anybody send to is refused with the system’s error', async () => {
    const connecting = QuicEndpoint.connect({
      remote: { host: '255.255.255.255', port: 4433 },
      serverName: 'localhost',
      tls: await clientTls(),
      settings: DEFAULT_QUIC_SETTINGS,
    })
    expect((await failure(connecting, Error)).message).to.match(/^connect E[A-Z]+ 255\.255\.255\.255:4433/)
  })
})
