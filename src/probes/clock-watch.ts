import type { Clock } from '../hosts/clock.ts'

/**
 * A stretch of time in which the clock and the program did not go on together: the machine was suspended, the process was
 * stopped, the event loop was blocked, or the clock itself was wrong. What was measured across it says nothing about the
 * network.
 */
export interface ClockJump {
  /** The clock when it was last known to be in order. */
  fromMs: number
  /** The clock when the jump was noticed; lower than `fromMs` when the clock went back. */
  toMs: number
  /** By how much (at least) the clock is ahead of where it should have been; negative when it went back. */
  gapMs: number
}

/** How often the clock is looked at, in ms. */
const TICK_MS = 50

/**
 * A gap of so many ms is no longer a busy machine. (On two cores with both of them busy, timers come some 10 to 100 ms late.)
 */
export const JUMP_MS = 250

/** No more jumps than this are kept; the last one grows instead. */
const KEPT_JUMPS = 1000

/** Looks at the clock all the time, and notes when it does not show what the timers say. */
export class ClockWatch {
  readonly jumps: ClockJump[] = []
  readonly #clock: Clock
  #last: number
  #shiftMs = 0
  #timer: unknown

  constructor(clock: Clock) {
    this.#clock = clock
    this.#last = clock.now()
    this.#wait()
  }

  /** By how much all jumps together moved the clock, in ms. A schedule moves with it. */
  get shiftMs(): number {
    return this.#shiftMs
  }

  /** Also between ticks: whoever waited and comes back late looks first. */
  look(): void {
    const now = this.#clock.now()
    const from = this.#last
    this.#last = now
    // A step back is never in order, however short; one shorter than the time since the last look cannot be seen, though.
    const gapMs = now < from ? now - from : now - from - TICK_MS
    if (now >= from && gapMs <= JUMP_MS) return
    this.#shiftMs += gapMs
    if (this.jumps.length < KEPT_JUMPS) this.jumps.push({ fromMs: from, toMs: now, gapMs })
    else this.jumps[KEPT_JUMPS - 1].toMs = now
  }

  /** Ends the watch; what happened since the last tick is looked at now. */
  stop(): void {
    this.#clock.clearTimeout(this.#timer)
    this.look()
  }

  /** Does a measurement that began and ended then (clock times, ms) lie across a jump, or inside one? */
  isSuspect(beginMs: number, endMs: number): boolean {
    const first = Math.min(beginMs, endMs)
    const last = Math.max(beginMs, endMs)
    return this.jumps.some(({ fromMs, toMs }) => first <= Math.max(fromMs, toMs) && last >= Math.min(fromMs, toMs))
  }

  #wait(): void {
    this.#timer = this.#clock.setTimeout(() => {
      this.look()
      this.#wait()
    }, TICK_MS)
  }
}
