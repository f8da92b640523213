/**
 * The round-trip time of a path, RFC 9002 §5. All in ms.
 *
 *      sent                                            ACK received
 *       │────────────── latest: the sample ──────────────│
 *                       ┌── ACK Delay ──┐
 *       │── there ──────│ peer waits    │─── back ───────│
 *                       └───────────────┘
 */

/** kInitialRtt (§6.2.2): before the first sample. */
const INITIAL_RTT_MS = 333

/** The probe timeout then. */
export const INITIAL_PROBE_TIMEOUT_MS = 3 * INITIAL_RTT_MS

/** kGranularity (§6.1.2): what timers can do. */
export const GRANULARITY_MS = 1

export class Rtt {
  latest = 0
  smoothed = INITIAL_RTT_MS
  variation = INITIAL_RTT_MS / 2
  min = 0
  hasSample = false
  firstSampleAt = Number.POSITIVE_INFINITY

  /** `latest`: from sending to the ACK; `ackDelay`: of it the peer has waited so long, by its own account. */
  onSample(latest: number, ackDelay: number, now: number): void {
    this.latest = latest
    if (!this.hasSample) {
      this.hasSample = true
      this.firstSampleAt = now
      this.min = latest
      this.smoothed = latest
      this.variation = latest / 2
      return
    }
    this.min = Math.min(this.min, latest)
    // A delay that would make the path faster than it ever was is not believed (§5.3).
    const adjusted = latest >= this.min + ackDelay ? latest - ackDelay : latest
    this.variation = 0.75 * this.variation + 0.25 * Math.abs(this.smoothed - adjusted)
    this.smoothed = 0.875 * this.smoothed + 0.125 * adjusted
  }

  /** How long an answer may take, without the peer's own delay (§6.2.1). */
  get probeTimeout(): number {
    return this.smoothed + Math.max(4 * this.variation, GRANULARITY_MS)
  }
}
