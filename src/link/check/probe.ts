/**
 * The probe: numbered datagrams through a link in both directions, with the time of sending and of arrival of each. `netem check`
 * measures with it, and so does `npm run test:netem`, either backend.
 *
 * One process holds the sockets of both ends, so there is one clock, and nobody waits for another process to be scheduled.
 * With a short nap it turns in a loop that hardly sleeps: the time of an arrival is then right to some tens of microseconds, and a turn
 * that took long betrays that the machine (or the User Mode Linux) stood still. Arrivals of such moments are marked, and take no part
 * in comparisons of times; whether a packet arrived counts always.
 */
import type { Socket } from 'node:dgram'
import { setTimeout as sleep } from 'node:timers/promises'
import type { SocketAddress } from '../../net/udp.ts'
import { DIRECTIONS, type Direction } from '../profile/profile.ts'

/** The two ends. Where the client sends to may change on the way (a handover). */
export interface ProbeSockets {
  client: Socket
  server: Socket
  /** Where the client's packets go. */
  target: () => SocketAddress
  /** Where the server's packets go, if that is known; otherwise to where the client's come from. */
  back?: () => SocketAddress | undefined
  /** How long the loop may sleep between two turns, in ms; 0: not at all. From 1 ms on arrivals may wake it. */
  napMs: number
}

/** Packets of one size at even distances. */
export interface Load {
  packetsPerSecond: number
  payloadBytes: number
  /** The run waits until so many are sent; without this as many as its duration has room for. */
  packets?: number
  /**
   * What a sender does that was held up: send what it missed at three packets a turn (`even`), at once (`burst`), or not make up
   * for it (`later`).
   */
  whenLate?: 'even' | 'burst' | 'later'
}

export interface ProbeRun {
  durationMs: number
  /** How long to wait for what is still on its way, in ms, or until when. */
  drainMs: number | (() => Promise<void>)
  loads: { [direction in Direction]?: Load | undefined }
}

/** What became of the packets of one direction. Times are those of `performance.now()`. */
export interface Trail {
  payloadBytes: number
  /** By sequence number. */
  sentMs: Float64Array
  /** By order of arrival: sequence number, time, and marks (see `Mark`). */
  sequence: Uint32Array
  arrivedMs: Float64Array
  marks: Uint8Array
  /** When the receiver saw another address of the sender than before (the first one included), and which port it was. */
  sources: { atMs: number; address: string }[]
}

/** Bits of `Trail.marks`. */
export const Mark = {
  /** Its contents are not those that were sent. */
  corrupted: 1,
  /** It arrived when the probe was held up: the time is not to be relied on. */
  heldUp: 2,
} as const

export type Trails = Partial<Record<Direction, Trail>>

/** A turn of the loop that takes longer than this was held up ... */
const HELD_UP_MS = 2
/** ... and what arrives this long after it has probably waited too. */
const RECOVERY_MS = 1
const QUIET_MS = 60
const LONGEST_OVERTIME_MS = 3000
/** Sent in one turn at most: so that a late sender does not make a burst of what it missed, or that it goes on receiving. */
const PACKETS_A_TURN = { even: 3, burst: 50, later: 50 }
/** A sender that is behind by more than this was held up. */
const BEHIND_MS = 3

/**
 * Sequence number and run number come three times, and the majority of each bit counts: a packet with one bit turned over
 * is still known.
 */
const HEADER_BYTES = 18
const FILL = 0x5a

/** The smallest payload that a load may have. */
export const LEAST_PAYLOAD_BYTES = HEADER_BYTES

let runNumber = Math.floor(Math.random() * 65_536)

export interface ProbeOptions {
  signal?: AbortSignal
  /** Waited for just before the first packet that counts. */
  onBegin?: () => Promise<void>
  /** Just before each packet that counts. */
  onSend?: (direction: Direction, sequence: number) => void
  /** A turn of the loop has ended: what arrived in it may have waited since its beginning. */
  onTurn?: (fromMs: number, toMs: number) => void
  /** The share of packets that were sent, now and then. */
  onProgress?: (share: number) => void
}

/**
 * One run. Before the first packet of the direction down the server must know where the client is: unless the sockets do, a few
 * packets that are not counted go up first. Rejects with the signal's reason.
 */
