/**
 * Which carrier has worked, for a client with `tunnel.carrier = "auto"`: so that a reconnect does not wait again for one that the network blocks;
 * and when to look whether it still does.
 *
 *     h2 stands ── 30 s ──> is there h3 again? ── no ── 60 s ──> again? ── no ── 2 min … 10 min, and so on
 *                                └── yes: the tunnel moves to h3 (client.ts)
 *
 * A network that blocks UDP, lets it pass and blocks it again does not get the client to run after it: the pauses go on growing until h3 has carried
 * a tunnel for ten minutes. For the life of the process; time comes in as an argument.
 */

import type { HttpVersion } from '../carriers/http-connection.ts'

/** After so long, in ms, what has worked is no longer believed: the machine may be somewhere else. */
const REMEMBERED_MS = 600_000
/** A tunnel over h3 that has lived for so long shows that UDP is not blocked from time to time, in ms. */
const SETTLED_MS = 600_000

/** In which order carriers are tried where nothing is known: h3 loses nothing to others' packets (RFC 9484 over QUIC datagrams). */
const PREFERRED: readonly HttpVersion[] = ['h3', 'h2']

/** All in ms. */
export interface CarrierTiming {
  /** Between two looks whether h3 works again: at first, and at most. */
  readonly firstPause: number
  readonly longestPause: number
  /** How long the first carrier of a race has for itself. RFC 8305 §8, Connection Attempt Delay. */
  readonly headStart: number
}

export const DEFAULT_CARRIER_TIMING: CarrierTiming = { firstPause: 30_000, longestPause: 600_000, headStart: 250 }

export class CarrierMemory {
  readonly #timing: CarrierTiming
  #worked: { carrier: HttpVersion; atMs: number } | undefined
  /** Since when there is a tunnel over h3. */
  #preferredSinceMs: number | undefined
  #pauseMs: number

  constructor(timing = DEFAULT_CARRIER_TIMING) {
    this.#timing = timing
    this.#pauseMs = timing.firstPause
  }

  /** A tunnel stands. */
  stands(carrier: HttpVersion, nowMs: number): void {
    if (carrier !== PREFERRED[0]) this.#preferredEnds(nowMs)
    this.#worked = { carrier, atMs: nowMs }
    if (carrier === PREFERRED[0]) this.#preferredSinceMs = nowMs
  }

  /** The tunnel is lost: its carrier has worked until now. */
  lost(nowMs: number): void {
    if (this.#worked !== undefined) this.#worked = { ...this.#worked, atMs: nowMs }
    this.#preferredEnds(nowMs)
  }

  #preferredEnds(nowMs: number): void {
    if (this.#preferredSinceMs !== undefined && nowMs - this.#preferredSinceMs >= SETTLED_MS) {
      this.#pauseMs = this.#timing.firstPause
    }
    this.#preferredSinceMs = undefined
  }

  /** Carriers in the order in which they are to be tried now. */
  order(nowMs: number): readonly HttpVersion[] {
    if (this.#worked === undefined || nowMs - this.#worked.atMs >= REMEMBERED_MS) return PREFERRED
    const { carrier } = this.#worked
    return [carrier, ...PREFERRED.filter(other => other !== carrier)]
  }

  /** How long to wait before h3 is tried again, in ms; each time it is asked, longer. */
  nextPauseMs(): number {
    const pauseMs = this.#pauseMs
    this.#pauseMs = Math.min(2 * pauseMs, this.#timing.longestPause)
    return pauseMs
  }
}
