/** The slow place of a link: when may the packet at the head of its queue leave? */
import type { Rate, Trace } from '../profile/profile.ts'
import { firstAtOrAfter, OPPORTUNITY_BYTES } from '../profile/trace.ts'

/** The Ethernet header, which a veth counts and a trace does not. */
const ETHERNET_BYTES = 14

export interface Bottleneck {
  /** Bigger ones do not get into the queue. */
  readonly largestFrameBytes: number
  /**
   * When the packet at the head of the queue may leave.
   * `enteredMs`: when it came into the queue; `headMs`: when it came to its head; `frameBytes`: its length with the Ethernet
   * header.
   */
  departureMs(enteredMs: number, headMs: number, frameBytes: number): number
  /** It leaves: the packet that `departureMs` was last asked about, at the time that was the answer. */
  take(): void
}

/**
 * A token bucket (tc-tbf(8), net/sched/sch_tbf.c). It holds `burstBytes` at most, gains the rate, and a packet leaves as soon
 * as the bucket holds as many bytes as its frame has.
 */
export class TokenBucket implements Bottleneck {
  readonly largestFrameBytes: number
  readonly #bytesPerMs: number
  #tokens: number
  #filledMs: number
  #tokensAfter = 0
  #leavesMs = 0

  /** With `tokens` bytes in it: full, unless it takes the place of another bucket. */
  constructor(rate: Rate, nowMs: number, tokens = rate.burstBytes) {
    this.#bytesPerMs = rate.bitsPerSecond / 8000
    this.largestFrameBytes = rate.burstBytes
    this.#tokens = Math.min(tokens, rate.burstBytes)
    this.#filledMs = nowMs
  }

  /** How many bytes may leave at once. */
  tokens(nowMs: number): number {
    return Math.min(this.largestFrameBytes, this.#tokens + Math.max(0, nowMs - this.#filledMs) * this.#bytesPerMs)
  }

  departureMs(_enteredMs: number, headMs: number, frameBytes: number): number {
    const tokens = this.tokens(headMs)
    // A frame that is bigger than the bucket came in before the bucket was changed: it takes a full one.
    const missing = Math.max(0, Math.min(frameBytes, this.largestFrameBytes) - tokens)
    this.#leavesMs = Math.max(headMs, this.#filledMs) + missing / this.#bytesPerMs
    this.#tokensAfter = Math.max(0, tokens + missing - frameBytes)
    return this.#leavesMs
  }

  take(): void {
    this.#tokens = this.#tokensAfter
    this.#filledMs = this.#leavesMs
  }
}

/**
 * Mahimahi's delivery opportunities. Several small packets share one opportunity if they were waiting when it came; a packet
 * that does not fit into what is left of it goes on with the next one, and leaves when its last byte does.
 */
export class TraceReplay implements Bottleneck {
  readonly largestFrameBytes = Number.POSITIVE_INFINITY
  readonly #trace: Trace
  /** The trace's time 0. */
  readonly #startMs: number
  /** The opportunity that was last used, counted over all rounds, and the bytes left of it. */
  #index = -1
  #left = 0
  #indexAfter = -1
  #leftAfter = 0

  constructor(trace: Trace, startMs: number) {
    this.#trace = trace
    this.#startMs = startMs
  }

  departureMs(enteredMs: number, headMs: number, frameBytes: number): number {
    let index = this.#index
    let left = this.#left
    if (left === 0 || this.#timeOf(index) < enteredMs) {
      index = Math.max(index + 1, this.#firstAtOrAfter(headMs))
      left = OPPORTUNITY_BYTES
    }
    const missing = Math.max(0, frameBytes - ETHERNET_BYTES - left)
    const more = Math.ceil(missing / OPPORTUNITY_BYTES)
    this.#indexAfter = index + more
    this.#leftAfter = left + more * OPPORTUNITY_BYTES - (frameBytes - ETHERNET_BYTES)
    return this.#timeOf(this.#indexAfter)
  }

  take(): void {
    this.#index = this.#indexAfter
    this.#left = this.#leftAfter
  }

  #firstAtOrAfter(ms: number): number {
    const elapsed = Math.max(0, ms - this.#startMs)
    const round = Math.floor(elapsed / this.#trace.periodMs)
    return (
      round * this.#trace.opportunitiesMs.length + firstAtOrAfter(this.#trace, elapsed - round * this.#trace.periodMs)
    )
  }

  #timeOf(index: number): number {
    const { length } = this.#trace.opportunitiesMs
    const round = Math.floor(index / length)
    return this.#startMs + round * this.#trace.periodMs + this.#trace.opportunitiesMs[index - round * length]
  }
}
