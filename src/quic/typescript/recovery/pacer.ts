/**
 * Spreads packets over the round trip (RFC 9002 §7.7): a token bucket.
 *
 *          rate: 1.25 × window / smoothed RTT, or the controller's own
 *            │
 *            ↓
 *      │           │   burst: 10 packets, or what the rate fills while a timer is late
 *      │░░░░░░░░░░░│
 *      └─────┬─────┘
 *            ↓  a packet takes as many bytes as it has
 */

/** RFC 9002 §7.7: no more leave at a time than the initial window has. */
const BURST_PACKETS = 10

/** A timer of Node rings up to so much late where a machine is busy; what would have left meanwhile leaves together. In ms. */
const TIMER_SLACK_MS = 4

export class Pacer {
  #tokens = Number.POSITIVE_INFINITY
  #filledAt = 0

  /** When a packet of so many bytes may leave; not after now: now. `rate`: bytes per ms. */
  nextSendAt(bytes: number, rate: number, datagramSize: number, now: number): number {
    this.#fill(rate, datagramSize, now)
    if (this.#tokens >= bytes) return now
    return now + (bytes - this.#tokens) / rate
  }

  onSent(bytes: number, rate: number, datagramSize: number, now: number): void {
    this.#fill(rate, datagramSize, now)
    // Packets that are not asked about, such as probes, are paid for by later ones, but not without end.
    this.#tokens = Math.max(this.#tokens - bytes, -BURST_PACKETS * datagramSize)
  }

  #fill(rate: number, datagramSize: number, now: number): void {
    const burst = Math.max(BURST_PACKETS * datagramSize, rate * TIMER_SLACK_MS)
    this.#tokens = Math.min(burst, this.#tokens + Math.max(0, now - this.#filledAt) * rate)
    this.#filledAt = now
  }
}
