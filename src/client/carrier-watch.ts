/**
 * Looks from time to time whether h3 works again, while a tunnel is over h2 because it did not (`tunnel.carrier = "auto"`). When to look, CarrierMemory
 * says; how the tunnel then changes its carrier is in client.ts:
 *
 *     client                                                      proxy
 *       |  h3: handshake, SETTINGS; the tunnel over h2 goes on      |
 *       |<--------------------------------------------------------->|
 *       |  h3: request, ADDRESS_REQUEST: the addresses that it has  |   server/proxy-tunnel.ts: they are promised
 *       |<--------------------------------------------------------->|
 *       |  h3: packets, or routes: the client goes over             |   now they lead there
 *       |---------------------------------------------------------->|
 *       |  h2: what is under way arrives; then the tunnel ends      |
 *       |<--------------------------------------------------------->|
 *
 * A proxy that cannot hand addresses over has one tunnel for an address: there h2 ends, without taking leave, before h3 is asked, and the break is two round
 * trips.
 */

import type { HttpVersion } from '../carriers/http-connection.ts'
import { type Clock, systemClock } from '../hosts/clock.ts'

/** The tunnel has changed its carrier. */
export interface CarrierChange {
  readonly from: HttpVersion
  readonly to: HttpVersion
  /** Without a tunnel, or with one over which nothing came, in ms; 0 where the proxy has handed its addresses over from one that worked. */
  readonly ms: number
  readonly at: Date
}

/** What carries the tunnel, and how it came to that. */
export interface CarrierStatus {
  /** Undefined while there is no tunnel. */
  readonly current?: HttpVersion
  /** How often it was looked whether the other carrier works: h3 again, or h2, when nothing came over h3. */
  readonly tries: number
  /** How often the tunnel has gone over. */
  readonly changes: number
  readonly last?: CarrierChange
  /** Why the last try came to nothing. */
  readonly lastFailure?: string
}

export interface CarrierWatchOptions {
  /** How long to wait for the next look, in ms. */
  nextPauseMs(): number
  /** Whether the tunnel is over h3 now. Called at most once at a time. */
  look(): Promise<boolean>
  onError(error: unknown): void
  readonly clock?: Clock
}

export class CarrierWatch {
  readonly #options: CarrierWatchOptions
  readonly #clock: Clock
  #timer: unknown
  #isOn = false
  #isLooking = false

  constructor(options: CarrierWatchOptions) {
    this.#options = options
    this.#clock = options.clock ?? systemClock
  }

  /** A tunnel stands that is not over h3. */
  start(): void {
    this.#isOn = true
    this.#schedule()
  }

  /** There is no such tunnel any more. */
  stop(): void {
    this.#isOn = false
    this.#clock.clearTimeout(this.#timer)
  }

  #schedule(): void {
    this.#clock.clearTimeout(this.#timer)
    if (!this.#isOn || this.#isLooking) return
    this.#timer = this.#clock.setTimeout(() => {
      this.#isLooking = true
      this.#options
        .look()
        .catch(error => this.#options.onError(error))
        .finally(() => {
          this.#isLooking = false
          this.#schedule()
        })
    }, this.#options.nextPauseMs())
  }
}