export async function probe(
  sockets: ProbeSockets,
  run: ProbeRun,
  { signal, onBegin, onSend, onTurn, onProgress }: ProbeOptions = {},
): Promise<Trails> {
  runNumber = (runNumber + 1) % 65_536
  const ends = { up: new Receiver(run.loads.up, runNumber), down: new Receiver(run.loads.down, runNumber) }
  let seen: SocketAddress | undefined
  const back = sockets.back ?? (() => seen)
  const fromClient = (message: Buffer, from: { address: string; port: number }) => {
    seen = { host: from.address, port: from.port }
    ends.up.receive(message, `${from.address}:${from.port}`, performance.now())
  }
  const fromServer = (message: Buffer, from: { address: string; port: number }) =>
    ends.down.receive(message, `${from.address}:${from.port}`, performance.now())
  sockets.server.on('message', fromClient)
  sockets.client.on('message', fromServer)
  try {
    // Until the server has heard of the client; at most for a while, for the link may be down.
    if (run.loads.down) {
      for (let tries = 0; back() === undefined && tries < 100; tries++) {
        const { host, port } = sockets.target()
        sockets.client.send(HELLO, port, host)
        await sleep(20)
      }
    }
    await onBegin?.()
    const startMs = performance.now()
    const senders = DIRECTIONS.flatMap(direction => {
      const load = run.loads[direction]
      if (load === undefined) return []
      const send = (packet: Buffer, sequence: number) => {
        onSend?.(direction, sequence)
        const to = direction === 'up' ? sockets.target() : back()
        if (to) (direction === 'up' ? sockets.client : sockets.server).send(packet, to.port, to.host)
      }
      return [new Sender(load, run.durationMs, runNumber, startMs, send)]
    })
    const endMs = startMs + run.durationMs + (typeof run.drainMs === 'number' ? run.drainMs : 0)
    let nowMs = startMs
    let quietSince = startMs
    // Not before all has been quiet for a while: the machine may have stood still just when the last packets were due.
    const isQuiet = () =>
      typeof run.drainMs !== 'number' || nowMs >= Math.min(endMs + LONGEST_OVERTIME_MS, quietSince + QUIET_MS)
    while (nowMs < endMs || senders.some(sender => sender.isAwaited) || !isQuiet()) {
      signal?.throwIfAborted()
      for (const sender of senders) sender.turn()
      onProgress?.(Math.min(...senders.map(({ share }) => share)))
      await nap(sockets.napMs)
      const now = performance.now()
      onTurn?.(nowMs, now)
      if (now - nowMs > HELD_UP_MS) {
        quietSince = now
        ends.up.heldUp(nowMs, now + RECOVERY_MS)
        ends.down.heldUp(nowMs, now + RECOVERY_MS)
      }
      if (ends.up.lastMs > nowMs || ends.down.lastMs > nowMs) quietSince = now
      nowMs = now
    }
    if (typeof run.drainMs !== 'number') await run.drainMs()
    const trails: Trails = {}
    let i = 0
    for (const direction of DIRECTIONS) {
      if (run.loads[direction]) trails[direction] = ends[direction].trail(senders[i++].sentMs)
    }
    return trails
  } finally {
    sockets.server.off('message', fromClient)
    sockets.client.off('message', fromServer)
  }
}

/** Makes the server known to a NAT or an emulator on the way, and belongs to no run. */
const HELLO = Buffer.alloc(HEADER_BYTES)

/** Nobody wakes it: a sleep that is shorter than a timer's millisecond. */
const SLEEPER = new Int32Array(new SharedArrayBuffer(4))

async function nap(ms: number): Promise<void> {
  if (ms >= 1) return await sleep(ms)
  if (ms > 0) Atomics.wait(SLEEPER, 0, 0, ms)
  await new Promise(resolve => setImmediate(resolve))
}

class Sender {
  readonly #load: Load
  readonly #run: number
  readonly #count: number
  readonly #send: (packet: Buffer, sequence: number) => void
  readonly #sentMs: Float64Array
  #startMs: number
  #next = 0

