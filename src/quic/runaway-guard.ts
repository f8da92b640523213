/**
 * Notices an engine that has got stuck, and lets it rest.
 *
 * quiche 0.18, when a probe timeout falls between a CRYPTO frame and its acknowledgement, can send empty CRYPTO frames without end.
 * Reading what has arrived since puts an end to it: so the socket is to have its turn.
 */

/** So many packets in a row that are all but empty, in bytes on average, are no traffic. */
const RUNAWAY_PACKETS = 64
const RUNAWAY_LENGTH = 100
const FIRST_PAUSE_MS = 2
/** The pauses double while nothing arrives, up to this: a peer that is gone would else be flooded until the idle timeout. */
const LONGEST_PAUSE_MS = 1000

export class RunawayGuard {
  #pauseMs = 0
  #until = 0

  /** Whether nothing is to be sent now. */
  isPausing(now: number): boolean {
    return now < this.#until
  }

  /** After so many packets of one turn, in bytes all together: how long to send none, in ms; 0: go on. */
  judge(packets: number, bytes: number, now: number): number {
    if (packets < RUNAWAY_PACKETS || bytes >= packets * RUNAWAY_LENGTH) return 0
    this.#pauseMs = Math.min(this.#pauseMs * 2 || FIRST_PAUSE_MS, LONGEST_PAUSE_MS)
    this.#until = now + this.#pauseMs
    return this.#pauseMs
  }

  /** Something has arrived. */
  reset(): void {
    this.#pauseMs = 0
    this.#until = 0
  }
}
