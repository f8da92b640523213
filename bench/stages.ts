/**
 * `bench stages`: what a packet costs at each step of its way through the tunnel, in ns.
 *
 * Both ends of a tunnel in one process and one thread, a batch at a time: each step is done for all packets of a batch before the next one begins,
 * so that the clock is asked once for each step of a batch and not once for each packet. Steps are in the order of the way; what is between
 * them in the program (calls from layer to layer, counters) is not in here, and neither are reads and writes of a TUN device.
 */

import { randomBytes } from 'node:crypto'
import { readFileSync } from 'node:fs'
import type { TestCertificates } from '../src/cert/make-certificates.ts'
import { ConnectIpSession } from '../src/connect-ip/session.ts'
import { Coalescer, OFFLOAD_HEADER, splitFrame } from '../src/hosts/tun/offload.ts'
import { internetChecksum } from '../src/ip/checksum.ts'
import { IpPrefix } from '../src/ip/prefix.ts'
import { LOOPBACK } from '../src/net/udp.ts'
import { chooseEngine } from '../src/quic/choose-engine.ts'
import type { EngineConnection, EngineEvents, UdpPath } from '../src/quic/engine.ts'
import type { PacketSocket } from '../src/quic/io.ts'
import { DEFAULT_QUIC_SETTINGS } from '../src/quic/quic.ts'
import { bindSocket, connectSocket } from '../src/quic/udp/open-socket.ts'

/** Packets of one large one: as many as a batch of UDP packets has room for. */
const BATCH = 40
/** The longest inner packet that a QUIC packet of 1200 bytes has room for, with what HTTP puts in front of it. */
const PACKET = 1160
const HEADERS = 40
/** Quarter stream id and context id of the first request (RFC 9297 §2.1, RFC 9484 §6). */
const PREFIX = Uint8Array.of(0, 0)
const MAX_UDP_PAYLOAD = 1200
const WARM_UP_MS = 1500

export const STAGES = [
  'split: one large packet of TCP into small ones, with their checksums',
  'check: may it pass, at the sender',
  'queue: into the QUIC engine',
  'encrypt: a QUIC packet out of the engine',
  'send: to the system',
  'receive: from the system, by the event loop',
  'decrypt: a QUIC packet into the engine',
  'dequeue: out of the QUIC engine',
  'check: may it pass, at the receiver',
  'join: checksum, and together with its neighbours',
  'acknowledge: all of that for the packets that go back',
] as const

export interface StagesResult {
  /** ns for each packet, by the name of the stage, in the order of the way. */
  stages: Record<string, number>
  /** All of them. */
  total: number
  packets: number
}

export async function benchStages(certificates: TestCertificates, seconds: number): Promise<StagesResult> {
  const way = await Way.open(certificates)
  try {
    await way.run(WARM_UP_MS)
    way.spent.fill(0)
    way.packets = 0
    await way.run(seconds * 1000)
    const stages = Object.fromEntries(STAGES.map((name, i) => [name, (way.spent[i] * 1e6) / way.packets]))
    return { stages, total: Object.values(stages).reduce((sum, ns) => sum + ns, 0), packets: way.packets }
  } finally {
    await way.close()
  }
}

interface End {
  socket: PacketSocket
  connection: EngineConnection
  path: UdpPath
  session: ConnectIpSession
}

class Way {
  /** ms, by stage. */
  readonly spent = new Float64Array(STAGES.length)
  packets = 0
  readonly #sender: End
  readonly #receiver: End
  readonly #arrivedAt: Map<PacketSocket, Uint8Array[]>
  readonly #frame = largePacket()
  readonly #scratch = new Uint8Array(65_535)
  /** Each with room for the prefix in front of it. */
  readonly #datagrams = Array.from({ length: BATCH }, () => new Uint8Array(PREFIX.length + PACKET))
  readonly #received = Array.from({ length: BATCH }, () => new Uint8Array(PREFIX.length + PACKET))
  #receivedCount = 0
  readonly #coalescer = new Coalescer(() => undefined, true)

