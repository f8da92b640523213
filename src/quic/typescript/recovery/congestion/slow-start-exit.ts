/**
 * HyStart++, RFC 9406: ends slow start when round trips become longer, before the bottleneck's queue is full and packets are lost.
 *
 *   slow start ── RTT has risen ──> conservative slow start: a quarter of the growth ── 5 rounds ──> congestion avoidance
 *        ↑                                       │
 *        └────────── RTT is down again ──────────┘       it was jitter
 *
 * A round ends when a packet is acknowledged that was sent after the round had begun.
 */
import type { Rtt } from '../rtt.ts'
import type { SentPacket } from '../sent-packet.ts'

/** RFC 9406 §4.3. Times in ms. */
const MIN_RTT_THRESHOLD = 4
const MAX_RTT_THRESHOLD = 16
const MIN_RTT_DIVISOR = 8
const SAMPLES = 8
const CONSERVATIVE_GROWTH = 1 / 4
const CONSERVATIVE_ROUNDS = 5

export class SlowStartExit {
  readonly #rtt: Rtt
  #newest = -1
  /** The round ends with a packet after this one. */
  #roundEnd = -1
  #samples = 0
  #roundMin = Number.POSITIVE_INFINITY
  #lastRoundMin = Number.POSITIVE_INFINITY
  /** The shortest round trip when growth was slowed down; undefined: it is not. */
  #baseline: number | undefined
  #conservativeRounds = 0

  constructor(rtt: Rtt) {
    this.#rtt = rtt
  }

  /** By what part of the acknowledged bytes the window grows. */
  get growth(): number {
    return this.#baseline === undefined ? 1 : CONSERVATIVE_GROWTH
  }

  get isOver(): boolean {
    return this.#conservativeRounds >= CONSERVATIVE_ROUNDS
  }

  restart(): void {
    this.#roundEnd = this.#newest
    this.#samples = 0
    this.#roundMin = Number.POSITIVE_INFINITY
    this.#lastRoundMin = Number.POSITIVE_INFINITY
    this.#baseline = undefined
    this.#conservativeRounds = 0
  }

  onSent(packet: SentPacket): void {
    this.#newest = Math.max(this.#newest, packet.number)
  }

  onAcked(packet: SentPacket): void {
    if (packet.number > this.#roundEnd) this.#beginRound()
    this.#samples++
    this.#roundMin = Math.min(this.#roundMin, this.#rtt.latest)
    if (this.#samples < SAMPLES || this.#roundMin === Number.POSITIVE_INFINITY) return
    if (this.#baseline === undefined) this.#lookForRise()
    else if (this.#roundMin < this.#baseline) {
      this.#baseline = undefined
      this.#conservativeRounds = 0
    }
  }

  #beginRound(): void {
    if (this.#baseline !== undefined) this.#conservativeRounds++
    this.#roundEnd = this.#newest
    this.#lastRoundMin = this.#roundMin
    this.#roundMin = Number.POSITIVE_INFINITY
    this.#samples = 0
  }

  #lookForRise(): void {
    if (this.#lastRoundMin === Number.POSITIVE_INFINITY) return
    const threshold = Math.max(MIN_RTT_THRESHOLD, Math.min(this.#lastRoundMin / MIN_RTT_DIVISOR, MAX_RTT_THRESHOLD))
    if (this.#roundMin >= this.#lastRoundMin + threshold) this.#baseline = this.#roundMin
  }
}
