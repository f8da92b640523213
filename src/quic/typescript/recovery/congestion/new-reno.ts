/**
 * NewReno, RFC 9002 §7.3.
 *
 *   window                loss
 *     │            ╱│               ╱│
 *     │          ╱  │           ╱    │        ╱
 *     │        │    │       ╱        │    ╱
 *     │       ╱     └── ssthresh     └╱─
 *     │     ╱          ½ window
 *     │ __╱
 *     └──────────────────────────────────────────── round trips
 *      slow start │ recovery, congestion avoidance: one datagram a round trip
 */
import type { SentPacket } from '../sent-packet.ts'
import type { CongestionController, ControllerOptions } from './controller.ts'
import { initialWindow, minimumWindow } from './window-bounds.ts'

/** kLossReductionFactor. */
const LOSS_REDUCTION = 0.5

export class NewReno implements CongestionController {
  readonly name = 'reno'
  window: number
  slowStartThreshold = Number.POSITIVE_INFINITY
  #datagramSize: number
  /** What was sent before says nothing new: the window has been reduced since. */
  #recoveryStart = Number.NEGATIVE_INFINITY
  /** Bytes acknowledged towards the next datagram, in congestion avoidance. */
  #acked = 0

  constructor({ datagramSize }: ControllerOptions) {
    this.#datagramSize = datagramSize
    this.window = initialWindow(datagramSize)
  }

  onSent(): void {}

  onAcked(packet: SentPacket, isWindowUsed: boolean): void {
    if (!isWindowUsed || packet.sentAt <= this.#recoveryStart) return
    if (this.window < this.slowStartThreshold) {
      this.window += packet.bytes
      return
    }
    this.#acked += packet.bytes
    if (this.#acked < this.window) return
    this.#acked -= this.window
    this.window += this.#datagramSize
  }

  onCongestion(sentAt: number, _bytes: number, now: number): void {
    if (sentAt <= this.#recoveryStart) return
    this.#recoveryStart = now
    this.#acked = 0
    this.slowStartThreshold = Math.floor(this.window * LOSS_REDUCTION)
    this.window = Math.max(this.slowStartThreshold, minimumWindow(this.#datagramSize))
  }

  onPersistentCongestion(): void {
    this.window = minimumWindow(this.#datagramSize)
    this.#recoveryStart = Number.NEGATIVE_INFINITY
  }

  onDatagramSize(bytes: number): void {
    this.#datagramSize = bytes
    this.window = Math.max(this.window, minimumWindow(bytes))
  }
}
