/**
 * Two ends of a connection and a bad network between them, in memory and in virtual time: with the same seed everything happens again.
 */

import { type EcnCodepoint, NOT_ECT } from '../../../src/quic/ecn.ts'
import type { EngineConnection, EngineEvents, QuicEngine, UdpPath } from '../../../src/quic/engine.ts'
import type { QuicCloseReason, SocketAddress } from '../../../src/quic/quic.ts'

export const CLIENT_ADDRESS: SocketAddress = { host: '192.0.2.1', port: 1001 }
export const SERVER_ADDRESS: SocketAddress = { host: '198.51.100.1', port: 443 }

/** Mulberry32: small, and good enough to be unlucky with. */
export function seeded(seed: number): () => number {
  let state = seed >>> 0
  return () => {
    state = (state + 0x6d2b79f5) >>> 0
    let t = state
    t = Math.imul(t ^ (t >>> 15), t | 1)
    t ^= t + Math.imul(t ^ (t >>> 7), t | 61)
    return ((t ^ (t >>> 14)) >>> 0) / 2 ** 32
  }
}

export function seededBytes(random: () => number): (length: number) => Uint8Array {
  return length => Uint8Array.from({ length }, () => Math.floor(random() * 256))
}

export interface Conditions {
  /** One way, in ms; `jitterMs` on top of it makes packets overtake each other. */
  delayMs: number
  jitterMs: number
  /** Probabilities. */
  loss: number
  duplicate: number
  corrupt: number
  /** The largest UDP payload that the path carries. */
  mtu: number
  /** Of the slow place in each direction: bytes per ms, and how many bytes may wait for it. Default: there is none. */
  rate?: number
  queue?: number
}

export const GOOD: Conditions = {
  delayMs: 10,
  jitterMs: 0,
  loss: 0,
  duplicate: 0,
  corrupt: 0,
  mtu: 1500,
}

/** Never so often in a row without time passing: that would be a program that does not sleep any more. */
const MAX_STEPS_AT_ONCE = 5000

/** One end, with an application that writes down all that it hears. */
export class End implements EngineEvents {
  readonly connection: EngineConnection
  readonly received = new Map<number, { bytes: Uint8Array[]; fin: boolean }>()
  readonly resets = new Map<number, number>()
  readonly stopped = new Map<number, number>()
  readonly datagrams: Uint8Array[] = []
  readonly validated: UdpPath[] = []
  readonly ids: Uint8Array[] = []
  readonly #newId: () => Uint8Array
  /** What is still to be written to streams. */
  #pending: { streamId: number; data: Uint8Array; fin: boolean }[] = []
  established = false
  /** Whether the end was established, each time that it was told so. */
  readonly maySend: boolean[] = []
  movedTo: UdpPath | undefined
  closed: QuicCloseReason | undefined
  onData: ((streamId: number, fin: boolean) => void) | undefined
  onValidated: ((path: UdpPath) => void) | undefined

  constructor(connection: EngineConnection, newId: () => Uint8Array) {
    this.connection = connection
    this.#newId = newId
  }

  write(streamId: number, data: Uint8Array, fin = true): void {
    this.#pending.push({ streamId, data, fin })
  }

  bytesOf(streamId: number): Uint8Array {
    return Buffer.concat(this.received.get(streamId)?.bytes ?? [])
  }

  hasEnded(streamId: number): boolean {
    return this.received.get(streamId)?.fin === true
  }

  /** As the driver does it: events, what could not be written before, packets. */
  turn(
    now: number,
    transmit: (packet: Uint8Array, path: UdpPath, ecn: EcnCodepoint | undefined) => void,
    room: Uint8Array,
  ): void {
    const { connection } = this
    connection.handOut(this, now)
    this.#pending = this.#pending.filter(each => !this.#flush(each))
    for (;;) {
      const packet = connection.send(room, now)
      if (packet === undefined) break
      transmit(room.slice(0, packet.length), packet.path, packet.ecn)
    }
    if (this.established && !connection.closing) {
      const probe = connection.sendProbe(room, () => undefined, now)
      if (probe !== undefined) transmit(room.slice(0, probe.length), probe.path, probe.ecn)
    }
    connection.judgePath(connection.countDatagrams() > 0, now)
    this.closed ??= connection.closeReason()
  }

  #flush(each: { streamId: number; data: Uint8Array; fin: boolean }): boolean {
    if (!this.established) return false
    const taken = this.connection.streamSend(each.streamId, each.data, each.fin)
    if (taken === undefined || (taken === each.data.length && taken > 0)) return true
    const isDone = each.data.length === 0 && each.fin
    each.data = each.data.subarray(taken)
    return isDone
  }

  onMaySend(): void {
    this.maySend.push(this.established)
  }
  onEstablished(): void {
    this.established = true
  }
  onDatagram(data: Uint8Array): void {
    this.datagrams.push(Uint8Array.from(data))
  }
  onStreamData(streamId: number, data: Uint8Array, fin: boolean): void {
    const stream = this.received.get(streamId) ?? { bytes: [], fin: false }
    stream.bytes.push(Uint8Array.from(data))
    stream.fin ||= fin
    this.received.set(streamId, stream)
    this.onData?.(streamId, fin)
  }
  onStreamReset(streamId: number, code: number): void {
    this.resets.set(streamId, code)
  }
  onStopSending(streamId: number, code: number): void {
    this.stopped.set(streamId, code)
  }
  onPathChanged(path: UdpPath): void {
    this.movedTo = path
  }
  onPathValidated(path: UdpPath): void {
    this.validated.push(path)
    this.onValidated?.(path)
  }
  newConnectionId(): Uint8Array {
    const id = this.#newId()
    this.ids.push(id)
    return id
  }
  onConnectionIdRetired(): void {}
}

