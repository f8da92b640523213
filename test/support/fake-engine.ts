/** A QUIC engine without QUIC, and sockets without a network: what the driver does, seen alone. */

import type { EcnCodepoint } from '../../src/quic/ecn.ts'
import type {
  AcceptOptions,
  DialOptions,
  EngineConnection,
  EngineCounters,
  EngineEvents,
  LongHeader,
  OutgoingPacket,
  QuicEngine,
  UdpPath,
} from '../../src/quic/engine.ts'
import type { PacketSocket, SocketEvents } from '../../src/quic/io.ts'
import type { QuicCloseReason, QuicPath, SocketAddress } from '../../src/quic/quic.ts'

const ID_LENGTH = 8
const INITIAL_LENGTH = 1200

/** First byte, ids of receiver and sender, and padding: all that the driver looks at. */
export function longPacket(dcid: Uint8Array, scid: Uint8Array): Buffer {
  return Buffer.concat([Uint8Array.of(0xc0), dcid, scid], INITIAL_LENGTH)
}

export function shortPacket(dcid: Uint8Array, payload: readonly number[] = []): Buffer {
  return Buffer.from([0x40, ...dcid, ...payload])
}

export class FakeSocket implements PacketSocket {
  readonly local: SocketAddress
  readonly sent: { packet: Uint8Array; to: SocketAddress }[] = []
  readonly readsAtOnce = 32
  readonly carriesEcn: boolean
  /** Of the packets that were sent. */
  readonly sentEcn: (EcnCodepoint | undefined)[] = []
  open = true
  queued = 0
  unsent = {}
  #events: SocketEvents | undefined
  #room = new Uint8Array(0)

  constructor(host: string, port: number, carriesEcn = false) {
    this.local = { host, port }
    this.carriesEcn = carriesEcn
  }

