import { expect } from 'chai'
import { CE, ECT_0, ECT_1, type EcnCodepoint, NOT_ECT } from '../../../src/quic/ecn.ts'
import type { PacketSocket } from '../../../src/quic/io.ts'
import type { SocketAddress } from '../../../src/quic/quic.ts'
import { loadUdpCalls, type UdpCalls } from '../../../src/quic/udp/linux-calls.ts'
import { bindSocket, connectSocket } from '../../../src/quic/udp/open-socket.ts'
import { until } from '../../support/loopback.ts'

/** All of them, and some in a row, which leave as a batch. */
const FIELDS: readonly EcnCodepoint[] = [ECT_0, ECT_0, ECT_0, NOT_ECT, NOT_ECT, CE, ECT_1, ECT_0, NOT_ECT]

/** Where packets of both versions of IP arrive and leave: an IPv6 socket may have peers with IPv4. */
const ROUTES = [
  { to: '127.0.0.1', from: '127.0.0.1' },
  { to: '::1', from: '::1' },
  { to: '::', from: '127.0.0.1' },
  { to: '127.0.0.1', from: '::' },
] as const

describe('the ECN field of IP, with the kernel of this machine', () => {
  let calls: UdpCalls
  const opened: PacketSocket[] = []

  before(function () {
    const found = loadUdpCalls()
    if (typeof found !== 'string') {
      calls = found
      return
    }
    console.log(`      skipped: no UDP in batches here: ${found}`)
    this.skip()
  })

  afterEach(() => Promise.all(opened.splice(0).map(socket => socket.close())))

  interface Arrived {
    /** The first byte. */
    n: number
    ecn: EcnCodepoint | undefined
    from: SocketAddress
  }

  function listenTo(socket: PacketSocket): { socket: PacketSocket; packets: Arrived[] } {
    opened.push(socket)
    const packets: Arrived[] = []
    socket.start({
      onPacket: (packet, host, port, ecn) => packets.push({ n: packet[0], ecn, from: { host, port } }),
      onError() {},
    })
    return { socket, packets }
  }

  const bind = async (host: string, more: { choice?: string; calls?: UdpCalls; debug?: (text: string) => void } = {}) =>
    listenTo(await bindSocket({ host, port: 0 }, { choice: 'batched', calls, ...more }))

  function send(socket: PacketSocket, to: SocketAddress, fields: readonly EcnCodepoint[] = FIELDS): void {
    for (const [n, ecn] of fields.entries()) {
      socket.room(1200)[0] = n
      socket.send(1200, to, ecn)
    }
    socket.flush()
  }

  const inOrder = (fields: readonly (EcnCodepoint | undefined)[]) => fields.map((ecn, n) => ({ n, ecn }))
  const seen = (packets: readonly Arrived[]) => packets.map(({ n, ecn }) => ({ n, ecn }))

  for (const { to, from } of ROUTES) {
    it(`arrives as each packet was sent with it, from ${from} to ${to}, whichever end has connected`, async () => {
      const server = await bind(to)
      const { port } = server.socket.local
      const host = to === '::' || from === '::' ? '127.0.0.1' : to
      const address = { host: from === '::' ? `::ffff:${host}` : host, port }
      const client = from === '::' ? await bind(from) : listenTo(await connectSocket(address, { choice: 'batched' }))
      expect([server.socket.carriesEcn, client.socket.carriesEcn]).to.deep.equal([true, true])
      send(client.socket, address)
      await until(() => server.packets.length === FIELDS.length)
      expect(seen(server.packets)).to.deep.equal(inOrder(FIELDS))
      send(server.socket, server.packets[0].from)
      await until(() => client.packets.length === FIELDS.length)
      expect(seen(client.packets)).to.deep.equal(inOrder(FIELDS))
    })
  }

  it('is Not-ECT in what node:dgram sends, which cannot read it either', async () => {
    const dgram = await bind('127.0.0.1', { choice: 'dgram' })
    const batched = await bind('127.0.0.1')
    expect(dgram.socket.carriesEcn).to.equal(false)
    send(batched.socket, dgram.socket.local, [ECT_0, CE])
    send(dgram.socket, batched.socket.local, [ECT_0, CE])
    await until(() => dgram.packets.length + batched.packets.length === 4)
    expect(seen(batched.packets)).to.deep.equal(inOrder([NOT_ECT, NOT_ECT]))
    expect(seen(dgram.packets)).to.deep.equal(inOrder([undefined, undefined]))
  })

  it('is left alone by a socket whose system does not tell it, and the log says so', async () => {
    const said: string[] = []
    const refusing = { ...calls, setEcn: () => -92 }
    const silent = await bind('127.0.0.1', { calls: refusing, debug: text => said.push(text) })
    const peer = await bind('127.0.0.1')
    expect(silent.socket.carriesEcn).to.equal(false)
    expect(said).to.include('UDP packets carry no ECN: setsockopt ENOPROTOOPT')
    send(silent.socket, peer.socket.local, [ECT_0, CE])
    send(peer.socket, silent.socket.local, [ECT_0, CE])
    await until(() => silent.packets.length + peer.packets.length === 4)
    expect(seen(peer.packets)).to.deep.equal(inOrder([NOT_ECT, NOT_ECT]))
    expect(seen(silent.packets)).to.deep.equal(inOrder([NOT_ECT, NOT_ECT]))
  })

  it('stays with packets that the system does not take at once, and does not cost a batch', async () => {
    const batches: [packets: number, ecn: EcnCodepoint][] = []
    let isFull = true
    const slow: UdpCalls = {
      ...calls,
      send(fd, start, length, segment, to, ecn) {
        if (isFull) return -11
        batches.push([length / segment, ecn])
        return calls.send(fd, start, length, segment, to, ecn)
      },
    }
    const server = await bind('127.0.0.1')
    const client = await bind('127.0.0.1', { calls: slow })
    send(client.socket, server.socket.local)
    expect(client.socket.queued).to.equal(FIELDS.length)
    isFull = false
    await until(() => server.packets.length === FIELDS.length)
    expect(seen(server.packets)).to.deep.equal(inOrder(FIELDS))
    expect(batches).to.deep.equal([
      [3, ECT_0],
      [2, NOT_ECT],
      [1, CE],
      [1, ECT_1],
      [1, ECT_0],
      [1, NOT_ECT],
    ])
  })
})
