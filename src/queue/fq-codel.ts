/**
 * FQ-CoDel, RFC 8290: each flow inside the tunnel has a queue of its own, with CoDel, and the queues take turns. A flow that sends little (a
 * ping, a call, a keystroke) does not wait behind one that sends as much as it can.
 *
 *   packet ── flowHash ──▶ one of 1024 queues ─┬─ new: has just got its first packet, and goes first
 *                                              └─ old: the others, in turn, `quantum` bytes each (deficit round robin)
 */

import { CodelQueue } from './codel.ts'
import { type DisciplineOptions, QUEUE_LIMITS, type QueueDiscipline, type QueueDropReason } from './discipline.ts'
import { type FlowSecret, flowHash } from './flow-hash.ts'

/** How many queues there are at most. Flows whose hashes meet share one (RFC 8290 §5.2). */
export const FQ_QUEUES = 1024
/** Bytes a turn: one packet of the largest size that is common (§5.2). */
const QUANTUM = 1514
/** So many packets at most leave the longest queue when all is full: looking for it costs a walk through all of them. */
const DROP_BATCH = 64

interface Flow {
  readonly bucket: number
  readonly queue: CodelQueue
  /** What it may still send before its turn is over, in bytes. */
  credits: number
}

export class FqCodel implements QueueDiscipline {
  packets = 0
  bytes = 0
  readonly #secret: FlowSecret
  readonly #limits: { readonly packets: number; readonly bytes: number }
  readonly #onDrop: (reason: QueueDropReason) => void
  /** Those of which something waits, or whose turn has not ended: what is idle takes no memory. */
  readonly #flows = new Map<number, Flow>()
  /** How many bytes wait in each, side by side: a flood of flows makes us look for the longest again and again. */
  readonly #backlog = new Uint32Array(FQ_QUEUES)
  readonly #new: Flow[] = []
  readonly #old: Flow[] = []

  constructor({ secret, limits = QUEUE_LIMITS, onDrop = () => {} }: DisciplineOptions & { secret: FlowSecret }) {
    this.#secret = secret
    this.#limits = limits
    this.#onDrop = onDrop
  }

  get hasRoom(): boolean {
    return this.packets < this.#limits.packets && this.bytes < this.#limits.bytes
  }

  /** How many queues there are now. */
  get flows(): number {
    return this.#flows.size
  }

  enqueue(packet: Uint8Array, now: number): void {
    const bucket = flowHash(packet, this.#secret) % FQ_QUEUES
    let flow = this.#flows.get(bucket)
    if (flow === undefined) {
      flow = this.#newFlow(bucket)
      this.#flows.set(bucket, flow)
      this.#new.push(flow)
    }
    flow.queue.push(packet, now)
    this.#backlog[bucket] = flow.queue.bytes
    this.packets++
    this.bytes += packet.length
    if (this.packets > this.#limits.packets || this.bytes > this.#limits.bytes) this.#shorten()
  }

  dequeue(now: number): Uint8Array | undefined {
    for (;;) {
      const list = this.#new.length > 0 ? this.#new : this.#old
      const flow = list[0]
      if (flow === undefined) return undefined
      if (flow.credits <= 0) {
        flow.credits += QUANTUM
        list.shift()
        this.#old.push(flow)
        continue
      }
      const packet = this.#takeFrom(flow, () => flow.queue.shift(now))
      if (packet !== undefined) {
        flow.credits -= packet.length
        return packet
      }
      list.shift()
      // A new flow that is empty gets in line first, or with a packet now and then it would keep the old ones from their turn (§4.2).
      if (list === this.#new) this.#old.push(flow)
      else this.#flows.delete(flow.bucket)
    }
  }

  #newFlow(bucket: number): Flow {
    return { bucket, queue: new CodelQueue(this.#onDrop), credits: QUANTUM }
  }

  /** Whoever has made the queue full loses: half of what waits in the longest queue, the oldest first. */
  #shorten(): void {
    let bucket = 0
    for (let other = 1; other < FQ_QUEUES; other++) if (this.#backlog[other] > this.#backlog[bucket]) bucket = other
    const longest = this.#flows.get(bucket)
    if (longest === undefined) return
    const { queue } = longest
    const count = Math.min(DROP_BATCH, Math.ceil(queue.packets / 2))
    this.#takeFrom(longest, () => {
      for (let i = 0; i < count; i++) queue.dropOldest()
    })
  }

  /** Keeps the sums right, whatever leaves the queue. */
  #takeFrom<T>({ bucket, queue }: Flow, take: () => T): T {
    const { packets, bytes } = queue
    const taken = take()
    this.packets -= packets - queue.packets
    this.bytes -= bytes - queue.bytes
    this.#backlog[bucket] = queue.bytes
    return taken
  }
}