  start(events: SocketEvents): void {
    this.#events = events
  }
  room(length: number): Uint8Array {
    this.#room = new Uint8Array(length)
    return this.#room
  }
  send(length: number, to: SocketAddress, ecn?: EcnCodepoint): void {
    this.sentEcn.push(ecn)
    this.sent.push({ packet: this.#room.subarray(0, length), to })
  }
  flush(): void {}
  async close(): Promise<void> {
    this.open = false
  }
  /** The system says so. */
  fail(code: string): void {
    this.#events?.onError(Object.assign(new Error(code), { code }))
  }
  /** A packet comes from there. */
  arrive(packet: Buffer, from: SocketAddress, ecn?: EcnCodepoint): void {
    this.#events?.onPacket(packet, from.host, from.port, ecn)
  }
}

export class FakeEngine implements QuicEngine {
  readonly connections: FakeConnection[] = []

  parseHeader(packet: Uint8Array): LongHeader {
    const [dcid, scid] = [1, 1 + ID_LENGTH].map(at => packet.slice(at, at + ID_LENGTH))
    return { version: 1, isInitial: true, dcid, scid, token: new Uint8Array(0) }
  }
  speaks(version: number): boolean {
    return version === 1
  }
  versionNegotiation(): Uint8Array {
    return Uint8Array.of(0)
  }
  retry(): Uint8Array {
    return Uint8Array.of(1)
  }
  accept({ id, path, newToken }: AcceptOptions): FakeConnection {
    return Object.assign(this.#make(id, path), { newToken })
  }
  connect({ id, path }: DialOptions): FakeConnection {
    return this.#make(id, path)
  }
  #make(id: Uint8Array, path: UdpPath): FakeConnection {
    const connection = new FakeConnection(id, path)
    this.connections.push(connection)
    return connection
  }
}

/** Does what a test says, and writes down what it is asked to do. */
export class FakeConnection implements EngineConnection {
  readonly engineName = 'quiche'
  bytesInFlight: number | undefined
  /** The connection id that is ours. */
  readonly id: Uint8Array
  readonly path: UdpPath
  alpn = 'h3'
  resumed = false
  peerCertificate = undefined
  peerMaxDatagramFrameSize = 0
  resumptionTicket = undefined
  maxDatagramLength = 1000
  pathMtuSettled = true
  closing = false
  isOver = false

  readonly received: { packet: Uint8Array; path: UdpPath; now: number }[] = []
  readonly receivedEcn: (EcnCodepoint | undefined)[] = []
  isEcnEnabled = false
  /** What `send` gives out, one packet a call. */
  readonly toSend: { bytes: Uint8Array; path: UdpPath; ecn?: EcnCodepoint }[] = []
  /** What `handOut` reports. */
  readonly events: ((events: EngineEvents) => void)[] = []
  readonly written: { streamId: number; data: Uint8Array; fin: boolean }[] = []
  /** By turn: the time. */
  readonly turns: number[] = []
  readonly rings: number[] = []
  deadlineAt: number | undefined
  pings = 0
  hasSpareIds = true
  readonly probed: UdpPath[] = []
  readonly migrated: UdpPath[] = []
  /** In bytes: how much stream data is taken. */
  credit = Number.POSITIVE_INFINITY
  ended: QuicCloseReason | undefined
  newToken: AcceptOptions['newToken']

  constructor(id: Uint8Array, path: UdpPath) {
    this.id = id
    this.path = path
  }

  enableEcn(): void {
    this.isEcnEnabled = this.received.length === 0
  }
  receive(packet: Uint8Array, path: UdpPath, now: number, ecn?: EcnCodepoint): boolean {
    this.receivedEcn.push(ecn)
    this.received.push({ packet: Uint8Array.from(packet), path, now })
    return true
  }
  send(buffer: Uint8Array): OutgoingPacket | undefined {
    const next = this.toSend.shift()
    if (next === undefined) return undefined
    buffer.set(next.bytes)
    return { length: next.bytes.length, path: next.path, ...(next.ecn !== undefined && { ecn: next.ecn }) }
  }
  sendProbe(): undefined {}
  judgePath(): boolean {
    return false
  }
  handOut(events: EngineEvents, now: number): void {
    this.turns.push(now)
    for (const report of this.events.splice(0)) report(events)
  }
  deadline(): number | undefined {
    return this.deadlineAt
  }
  onDeadline(now: number): void {
    if (this.deadlineAt === undefined || now < this.deadlineAt) return
    this.rings.push(now)
    this.deadlineAt = undefined
  }
  logKeys(): void {}
  streamSend(streamId: number, data: Uint8Array, fin: boolean): number {
    const taken = data.subarray(0, this.credit)
    this.credit -= taken.length
    if (taken.length > 0) {
      this.written.push({ streamId, data: Uint8Array.from(taken), fin: fin && taken.length === data.length })
    }
    return taken.length
  }
  streamReset(): void {}
  streamStopSending(): void {}
  streamsLeft(): number {
    return 1
  }
  isAcknowledged(): boolean {
    return true
  }
  sendDatagram(): boolean {
    return true
  }
  countDatagrams(): number {
    return 0
  }
  purgeDatagrams(): number {
    return 0
  }
  ping(): void {
    this.pings++
  }
  close(application: boolean, code: number, reason: string): void {
    this.closing = true
    this.ended = { source: 'local', application, code, reason }
  }
  closeReason(): QuicCloseReason | undefined {
    return this.ended
  }
  probePath(path: UdpPath): boolean {
    this.probed.push(path)
    return this.hasSpareIds
  }
  migrate(path: UdpPath): void {
    this.migrated.push(path)
  }
  paths(): QuicPath[] {
    return []
  }
  counters(): EngineCounters {
    return { packetsSent: 0, packetsReceived: 0, packetsLost: 0, bytesSent: 0, bytesReceived: 0, rttMs: 0, cwnd: 0 }
  }
}
