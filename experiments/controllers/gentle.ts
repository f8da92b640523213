/**
 * A congestion control of one's own, to be replaced by yours: it grows as NewReno does, and gives back a tenth at a loss in place of a half.
 *
 * What each method is told is in src/quic/typescript/recovery/congestion/controller.ts.
 */
import type {
  CongestionController,
  ControllerOptions,
} from '../../src/quic/typescript/recovery/congestion/controller.ts'
import { initialWindow, minimumWindow } from '../../src/quic/typescript/recovery/congestion/window-bounds.ts'
import type { SentPacket } from '../../src/quic/typescript/recovery/sent-packet.ts'

const KEPT = 0.9

export default class Gentle implements CongestionController {
  readonly name = 'gentle'
  window: number
  slowStartThreshold = Number.POSITIVE_INFINITY
  #datagramSize: number
  /** What was sent before says nothing new: the window has been reduced since. */
  #reducedAt = Number.NEGATIVE_INFINITY

  constructor({ datagramSize }: ControllerOptions) {
    this.#datagramSize = datagramSize
    this.window = initialWindow(datagramSize)
  }

  onSent(): void {}

  onAcked({ bytes, sentAt }: SentPacket, isWindowUsed: boolean): void {
    if (!isWindowUsed || sentAt <= this.#reducedAt) return
    const isSlowStart = this.window < this.slowStartThreshold
    // Slow start: twice as much in a round trip; then a datagram more.
    this.window += isSlowStart ? bytes : (this.#datagramSize * bytes) / this.window
  }

  onCongestion(sentAt: number, _bytes: number, now: number): void {
    if (sentAt <= this.#reducedAt) return
    this.#reducedAt = now
    this.window = Math.max(KEPT * this.window, minimumWindow(this.#datagramSize))
    this.slowStartThreshold = this.window
  }

  onPersistentCongestion(): void {
    this.window = minimumWindow(this.#datagramSize)
  }

  onDatagramSize(bytes: number): void {
    this.#datagramSize = bytes
    this.window = Math.max(this.window, minimumWindow(bytes))
  }
}
