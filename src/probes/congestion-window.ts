/** How fast may a sender send? The two halves of the classic answer, sans-IO. */

/**
 * When is a packet overdue? RFC 6298: the smoothed round-trip time, plus four times its mean deviation.
 *
 *   first sample R:   SRTT = R           RTTVAR = R/2
 *   later:            RTTVAR = 3/4 RTTVAR + 1/4 |SRTT - R|,   SRTT = 7/8 SRTT + 1/8 R
 *   RTO = SRTT + 4 RTTVAR, at least `minMs`, doubled each time that it runs out in vain until something new arrives, at most `maxMs`
 */
export class RttEstimator {
  #smoothedMs: number | undefined
  #deviationMs = 0
  #backOff = 1
  readonly #minMs: number
  readonly #maxMs: number

  /** The RFC's lower bound of 1 s is for TCP's coarse timers; Linux takes 200 ms, and so do we. */
  constructor(options: { minMs?: number; maxMs?: number } = {}) {
    this.#minMs = options.minMs ?? 200
    this.#maxMs = options.maxMs ?? 10_000
  }

  /** Undefined before the first sample. */
  get smoothedMs(): number | undefined {
    return this.#smoothedMs
  }

  /** The retransmission timeout; 1 s before the first sample (§2.1). */
  get rtoMs(): number {
    const base = this.#smoothedMs === undefined ? 1000 : this.#smoothedMs + 4 * this.#deviationMs
    return Math.min(this.#maxMs, Math.max(this.#minMs, base) * this.#backOff)
  }

  /** A round-trip time in ms, of a packet that was sent once (Karn's algorithm, §3). Negative ones are ignored. */
  sample(rttMs: number): void {
    if (!(rttMs >= 0)) return
    this.onProgress()
    if (this.#smoothedMs === undefined) {
      this.#smoothedMs = rttMs
      this.#deviationMs = rttMs / 2
      return
    }
    this.#deviationMs += (Math.abs(this.#smoothedMs - rttMs) - this.#deviationMs) / 4
    this.#smoothedMs += (rttMs - this.#smoothedMs) / 8
  }

  /** Something new arrived: the path lives, and the timeout is as short again as the samples say. */
  onProgress(): void {
    this.#backOff = 1
  }

  /** The timeout ran out in vain (§5.5). */
  backOff(): void {
    if (this.rtoMs < this.#maxMs) this.#backOff *= 2
  }
}

/**
 * How many packets may be under way: slow start, then additive increase and multiplicative decrease (RFC 5681).
 *
 *   cwnd │            ╱|        ╱|        a packet acknowledged   below ssthresh: cwnd + 1    (doubles each round trip)
 *        │    /|    ╱  |    ╱    |                                 from there on:  cwnd + 1/cwnd   (1 a round trip)
 *        │   / |  ╱    |  ╱                packets lost            ssthresh = cwnd / 2,  cwnd = ssthresh
 *        │ _/  |╱      |╱                  nothing comes back      ssthresh = cwnd / 2,  cwnd = 1
 *        └──────────────────────► t
 */
export class AimdWindow {
  /** In packets, with a fraction. */
  #cwnd: number
  #ssthresh = Infinity
  readonly #max: number

  /** `initial`: 10 packets as in RFC 6928. */
  constructor(options: { initial?: number; max: number }) {
    this.#cwnd = Math.min(options.initial ?? 10, options.max)
    this.#max = options.max
  }

  get cwnd(): number {
    return this.#cwnd
  }

  /** Infinity until the first loss. */
  get ssthresh(): number {
    return this.#ssthresh
  }

  onAcked(packets: number): void {
    for (let i = 0; i < packets && this.#cwnd < this.#max; i++) {
      this.#cwnd += this.#cwnd < this.#ssthresh ? 1 : 1 / this.#cwnd
    }
    this.#cwnd = Math.min(this.#cwnd, this.#max)
  }

  /** Once for all losses of one round trip: they are one sign of congestion (§3.1, RFC 6582). */
  onLoss(): void {
    this.#ssthresh = Math.max(2, this.#cwnd / 2)
    this.#cwnd = this.#ssthresh
  }

  onTimeout(): void {
    this.#ssthresh = Math.max(2, this.#cwnd / 2)
    this.#cwnd = 1
  }
}
