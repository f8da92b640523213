import { readdirSync, readlinkSync } from 'node:fs'
import { expect } from 'chai'
import type { PacketSocket } from '../../../src/quic/io.ts'
import type { SocketAddress } from '../../../src/quic/quic.ts'
import { loadUdpCalls } from '../../../src/quic/udp/linux-calls.ts'
import { bindSocket, connectSocket } from '../../../src/quic/udp/open-socket.ts'
import { freePort } from '../../../src/testbed/free-port.ts'
import { until } from '../../support/loopback.ts'
import { sendFromPortZero } from '../../support/odd-senders.ts'

interface Arrived {
  bytes: Uint8Array
  from: SocketAddress
}

/** A socket, and what it has told. */
interface Heard {
  socket: PacketSocket
  packets: Arrived[]
  errors: string[]
}

const opened: PacketSocket[] = []

function listenTo(socket: PacketSocket): Heard {
  opened.push(socket)
  const heard: Heard = { socket, packets: [], errors: [] }
  socket.start({
    onPacket: (packet, host, port) => heard.packets.push({ bytes: Uint8Array.from(packet), from: { host, port } }),
    onError: error => heard.errors.push(String(error.code)),
  })
  return heard
}

/** A packet whose bytes say which it is. */
function packetOf(n: number, length: number): Uint8Array {
  const packet = new Uint8Array(length).fill(n)
  if (length >= 2) packet.set([n >> 8, n & 0xff])
  return packet
}

function send({ socket }: Heard, packet: Uint8Array, to: SocketAddress): void {
  socket.room(Math.max(packet.length, 1400)).set(packet)
  socket.send(packet.length, to)
}

const bytesOf = ({ packets }: Heard): string[] => packets.map(({ bytes }) => Buffer.from(bytes).toString('hex'))
const hex = (packets: Uint8Array[]): string[] => packets.map(packet => Buffer.from(packet).toString('hex'))

const KINDS = [
  ['dgram', 'dgram'],
  ['batched', 'batched'],
  ['dgram', 'batched'],
  ['batched', 'dgram'],
] as const

