/**
 * One direction of a link: what becomes of each datagram, and when. Sans-IO: the caller brings the datagrams and the time.
 *
 *     enqueue ─▶ outage? ─▶ duplicate? ─▶ lost? ─▶ corrupt? ─▶ reorder? ─▶ ( delay stage ) ─▶ [ queue │ bottleneck ] ─▶ release
 *                                                                          by due time       tail drop, rate or trace
 *
 * Decisions and their arithmetic are those of Linux 6.1's netem (net/sched/sch_netem.c, netem_enqueue) with a tbf as its
 * child (net/sched/sch_tbf.c). What is different is said in docs/netem.md.
 *
 * Everything is computed in the time of the link, not in the time of the calls: a datagram that is released late still
 * leaves the queue when it should have, and those behind it are not late because of it. So the same seed and the same
 * arrivals give the same result, however busy the machine is.
 */

import { DELAY_LIMIT_PACKETS, type Impairment, type QueueLimit } from '../profile/profile.ts'
import { type Bottleneck, TokenBucket, TraceReplay } from './bottleneck.ts'
import { distributionTable, drawDelayMs } from './distribution.ts'
import { Coin, CorrelatedRandom, type LossProcess, lossProcess } from './loss.ts'
import { DueHeap, PacketSlots, SlotQueue } from './packet-slots.ts'
import { Random } from './random.ts'

/** What netem and tbf count on a veth beyond the payload of a UDP datagram: Ethernet 14, IPv4 20, UDP 8. */
export const UDP_WIRE_OVERHEAD = 42

/**
 * offered + duplicated = delivered + lost + outage + overflow + queued, at any time.
 */
export interface LinkCounters {
  offered: number
  delivered: number
  /** By the loss model. */
  lost: number
  /** Came during an outage. */
  outage: number
  /** By a queue's limit, or because the frame is bigger than the token bucket. */
  overflow: number
  /** Copies that were made. */
  duplicated: number
  /** Sent at once, ahead of delayed ones. */
  reordered: number
  corrupted: number
  /** On the link now. */
  queued: number
  /** Payload, without the 42 bytes of headers. */
  bytesOffered: number
  bytesDelivered: number
}

export class LinkDirection {
  readonly counters: LinkCounters = {
    offered: 0,
    delivered: 0,
    lost: 0,
    outage: 0,
    overflow: 0,
    duplicated: 0,
    reordered: 0,
    corrupted: 0,
    queued: 0,
    bytesOffered: 0,
    bytesDelivered: 0,
  }

  // Each kind of decision has random numbers of its own: more jitter does not change which packets are lost.
  readonly #delayRandom: Random
  readonly #lossRandom: Random
  readonly #duplicateRandom: Random
  readonly #reorderRandom: Random
  readonly #corruptRandom: Random
  readonly #bitRandom: Random

  #impairment: Impairment
  #table: Int16Array | undefined
  #delayNumbers: CorrelatedRandom
  #loss: LossProcess
  #duplicate: Coin
  #reorder: Coin
  #corrupt: Coin
  /** The end of the longest delay so far: with `keepOrder`, no later packet leaves the delay stage before. */
  #lastDueMs = Number.NEGATIVE_INFINITY
  /** Packets since the last reordered one. */
  #sinceReordered = 0

  readonly #slots = new PacketSlots(DELAY_LIMIT_PACKETS)
  readonly #delayed = new DueHeap(this.#slots)
  /** The bottleneck's queue. The packet at its head leaves at `#headLeavesMs`. */
  readonly #queue = new SlotQueue()
  #queueBytes = 0
  #queueLimit: QueueLimit | undefined
  #bottleneck: Bottleneck | undefined
  #headLeavesMs = Number.POSITIVE_INFINITY
  /** When the packet ahead left the queue: the next cannot leave before it. */
  #lastLeftMs = Number.NEGATIVE_INFINITY
  /** Left the link, not yet fetched by `release`. */
  readonly #ready = new SlotQueue()

  #nowMs = Number.NEGATIVE_INFINITY

  /** `purpose` keeps directions and attachments of one seed apart, such as `'up 0'`. */
  constructor(impairment: Impairment, options: { seed: string; purpose: string }) {
    const random = (what: string) => new Random(options.seed, `${options.purpose} ${what}`)
    this.#delayRandom = random('delay')
    this.#lossRandom = random('loss')
    this.#duplicateRandom = random('duplicate')
    this.#reorderRandom = random('reorder')
    this.#corruptRandom = random('corrupt')
    this.#bitRandom = random('bit')

    this.#impairment = impairment
    this.#table = distributionTable(impairment.distribution)
    this.#delayNumbers = new CorrelatedRandom(this.#delayRandom, impairment.delayCorrelation)
    this.#loss = lossProcess(impairment.loss, this.#lossRandom)
    this.#duplicate = new Coin(this.#duplicateRandom, impairment.duplicate)
    this.#reorder = new Coin(this.#reorderRandom, impairment.reorder)
    this.#corrupt = new Coin(this.#corruptRandom, impairment.corrupt)
  }

