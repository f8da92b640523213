import type { Clock } from '../../src/hosts/clock.ts'

/** A clock that stands still until a test moves it. Timers run in the order of their times. */
export class FakeClock implements Clock {
  #now = 1000
  #timers = new Map<number, { at: number; callback: () => void }>()
  #nextHandle = 1

  now(): number {
    return this.#now
  }

  setTimeout(callback: () => void, ms: number): number {
    const handle = this.#nextHandle++
    this.#timers.set(handle, { at: this.#now + ms, callback })
    return handle
  }

  clearTimeout(handle: unknown): void {
    this.#timers.delete(handle as number)
  }

  get pendingTimers(): number {
    return this.#timers.size
  }

  /** Moves the time on, running what becomes due, and lets promises settle after each step. */
  async advance(ms: number): Promise<void> {
    const end = this.#now + ms
    for (;;) {
      await settle()
      const due = [...this.#timers].filter(([, timer]) => timer.at <= end).sort(([, a], [, b]) => a.at - b.at)[0]
      if (due === undefined) break
      const [handle, timer] = due
      this.#timers.delete(handle)
      this.#now = Math.max(this.#now, timer.at)
      timer.callback()
    }
    this.#now = end
    await settle()
  }
}

/** Lets every promise that can go on go on. */
export function settle(): Promise<void> {
  return new Promise(resolve => setImmediate(resolve))
}
