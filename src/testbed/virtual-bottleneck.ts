/**
 * Connections of the engine in TypeScript that share one link, in memory and in virtual time. Each of them is a whole one, from the handshake on, and sends
 * DATAGRAM frames as fast as its congestion control lets it.
 *
 *   sender A ─┐                                  ┌─> receiver A
 *             ├─> up: delay, queue, bottleneck ──┤               ACKs come back over `down`
 *   sender B ─┘                                  └─> receiver B
 *
 * The link is the emulator's (link/model). With the same seed everything happens again, however busy the machine is: so a verdict may depend on it.
 */
import { LinkDirection } from '../link/model/link-direction.ts'
import { Random } from '../link/model/random.ts'
import type { Impairment } from '../link/profile/profile.ts'
import type { EngineConnection, EngineEvents } from '../quic/engine.ts'
import {
  type CongestionControl,
  DEFAULT_QUIC_SETTINGS,
  type QuicSettings,
  type TlsMaterial,
  type UdpPath,
} from '../quic/quic.ts'
import { TypescriptEngine } from '../quic/typescript/engine.ts'
import type { CongestionController, ControllerOptions } from '../quic/typescript/recovery/congestion/controller.ts'

const FROM_CLIENT: UdpPath = {
  local: { host: '192.0.2.1', port: 1001 },
  remote: { host: '198.51.100.1', port: 443 },
}
const FROM_SERVER: UdpPath = { local: FROM_CLIENT.remote, remote: FROM_CLIENT.local }

/** What every path carries: none is searched for more, so that windows are counted in the same datagrams everywhere. */
export const VIRTUAL_DATAGRAM_SIZE = 1200

/** Packets shorter than that carry no data, but ACKs. */
const LEAST_DATA_BYTES = 600

/** Enough to always have one to send; more would only wait. */
const WAITING_DATAGRAMS = 4

/** In virtual time: when the handshakes are over on any link. */
export const HANDSHAKES_MS = 2000

/** Never so often in a row without time passing: that would be a program that does not sleep any more. */
const MAX_STEPS_AT_ONCE = 20_000

/** After so many steps others get a turn: a key that was pressed, the end of the check. */
const STEPS_BETWEEN_PAUSES = 2000

export interface VirtualFlowOptions {
  congestion: CongestionControl | ((options: ControllerOptions) => CongestionController)
  /**
   * Of a controller that decides elsewhere: asked each time before the connection sends, after it has heard of something. undefined: it has decided.
   */
  settle?: () => Promise<void> | undefined
  /** When it begins to send data, and when it has sent all, in ms. Not before `HANDSHAKES_MS`. */
  fromMs?: number
  untilMs?: number
}

/** A packet with one datagram has arrived. `delayMs`: on the link and in its queue, one way. */
export interface Arrival {
  readonly atMs: number
  readonly delayMs: number
}

export interface VirtualBottleneckOptions {
  up: Impairment
  down: Impairment
  seed: string
  /** Of a server that is called localhost. */
  serverTls: TlsMaterial
  signal?: AbortSignal
}

export class VirtualBottleneck {
  now = 0
  readonly flows: VirtualFlow[] = []
  readonly #options: VirtualBottleneckOptions
  readonly #up: LinkDirection
  readonly #down: LinkDirection
  /** By tag: what flew when. */
  readonly #flights: { flow: VirtualFlow; sentAt: number }[] = []
  /** Before the data: packets of handshakes do not meet the bottleneck, since their lengths are not always the same. */
  readonly #early: { at: number; packet: Uint8Array; to: 'client' | 'server'; flow: VirtualFlow }[] = []
  #stepsAtOnce = 0

  constructor(options: VirtualBottleneckOptions) {
    this.#options = options
    this.#up = new LinkDirection(options.up, { seed: options.seed, purpose: 'up' })
    this.#down = new LinkDirection(options.down, { seed: options.seed, purpose: 'down' })
  }

  addFlow(options: VirtualFlowOptions): VirtualFlow {
    const { seed, serverTls } = this.#options
    const flow = new VirtualFlow(options, { seed: `${seed} flow ${this.flows.length}`, serverTls })
    this.flows.push(flow)
    return flow
  }

  /** Packets that did not fit into the queue so far. */
  get dropped(): number {
    return this.#up.counters.overflow
  }

