/**
 * Between the queues of all tunnels and their senders: asks a student's `Pump` what to do, and does it. It is asked in another process
 * (naive/turns.ts runs there), some packets at a time, so that meanwhile the proxy goes on. What it is told and what it may do are those of task 4.
 */
import { format } from '../../kit/check/format.ts'
import type { StudentObject } from '../../kit/student-code/types.ts'
import { PACKETS_PER_SECOND, PartError, QUEUE } from './parts.ts'

/** A pump that is asked so often, one time after the other, and moves nothing, will never move anything. */
const MOST_IDLE_STEPS = 200

/** Packets that are read before one looks again what has arrived. */
const PACKETS_AT_A_TIME = 8

/** Behind its schedule by more than this, the device does not make up for what it has missed. */
const MOST_LATE_MS = 60

export interface PumpFigures {
  /** Packets passed on, by queue. */
  passed: number[]
  /** Packets lost because a queue was full, by queue. */
  lost: number[]
  turns: number
  /** The most packets in one turn. */
  longestTurn: number
}

/** Finds out how these packets are sent, and returns what sends them, one after the other. */
type Prepare = (packets: readonly Uint8Array[]) => Promise<(() => void)[]>

interface Queue {
  readonly packets: Uint8Array[]
  readonly prepare: Prepare
  /** Found empty, and not named since. */
  drained: boolean
  /** A packet has come since: to be named in the next turn. */
  named: boolean
}

export class PumpRunner {
  /** A `Turns` of turns.ts. */
  readonly #turns: StudentObject
  readonly #queues: Queue[] = []
  readonly #figures: PumpFigures = { passed: [], lost: [], turns: 0, longestTurn: 0 }
  #wake: () => void = () => {}
  #nextPacketAt = 0
  #stopped = false

  constructor(turns: StudentObject) {
    this.#turns = turns
  }

  /** One more queue; returns its number. */
  add(prepare: Prepare): number {
    this.#figures.passed.push(0)
    this.#figures.lost.push(0)
    return this.#queues.push({ packets: [], prepare, drained: true, named: false }) - 1
  }

  /** A packet arrives in a queue. The bytes are kept. False: the queue is full. */
  offer(number: number, packet: Uint8Array): boolean {
    const queue = this.#queues[number]
    if (queue.packets.length >= QUEUE) {
      this.#figures.lost[number]++
      return false
    }
    queue.packets.push(packet)
    if (queue.drained && !queue.named) {
      queue.named = true
      this.#wake()
    }
    return true
  }

  /** Since the last call. */
  takeFigures(): PumpFigures {
    const figures = structuredClone(this.#figures)
    this.#figures.passed.fill(0)
    this.#figures.lost.fill(0)
    this.#figures.turns = 0
    this.#figures.longestTurn = 0
    return figures
  }

  stop(): void {
    this.#stopped = true
    this.#wake()
  }

  /** Runs until `stop`. Rejects with StudentError or PartError when the pump cannot go on. */
  async run(): Promise<void> {
    let idle = 0
    while (!this.#stopped) {
      const moved = await this.#turn()
      idle = moved ? 0 : idle + 1
      if (idle > MOST_IDLE_STEPS) {
        throw new PartError({
          expected: 'a pump that sleeps when nothing is there',
          found: `${idle} turns, one after the other, in which it moved nothing`,
          misconception: 'A pump that does not sleep keeps the processor busy with nothing.',
        })
      }
      // The others' turn of the event loop.
      await new Promise(resolve => setImmediate(resolve))
    }
  }

  /** From naming queues to `yield` or `sleep`. Returns whether a packet was moved, or it slept. */
  async #turn(): Promise<boolean> {
    this.#figures.turns++
    let packets = 0
    let named: number[] | undefined = this.#takeNamed()
    while (!this.#stopped) {
      const waiting = this.#queues.map(queue => queue.packets.length)
      const { reads, told, action } = checked(
        await this.#turns.call('goOn', named, waiting, PACKETS_AT_A_TIME, MOST_IDLE_STEPS),
        this.#queues.length,
      )
      named = undefined
      const moved = await this.#move(reads, waiting)
      packets += moved
      this.#figures.longestTurn = Math.max(this.#figures.longestTurn, packets)
      if (action?.type === 'yield') return packets > 0
      if (action?.type === 'sleep') {
        await this.#sleep()
        return true
      }
      if (told === undefined && moved > 0) continue
      throw new PartError({
        expected: `step(${format(told)}) to return yield, sleep, or read with a queue that is there`,
        found: told === undefined ? `${reads.length} reads that gave nothing, one after the other` : format(action),
      })
    }
    return true
  }

  /** Does the reads, of which those of more than was `waiting` are empty. Returns how many packets there were. */
  async #move(reads: readonly number[], waiting: readonly number[]): Promise<number> {
    const left = [...waiting]
    const order: number[] = []
    for (const number of reads) {
      const queue = this.#queues[number]
      if (left[number]-- > 0) {
        order.push(number)
        continue
      }
      queue.drained = true
      // What has come since it was looked at is news.
      if (queue.packets.length > order.filter(one => one === number).length) queue.named = true
    }
    const sends = await Promise.all(
      this.#queues.map(({ packets, prepare }, number) => {
        const taken = packets.splice(0, order.filter(one => one === number).length)
        return taken.length === 0 ? [] : prepare(taken)
      }),
    )
    for (const number of order) {
      await this.#pace()
      if (this.#stopped) break
      sends[number].shift()?.()
      this.#figures.passed[number]++
    }
    return order.length
  }

  /** Those with a packet since they were found empty: named once (edge-triggered). */
  #takeNamed(): number[] {
    const numbers = this.#queues.flatMap(({ named }, number) => (named ? [number] : []))
    for (const number of numbers) Object.assign(this.#queues[number], { named: false, drained: false })
    return numbers
  }

  async #sleep(): Promise<void> {
    if (this.#stopped || this.#queues.some(queue => queue.named)) return
    await new Promise<void>(resolve => {
      this.#wake = resolve
    })
    this.#wake = () => {}
  }

  async #pace(): Promise<void> {
    const now = performance.now()
    const at = Math.max(this.#nextPacketAt, now - MOST_LATE_MS)
    this.#nextPacketAt = at + 1000 / PACKETS_PER_SECOND
    if (at > now) await new Promise(resolve => setTimeout(resolve, at - now))
  }
}

interface Steps {
  reads: number[]
  /** What the pump was told last, and what it answered that was no read. */
  told?: unknown
  action?: { type?: unknown }
}

/** What comes from the sandbox may be anything. */
function checked(steps: unknown, queues: number): Steps {
  const { reads, told, action } = (steps ?? {}) as Partial<Steps>
  const isQueue = (number: unknown) =>
    Number.isInteger(number) && (number as number) >= 0 && (number as number) < queues
  if (!Array.isArray(reads) || reads.length > MOST_READS || !reads.every(isQueue)) {
    throw new PartError({ expected: 'a pump that reads queues', found: format(steps) })
  }
  return { reads, told, action }
}

const MOST_READS = (PACKETS_AT_A_TIME + 1) * MOST_IDLE_STEPS