  constructor(
    load: Load,
    durationMs: number,
    run: number,
    startMs: number,
    send: (packet: Buffer, sequence: number) => void,
  ) {
    this.#load = load
    this.#run = run
    this.#startMs = startMs
    this.#count = load.packets ?? Math.floor((load.packetsPerSecond * durationMs) / 1000)
    this.#send = send
    this.#sentMs = new Float64Array(this.#count)
  }

  get sentMs(): Float64Array {
    return this.#sentMs.subarray(0, this.#next)
  }

  /** Of its packets, those that are sent: 0 to 1. */
  get share(): number {
    return this.#count === 0 ? 1 : this.#next / this.#count
  }

  /** Whether the run must go on until it has sent all. */
  get isAwaited(): boolean {
    return this.#load.packets !== undefined && this.#next < this.#count
  }

  turn(): void {
    const { packetsPerSecond, whenLate = 'even' } = this.#load
    for (let left = PACKETS_A_TURN[whenLate]; left > 0 && this.#next < this.#count; left--) {
      const now = performance.now()
      const behindMs = now - this.#startMs - (this.#next * 1000) / packetsPerSecond
      if (behindMs < 0) return
      if (whenLate === 'later' && behindMs > BEHIND_MS) this.#startMs += behindMs
      const packet = Buffer.alloc(this.#load.payloadBytes, FILL)
      for (let copy = 0; copy < 3; copy++) {
        packet.writeUInt32BE(this.#next, copy * 4)
        packet.writeUInt16BE(this.#run, 12 + copy * 2)
      }
      this.#sentMs[this.#next] = now
      this.#send(packet, this.#next++)
    }
  }
}

class Receiver {
  readonly #load: Load | undefined
  readonly #run: number
  readonly #sequence: number[] = []
  readonly #arrivedMs: number[] = []
  readonly #marks: number[] = []
  readonly #sources: { atMs: number; address: string }[] = []
  readonly #template: Buffer
  #heldUpUntil = Number.NEGATIVE_INFINITY

  constructor(load: Load | undefined, run: number) {
    this.#load = load
    this.#run = run
    this.#template = Buffer.alloc(load?.payloadBytes ?? 0, FILL)
  }

  /** When the last packet arrived. */
  get lastMs(): number {
    return this.#arrivedMs.at(-1) ?? Number.NEGATIVE_INFINITY
  }

  receive(message: Buffer, from: string, atMs: number): void {
    if (this.#load === undefined || message.length !== this.#load.payloadBytes) return
    const sequence = majority(message.readUInt32BE(0), message.readUInt32BE(4), message.readUInt32BE(8))
    const run = majority(message.readUInt16BE(12), message.readUInt16BE(14), message.readUInt16BE(16))
    if (run !== this.#run) return
    for (let copy = 0; copy < 3; copy++) {
      this.#template.writeUInt32BE(sequence, copy * 4)
      this.#template.writeUInt16BE(run, 12 + copy * 2)
    }
    if (this.#sources.at(-1)?.address !== from) this.#sources.push({ atMs, address: from })
    this.#sequence.push(sequence)
    this.#arrivedMs.push(atMs)
    const late = atMs <= this.#heldUpUntil ? Mark.heldUp : 0
    this.#marks.push(message.equals(this.#template) ? late : late | Mark.corrupted)
  }

  /** The probe stood still: what arrives from now until `toMs`, and what arrived since `fromMs`, is marked. */
  heldUp(fromMs: number, toMs: number): void {
    for (let i = this.#arrivedMs.length - 1; i >= 0 && this.#arrivedMs[i] >= fromMs; i--) this.#marks[i] |= Mark.heldUp
    this.#heldUpUntil = toMs
  }

  trail(sentMs: Float64Array): Trail {
    return {
      payloadBytes: this.#load?.payloadBytes ?? 0,
      sentMs: sentMs.slice(),
      sequence: Uint32Array.from(this.#sequence),
      arrivedMs: Float64Array.from(this.#arrivedMs),
      marks: Uint8Array.from(this.#marks),
      sources: this.#sources,
    }
  }
}

function majority(a: number, b: number, c: number): number {
  return ((a & b) | (a & c) | (b & c)) >>> 0
}
