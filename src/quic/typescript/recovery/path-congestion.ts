/**
 * How one path is: its round-trip time, how much is on its way, and how much may be. Where packets leave on another path this begins anew
 * (RFC 9000 §9.4); what is then still on its way counts where it was sent.
 */
import type { CongestionController } from './congestion/controller.ts'
import { DeliveryRate } from './delivery-rate.ts'
import { Pacer } from './pacer.ts'
import { GRANULARITY_MS, type Rtt } from './rtt.ts'
import type { SentPacket } from './sent-packet.ts'

/** RFC 9002 §7.7: a little more than fills the window in a round trip, so that pacing does not leave it unused; slow start doubles it. */
const PACING_GAIN = 1.25
const PACING_GAIN_SLOW_START = 2

/** A window of which no more than this is unused was what held us back: a pacer's burst may be on its way out. In datagrams. */
const NEARLY_FULL = 3

export class PathCongestion {
  readonly rtt: Rtt
  readonly controller: CongestionController
  readonly #pacer = new Pacer()
  readonly #rate = new DeliveryRate()
  #inFlight = 0
  #datagramSize: number
  #pacedUntil: number | undefined
  /** The last packet that waited had to wait on; else all that there was has left. */
  #isHeldBack = false
  /** Of the ACK that is being read: see `onAckBegun`. */
  #isWindowUsed = false

  constructor(rtt: Rtt, controller: CongestionController, datagramSize: number) {
    this.rtt = rtt
    this.controller = controller
    this.#datagramSize = datagramSize
  }

  /** In bytes. */
  get bytesInFlight(): number {
    return this.#inFlight
  }

  /** When the pacer lets the packet go that it has refused; undefined: it has refused none. */
  get pacedUntil(): number | undefined {
    return this.#pacedUntil
  }

  /** The pacer has let it go, whether it is still there or not. */
  onDeadline(now: number): void {
    if (this.#pacedUntil !== undefined && this.#pacedUntil <= now) this.#pacedUntil = undefined
  }

  onDatagramSize(bytes: number): void {
    this.#datagramSize = bytes
    this.controller.onDatagramSize(bytes)
  }

  /** Whether a packet of so many bytes, which waits to be sent, may leave. */
  maySend(bytes: number, now: number): boolean {
    this.#pacedUntil = undefined
    this.#isHeldBack = true
    if (this.#inFlight + bytes > this.controller.window) return false
    const at = this.#pacer.nextSendAt(bytes, this.pacingRate, this.#datagramSize, now)
    if (at <= now) this.#isHeldBack = false
    else this.#pacedUntil = at
    return !this.#isHeldBack
  }

  /** The same for one that does not wait: that it may not leave holds nothing back. */
  hasRoom(bytes: number, now: number): boolean {
    if (this.#inFlight + bytes > this.controller.window) return false
    return this.#pacer.nextSendAt(bytes, this.pacingRate, this.#datagramSize, now) <= now
  }

  /** In bytes per ms. */
  get pacingRate(): number {
    const { pacingRate, window, slowStartThreshold } = this.controller
    if (pacingRate !== undefined) return pacingRate
    const gain = window < slowStartThreshold ? PACING_GAIN_SLOW_START : PACING_GAIN
    return (gain * window) / Math.max(this.rtt.smoothed, GRANULARITY_MS)
  }

  onSent(packet: SentPacket): void {
    packet.congestion = this
    this.#rate.onSent(packet, this.#inFlight)
    this.#inFlight += packet.bytes
    this.#pacer.onSent(packet.bytes, this.pacingRate, this.#datagramSize, packet.sentAt)
    this.controller.onSent(packet, this.#inFlight, packet.sentAt)
  }

  /**
   * An ACK begins: what follows is of it, until `onAckDone`. RFC 9002 §7.8: a window that is not needed does not grow, neither when there is too little
   * to send nor when the peer's flow control allows no more; but one that is kept from being full by the pacer only is needed, and so is one that
   * was full before other ACKs came together with this one.
   */
  onAckBegun(): void {
    this.#rate.begin()
    if (!this.#isHeldBack) this.#rate.onNothingToSend(this.#inFlight)
    this.#isWindowUsed = this.#isHeldBack || this.#isNearlyFull()
  }

  #isNearlyFull(): boolean {
    return this.controller.window - this.#inFlight <= NEARLY_FULL * this.#datagramSize
  }

  onAcked(packet: SentPacket, now: number): void {
    this.#inFlight -= packet.bytes
    this.#rate.onAcked(packet, now)
    this.controller.onAcked(packet, this.#isWindowUsed, now)
  }

  onAckDone(now: number): void {
    this.controller.onAckDone?.(this.#rate.sample(this.rtt.min, now), this.#inFlight, now)
    this.#rate.end()
  }

  /** No sign of congestion by itself: see `onCongestion`. */
  onLost(packet: SentPacket): void {
    this.#inFlight -= packet.bytes
    this.#rate.onLost(packet.bytes)
  }

  /** Its keys are gone: nobody will know what became of it. */
  onForgotten(packet: SentPacket): void {
    this.#inFlight -= packet.bytes
  }
}
