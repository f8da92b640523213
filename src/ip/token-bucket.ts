/**
 * Lets `burst` events through at once and `perSecond` in the long run: how RFC 4443 §2.4 (f) wants ICMP errors limited,
 * so that a flood of bad packets does not become a flood of errors. The clock is the caller's.
 */
export class TokenBucket {
  readonly #perSecond: number
  readonly #burst: number
  readonly #now: () => number
  #tokens: number
  #filledAt: number

  /** `now` gives milliseconds that never go back. */
  constructor(options: { readonly perSecond: number; readonly burst: number; readonly now: () => number }) {
    this.#perSecond = options.perSecond
    this.#burst = options.burst
    this.#now = options.now
    this.#tokens = options.burst
    this.#filledAt = options.now()
  }

  /** Is there a token? Does not take it. */
  get isAvailable(): boolean {
    this.#fill()
    return this.#tokens >= 1
  }

  /** Has nothing been taken for so long that it is as if new? */
  get isFull(): boolean {
    this.#fill()
    return this.#tokens >= this.#burst
  }

  /** Takes a token; false when there is none. */
  take(): boolean {
    if (!this.isAvailable) return false
    this.#tokens--
    return true
  }

  #fill(): void {
    const now = this.#now()
    // A clock that jumps back gives nothing, and does not block for ever either.
    const elapsed = Math.max(0, now - this.#filledAt)
    this.#filledAt = now
    this.#tokens = Math.min(this.#burst, this.#tokens + (elapsed * this.#perSecond) / 1000)
  }
}
