/** The link that `netem check` measures, in an emulator of its own, and beside it a control. */

import type { RemoteInfo, Socket } from 'node:dgram'
import { setTimeout as sleep } from 'node:timers/promises'
import type { SocketAddress } from '../../net/udp.ts'
import type { EmulatorCounters } from '../emulator/emulator.ts'
import { type EmulatorHandle, startEmulatorProcess } from '../emulator/emulator-process.ts'
import { kernelDrops } from '../emulator/socket-drops.ts'
import { bindUdp, EmulatorError } from '../emulator/udp-socket.ts'
import { loadProfile } from '../profile/load-profile.ts'
import { type Attachment, DIRECTIONS, type Direction, type Impairment, type Profile } from '../profile/profile.ts'
import { type Flow, type FlowRecord, flowRecord } from './flow-record.ts'
import { type ProbeRun, probe, type Trail } from './probe.ts'

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
const LONGEST_DRAIN_MS = 30_000
/** How long a datagram may take from the link to the receiver. */
const LAST_HOP_MS = 250

/** An emulator in a process of its own, with both ends of its link here. */
export class CheckedLink {
  /** The profile's link is one attachment of the emulator, the control's the other. */
  readonly #link: EmulatorHandle
  readonly #place: Attachment
  readonly #client: Socket
  readonly #server: Socket
  /** Aborted when the measurement cannot go on … */
  readonly #stop = new AbortController()
  /** … and then this rejects. */
  readonly #over: Promise<never>
  readonly #back: (SocketAddress | undefined)[] = [undefined, undefined]
  /** When a direction of the link carried its first datagram: that starts a trace. */
  readonly #began = new Map<Direction, number>()
  #control: Record<Direction, ControlDatagram[]> = { up: [], down: [] }

  /** `place`: which attachment the link shall be. Rejects with EmulatorError. */
  static async start(link: Link, place: Attachment, seed: string, signal: AbortSignal): Promise<CheckedLink> {
    const sockets: Socket[] = []
    try {
      for (let i = 0; i < 2; i++) sockets.push(await bindUdp({ host: '127.0.0.1', port: 0 }))
      // A datagram that is refused is one that does not arrive; that is measured.
      for (const socket of sockets) socket.on('error', () => {})
      const [client, server] = sockets
      const [first, second] = place === 0 ? [link, CONTROL] : [CONTROL, link]
      const profile: Profile = { ...loadProfile('clean'), ...first, second }
      const emulator = await startEmulatorProcess({ profile, seed, to: addressOf(server), startTimeline: false })
      const checked = new CheckedLink(emulator, place, client, server, signal)
      try {
        await checked.#introduce()
        return checked
      } catch (error) {
        await checked.close()
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
      this.#stop.signal.addEventListener('abort', () => reject(this.#stop.signal.reason), { once: true })
    })
    this.#over.catch(() => {})
    link.once('died', error => this.#stop.abort(error))
    const stop = (): void => this.#stop.abort(new StoppedError('stopped before the measurement was complete'))
    if (signal.aborted) stop()
    signal.addEventListener('abort', stop, { once: true })
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

  /** Sends the flows, one a direction at most, at the same time and waits until the link is empty. */
  async run(flows: readonly Flow[], { onSent, onProgress, inBursts = false }: RunOptions = {}): Promise<FlowRecord[]> {
    if (flows.length === 0) return []
    const loads: ProbeRun['loads'] = {}
    for (const { direction, packets, spacingMs, payloadBytes } of flows) {
      // A sender that was held up does not make up for it, unless a burst is what is wanted: it would measure something else.
      const whenLate = inBursts ? 'burst' : 'later'
      loads[direction] = { packets, packetsPerSecond: 1000 / spacingMs, payloadBytes, whenLate }
    }
    const onSend = (direction: Direction, sequence: number): void => {
      onSent?.(direction, sequence)
      this.#noteBeginning(direction)
    }
    const trails = await probe(
      {
        client: this.#client,
        server: this.#server,
        target: () => this.#addressOf(this.#place),
        back: () => this.#back[this.#place],
        napMs: 1,
      },
      { durationMs: 0, drainMs: () => this.drained(), loads },
      { signal: this.#stop.signal, onSend, ...(onProgress && { onProgress }) },
    )
    return flows.map(flow => flowRecord(flow, trails[flow.direction] as Trail))
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

  #noteBeginning(direction: Direction): void {
    if (!this.#began.has(direction)) this.#began.set(direction, performance.now())
  }

  #addressOf(which: Attachment): SocketAddress {
    return which === 0 ? this.#link.address : (this.#link.secondAddress ?? this.#link.address)
  }

  #send(direction: Direction, payload: Uint8Array, which: Attachment): void {
    if (which === this.#place) this.#noteBeginning(direction)
    const to = this.#addressOf(which)
    if (direction === 'up') this.#client.send(payload, to.port, to.host)
    else {
      const back = this.#back[which]
      if (back !== undefined) this.#server.send(payload, back.port, back.host)
    }
  }
}

/** Ctrl-C. */
export class StoppedError extends EmulatorError {}

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
