/**
 * Limits how often something is done, and allows bursts: a bucket that holds `capacity` tokens and gains `perSecond`
 * of them every second. RFC 4443 §2.4 (f) asks for such a limit on ICMPv6 errors, and recommends this form.
 */
export class TokenBucket {
  readonly #perMs: number
  readonly #capacity: number
  #tokens: number
  #filledAt: number | undefined

  constructor(perSecond: number, capacity: number) {
    this.#perMs = perSecond / 1000
    this.#capacity = capacity
    this.#tokens = capacity
  }

  /** Takes a token if there is one. `now` in ms. */
  take(now: number): boolean {
    const elapsed = now - (this.#filledAt ?? now)
    this.#tokens = Math.min(this.#capacity, this.#tokens + elapsed * this.#perMs)
    this.#filledAt = now
    if (this.#tokens < 1) return false
    this.#tokens--
    return true
  }
}