  private constructor(sender: End, receiver: End, arrivedAt: Map<PacketSocket, Uint8Array[]>) {
    this.#sender = sender
    this.#receiver = receiver
    this.#arrivedAt = arrivedAt
    for (const datagram of this.#datagrams) datagram.set(PREFIX)
  }

  static async open(certificates: TestCertificates): Promise<Way> {
    const server = await bindSocket(LOOPBACK)
    const client = await connectSocket(server.local)
    const arrivedAt = new Map([server, client].map(socket => [socket, [] as Uint8Array[]]))
    for (const [socket, packets] of arrivedAt) {
      socket.start({ onPacket: packet => packets.push(Uint8Array.from(packet)), onError() {} })
    }
    const address = { host: '127.0.0.1', port: client.local.port }
    const [there, back] = [
      { local: address, remote: server.local },
      { local: server.local, remote: address },
    ]
    const ca = readFileSync(certificates.ca)
    const settings = { ...DEFAULT_QUIC_SETTINGS, alpn: ['h3'], maxUdpPayload: MAX_UDP_PAYLOAD }
    const { name, make } = await chooseEngine(undefined)
    const dialer = make({ role: 'client', settings, tls: { ca }, peerCertificate: 'required' })
    const [certificateChain, key] = [readFileSync(certificates.server), readFileSync(certificates.serverKey)]
    const acceptor = make({
      role: 'server',
      settings,
      tls: { ca, certificateChain, key },
      peerCertificate: 'none',
    })
    const sessions = connectedSessions()
    const dialed = dialer.connect({ id: randomBytes(8), path: there, serverName: 'localhost' })
    const accepted = acceptor.accept({ id: randomBytes(8), path: back })
    if (accepted === undefined) throw new Error(`${name} has refused a connection from this process`)
    const way = new Way(
      { socket: client, connection: dialed, path: there, session: sessions.client },
      { socket: server, connection: accepted, path: back, session: sessions.proxy },
      arrivedAt,
    )
    await way.#shakeHands()
    return way
  }

  async close(): Promise<void> {
    await Promise.all([this.#sender.socket.close(), this.#receiver.socket.close()])
  }

  async run(ms: number): Promise<void> {
    for (const end = performance.now() + ms; performance.now() < end; ) await this.#batch()
  }

  async #shakeHands(): Promise<void> {
    const [sender, receiver] = [this.#sender, this.#receiver]
    for (const end = performance.now() + 10_000; sender.connection.maxDatagramLength === 0; ) {
      if (performance.now() > end) throw new Error('the QUIC handshake has not ended within 10 s')
      for (const [from, to] of [
        [sender, receiver],
        [receiver, sender],
      ]) {
        this.#encrypt(from)
        from.socket.flush()
        await new Promise(setImmediate)
        this.#decrypt(to)
        to.connection.handOut(this.#events, performance.now())
      }
    }
  }

  async #batch(): Promise<void> {
    const [sender, receiver] = [this.#sender, this.#receiver]
    const now = performance.now()
    let at = now
    const done = (stage: number): void => {
      const before = at
      at = performance.now()
      this.spent[stage] += at - before
    }
    let made = 0
    splitFrame(this.#frame, this.#scratch, packet => this.#datagrams[made++].set(packet, PREFIX.length))
    done(0)
    for (const datagram of this.#datagrams) sender.session.checkOutbound(datagram.subarray(PREFIX.length), false)
    done(1)
    for (const datagram of this.#datagrams) sender.connection.sendDatagram(datagram)
    done(2)
    this.#receivedCount = 0
    // The congestion window may have room for some of them only, at first.
    for (let tries = 0; this.#receivedCount < BATCH && tries < 100; tries++) {
      const sent = this.#encrypt(sender)
      done(3)
      sender.socket.flush()
      done(4)
      await this.#arrival(receiver, sent)
      done(5)
      this.#decrypt(receiver)
      done(6)
      receiver.connection.handOut(this.#events, now)
      done(7)
      const acknowledgements = this.#encrypt(receiver)
      receiver.socket.flush()
      await this.#arrival(sender, acknowledgements)
      this.#decrypt(sender)
      sender.connection.handOut(this.#events, now)
      sender.connection.onDeadline(now)
      done(10)
    }
    const received = this.#received.slice(0, this.#receivedCount).map(datagram => datagram.subarray(PREFIX.length))
    at = performance.now()
    for (const packet of received) receiver.session.checkInbound(packet)
    done(8)
    for (const packet of received) this.#coalescer.add(packet)
    this.#coalescer.flush()
    done(9)
    this.packets += received.length
  }

  /** Returns how many packets it were. */
  #encrypt({ connection, socket }: End): number {
    for (let packets = 0; ; packets++) {
      const packet = connection.send(socket.room(MAX_UDP_PAYLOAD), performance.now())
      if (packet === undefined) return packets
      socket.send(packet.length, packet.path.remote)
    }
  }

  async #arrival({ socket }: End, packets: number): Promise<void> {
    const arrived = this.#arrivedAt.get(socket) as Uint8Array[]
    for (let turns = 0; arrived.length < packets && turns < 100; turns++) await new Promise(setImmediate)
  }

  #decrypt({ connection, socket, path }: End): void {
    const arrived = this.#arrivedAt.get(socket) as Uint8Array[]
    for (const packet of arrived) connection.receive(packet, path, performance.now())
    arrived.length = 0
  }

  readonly #events: EngineEvents = {
    onEstablished() {},
    onDatagram: data => {
      if (this.#receivedCount < BATCH) this.#received[this.#receivedCount++].set(data)
    },
    onStreamData() {},
    onStreamReset() {},
    onStopSending() {},
    onPathChanged() {},
    onPathValidated() {},
    newConnectionId: () => randomBytes(8),
    onConnectionIdRetired() {},
  }
}

/** A client with 10.89.0.2, and a proxy behind which 10.90.0.0/24 is. */
function connectedSessions(): { client: ConnectIpSession; proxy: ConnectIpSession } {
  const client = new ConnectIpSession({ role: 'client', now: () => performance.now() })
  const proxy = new ConnectIpSession({ role: 'proxy', now: () => performance.now() })
  const tell = (to: ConnectIpSession, bytes: Uint8Array) => [...to.receiveCapsuleBytes(bytes)]
  const [asked] = tell(proxy, client.requestAddresses([{ version: 4 }]).bytes)
  if (asked.type !== 'addresses-requested') throw new Error(`expected a request of addresses, got ${asked.type}`)
  tell(
    client,
    proxy.answerAddressRequests(asked.requests, () => IpPrefix.parse('10.89.0.2/32')),
  )
  tell(client, proxy.advertiseRoutes([{ range: IpPrefix.parse('10.90.0.0/24').toRange(), protocol: 0 }]))
  client.mtu = proxy.mtu = PACKET
  return { client, proxy }
}

/** What the kernel hands over of a flow of TCP: see hosts/tun/offload.ts. */
function largePacket(): Uint8Array {
  const frame = new Uint8Array(OFFLOAD_HEADER + HEADERS + BATCH * (PACKET - HEADERS))
  const header = new DataView(frame.buffer)
  // Needs a checksum; TCP over IPv4; headers, segment, where the checksum begins and is.
  header.setUint8(0, 1)
  header.setUint8(1, 1)
  header.setUint16(2, HEADERS, true)
  header.setUint16(4, PACKET - HEADERS, true)
  header.setUint16(6, 20, true)
  header.setUint16(8, 16, true)
  const packet = frame.subarray(OFFLOAD_HEADER)
  packet.set([
    0x45,
    0,
    packet.length >> 8,
    packet.length & 0xff,
    0,
    1,
    0x40,
    0,
    64,
    6,
    0,
    0,
    10,
    89,
    0,
    2,
    10,
    90,
    0,
    1,
  ])
  const checksum = internetChecksum(packet, 0, 20)
  packet.set([checksum >> 8, checksum & 0xff], 10)
  // Ports, sequence numbers, a header of 20 bytes, ACK, a window.
  packet.set([0x9c, 0x40, 0x14, 0x51, 0, 0, 0, 1, 0, 0, 0, 1, 0x50, 0x10, 0xff, 0xff], 20)
  for (let i = HEADERS; i < packet.length; i++) packet[i] = i * 31
  return frame
}