  /**
   * Another impairment from now on. What is on its way keeps its delay; what waits in the bottleneck's queue leaves at the new
   * rate. A part that stays equal goes on as it was: a loss model within its burst, a trace where it is.
   */
  set(impairment: Impairment, nowMs: number): void {
    const now = this.#advanceClock(nowMs)
    this.#advance(now)
    const before = this.#impairment
    this.#impairment = impairment
    this.#table = distributionTable(impairment.distribution)
    if (impairment.delayCorrelation !== before.delayCorrelation) {
      this.#delayNumbers = new CorrelatedRandom(this.#delayRandom, impairment.delayCorrelation)
    }
    if (!equal(impairment.loss, before.loss)) this.#loss = lossProcess(impairment.loss, this.#lossRandom)
    if (!equal(impairment.duplicate, before.duplicate)) {
      this.#duplicate = new Coin(this.#duplicateRandom, impairment.duplicate)
    }
    if (!equal(impairment.reorder, before.reorder)) this.#reorder = new Coin(this.#reorderRandom, impairment.reorder)
    if (!equal(impairment.corrupt, before.corrupt)) this.#corrupt = new Coin(this.#corruptRandom, impairment.corrupt)
    this.#setBottleneck(before, now)
  }

  /**
   * A datagram arrives at `nowMs`. Its payload belongs to the link from now on (corruption changes it in place). `tag` comes out
   * with it again. A time before one that was given earlier counts as that earlier time.
   */
  enqueue(payload: Uint8Array, tag: number, nowMs: number): void {
    const now = this.#advanceClock(nowMs)
    this.counters.offered++
    this.counters.bytesOffered += payload.length
    if (this.#impairment.down) {
      this.counters.outage++
      return
    }
    const twice = this.#duplicate.toss()
    const lost = this.#loss.lost()
    if (lost) this.counters.lost++
    if (twice) {
      this.counters.duplicated++
      // As in the kernel: loss takes one of the two; the copy of a packet that is not lost may still be lost on its own.
      if (!lost) this.#enqueueCopy(new Uint8Array(payload), tag, now)
    } else if (lost) {
      return
    }
    this.#delay(payload, tag, now)
  }

