/**
 * Beside the student's controller, in their process: what loss recovery tells comes as numbers, and becomes calls of the controller.
 *
 *   check                               student's process
 *   loss recovery ── RemoteController ──[ rtt, call, its arguments, call … ]──> Player ──> student's controller
 *                            <──────────[ window, threshold, pacing rate ]─────
 *
 * This file is handed to that process as text (remote-controller.ts), so it imports nothing but types.
 */
import type {
  CongestionController,
  ControllerOptions,
} from '../../src/quic/typescript/recovery/congestion/controller.ts'
import type { Rtt } from '../../src/quic/typescript/recovery/rtt.ts'
import type { SentPacket } from '../../src/quic/typescript/recovery/sent-packet.ts'

/** Each call by its place in this list. Behind it come the numbers that `Player` reads for it. */
export const CALLS = ['sent', 'acked', 'ackDone', 'congestion', 'persistentCongestion', 'datagramSize'] as const

export class Player {
  readonly #controller: CongestionController
  readonly #rtt = { latest: 0, smoothed: 333, variation: 166.5, min: 0, hasSample: false }
  #told: ArrayLike<number> = []
  #at = 0

  /** `randomSeed`: of the random numbers that the controller is given. */
  constructor(make: (options: ControllerOptions) => CongestionController, datagramSize: number, randomSeed: number) {
    this.#controller = make({ datagramSize, rtt: this.#rtt as Rtt, random: randomNumbers(randomSeed) })
  }

  /** Makes the calls that it is told, and returns what the controller wants then: window, threshold, pacing rate (NaN: none). */
  play(told: Float64Array): Float64Array {
    this.#told = told
    this.#at = 0
    const rtt = this.#rtt
    rtt.latest = this.#next()
    rtt.smoothed = this.#next()
    rtt.variation = this.#next()
    rtt.min = this.#next()
    rtt.hasSample = this.#next() === 1
    while (this.#at < told.length) this.#call()
    const { window, slowStartThreshold, pacingRate = Number.NaN } = this.#controller
    return Float64Array.of(window, slowStartThreshold, pacingRate)
  }

  #next(): number {
    return this.#told[this.#at++]!
  }

  #call(): void {
    const controller = this.#controller
    switch (CALLS[this.#next()]) {
      case 'sent':
        return controller.onSent(this.#packet(), this.#next(), this.#next())
      case 'acked':
        return controller.onAcked(this.#packet(), this.#next() === 1, this.#next())
      case 'ackDone': {
        const sample = {
          rate: this.#next(),
          isAppLimited: this.#next() === 1,
          delivered: this.#next(),
          priorDelivered: this.#next(),
          acked: this.#next(),
          lost: this.#next(),
          rttMs: this.#next(),
        }
        return controller.onAckDone?.(sample, this.#next(), this.#next())
      }
      case 'congestion':
        return controller.onCongestion(this.#next(), this.#next(), this.#next())
      case 'persistentCongestion':
        return controller.onPersistentCongestion(this.#next())
      case 'datagramSize':
        return controller.onDatagramSize(this.#next())
    }
  }

  #packet(): SentPacket {
    const packet = { number: this.#next(), sentAt: this.#next(), bytes: this.#next() }
    return { ...packet, space: 2, ackEliciting: true, inFlight: true, path: 0, isMtuProbe: false } as SentPacket
  }
}

/** From 0 to 1, 1 excluded; the same for the same seed (the minimal standard generator of Park and Miller). */
function randomNumbers(seed: number): () => number {
  let state = (Math.abs(Math.trunc(seed)) % 2_147_483_646) + 1
  return () => {
    state = (state * 48_271) % 2_147_483_647
    return (state - 1) / 2_147_483_646
  }
}
