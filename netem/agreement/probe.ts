/**
 * The probe: numbered datagrams through a link in both directions, with the time of sending and of arrival of each. Both
 * backends are measured with it.
 *
 * One process holds the sockets of both ends, so there is one clock, and nobody waits for another process to be scheduled.
 * It turns in a loop that hardly sleeps: the time of an arrival is then right to some tens of microseconds, and a turn that took long
 * betrays that the machine (or the User Mode Linux) stood still. Arrivals of such moments are marked, and take no part in
 * comparisons of times; whether a packet arrived counts always.
 */
import type { Socket } from 'node:dgram'
import { DIRECTIONS, type Direction } from '../../src/link/profile/profile.ts'
import type { SocketAddress } from '../../src/net/udp.ts'

/** The two ends. Where the client sends to may change on the way (a handover). */
export interface ProbeSockets {
  client: Socket
  server: Socket
  /** Where the client's packets go. */
  target: () => SocketAddress
  /** How long the loop may sleep between two turns, in ms; 0: not at all. */
  napMs: number
}

/** Packets of one size at even distances. */
export interface Load {
  packetsPerSecond: number
  payloadBytes: number
}

export interface ProbeRun {
  durationMs: number
  /** How long to wait for what is still on its way. */
  drainMs: number
  loads: { [direction in Direction]?: Load | undefined }
}

/** What became of the packets of one direction. Times in ms since the run began. */
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
/** Sent in one turn at most, so that a late sender does not make a burst of what it missed. */
const PACKETS_A_TURN = 3

/**
 * Sequence number and run number come three times, and the majority of each bit counts: a packet with one bit turned over
 * is still known.
 */
const HEADER_BYTES = 18
const FILL = 0x5a

/** The smallest payload that a load may have. */
export const LEAST_PAYLOAD_BYTES = HEADER_BYTES

let runNumber = Math.floor(Math.random() * 65_536)

/**
 * One run. Before the first packet of the
 * direction down the server must know where the client is: a few packets that are not counted go up first.
 * `onBegin` is waited for just before the first packet that counts.
 */
export async function probe(
  sockets: ProbeSockets,
  run: ProbeRun,
  { signal, onBegin }: { signal?: AbortSignal; onBegin?: () => Promise<void> } = {},
): Promise<Trails> {
  runNumber = (runNumber + 1) % 65_536
  const ends = { up: new Receiver(run.loads.up, runNumber), down: new Receiver(run.loads.down, runNumber) }
  let client: SocketAddress | undefined
  let nowMs = 0
  const began = performance.now()
  const fromClient = (message: Buffer, from: { address: string; port: number }) => {
    client = { host: from.address, port: from.port }
    ends.up.receive(message, `${from.address}:${from.port}`, performance.now() - began)
  }
  const fromServer = (message: Buffer, from: { address: string; port: number }) =>
    ends.down.receive(message, `${from.address}:${from.port}`, performance.now() - began)
  sockets.server.on('message', fromClient)
  sockets.client.on('message', fromServer)
  try {
    // Until the server has heard of the client; at most for a while, for the link may be down.
    if (run.loads.down) {
      for (let tries = 0; client === undefined && tries < 100; tries++) {
        const { host, port } = sockets.target()
        sockets.client.send(HELLO, port, host)
        await new Promise(resolve => setTimeout(resolve, 20))
      }
    }
    await onBegin?.()
    const startMs = performance.now() - began
    const senders = DIRECTIONS.flatMap(direction => {
      const load = run.loads[direction]
      if (load === undefined) return []
      const send = (packet: Buffer) => {
        const to = direction === 'up' ? sockets.target() : client
        if (to) (direction === 'up' ? sockets.client : sockets.server).send(packet, to.port, to.host)
      }
      return [new Sender(load, run.durationMs, runNumber, startMs, send)]
    })
    const endMs = startMs + run.durationMs + run.drainMs
    nowMs = performance.now() - began
    let quietSince = startMs
    // Not before all has been quiet for a while: the machine may have stood still just when the last packets were due.
    while (nowMs < endMs || (nowMs < endMs + LONGEST_OVERTIME_MS && nowMs < quietSince + QUIET_MS)) {
      signal?.throwIfAborted()
      for (const sender of senders) sender.turn(began)
      if (sockets.napMs > 0) Atomics.wait(SLEEPER, 0, 0, sockets.napMs)
      await nextTurn()
      const now = performance.now() - began
      if (now - nowMs > HELD_UP_MS) {
        quietSince = now
        ends.up.heldUp(nowMs, now + RECOVERY_MS)
        ends.down.heldUp(nowMs, now + RECOVERY_MS)
      }
      if (ends.up.lastMs > nowMs || ends.down.lastMs > nowMs) quietSince = now
      nowMs = now
    }
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

function nextTurn(): Promise<void> {
  return new Promise(resolve => setImmediate(resolve))
}

class Sender {
  readonly #load: Load
  readonly #run: number
  readonly #startMs: number
  readonly #count: number
  readonly #send: (packet: Buffer) => void
  readonly #sentMs: Float64Array
  #next = 0

  constructor(load: Load, durationMs: number, run: number, startMs: number, send: (packet: Buffer) => void) {
    this.#load = load
    this.#run = run
    this.#startMs = startMs
    this.#count = Math.floor((load.packetsPerSecond * durationMs) / 1000)
    this.#send = send
    this.#sentMs = new Float64Array(this.#count)
  }

  get sentMs(): Float64Array {
    return this.#sentMs.subarray(0, this.#next)
  }

  turn(began: number): void {
    for (let left = PACKETS_A_TURN; left > 0 && this.#next < this.#count; left--) {
      const now = performance.now() - began
      if (now < this.#startMs + (this.#next * 1000) / this.#load.packetsPerSecond) return
      const packet = Buffer.alloc(this.#load.payloadBytes, FILL)
      for (let copy = 0; copy < 3; copy++) {
        packet.writeUInt32BE(this.#next, copy * 4)
        packet.writeUInt16BE(this.#run, 12 + copy * 2)
      }
      this.#sentMs[this.#next++] = now
      this.#send(packet)
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
