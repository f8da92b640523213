/** A clock that a test turns, with its timers, and the turns of an event loop: what a driver runs on. */

import type { DriverIo } from '../../src/quic/io.ts'

/** Time stands still unless a test lets it pass. */
export class VirtualIo implements DriverIo {
  #now = 0
  #soon: (() => void)[] = []
  #timers: { at: number; callback: () => void }[] = []

  now(): number {
    return this.#now
  }

  setTimer(callback: () => void, ms: number): () => void {
    const timer = { at: this.#now + ms, callback }
    this.#timers.push(timer)
    return () => {
      this.#timers = this.#timers.filter(other => other !== timer)
    }
  }

  soon(callback: () => void): void {
    this.#soon.push(callback)
  }

  /** Nothing is to be done soon. */
  get isSettled(): boolean {
    return this.#soon.length === 0
  }

  /** The end of a turn of the event loop: once, what `soon` was asked for. */
  settle(): void {
    for (const callback of this.#soon.splice(0)) callback()
  }

  /** When the next timer rings. */
  get nextAt(): number | undefined {
    return this.#next?.at
  }

  get #next() {
    return this.#timers.toSorted((a, b) => a.at - b.at)[0]
  }

  /** Lets time pass until the next timer rings. False: none does until the end, and it is that late now. */
  step(end: number): boolean {
    const next = this.#next
    if (next === undefined || next.at > end) {
      this.#now = end
      return false
    }
    this.#now = Math.max(this.#now, next.at)
    this.#timers = this.#timers.filter(timer => timer !== next)
    next.callback()
    return true
  }

  pass(ms: number): void {
    const end = this.#now + ms
    do this.settle()
    while (this.step(end))
  }
}