interface Flying {
  at: number
  to: 'client' | 'server'
  packet: Uint8Array
  path: UdpPath
  ecn: EcnCodepoint
}

/** What becomes of the ECN field of a packet that was sent with it; undefined: the packet is dropped. */
export type Remark = (ecn: EcnCodepoint, to: 'client' | 'server', packet: Uint8Array) => EcnCodepoint | undefined

export interface NetworkOptions {
  client: QuicEngine
  server: QuicEngine
  seed?: number
  conditions?: Partial<Conditions>
  /** The server wants to see the client's address proved. */
  retry?: boolean
  resumptionTicket?: Uint8Array
  serverName?: string
  /** Both ends can set and read the ECN field of IP, and this happens to it on the way. */
  ecn?: Remark
  /** Gets each end before its first packet. */
  observe?: (which: 'client' | 'server', connection: EngineConnection, now: number) => void
}

/** Something that happens at a time, without a packet. */
interface Planned {
  at: number
  what: () => void
}

export class VirtualNetwork {
  now = 1000
  readonly conditions: Conditions
  readonly client: End
  server: End | undefined
  /** Sees all packets that are sent, and may return others in their place, or none. */
  tamper: (packet: Uint8Array, to: 'client' | 'server', path: UdpPath) => Uint8Array[] = packet => [packet]
  /** Each address of the client's that is in use, and where the server sees it. */
  readonly #outside = new Map<string, { inside: SocketAddress; outside: SocketAddress }>()
  /** From and to these of the client's addresses nothing gets through any more. */
  readonly #left = new Set<string>()
  sent = { client: 0, server: 0 }
  readonly random: () => number
  readonly #randomBytes: (length: number) => Uint8Array
  readonly #options: NetworkOptions
  readonly #room = new Uint8Array(65_535)
  #flying: Flying[] = []
  /** When the slow place is free again. */
  readonly #freeAt = { client: 0, server: 0 }
  #planned: Planned[] = []
  #steps = 0
  #deadlines: { client: number | undefined; server: number | undefined } = { client: undefined, server: undefined }