for (const [sending, receiving] of KINDS) {
  describe(`UDP packets from a ${sending} socket to a ${receiving} one`, () => {
    before(function () {
      const reason = loadUdpCalls()
      if (typeof reason !== 'string' || !`${sending}${receiving}`.includes('batched')) return
      console.log(`      skipped: no UDP in batches here: ${reason}`)
      this.skip()
    })

    afterEach(async () => {
      await Promise.all(opened.splice(0).map(socket => socket.close()))
    })

    const bind = async (choice: string, host = '127.0.0.1', port = 0): Promise<Heard> =>
      listenTo(await bindSocket({ host, port }, { choice }))
    const connect = async (choice: string, { socket }: Heard): Promise<Heard> =>
      listenTo(await connectSocket(socket.local, { choice }))

    for (const host of ['127.0.0.1', '::1']) {
      it(`arrive whole and in order over ${host}, in bursts of mixed sizes, and answers come back`, async () => {
        const server = await bind(receiving, host)
        const client = await connect(sending, server)
        // Runs of equal sizes, shorter ones between them, longer ones after shorter ones, single bytes; 100 of a size.
        const lengths = [...Array(30).fill(1252), 40, 1252, 1300, 1300, 1, 1, 1400, 1252, ...Array(100).fill(600), 601]
        const packets = lengths.map((length, n) => packetOf(n, length))
        for (const packet of packets) send(client, packet, server.socket.local)
        client.socket.flush()
        await until(() => server.packets.length === packets.length)
        expect(bytesOf(server)).to.deep.equal(hex(packets))
        const { from } = server.packets[0]
        expect(from).to.deep.equal({ host, port: client.socket.local.port })
        for (const packet of packets.slice(0, 40)) send(server, packet, from)
        server.socket.flush()
        await until(() => client.packets.length === 40)
        expect(bytesOf(client)).to.deep.equal(hex(packets.slice(0, 40)))
        expect([server.errors, client.errors, server.socket.unsent, client.socket.unsent]).to.deep.equal([
          [],
          [],
          {},
          {},
        ])
      })
    }

    it('reach the peer that each is for when two are served in turn', async () => {
      const server = await bind(sending)
      const peers = [await bind(receiving), await bind(receiving)]
      const sent = Array.from({ length: 60 }, (_, n) => packetOf(n, 500))
      for (const [n, packet] of sent.entries()) send(server, packet, peers[n % 3 === 0 ? 0 : 1].socket.local)
      server.socket.flush()
      await until(() => peers[0].packets.length + peers[1].packets.length === 60)
      expect(bytesOf(peers[0])).to.deep.equal(hex(sent.filter((_, n) => n % 3 === 0)))
      expect(bytesOf(peers[1])).to.deep.equal(hex(sent.filter((_, n) => n % 3 !== 0)))
    })

    it('of several sockets that write in turn do not get mixed up', async () => {
      const server = await bind(receiving)
      const clients = await Promise.all(Array.from({ length: 5 }, () => connect(sending, server)))
      for (let n = 0; n < 20; n++) {
        for (const [i, client] of clients.entries()) send(client, packetOf(100 * i + n, 300 + i), server.socket.local)
      }
      for (const { socket } of clients) socket.flush()
      await until(() => server.packets.length === 100)
      for (const [i, { socket }] of clients.entries()) {
        const own = server.packets.filter(({ from }) => from.port === socket.local.port)
        const expected = Array.from({ length: 20 }, (_, n) => packetOf(100 * i + n, 300 + i))
        expect(hex(own.map(({ bytes }) => bytes))).to.deep.equal(hex(expected))
      }
    })

    it('may be larger than any that is sent in batches, and as many as a batch has room for', async () => {
      const server = await bind(receiving)
      const client = await connect(sending, server)
      const packets = [
        ...Array.from({ length: 8 }, (_, n) => packetOf(n, 20_000)),
        packetOf(9, 65_507),
        packetOf(10, 9),
      ]
      for (const packet of packets) {
        send(client, packet, server.socket.local)
        client.socket.flush()
        await until(() => server.packets.length > 0)
        expect(bytesOf(server)).to.deep.equal(hex([packet]))
        server.packets.length = 0
      }
    })

    it('AT-01 are told with their source port, also when that is 0, and empty ones too', async () => {
      const server = await bind(receiving)
      const client = await bind(sending)
      sendFromPortZero(Uint8Array.of(7), server.socket.local.port)
      send(client, new Uint8Array(0), server.socket.local)
      client.socket.flush()
      await until(() => server.packets.length === 2)
      const ofZero = server.packets.find(({ from }) => from.port === 0)
      expect(ofZero?.bytes).to.deep.equal(Uint8Array.of(7))
      expect(server.packets.map(({ bytes }) => bytes.length).sort()).to.deep.equal([0, 1])
    })

    it('to where nobody listens are answered by ECONNREFUSED, and the next ones leave and come', async () => {
      const server = await bind(receiving, '127.0.0.1', await freePort())
      const client = await connect(sending, server)
      await server.socket.close()
      send(client, packetOf(1, 100), server.socket.local)
      client.socket.flush()
      await until(() => client.errors.length > 0)
      expect(client.errors).to.deep.equal(['ECONNREFUSED'])
      const again = listenTo(await bindSocket(server.socket.local, { choice: receiving }))
      for (let n = 0; n < 70; n++) send(client, packetOf(n, 100), server.socket.local)
      client.socket.flush()
      await until(() => again.packets.length === 70)
      // And one that was refused is not deaf: the error has been read, and the next packet is.
      send(again, packetOf(7, 100), again.packets[0].from)
      again.socket.flush()
      await until(() => client.packets.length === 1)
      expect(bytesOf(client)).to.deep.equal(hex([packetOf(7, 100)]))
    })

    it('that are larger than the system takes are counted as not sent, and cost no others', async () => {
      const server = await bind(receiving)
      const client = await bind(sending)
      send(client, packetOf(1, 65_508), server.socket.local)
      client.socket.flush()
      for (let n = 0; n < 3; n++) send(client, packetOf(n, 200), server.socket.local)
      client.socket.flush()
      await until(() => server.packets.length === 3)
      // node:dgram tells the sender nothing of it, unless it is asked after every packet, which costs as much as sending.
      if (sending === 'dgram') return
      await until(() => client.errors.length > 0)
      expect([client.errors, client.socket.unsent]).to.deep.equal([['EMSGSIZE'], { 'too-large': 1 }])
    })

    it('that are read in the call of a socket that closes are not followed by others', async () => {
      const socket = await bindSocket({ host: '127.0.0.1', port: 0 }, { choice: receiving })
      opened.push(socket)
      let heard = 0
      let closed: Promise<void> | undefined
      socket.start({
        onPacket() {
          heard++
          closed = socket.close()
        },
        onError() {},
      })
      const client = await bind(sending)
      for (let n = 0; n < 50; n++) send(client, packetOf(n, 100), socket.local)
      client.socket.flush()
      await until(() => heard > 0)
      await closed
      await new Promise(setImmediate)
      expect([heard, socket.open]).to.deep.equal([1, false])
    })

    it('leave no descriptor behind when hundreds of sockets have come and gone', async () => {
      if (process.platform !== 'linux') return
      // By name, as each socket has one of its own: sockets of earlier tests may still be closing.
      const before = new Set(descriptors())
      const fresh = (): number => descriptors().filter(name => name.startsWith('socket:') && !before.has(name)).length
      for (let round = 0; round < 3; round++) {
        const server = await bind(receiving)
        const clients = await Promise.all(Array.from({ length: 100 }, () => connect(sending, server)))
        for (const client of clients) send(client, packetOf(round, 100), server.socket.local)
        for (const { socket } of clients) socket.flush()
        await until(() => server.packets.length === 100)
        expect(fresh()).to.be.at.least(101)
        await Promise.all(opened.splice(0).flatMap(socket => [socket.close(), socket.close()]))
      }
      await until(() => fresh() === 0)
    })
  })
}

function descriptors(): string[] {
  return readdirSync('/proc/self/fd').map(fd => {
    try {
      return readlinkSync(`/proc/self/fd/${fd}`)
    } catch {
      return ''
    }
  })
}
