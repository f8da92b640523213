/**
 * Task 5: a queue that controls its delay. CoDel, RFC 8289.
 *
 * What counts is not how long the queue is but how long packets stay in it: their **sojourn time**. A queue that drains again
 * and again below `target` is good, however high it was in between: it has done what queues are for. A queue that has stayed
 * above `target` for a whole `interval` is bad: it does nothing but delay. Then CoDel drops a packet at its head, and the next
 * one sooner, until the sojourn time is below `target`.
 *
 *     sojourn
 *       ^          ______________                      _
 *       |         /              \_                   / \
 *     target ----/-----------------\-----------------/---\------
 *       |       /                   \_______________/     \
 *       +------+-----------+-----+---+------------------------->  time
 *              |<-interval->|     |  stops
 *            above       drop 1  drop 2, after interval/√1
 *                                drop 3, after interval/√2 ...
 */

export interface CoDelOptions {
  /** Acceptable standing delay, ms: 5 in the RFC. */
  targetMs: number
  /** How long the queue may take to drain; about the longest usual round-trip time, ms: 100 in the RFC. */
  intervalMs: number
  /** Bytes of the largest packet. A queue that holds no more than one such packet is never bad. */
  maxPacketBytes: number
  /** Packets; what comes on top is dropped at the tail. */
  limitPackets: number
}

export interface Packet {
  id: number
  bytes: number
  /** When it came into the queue, ms. */
  arrivedMs: number
}

export interface Dequeued {
  /** To be sent; undefined when the queue is empty. */
  id: number | undefined
  /** Dropped at this occasion, in order. */
  dropped: number[]
}

export type Operation = { op: 'enqueue'; id: number; bytes: number; nowMs: number } | { op: 'dequeue'; nowMs: number }

/** The control law (RFC 8289 §5.6): when to drop next, after a drop at `timeMs`, the `count`th in a row. */
export function controlLaw(timeMs: number, intervalMs: number, count: number): number {
  throw new Error('TODO: controlLaw')
}

export class CoDelQueue {
  readonly #options: CoDelOptions
  readonly #packets: Packet[] = []
  #bytes = 0

  /** When the sojourn time will have been above target for an interval; 0: it is not above. */
  #firstAboveMs = 0
  /** In the dropping state? */
  #dropping = false
  /** When the next packet is to be dropped. */
  #dropNextMs = 0
  /** Drops since the dropping state was entered. */
  #count = 0
  /** What `#count` began with, the last time the dropping state was entered. */
  #lastCount = 0

  constructor(options: CoDelOptions) {
    this.#options = options
  }

  /** False: the queue is full, and the packet is dropped. Complete. */
  enqueue(id: number, bytes: number, nowMs: number): boolean {
    if (this.#packets.length >= this.#options.limitPackets) return false
    this.#packets.push({ id, bytes, arrivedMs: nowMs })
    this.#bytes += bytes
    return true
  }

  /** The packet at the head, taken out of the queue. Complete. */
  #take(): Packet | undefined {
    const packet = this.#packets.shift()
    this.#bytes -= packet?.bytes ?? 0
    return packet
  }

  /**
   * Takes the packet at the head, and says whether the queue has been bad for so long that it may be dropped (dodequeue in
   * RFC 8289 §5.6). Keeps `#firstAboveMs`:
   *
   * - queue empty, sojourn time below target, or no more than `maxPacketBytes` left in the queue: not above, so 0
   * - above for the first time: an interval from now
   * - above, and that time has come: the packet may be dropped
   */
  #takeAndJudge(nowMs: number): { packet: Packet | undefined; mayDrop: boolean } {
    throw new Error('TODO: takeAndJudge')
  }

  /**
   * The next packet to be sent, and what is dropped before it (RFC 8289 §5.5).
   *
   * In the dropping state: leave it when the packet may not be dropped. Else, while the time of the next drop has come: drop the
   * packet, count it, take the one behind it; if that may be dropped, the next drop is due by the control law from the time when
   * **this one was due**, else leave the state.
   *
   * Not in it, and the packet may be dropped: drop it, take the one behind it, and enter the state. `#count` begins with 1; but
   * when the state was left only a short time ago (now is less than 16 intervals behind `#dropNextMs`) with
   * `#count - #lastCount` above 1, it begins with that difference: the rate of drops that was found then is about right still.
   * The next drop is due by the control law from now. `#lastCount` is what `#count` begins with.
   */
  dequeue(nowMs: number): Dequeued {
    throw new Error('TODO: dequeue')
  }

  /** Plays a list of operations, one after the other, and returns what each of them returned. Complete; the check calls it. */
  play(operations: readonly Operation[]): (boolean | Dequeued)[] {
    return operations.map(one =>
      one.op === 'enqueue' ? this.enqueue(one.id, one.bytes, one.nowMs) : this.dequeue(one.nowMs),
    )
  }
}
