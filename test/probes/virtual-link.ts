/** Simulated time, and links in it: what takes minutes on a network takes milliseconds here, and is the same every time. */

import type { Clock } from '../../src/hosts/clock.ts'
import type { Host } from '../../src/hosts/host.ts'
import { settle } from '../hosts/fake-clock.ts'

interface Timer {
  atMs: number
  order: number
  callback: () => void
  isCancelled: boolean
}

/** Whoever is not done after a virtual day never will be. */
const A_DAY_MS = 86_400_000

/** A clock whose time passes only while `run` or `until` runs, from one timer to the next. */
export class VirtualClock implements Clock {
  #now = 1000
  #order = 0
  /** By time, then by order of setting; a binary heap. */
  readonly #heap: Timer[] = []
  /** What `now` shows beyond the time of the timers: a clock that jumps. */
  #jumpMs = 0

  now(): number {
    return this.#now + this.#jumpMs
  }

  setTimeout(callback: () => void, ms: number): Timer {
    // As in Node, where no timer is shorter than 1 ms; else time might never pass.
    const timer = { atMs: this.#now + (ms > 0 ? ms : 1), order: this.#order++, callback, isCancelled: false }
    this.#push(timer)
    return timer
  }

  clearTimeout(handle: unknown): void {
    if (handle !== undefined) (handle as Timer).isCancelled = true
  }

  /** The clock shows something else from now on; timers go on as they were. As when a machine slept, or was set. */
  jump(ms: number): void {
    this.#jumpMs += ms
  }

  /** Runs until the promise settles, and gives what it gives. Fails when nothing is left that could settle it. */
  async until<T>(promise: Promise<T>): Promise<T> {
    let isDone = false
    const done = () => {
      isDone = true
    }
    promise.then(done, done)
    for (let idle = 0; !isDone; ) {
      await settle()
      if (isDone) break
      if (this.#now > A_DAY_MS) throw new Error('waiting for ever: a day has passed')
      if (this.#step()) idle = 0
      else if (++idle > 5) throw new Error(`waiting for ever at ${this.#now} ms: no timer is set`)
    }
    return promise
  }

  #step(): boolean {
    const timer = this.#pop()
    if (timer === undefined) return false
    this.#now = Math.max(this.#now, timer.atMs)
    timer.callback()
    return true
  }

  #push(timer: Timer): void {
    const heap = this.#heap
    let at = heap.length
    heap.push(timer)
    for (let parent = (at - 1) >> 1; at > 0 && before(timer, heap[parent]); parent = (at - 1) >> 1) {
      heap[at] = heap[parent]
      at = parent
    }
    heap[at] = timer
  }

  #pop(): Timer | undefined {
    const heap = this.#heap
    for (;;) {
      const first = heap[0]
      const last = heap.pop()
      if (first === undefined || last === undefined) return undefined
      if (heap.length > 0) {
        let at = 0
        for (;;) {
          let child = 2 * at + 1
          if (child >= heap.length) break
          if (child + 1 < heap.length && before(heap[child + 1], heap[child])) child++
          if (!before(heap[child], last)) break
          heap[at] = heap[child]
          at = child
        }
        heap[at] = last
      }
      if (!first.isCancelled) return first
    }
  }
}

function before(a: Timer, b: Timer): boolean {
  return a.atMs < b.atMs || (a.atMs === b.atMs && a.order < b.order)
}

/** What a LinkDirection (src/link/model/link-direction.ts) does, as far as it is needed here. */
export interface Direction {
  enqueue(payload: Uint8Array, tag: number, nowMs: number): void
  nextDueMs(): number | undefined
  release(nowMs: number, deliver: (payload: Uint8Array, tag: number, dueMs: number) => void): void
}

/**
 * A link as plain as can be: `fate` says for the n-th packet (from 0) after how many ms it arrives, each number one copy; []: lost.
 * With a rate, packets go through one after the other first, and are lost where the queue is full.
 */
export class PlainDirection implements Direction {
  readonly #fate: (n: number, nowMs: number) => number | readonly number[]
  readonly #bitsPerSecond: number
  readonly #queueBytes: number
  #count = 0
  #freeAtMs = 0
  #pending: { payload: Uint8Array; tag: number; dueMs: number }[] = []
  dropped = 0

  constructor(
    fate: number | ((n: number, nowMs: number) => number | readonly number[]),
    rate: { bitsPerSecond: number; queueBytes: number } = { bitsPerSecond: Infinity, queueBytes: Infinity },
  ) {
    this.#fate = typeof fate === 'number' ? () => fate : fate
    this.#bitsPerSecond = rate.bitsPerSecond
    this.#queueBytes = rate.queueBytes
  }

  enqueue(payload: Uint8Array, tag: number, nowMs: number): void {
    const delays = [this.#fate(this.#count++, nowMs)].flat()
    if (delays.length === 0) return
    const waitMs = Math.max(0, this.#freeAtMs - nowMs)
    if ((waitMs / 1000) * (this.#bitsPerSecond / 8) > this.#queueBytes) {
      this.dropped++
      return
    }
    this.#freeAtMs = nowMs + waitMs + (payload.length * 8000) / this.#bitsPerSecond
    for (const delay of delays) {
      const dueMs = this.#freeAtMs + delay
      const at = this.#pending.findLastIndex(other => other.dueMs <= dueMs) + 1
      this.#pending.splice(at, 0, { payload, tag, dueMs })
    }
  }

  nextDueMs(): number | undefined {
    return this.#pending[0]?.dueMs
  }

  release(nowMs: number, deliver: (payload: Uint8Array, tag: number, dueMs: number) => void): void {
    while (this.#pending.length > 0 && this.#pending[0].dueMs <= nowMs) {
      const { payload, tag, dueMs } = this.#pending.shift()!
      deliver(payload, tag, dueMs)
    }
  }
}

/** Wires two hosts together, one direction of the link each way. */
export function connect(clock: Clock, a: Host, b: Host, aToB: Direction, bToA: Direction): void {
  a.send = through(clock, aToB, packet => b.receive(packet))
  b.send = through(clock, bToA, packet => a.receive(packet))
}

function through(clock: Clock, direction: Direction, deliver: (packet: Uint8Array) => void) {
  let timer: unknown
  let timerAtMs = Infinity
  const schedule = () => {
    const due = direction.nextDueMs()
    if (due === undefined || due >= timerAtMs) return
    clock.clearTimeout(timer)
    timerAtMs = due
    timer = clock.setTimeout(() => {
      timerAtMs = Infinity
      // The time that was asked for: floating point may have it a hair earlier.
      direction.release(Math.max(clock.now(), due), deliver)
      schedule()
    }, due - clock.now())
  }
  return (packet: Uint8Array) => {
    direction.enqueue(Uint8Array.from(packet), 0, clock.now())
    schedule()
  }
}