  constructor(options: NetworkOptions) {
    this.#options = options
    this.random = seeded(options.seed ?? 1)
    this.#randomBytes = seededBytes(this.random)
    this.conditions = { ...GOOD, ...options.conditions }
    const path = { local: CLIENT_ADDRESS, remote: SERVER_ADDRESS }
    const id = this.#randomBytes(8)
    const { serverName = 'localhost', resumptionTicket } = options
    const connection = options.client.connect({
      id,
      path,
      serverName,
      ...(resumptionTicket !== undefined && { resumptionTicket }),
    })
    if (options.ecn !== undefined) connection.enableEcn?.()
    options.observe?.('client', connection, this.now)
    this.client = new End(connection, () => this.#randomBytes(8))
    this.turn('client')
  }

  /** The application at one end has done something. */
  turn(which: 'client' | 'server'): void {
    const end = which === 'client' ? this.client : this.server
    if (end === undefined) return
    end.turn(this.now, (packet, path, ecn) => this.#send(packet, path, which, ecn), this.#room)
    this.#deadlines[which] = end.connection.deadline(this.now)
  }

  /** A NAT shows the client at another address from now on, and drops what comes for the one of before. */
  rebind(outside: SocketAddress, inside: SocketAddress = CLIENT_ADDRESS): void {
    this.#outside.set(nameOf(inside), { inside, outside })
  }

  /** The client has gone from there: out of the reach of a WLAN, for example. */
  leave(inside: SocketAddress): void {
    this.#left.add(nameOf(inside))
  }

  /** In so many ms. */
  later(ms: number, what: () => void): void {
    this.#planned.push({ at: this.now + ms, what })
    this.#planned.sort((a, b) => a.at - b.at)
  }

  /** Lets time pass until the condition holds. False: it did not, in so many ms. */
  run(until: () => boolean, limitMs = 120_000): boolean {
    const end = this.now + limitMs
    while (!until()) {
      const next = Math.min(
        this.#flying[0]?.at ?? Number.POSITIVE_INFINITY,
        this.#planned[0]?.at ?? Number.POSITIVE_INFINITY,
        this.#deadlines.client ?? Number.POSITIVE_INFINITY,
        this.#deadlines.server ?? Number.POSITIVE_INFINITY,
      )
      if (next > end) {
        this.now = end
        return false
      }
      if (next > this.now) this.#steps = 0
      if (++this.#steps > MAX_STEPS_AT_ONCE) throw new Error(`time stands still at ${this.now} ms`)
      this.now = Math.max(this.now, next)
      this.#step()
    }
    return true
  }

  /** A packet out of nowhere. */
  inject(packet: Uint8Array, to: 'client' | 'server', path: UdpPath, ecn: EcnCodepoint = NOT_ECT): void {
    this.#flying.unshift({ at: this.now, to, packet, path, ecn })
  }

  #step(): void {
    if (this.#planned[0] !== undefined && this.#planned[0].at <= this.now) {
      this.#planned.shift()?.what()
      this.turn('client')
      return
    }
    const first = this.#flying[0]
    if (first !== undefined && first.at <= this.now) {
      this.#flying.shift()
      this.#deliver(first)
      return
    }
    for (const which of ['client', 'server'] as const) {
      const at = this.#deadlines[which]
      if (at === undefined || at > this.now) continue
      const end = which === 'client' ? this.client : this.server
      end?.connection.onDeadline(this.now)
      this.turn(which)
    }
  }

  #deliver({ to, packet, path, ecn }: Flying): void {
    if (to === 'client') this.client.connection.receive(packet, path, this.now, ecn)
    else if (this.server === undefined) this.#accept(packet, path, ecn)
    else this.server.connection.receive(packet, path, this.now, ecn)
    this.turn(to)
  }

  #accept(packet: Uint8Array, path: UdpPath, ecn: EcnCodepoint): void {
    const engine = this.#options.server
    const header = engine.parseHeader(packet)
    if (header === undefined || !header.isInitial || packet.length < 1200 || !engine.speaks(header.version)) return
    const isRetried = header.token.length > 0
    if (this.#options.retry === true && !isRetried) {
      const newId = this.#randomBytes(8)
      // The token of this server is nothing but what it has to remember.
      this.#fly(
        engine.retry(header, newId, Uint8Array.from(header.dcid)),
        { local: path.remote, remote: path.local },
        'client',
        NOT_ECT,
      )
      return
    }
    const id = isRetried ? Uint8Array.from(header.dcid) : this.#randomBytes(8)
    const originalId = isRetried ? Uint8Array.from(header.token) : undefined
    const connection = engine.accept({ id, path, ...(originalId !== undefined && { originalId }) })
    if (connection === undefined) return
    if (this.#options.ecn !== undefined) connection.enableEcn?.()
    this.#options.observe?.('server', connection, this.now)
    if (!connection.receive(packet, path, this.now, ecn)) return
    this.server = new End(connection, () => this.#randomBytes(8))
  }

  #send(packet: Uint8Array, path: UdpPath, from: 'client' | 'server', sentWith: EcnCodepoint = NOT_ECT): void {
    this.sent[from]++
    const to = from === 'client' ? 'server' : 'client'
    const seen = this.#seenBy(to, path)
    const { ecn: remark = same } = this.#options
    const ecn = remark(sentWith, to, packet)
    if (seen === undefined || ecn === undefined) return
    for (const each of this.tamper(packet, to, path)) this.#fly(each, seen, to, ecn)
  }

  /** undefined: it leads nowhere. */
  #seenBy(to: 'client' | 'server', { local, remote }: UdpPath): UdpPath | undefined {
    if (to === 'client') {
      const found = [...this.#outside.values()].find(({ outside }) => nameOf(outside) === nameOf(remote))
      if (found === undefined || this.#left.has(nameOf(found.inside))) return undefined
      return { local: found.inside, remote: local }
    }
    const name = nameOf(local)
    if (this.#left.has(name)) return undefined
    if (!this.#outside.has(name)) this.rebind(local, local)
    return { local: remote, remote: this.#outside.get(name)!.outside }
  }

  #fly(packet: Uint8Array, path: UdpPath, to: 'client' | 'server', ecn: EcnCodepoint): void {
    const { delayMs, jitterMs, loss, duplicate, corrupt, mtu, rate = Infinity, queue = Infinity } = this.conditions
    if (packet.length > mtu) return
    for (let copies = this.random() < duplicate ? 2 : 1; copies > 0; copies--) {
      if (this.random() < loss) continue
      const copy = Uint8Array.from(packet)
      if (this.random() < corrupt) copy[Math.floor(this.random() * copy.length)] ^= 1 + Math.floor(this.random() * 255)
      const free = Math.max(this.#freeAt[to], this.now)
      const waiting = free > this.now ? (free - this.now) * rate : 0
      if (waiting + copy.length > queue) continue
      this.#freeAt[to] = free + copy.length / rate
      this.#schedule({ at: this.#freeAt[to] + delayMs + jitterMs * this.random(), to, packet: copy, path, ecn })
    }
  }

  #schedule(flying: Flying): void {
    let i = this.#flying.length
    while (i > 0 && this.#flying[i - 1].at > flying.at) i--
    this.#flying.splice(i, 0, flying)
  }
}

const same: Remark = ecn => ecn

function nameOf({ host, port }: SocketAddress): string {
  return `${host} ${port}`
}