  /** When `release` will next have something to deliver; undefined: not before another datagram arrives. */
  nextDueMs(): number | undefined {
    if (this.#ready.length > 0) return this.#slots.timeMs[this.#ready.first]
    if (this.#queue.length > 0) return this.#headLeavesMs
    if (this.#delayed.length === 0) return undefined
    const slot = this.#delayed.first
    const due = this.#slots.timeMs[slot]
    if (this.#bottleneck === undefined) return due
    return this.#departure(slot)
  }

  /** Calls `deliver` for every datagram due by `nowMs`, in order of due time. `dueMs`: when it should have left. */
  release(nowMs: number, deliver: (payload: Uint8Array, tag: number, dueMs: number) => void): void {
    this.#advance(this.#advanceClock(nowMs))
    const slots = this.#slots
    // Only those that are there now: a `deliver` that sends something into this link again is not served for ever.
    for (let left = this.#ready.length; left > 0; left--) {
      const slot = this.#ready.shift()
      const payload = slots.payload[slot]
      const tag = slots.tag[slot]
      const dueMs = slots.timeMs[slot]
      this.#free(slot)
      this.counters.delivered++
      this.counters.bytesDelivered += payload.length
      deliver(payload, tag, dueMs)
    }
  }

  /** The clock never goes back here, whatever the caller's does. */
  #advanceClock(nowMs: number): number {
    if (this.#nowMs === Number.NEGATIVE_INFINITY) {
      // The trace, and the filling of the bucket, begin with the first thing that happens.
      this.#nowMs = nowMs
      this.#setBottleneck(undefined, nowMs)
    }
    if (nowMs > this.#nowMs) this.#nowMs = nowMs
    return this.#nowMs
  }

  #enqueueCopy(payload: Uint8Array, tag: number, now: number): void {
    if (this.#loss.lost()) this.counters.lost++
    else this.#delay(payload, tag, now)
  }

  /** Corruption, then the delay stage. */
  #delay(payload: Uint8Array, tag: number, now: number): void {
    if (this.#corrupt.toss()) {
      this.counters.corrupted++
      if (payload.length > 0) {
        payload[this.#bitRandom.uint32() % payload.length] ^= 1 << (this.#bitRandom.uint32() % 8)
      }
    }
    const slot = this.#slots.take(payload, tag, now)
    if (slot === -1) {
      this.counters.overflow++
      return
    }
    this.counters.queued++
    const { gap } = this.#impairment.reorder
    if (gap !== 0 && this.#sinceReordered >= gap - 1 && this.#reorder.toss()) {
      this.#sinceReordered = 0
      this.counters.reordered++
    } else {
      this.#sinceReordered++
      const { delayMs, jitterMs } = this.#impairment
      const delay = jitterMs === 0 ? delayMs : drawDelayMs(delayMs, jitterMs, this.#delayNumbers.next(), this.#table)
      let dueMs = delay > 0 ? now + delay : now
      if (this.#impairment.keepOrder && dueMs < this.#lastDueMs) dueMs = this.#lastDueMs
      if (dueMs > this.#lastDueMs) this.#lastDueMs = dueMs
      this.#slots.timeMs[slot] = dueMs
    }
    this.#delayed.push(slot)
  }

  /** Everything that happens on the link up to `now`, in the order of its times. */
  #advance(now: number): void {
    const { timeMs } = this.#slots
    for (;;) {
      const nextInMs = this.#delayed.length > 0 ? timeMs[this.#delayed.first] : Number.POSITIVE_INFINITY
      if (this.#headLeavesMs <= nextInMs && this.#headLeavesMs <= now) this.#leaveQueue()
      else if (nextInMs <= now) this.#enterQueue(this.#delayed.pop())
      else return
    }
  }

  #enterQueue(slot: number): void {
    if (this.#bottleneck === undefined) {
      this.#ready.push(slot)
      return
    }
    const bytes = this.#frameBytes(slot)
    if (!this.#fits(bytes)) {
      this.counters.overflow++
      this.#free(slot)
      return
    }
    this.#queue.push(slot)
    this.#queueBytes += bytes
    if (this.#queue.length === 1) this.#headLeavesMs = this.#departure(slot)
  }

  #fits(bytes: number): boolean {
    const limit = this.#queueLimit
    if (limit === undefined || bytes > this.#bottleneck!.largestFrameBytes) return false
    return 'packets' in limit ? this.#queue.length < limit.packets : this.#queueBytes + bytes <= limit.bytes
  }

  #leaveQueue(): void {
    this.#bottleneck?.take()
    const slot = this.#queue.shift()
    this.#queueBytes -= this.#frameBytes(slot)
    this.#lastLeftMs = this.#headLeavesMs
    this.#slots.timeMs[slot] = this.#headLeavesMs
    this.#ready.push(slot)
    this.#headLeavesMs = this.#queue.length > 0 ? this.#departure(this.#queue.first) : Number.POSITIVE_INFINITY
  }

  /** When the packet that is at the queue's head, or will be there next, leaves it. */
  #departure(slot: number): number {
    const entered = this.#slots.timeMs[slot]
    return this.#bottleneck!.departureMs(entered, Math.max(entered, this.#lastLeftMs), this.#frameBytes(slot))
  }

  /** `before` undefined: the link begins. */
  #setBottleneck(before: Impairment | undefined, now: number): void {
    const { rate, trace } = this.#impairment
    this.#queueLimit = rate?.limit ?? trace?.limit
    if (rate) {
      const { bitsPerSecond, burstBytes } = before?.rate ?? {}
      if (rate.bitsPerSecond === bitsPerSecond && rate.burstBytes === burstBytes) return
      const tokens = this.#bottleneck instanceof TokenBucket ? this.#bottleneck.tokens(now) : undefined
      this.#bottleneck = new TokenBucket(rate, now, tokens)
    } else if (trace) {
      if (trace.opportunitiesMs === before?.trace?.opportunitiesMs) return
      this.#bottleneck = new TraceReplay(trace, now)
    } else {
      this.#bottleneck = undefined
    }
    // What waits leaves as the new bottleneck allows; without one, now.
    this.#lastLeftMs = now
    if (this.#bottleneck === undefined) {
      this.#headLeavesMs = Number.POSITIVE_INFINITY
      while (this.#queue.length > 0) {
        const slot = this.#queue.shift()
        this.#slots.timeMs[slot] = now
        this.#ready.push(slot)
      }
      this.#queueBytes = 0
    } else if (this.#queue.length > 0) {
      this.#headLeavesMs = this.#departure(this.#queue.first)
    }
  }

  #frameBytes(slot: number): number {
    return this.#slots.payload[slot].length + UDP_WIRE_OVERHEAD
  }

  #free(slot: number): void {
    this.#slots.free(slot)
    this.counters.queued--
  }
}

function equal(a: object, b: object): boolean {
  return JSON.stringify(a) === JSON.stringify(b)
}
