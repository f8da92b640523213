/**
 * A bottleneck in virtual time: a sender that fills its window, a queue, a link that takes one packet after the other.
 *
 *     sender --> queue --> link at a fixed rate --> receiver
 *        ^                                             |
 *        +------------------- acks --------------------+      half of the round trip each
 *
 * The sender is TCP's congestion avoidance with nothing else (RFC 5681): one packet more in each round trip, half of it after a
 * loss, slow start at the beginning. It sends as much as its window allows, so it fills whatever queue it finds.
 */

/** What stands before the link: the student's CoDel, or a plain queue. */
export interface Queue {
  enqueue(id: number, bytes: number, nowMs: number): void
  /** Takes the next packet; `dropped` are those it dropped instead of sending them. */
  dequeue(nowMs: number): Promise<{ id: number | undefined; dropped: readonly number[] }>
}

export interface BottleneckOptions {
  queue: Queue
  bitsPerSecond: number
  packetBytes: number
  /** Without any queue. */
  roundTripMs: number
  durationMs: number
  onProgress?: (nowMs: number) => void
}

export interface BottleneckResult {
  /** Of each packet that was sent by the link: when, and how long it had been in the queue. */
  sojourns: { atMs: number; ms: number }[]
  /** Share of the time in which the link was busy: 0 to 1. */
  utilisation: number
  dropped: number
}

const THREE = 3

/** Plays it from 0 to `durationMs`. Deterministic: nothing in it is random. */
export async function runBottleneck(options: BottleneckOptions): Promise<BottleneckResult> {
  const { queue, packetBytes, roundTripMs, durationMs, onProgress } = options
  const serviceMs = (packetBytes * 8 * 1000) / options.bitsPerSecond
  const sender = new Sender()
  const enqueuedAt = new Map<number, number>()
  /** Acks on their way, in order of arrival. */
  const acks: { atMs: number; id: number }[] = []
  const sojourns: BottleneckResult['sojourns'] = []
  let [nowMs, busyMs, dropped, waiting] = [0, 0, 0, 0]

  const send = (): void => {
    for (const id of sender.takeSendable()) {
      queue.enqueue(id, packetBytes, nowMs)
      enqueuedAt.set(id, nowMs)
      waiting++
    }
  }
  let linkFreeMs = 0
  send()
  while (nowMs < durationMs) {
    const ackMs = acks[0]?.atMs ?? Number.POSITIVE_INFINITY
    if (waiting > 0 && linkFreeMs <= ackMs) {
      nowMs = Math.max(nowMs, linkFreeMs)
      const next = await queue.dequeue(nowMs)
      dropped += next.dropped.length
      waiting -= next.dropped.length
      for (const id of next.dropped) enqueuedAt.delete(id)
      // A queue that was thought to hold more has dropped it at its tail.
      if (next.id === undefined) waiting = 0
      else {
        waiting--
        sojourns.push({ atMs: nowMs, ms: nowMs - (enqueuedAt.get(next.id) ?? nowMs) })
        enqueuedAt.delete(next.id)
        linkFreeMs = nowMs + serviceMs
        busyMs += serviceMs
        acks.push({ atMs: linkFreeMs + roundTripMs, id: next.id })
      }
    } else if (ackMs < Number.POSITIVE_INFINITY) {
      nowMs = Math.max(nowMs, ackMs)
      sender.acknowledge(acks.shift()!.id)
      send()
    } else {
      // Everything that was on its way is lost: the retransmission timer.
      nowMs += Math.max(200, roundTripMs)
      sender.timeOut()
      send()
    }
    onProgress?.(nowMs)
  }
  return { sojourns, utilisation: Math.min(1, busyMs / nowMs), dropped }
}

/** Counts packets, not bytes; what is lost is not sent again but counted as gone: only the window matters here. */
class Sender {
  #window = 4
  #threshold = Number.POSITIVE_INFINITY
  #nextId = 0
  readonly #inFlight = new Set<number>()
  /** Losses of packets below this id belong to the last reduction. */
  #recoveryEnd = 0

  takeSendable(): number[] {
    const ids: number[] = []
    while (this.#inFlight.size < Math.floor(this.#window)) {
      this.#inFlight.add(this.#nextId)
      ids.push(this.#nextId++)
    }
    return ids
  }

  acknowledge(id: number): void {
    this.#inFlight.delete(id)
    this.#window += this.#window < this.#threshold ? 1 : 1 / this.#window
    for (const other of this.#inFlight) {
      if (other + THREE > id) break
      this.#inFlight.delete(other)
      if (other < this.#recoveryEnd) continue
      this.#window = Math.max(2, this.#window / 2)
      this.#threshold = this.#window
      this.#recoveryEnd = this.#nextId
    }
  }

  timeOut(): void {
    this.#inFlight.clear()
    this.#threshold = Math.max(2, this.#window / 2)
    this.#window = 2
    this.#recoveryEnd = this.#nextId
  }
}

/** First in, first out; what comes on top of the limit is dropped at the tail. What most devices have. */
export class PlainQueue implements Queue {
  readonly #limit: number
  readonly #ids: number[] = []

  constructor(limitPackets: number) {
    this.#limit = limitPackets
  }

  enqueue(id: number): void {
    if (this.#ids.length < this.#limit) this.#ids.push(id)
  }

  async dequeue(): Promise<{ id: number | undefined; dropped: readonly number[] }> {
    return { id: this.#ids.shift(), dropped: [] }
  }
}