  /** Lets time pass until `untilMs`. `onProgress`: called now and then. Rejects when the signal was aborted. */
  async run(untilMs: number, onProgress: (nowMs: number) => void = () => {}): Promise<void> {
    for (const flow of this.flows) await this.#sendOf(flow, 'client')
    for (let steps = 1; ; steps++) {
      const next = this.#nextMs()
      if (next > untilMs) break
      if (next > this.now) this.#stepsAtOnce = 0
      if (++this.#stepsAtOnce > MAX_STEPS_AT_ONCE) throw new Error(`time stands still at ${this.now} ms`)
      this.now = Math.max(this.now, next)
      await this.#step()
      if (steps % STEPS_BETWEEN_PAUSES > 0) continue
      onProgress(this.now)
      await new Promise(resolve => setImmediate(resolve))
      this.#options.signal?.throwIfAborted()
    }
    this.now = untilMs
  }

  #nextMs(): number {
    let next = Math.min(
      this.#up.nextDueMs() ?? Number.POSITIVE_INFINITY,
      this.#down.nextDueMs() ?? Number.POSITIVE_INFINITY,
      this.#early[0]?.at ?? Number.POSITIVE_INFINITY,
    )
    for (const flow of this.flows) next = Math.min(next, flow.nextMs)
    return next
  }

  async #step(): Promise<void> {
    while (this.#early.length > 0 && this.#early[0]!.at <= this.now) {
      const { packet, to, flow } = this.#early.shift()!
      await this.#deliver(flow, to, packet)
    }
    const arrived: { to: 'client' | 'server'; packet: Uint8Array; tag: number }[] = []
    this.#up.release(this.now, (packet, tag) => arrived.push({ to: 'server', packet, tag }))
    this.#down.release(this.now, (packet, tag) => arrived.push({ to: 'client', packet, tag }))
    for (const { to, packet, tag } of arrived) {
      const { flow, sentAt } = this.#flights[tag]!
      const { length } = packet
      if (to === 'server' && length >= LEAST_DATA_BYTES)
        flow.arrivals.push({ atMs: this.now, delayMs: this.now - sentAt })
      await this.#deliver(flow, to, packet)
    }
    for (const flow of this.flows) {
      for (const which of ['client', 'server'] as const) {
        if (flow.onDeadline(which, this.now)) await this.#sendOf(flow, which)
      }
    }
  }

  async #deliver(flow: VirtualFlow, to: 'client' | 'server', packet: Uint8Array): Promise<void> {
    flow.receive(to, packet, this.now)
    await this.#sendOf(flow, to)
  }

  async #sendOf(flow: VirtualFlow, from: 'client' | 'server'): Promise<void> {
    const settling = from === 'client' ? flow.settle?.() : undefined
    if (settling !== undefined) await settling
    flow.send(from, this.now, packet => this.#transmit(flow, from, packet))
  }

  #transmit(flow: VirtualFlow, from: 'client' | 'server', packet: Uint8Array): void {
    const to = from === 'client' ? 'server' : 'client'
    if (this.now < HANDSHAKES_MS) {
      const { delayMs } = from === 'client' ? this.#options.up : this.#options.down
      // Each as late as those before: so they stay in order.
      this.#early.push({ at: this.now + delayMs, packet, to, flow })
      this.#early.sort((a, b) => a.at - b.at)
      return
    }
    this.#flights.push({ flow, sentAt: this.now })
    const link = from === 'client' ? this.#up : this.#down
    link.enqueue(packet, this.#flights.length - 1, this.now)
  }
}

export class VirtualFlow {
  /** Of each packet with data. */
  readonly arrivals: Arrival[] = []
  readonly settle: VirtualFlowOptions['settle']
  readonly #client: EngineConnection
  readonly #server: TypescriptEngine
  readonly #fromMs: number
  readonly #untilMs: number
  readonly #newId: () => Uint8Array
  readonly #clientEvents: EngineEvents
  readonly #serverEvents: EngineEvents
  readonly #room = new Uint8Array(2048)
  #accepted: EngineConnection | undefined
  #established = false
  #datagram = new Uint8Array(0)
  /** Bytes of a datagram: as many as fit into a packet. */
  datagramBytes = 0
  #clientDeadline = Number.POSITIVE_INFINITY
  #serverDeadline = Number.POSITIVE_INFINITY
  #hasBegun = false

