/**
 * What `netem check` measures with: numbered datagrams that go through a link and arrive in the process that sent them, so that one
 * clock measures one-way delays.
 */

import type { RemoteInfo, Socket } from 'node:dgram'
import { setTimeout as sleep } from 'node:timers/promises'
import type { SocketAddress } from '../../net/udp.ts'
import type { EmulatorCounters } from '../emulator/emulator.ts'
import { type EmulatorHandle, startEmulatorProcess } from '../emulator/emulator-process.ts'
import { kernelDrops } from '../emulator/socket-drops.ts'
import { bindUdp, EmulatorError } from '../emulator/udp-socket.ts'
import { loadProfile } from '../profile/load-profile.ts'
import { type Attachment, DIRECTIONS, type Direction, type Impairment, type Profile } from '../profile/profile.ts'

/** Datagrams of one flow through one direction. */
export interface Flow {
  direction: Direction
  packets: number
  spacingMs: number
  payloadBytes: number
}

/** What became of a flow. Times are those of `performance.now()`. */
export interface FlowRecord {
  flow: Flow
  /** When each datagram was sent. */
  sentMs: Float64Array
  /** One-way, of the first copy of each datagram that arrived, in order of arrival, in ms. */
  delays: number[]
  /** Of every copy. */
  arrivalsMs: number[]
  duplicates: number
  corrupted: number
  /** Later than one that was sent after it (RFC 4737). */
  reordered: number
}

/** One direction each of a link that does not change. */
export type Link = Record<Direction, Impairment>

/** A datagram of the control run, and how much longer it took than its link's delay. */
export interface ControlDatagram {
  sentMs: number
  lateMs: number
}

export interface RunOptions {
  onSent?: (direction: Direction, sequence: number) => void
  onProgress?: (share: number) => void
  /** Whether a sender that was held up makes up for it. */
  inBursts?: boolean
}

/**
 * The control: a link with a delay that does not vary and nothing else, in the same emulator and at the same time as the one
 * that is checked. How late its datagrams are is this machine's share (sockets, wake-ups, other programs).
 */
const CONTROL_DELAY_MS = 20
const CONTROL: Link = controlLink()
const CONTROL_BYTES = 24

const HELLO_BYTES = 20
const WARM_UP_PACKETS = 200
const HELLO_ATTEMPTS = 200
const HELLO_EVERY_MS = 20
/** What is overdue in the sender is sent in portions, so that it goes on receiving. */
const MOST_AT_ONCE = 50
const HELD_UP_MS = 3
const LONGEST_DRAIN_MS = 30_000
/** How long a datagram may take from the link to the receiver. */
const LAST_HOP_MS = 250

/** An emulator in a process of its own, with both ends of its link here. */
export class Probe {
  /** The profile's link is one attachment of the emulator, the control's the other. */
  readonly #link: EmulatorHandle
  readonly #place: Attachment
  readonly #client: Socket
  readonly #server: Socket
  /** Rejects when the measurement cannot go on. */
  readonly #over: Promise<never>
  readonly #back: (SocketAddress | undefined)[] = [undefined, undefined]
  /** When a direction of the link carried its first datagram: that starts a trace. */
  readonly #began = new Map<Direction, number>()
  #control: Record<Direction, ControlDatagram[]> = { up: [], down: [] }

  /** `place`: which attachment the link shall be. Rejects with EmulatorError. */
  static async start(link: Link, place: Attachment, seed: string, signal: AbortSignal): Promise<Probe> {
    const sockets: Socket[] = []
    try {
      for (let i = 0; i < 2; i++) sockets.push(await bindUdp({ host: '127.0.0.1', port: 0 }))
      // A datagram that is refused is one that does not arrive; that is measured.
      for (const socket of sockets) socket.on('error', () => {})
      const [client, server] = sockets
      const [first, second] = place === 0 ? [link, CONTROL] : [CONTROL, link]
      const profile: Profile = { ...loadProfile('clean'), ...first, second }
      const emulator = await startEmulatorProcess({ profile, seed, to: addressOf(server), startTimeline: false })
      const probe = new Probe(emulator, place, client, server, signal)
      try {
        await probe.#introduce()
        return probe
      } catch (error) {
        await probe.close()
        throw error
      }
    } catch (error) {
      for (const socket of sockets) closeQuietly(socket)
      throw error
    }
  }

