/**
 * CUBIC, RFC 9438: after a loss the window comes back to where it was along a cubic curve, in a time that does not depend on the round trip.
 *
 *   window
 *    W_max ├ ╮                 ___╱        beyond: looks for more, faster and faster
 *          │ │          ___────
 *          │ │      ╱‾‾                    W_cubic(t) = C (t - K)³ + W_max        segments, s
 *          │ ╰───╱                         K = ∛((W_max - window after the loss) / C)
 *  β W_max ├
 *          └─┼─────────────────┼─────── t
 *            0                 K
 *
 * Where Reno would be faster, which is so on short round trips, the window follows what Reno would have (§4.3).
 */
import type { Rtt } from '../rtt.ts'
import type { SentPacket } from '../sent-packet.ts'
import type { CongestionController, ControllerOptions } from './controller.ts'
import { SlowStartExit } from './slow-start-exit.ts'
import { initialWindow, minimumWindow } from './window-bounds.ts'

/** C, in segments/s³ (§5). */
const C = 0.4

/** β_cubic (§4.6): what is left of the window after a loss. */
const BETA = 0.7

/** α_cubic (§4.3): with it Reno's estimate grows, on average, as Reno with a β of ½ does. */
const RENO_GROWTH = (3 * (1 - BETA)) / (1 + BETA)

/** §4.2: in a round trip, the window grows by no more than half. */
const FASTEST_GROWTH = 1.5

export class Cubic implements CongestionController {
  readonly name = 'cubic'
  slowStartThreshold = Number.POSITIVE_INFINITY
  readonly #rtt: Rtt
  readonly #slowStart: SlowStartExit
  #datagramSize: number
  /** With what is less than a byte. */
  #window: number
  #recoveryStart = Number.NEGATIVE_INFINITY
  /** W_max and W_est, in bytes. */
  #windowBefore = 0
  #renoWindow = 0
  /** Of the window just before the last loss: from there on Reno's estimate grows as Reno does. */
  #priorWindow = 0
  /** K, in ms. */
  #timeToWindowBefore = 0
  /** Since when the curve is followed; undefined: it begins with the next ACK. */
  #epochStart: number | undefined

  constructor({ datagramSize, rtt }: ControllerOptions) {
    this.#rtt = rtt
    this.#datagramSize = datagramSize
    this.#slowStart = new SlowStartExit(rtt)
    this.#window = initialWindow(datagramSize)
  }

  get window(): number {
    return Math.floor(this.#window)
  }

  onSent(packet: SentPacket): void {
    this.#slowStart.onSent(packet)
  }

  onAcked(packet: SentPacket, isWindowUsed: boolean, now: number): void {
    const isSlowStart = this.window < this.slowStartThreshold
    if (isSlowStart) this.#slowStart.onAcked(packet)
    if (packet.sentAt <= this.#recoveryStart) return
    if (!isWindowUsed) {
      // §5.8: time in which the window was not needed does not count.
      this.#epochStart = undefined
    } else if (isSlowStart) this.#grow(packet.bytes)
    else this.#follow(packet.bytes, now)
  }

  #grow(acked: number): void {
    this.#window += acked * this.#slowStart.growth
    if (this.#slowStart.isOver) this.slowStartThreshold = this.window
  }

  #follow(acked: number, now: number): void {
    this.#epochStart ??= this.#begin(now)
    const sinceStart = now - this.#epochStart
    const isBeyondPrior = this.#renoWindow >= this.#priorWindow
    this.#renoWindow += ((isBeyondPrior ? 1 : RENO_GROWTH) * this.#datagramSize * acked) / this.#window
    if (this.#curve(sinceStart) < this.#renoWindow) {
      this.#window = Math.max(this.#window, this.#renoWindow)
      return
    }
    const wanted = this.#curve(sinceStart + this.#rtt.smoothed)
    const target = Math.min(Math.max(wanted, this.#window), FASTEST_GROWTH * this.#window)
    this.#window += ((target - this.#window) * acked) / this.#window
  }

  #begin(now: number): number {
    this.#renoWindow = this.#window
    if (this.#window >= this.#windowBefore) {
      this.#windowBefore = this.#window
      this.#timeToWindowBefore = 0
    } else {
      const segments = (this.#windowBefore - this.#window) / this.#datagramSize
      this.#timeToWindowBefore = 1000 * Math.cbrt(segments / C)
    }
    return now
  }

  /** W_cubic in bytes. */
  #curve(sinceStart: number): number {
    const seconds = (sinceStart - this.#timeToWindowBefore) / 1000
    return this.#windowBefore + C * seconds ** 3 * this.#datagramSize
  }

  onCongestion(sentAt: number, _bytes: number, now: number): void {
    if (sentAt <= this.#recoveryStart) return
    this.#recoveryStart = now
    this.#epochStart = undefined
    this.#priorWindow = this.#window
    // §4.7, fast convergence: it did not get back to where it was. Others want a share, and get some more.
    this.#windowBefore = this.#window < this.#windowBefore ? (this.#window * (1 + BETA)) / 2 : this.#window
    this.#window = Math.max(this.#window * BETA, minimumWindow(this.#datagramSize))
    this.slowStartThreshold = this.window
  }

  onPersistentCongestion(): void {
    this.#window = minimumWindow(this.#datagramSize)
    this.#recoveryStart = Number.NEGATIVE_INFINITY
    this.#epochStart = undefined
    this.#slowStart.restart()
  }

  onDatagramSize(bytes: number): void {
    this.#datagramSize = bytes
    this.#window = Math.max(this.#window, minimumWindow(bytes))
  }
}