  constructor(options: VirtualFlowOptions, given: { seed: string; serverTls: TlsMaterial }) {
    const { congestion, settle, fromMs = HANDSHAKES_MS, untilMs = Number.POSITIVE_INFINITY } = options
    this.settle = settle
    this.#fromMs = Math.max(fromMs, HANDSHAKES_MS)
    this.#untilMs = untilMs
    const bytesOf = (purpose: string) => {
      const random = new Random(given.seed, purpose)
      return (length: number) => Uint8Array.from({ length }, () => random.uint32() & 0xff)
    }
    const ids = bytesOf('ids')
    this.#newId = () => ids(8)
    const settings: QuicSettings = {
      ...DEFAULT_QUIC_SETTINGS,
      congestionControl: typeof congestion === 'string' ? congestion : 'reno',
      maxUdpPayload: VIRTUAL_DATAGRAM_SIZE,
      datagramQueue: WAITING_DATAGRAMS,
      keepAliveMs: 0,
    }
    const engine = (role: 'client' | 'server', tls: TlsMaterial, newController?: VirtualFlowOptions['congestion']) =>
      new TypescriptEngine(
        { role, settings, tls, peerCertificate: role === 'client' ? 'required' : 'none' },
        bytesOf(role),
        undefined,
        undefined,
        undefined,
        typeof newController === 'function' ? newController : undefined,
      )
    this.#server = engine('server', given.serverTls)
    const { ca } = given.serverTls
    this.#client = engine('client', ca === undefined ? {} : { ca }, congestion).connect({
      id: this.#newId(),
      path: FROM_CLIENT,
      serverName: 'localhost',
    })
    this.#clientEvents = this.#events(() => {
      this.#established = true
    })
    this.#serverEvents = this.#events(() => {})
  }

  /** When something happens here without a packet. */
  get nextMs(): number {
    const begin = this.#hasBegun ? Number.POSITIVE_INFINITY : this.#fromMs
    return Math.min(this.#clientDeadline, this.#serverDeadline, begin)
  }

  /** What has arrived between two times. */
  between(fromMs: number, untilMs: number): Arrival[] {
    return this.arrivals.filter(({ atMs }) => atMs >= fromMs && atMs < untilMs)
  }

  /** In bytes of datagrams per ms. */
  goodput(fromMs: number, untilMs: number): number {
    return (this.between(fromMs, untilMs).length * this.datagramBytes) / (untilMs - fromMs)
  }

  receive(to: 'client' | 'server', packet: Uint8Array, now: number): void {
    if (to === 'client') {
      this.#client.receive(packet, FROM_CLIENT, now)
      return
    }
    this.#accepted ??= this.#server.accept({ id: this.#newId(), path: FROM_SERVER })
    this.#accepted?.receive(packet, FROM_SERVER, now)
  }

  /** True: the deadline of this end had come, or it is time to begin. */
  onDeadline(which: 'client' | 'server', now: number): boolean {
    if (which === 'client' && !this.#hasBegun && now >= this.#fromMs) {
      this.#hasBegun = true
      return true
    }
    if ((which === 'client' ? this.#clientDeadline : this.#serverDeadline) > now) return false
    const connection = which === 'client' ? this.#client : this.#accepted
    connection?.onDeadline(now)
    return true
  }

  /** As the driver does it: events, data, packets, the next deadline. */
  send(from: 'client' | 'server', now: number, transmit: (packet: Uint8Array) => void): void {
    const connection = from === 'client' ? this.#client : this.#accepted
    if (connection === undefined) return
    connection.handOut(from === 'client' ? this.#clientEvents : this.#serverEvents, now)
    connection.judgePath(false, now)
    for (;;) {
      if (from === 'client') this.#fill(now)
      const packet = connection.send(this.#room, now)
      if (packet === undefined) break
      transmit(this.#room.slice(0, packet.length))
    }
    const deadline = connection.deadline(now) ?? Number.POSITIVE_INFINITY
    if (from === 'client') this.#clientDeadline = deadline
    else this.#serverDeadline = deadline
  }

  /** There is always something to send. */
  #fill(now: number): void {
    if (!this.#established || now < this.#fromMs || now >= this.#untilMs) return
    if (this.datagramBytes === 0) {
      this.datagramBytes = this.#client.maxDatagramLength
      this.#datagram = new Uint8Array(this.datagramBytes)
    }
    while (this.#client.sendDatagram(this.#datagram)) {}
  }

  #events(onEstablished: () => void): EngineEvents {
    return {
      onEstablished,
      onDatagram: () => {},
      onStreamData: () => {},
      onStreamReset: () => {},
      onStopSending: () => {},
      onPathChanged: () => {},
      onPathValidated: () => {},
      newConnectionId: this.#newId,
      onConnectionIdRetired: () => {},
    }
  }
}