  private constructor(link: EmulatorHandle, place: Attachment, client: Socket, server: Socket, signal: AbortSignal) {
    this.#link = link
    this.#place = place
    this.#client = client
    this.#server = server
    this.#over = new Promise((_, reject) => {
      link.once('died', reject)
      const stop = (): void => reject(new StoppedError('stopped before the measurement was complete'))
      if (signal.aborted) stop()
      signal.addEventListener('abort', stop, { once: true })
    })
    this.#over.catch(() => {})
    for (const [direction, socket] of [
      ['up', server],
      ['down', client],
    ] as const) {
      socket.on('message', payload => {
        if (payload.length !== CONTROL_BYTES) return
        const sentMs = new DataView(payload.buffer, payload.byteOffset, payload.byteLength).getFloat64(0)
        this.#control[direction].push({ sentMs, lateMs: performance.now() - sentMs - CONTROL_DELAY_MS })
      })
    }
  }

  /** Makes the client known at both attachments. Rejects when nothing comes through. */
  async #introduce(): Promise<void> {
    const listener = (payload: Buffer, from: RemoteInfo): void => {
      if (payload.length === HELLO_BYTES) this.#back[payload[0]] ??= { host: from.address, port: from.port }
    }
    this.#server.on('message', listener)
    // More than one, because the link may lose it.
    for (let attempts = 0; this.#back.includes(undefined); attempts++) {
      if (attempts === HELLO_ATTEMPTS) {
        throw new EmulatorError('not one datagram came through the link: is it an outage?')
      }
      for (const which of [0, 1] as const) {
        if (this.#back[which] === undefined) this.#send('up', new Uint8Array(HELLO_BYTES).fill(which), which)
      }
      await this.#unlessOver(sleep(HELLO_EVERY_MS))
    }
    // The first packets of a program that has just started are slow. And nothing of it may be taken for a measurement.
    for (let i = 0; i < WARM_UP_PACKETS; i++) {
      for (const direction of DIRECTIONS) this.sendControl(direction)
      await this.#unlessOver(sleep(1))
    }
    this.#server.off('message', listener)
    await this.drained()
    this.takeControl()
  }

  /** A datagram of the control run. */
  sendControl(direction: Direction): void {
    const payload = new Uint8Array(CONTROL_BYTES)
    new DataView(payload.buffer).setFloat64(0, performance.now())
    this.#send(direction, payload, this.#place === 0 ? 1 : 0)
  }

  /** What the control run found since the last call, in order of sending. */
  takeControl(): Record<Direction, ControlDatagram[]> {
    const taken = this.#control
    this.#control = { up: [], down: [] }
    for (const direction of DIRECTIONS) taken[direction].sort((a, b) => a.sentMs - b.sentMs)
    return taken
  }

  /** When the first datagram went into this direction of the link. */
  beganMs(direction: Direction): number {
    return this.#began.get(direction) ?? performance.now()
  }

  /** Sends the flows at the same time and waits until the link is empty. */
  async run(flows: readonly Flow[], options: RunOptions = {}): Promise<FlowRecord[]> {
    const collectors = flows.map(flow => new Collector(flow))
    const listeners = collectors.map(collector => {
      const listener = (payload: Uint8Array): void => collector.add(payload, performance.now())
      this.#receiver(collector.flow.direction).on('message', listener)
      return listener
    })
    try {
      await this.#unlessOver(this.#sendAll(collectors, options))
      await this.drained()
      return collectors.map(collector => collector.record())
    } finally {
      for (const [i, { flow }] of collectors.entries()) this.#receiver(flow.direction).off('message', listeners[i])
    }
  }

  async #sendAll(
    collectors: readonly Collector[],
    { onSent, onProgress, inBursts = false }: RunOptions,
  ): Promise<void> {
    let stopped = false
    this.#over.catch(() => {
      stopped = true
    })
    const beganMs = performance.now()
    while (!stopped && collectors.some(collector => !collector.allSent)) {
      for (const collector of collectors) {
        const { direction, spacingMs } = collector.flow
        for (let i = 0; i < MOST_AT_ONCE && !collector.allSent; i++) {
          const behindMs = performance.now() - beganMs - collector.pausedMs - collector.sent * spacingMs
          if (behindMs < 0) break
          // A sender that was held up does not make up for it: a burst would measure something else.
          if (!inBursts && behindMs > HELD_UP_MS) collector.pausedMs += behindMs
          onSent?.(direction, collector.sent)
          this.#send(direction, collector.next(), this.#place)
        }
      }
      onProgress?.(Math.min(...collectors.map(({ sent, flow }) => sent / flow.packets)))
      await sleep(1)
    }
  }

  /** Resolves when nothing is on the link any more and what left it has arrived. */
  async drained(): Promise<void> {
    const untilMs = performance.now() + LONGEST_DRAIN_MS
    do {
      // What has just been sent has to reach the emulator first.
      await this.#unlessOver(sleep(LAST_HOP_MS))
    } while (queued(await this.#link.counters()) > 0 && performance.now() < untilMs)
    await this.#unlessOver(sleep(LAST_HOP_MS))
  }

  /**
   * Datagrams that this machine lost, and not the link, since the probe began: sockets whose buffer was full, sends that the
   * system did not take. Undefined where the system does not tell.
   */
  async machineLosses(): Promise<number | undefined> {
    const { outside } = await this.#link.counters()
    const ours = kernelDrops([this.#client, this.#server].map(addressOf))
    if (ours === undefined || outside.kernelDrops === undefined) return undefined
    return ours + outside.kernelDrops + outside.unsent + outside.unclaimed + outside.refused
  }

  async overdue(): Promise<number> {
    return (await this.#link.counters()).timing.overdue
  }

  async close(): Promise<void> {
    for (const socket of [this.#client, this.#server]) closeQuietly(socket)
    await this.#link.close()
  }

  #unlessOver<T>(work: Promise<T>): Promise<T> {
    return Promise.race([work, this.#over])
  }

  #receiver(direction: Direction): Socket {
    return direction === 'up' ? this.#server : this.#client
  }

  #send(direction: Direction, payload: Uint8Array, which: Attachment): void {
    if (which === this.#place && !this.#began.has(direction)) this.#began.set(direction, performance.now())
    const to = which === 0 ? this.#link.address : (this.#link.secondAddress ?? this.#link.address)
    if (direction === 'up') this.#client.send(payload, to.port, to.host)
    else {
      const back = this.#back[which]
      if (back !== undefined) this.#server.send(payload, back.port, back.host)
    }
  }
}

/** Ctrl-C. */
export class StoppedError extends EmulatorError {}

class Collector {
  readonly flow: Flow
  sent = 0
  /** For so long the sender was held up. */
  pausedMs = 0
  readonly #sentMs: Float64Array
  readonly #seen: Uint8Array
  readonly #delays: number[] = []
  readonly #arrivalsMs: number[] = []
  #duplicates = 0
  #corrupted = 0
  #reordered = 0
  #newest = -1

  constructor(flow: Flow) {
    this.flow = flow
    this.#sentMs = new Float64Array(flow.packets)
    this.#seen = new Uint8Array(flow.packets)
  }

  get allSent(): boolean {
    return this.sent === this.flow.packets
  }

  /** The next datagram to send, which counts as sent. */
  next(): Uint8Array {
    this.#sentMs[this.sent] = performance.now()
    return writeNumber(this.sent++, this.flow.payloadBytes)
  }

  add(payload: Uint8Array, nowMs: number): void {
    if (payload.length !== this.flow.payloadBytes) return
    const { sequence, intact } = readNumber(payload)
    if (sequence >= this.#seen.length) return
    this.#arrivalsMs.push(nowMs)
    if (!intact) this.#corrupted++
    if (this.#seen[sequence] === 1) {
      this.#duplicates++
      return
    }
    this.#seen[sequence] = 1
    this.#delays.push(nowMs - this.#sentMs[sequence])
    if (sequence < this.#newest) this.#reordered++
    else this.#newest = sequence
  }

  record(): FlowRecord {
    return {
      flow: this.flow,
      sentMs: this.#sentMs,
      delays: this.#delays,
      arrivalsMs: this.#arrivalsMs,
      duplicates: this.#duplicates,
      corrupted: this.#corrupted,
      reordered: this.#reordered,
    }
  }
}

/** The sequence number again and again: one bit that is wrong then does no harm, and is noticed. */
function writeNumber(sequence: number, length: number): Uint8Array {
  const payload = new Uint8Array(length)
  const view = new DataView(payload.buffer)
  for (let at = 0; at + 4 <= length; at += 4) view.setUint32(at, sequence)
  return payload
}

function readNumber(payload: Uint8Array): { sequence: number; intact: boolean } {
  const view = new DataView(payload.buffer, payload.byteOffset, payload.byteLength)
  const [first, second, third] = [0, 4, 8].map(at => view.getUint32(at))
  const sequence = first === second || first === third ? first : second
  for (let at = 0; at + 4 <= payload.length; at += 4) {
    if (view.getUint32(at) !== sequence) return { sequence, intact: false }
  }
  return { sequence, intact: true }
}

function queued({ up, down }: EmulatorCounters): number {
  return [...up, ...down].reduce((sum, each) => sum + each.queued, 0)
}

function controlLink(): Link {
  const { up, down } = loadProfile('clean')
  return { up: { ...up, delayMs: CONTROL_DELAY_MS }, down: { ...down, delayMs: CONTROL_DELAY_MS } }
}

function closeQuietly(socket: Socket): void {
  try {
    socket.close()
  } catch {
    // It is closed already.
  }
}

function addressOf(socket: Socket): SocketAddress {
  const { address, port } = socket.address()
  return { host: address, port }
}
