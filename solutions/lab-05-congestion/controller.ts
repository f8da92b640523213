/**
 * Task 4: a congestion controller for the tunnel.
 *
 * While it is alone at the bottleneck, it keeps the queue there short; where somebody else keeps it long, it takes its share. Which of the two it is, it
 * finds out by trying: a queue of our own gets shorter when we send less.
 *
 *                     the queue is long: send less         it has not got shorter
 *        ┌─────────┐ ──────────────────────────> (try) ──────────────────────────> ┌─────────────┐
 *        │  alone  │ <────────────────────────── ( . )                             │  competing  │
 *        └─────────┘      it has got shorter                                       └─────────────┘
 *             ^           the queue is short, or a loss after a long time: try again      │
 *             └───────────────────────────────────────────────────────────────────────────┘
 *
 * All sizes are in bytes, all times in ms.
 */
import type { CongestionController, ControllerOptions, Rtt, SentPacket } from './congestion.ts'

/** A queue in which every packet of a round waits longer is long. */
const TARGET_MS = 25

/** Of the window, what is left after a try at most, and after a loss. As CUBIC does it. */
const SHRINK_TRY = 0.5
const SHRINK_LOSS = 0.7

/** Datagrams for each window that is acknowledged: about as fast as CUBIC comes back on such a path. */
const GROWTH = 2

/** Has the round trip become so much shorter, as a part, the queue was ours. */
const FOLLOWED = 0.8

/** After so long, others may have gone. */
const TRY_AGAIN_MS = 10_000

export class TunnelController implements CongestionController {
  readonly name = 'tunnel'
  window: number
  slowStartThreshold = Number.POSITIVE_INFINITY
  readonly #rtt: Rtt
  #datagramSize: number
  #recoveryStart = Number.NEGATIVE_INFINITY
  #newestSent = -1
  /** A packet behind this one ends the round: it was sent when the round had begun. */
  #roundEnd = -1
  /** In this round: what not even the luckiest packet was without. */
  #shortest = Number.POSITIVE_INFINITY
  /** Before the try that is under way. */
  #tried: { window: number; roundTrip: number; part: number } | undefined
  /** What is acknowledged in this round was sent before the window was made smaller. */
  #isSettling = false
  #isCompeting = false
  #competingSince = 0

  constructor({ datagramSize, rtt }: ControllerOptions) {
    this.#datagramSize = datagramSize
    this.#rtt = rtt
    this.window = 10 * datagramSize
  }

  get #isSlowStart(): boolean {
    return this.window < this.slowStartThreshold
  }

  onSent({ number }: SentPacket): void {
    this.#newestSent = number
  }

  onAcked({ number, sentAt, bytes }: SentPacket, isWindowUsed: boolean, now: number): void {
    this.#shortest = Math.min(this.#shortest, this.#rtt.latest)
    if (number > this.#roundEnd) this.#endRound(now)
    // A round trip ago the window was half as large, and that was enough.
    if (this.#isSlowStart && this.#isLong(this.#rtt.latest)) this.#shrink(SHRINK_TRY)
    if (!isWindowUsed || sentAt <= this.#recoveryStart || this.#tried !== undefined) return
    this.window += this.#isSlowStart ? bytes : (GROWTH * this.#datagramSize * bytes) / this.window
  }

  onCongestion(sentAt: number, _bytes: number, now: number): void {
    if (sentAt <= this.#recoveryStart) return
    this.#recoveryStart = now
    this.#shrink(SHRINK_LOSS)
    if (this.#tried !== undefined) this.#tried.window *= SHRINK_LOSS
    if (now - this.#competingSince > TRY_AGAIN_MS) this.#isCompeting = false
  }

  onPersistentCongestion(): void {
    this.#setWindow(0)
    this.slowStartThreshold = Number.POSITIVE_INFINITY
    this.#recoveryStart = Number.NEGATIVE_INFINITY
  }

  onDatagramSize(bytes: number): void {
    this.#datagramSize = bytes
    this.window = Math.max(this.window, 2 * bytes)
  }

  #endRound(now: number): void {
    const roundTrip = this.#shortest
    this.#beginRound()
    if (this.#isSettling) {
      this.#isSettling = false
    } else if (!this.#isLong(roundTrip)) {
      this.#tried = undefined
      this.#isCompeting = false
    } else if (this.#tried?.part === SHRINK_TRY && roundTrip > FOLLOWED * this.#tried.roundTrip) {
      this.#compete(now)
    } else if (!this.#isCompeting) {
      this.#try(roundTrip)
    }
  }

  /** Alone, the round trip is as long as the window makes it: a part of the window is enough. Where it was not, half of that. */
  #try(roundTrip: number): void {
    const enough = (this.#rtt.min + TARGET_MS / 2) / roundTrip
    const part = this.#tried === undefined ? Math.max(enough, SHRINK_TRY) : SHRINK_TRY
    this.#tried = { window: this.#tried?.window ?? this.window, roundTrip, part }
    this.#shrink(part)
  }

  #beginRound(): void {
    this.#roundEnd = this.#newestSent
    this.#shortest = Number.POSITIVE_INFINITY
  }

  #isLong(roundTrip: number): boolean {
    return roundTrip - this.#rtt.min > TARGET_MS
  }

  #shrink(part: number): void {
    this.#setWindow(part * this.window)
    this.#isSettling = true
    this.#beginRound()
  }

  #compete(now: number): void {
    this.#setWindow(this.#tried?.window ?? this.window)
    this.#tried = undefined
    this.#isCompeting = true
    this.#competingSince = now
  }

  #setWindow(bytes: number): void {
    this.window = Math.max(bytes, 2 * this.#datagramSize)
    this.slowStartThreshold = this.window
  }
}
