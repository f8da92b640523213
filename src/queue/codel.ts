/**
 * CoDel, controlled delay, RFC 8289: a queue may be long for a moment, since bursts have to wait somewhere. One whose packets wait longer than
 * `target` for a whole `interval` is a standing queue, which only adds delay. Then packets are dropped, first one, and while that does not
 * help the next ones sooner and sooner: the time to the next drop is interval / √count (§5.5).
 */

import { type DisciplineOptions, QUEUE_LIMITS, type QueueDiscipline, type QueueDropReason } from './discipline.ts'
import { PacketList } from './packet-list.ts'

/** RFC 8289 §4.3 and §4.4: a round trip that most connections on the Internet stay below, and 5 % of it. In ms. */
export const CODEL_TARGET_MS = 5
export const CODEL_INTERVAL_MS = 100

/** Dropping that begins again so soon after it has ended, in intervals, goes on nearly where it was (§5.6). */
const SOON_INTERVALS = 16

/** One queue and the state of its control law. The names of the variables are those of the RFC's pseudocode (§5.3). */
export class CodelQueue {
  readonly #list = new PacketList()
  readonly #onDrop: (reason: QueueDropReason) => void
  /** Since when the packets would have waited too long for an interval; undefined: they do not. */
  #firstAboveTime: number | undefined
  #dropping = false
  #dropNext = 0
  /** Drops since dropping has begun, and how many those were when it began last. */
  #count = 0
  #lastCount = 0
  /** The largest packet so far: when no more bytes wait than that, dropping would leave the link idle. */
  #maxPacket = 0

  constructor(onDrop: (reason: QueueDropReason) => void) {
    this.#onDrop = onDrop
  }

  get packets(): number {
    return this.#list.packets
  }

  get bytes(): number {
    return this.#list.bytes
  }

  push(packet: Uint8Array, now: number): void {
    this.#maxPacket = Math.max(this.#maxPacket, packet.length)
    this.#list.push(packet, now)
  }

  /** Drops the oldest packet because there is no room. */
  dropOldest(): void {
    if (this.#list.shift() !== undefined) this.#onDrop('queue-full')
  }

  /** The next packet that leaves: `deque` of the RFC. */
  shift(now: number): Uint8Array | undefined {
    let next = this.#next(now)
    if (this.#dropping) {
      if (!next.mayDrop) this.#dropping = false
      while (this.#dropping && now >= this.#dropNext) {
        this.#onDrop('queue-delay')
        this.#count++
        next = this.#next(now)
        if (next.mayDrop) this.#dropNext = controlLaw(this.#dropNext, this.#count)
        else this.#dropping = false
      }
    } else if (next.mayDrop) {
      this.#onDrop('queue-delay')
      next = this.#next(now)
      this.#dropping = true
      const before = this.#count - this.#lastCount
      const isSoon = now - this.#dropNext < SOON_INTERVALS * CODEL_INTERVAL_MS
      this.#count = before > 1 && isSoon ? before : 1
      this.#dropNext = controlLaw(now, this.#count)
      this.#lastCount = this.#count
    }
    return next.packet
  }

  /** The oldest packet, and whether it may be dropped because all have waited too long for an interval: `dodequeue` of the RFC. */
  #next(now: number): { packet: Uint8Array | undefined; mayDrop: boolean } {
    const oldest = this.#list.shift()
    if (oldest === undefined) {
      this.#firstAboveTime = undefined
      return { packet: undefined, mayDrop: false }
    }
    const { packet, since } = oldest
    if (now - since < CODEL_TARGET_MS || this.#list.bytes <= this.#maxPacket) {
      this.#firstAboveTime = undefined
      return { packet, mayDrop: false }
    }
    if (this.#firstAboveTime === undefined) {
      this.#firstAboveTime = now + CODEL_INTERVAL_MS
      return { packet, mayDrop: false }
    }
    return { packet, mayDrop: now >= this.#firstAboveTime }
  }
}

/** When the next packet is dropped, in ms: sooner the more have been. A TCP flow's rate goes with 1/√(its rate of drops). */
export function controlLaw(time: number, count: number): number {
  return time + CODEL_INTERVAL_MS / Math.sqrt(count)
}

/** All packets of a tunnel in one queue. */
export class Codel implements QueueDiscipline {
  readonly #queue: CodelQueue
  readonly #limits: { readonly packets: number; readonly bytes: number }
  readonly #onDrop: (reason: QueueDropReason) => void

  constructor({ limits = QUEUE_LIMITS, onDrop = () => {} }: DisciplineOptions = {}) {
    this.#limits = limits
    this.#onDrop = onDrop
    this.#queue = new CodelQueue(onDrop)
  }

  get packets(): number {
    return this.#queue.packets
  }

  get bytes(): number {
    return this.#queue.bytes
  }

  get hasRoom(): boolean {
    return this.packets < this.#limits.packets && this.bytes < this.#limits.bytes
  }

  enqueue(packet: Uint8Array, now: number): void {
    if (this.packets >= this.#limits.packets || this.bytes + packet.length > this.#limits.bytes) {
      this.#onDrop('queue-full')
      return
    }
    this.#queue.push(packet, now)
  }

  dequeue(now: number): Uint8Array | undefined {
    return this.#queue.shift(now)
  }
}
