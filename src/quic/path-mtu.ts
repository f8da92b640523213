/**
 * The search for the largest UDP payload that a path carries: DPLPMTUD, RFC 8899, as QUIC uses it (RFC 9000 §14.3).
 *
 *   The only proof that a size fits is a packet of that size that was acknowledged: a probe. So the search goes up
 *   from what always works, and what is in use is always proven:
 *
 *      base                size                           ceiling               max
 *      1200 ───────────────┴───── still to be tried ──────────┴──── does not fit ────┘
 *           proven to fit
 *
 *   A probe that is lost proves little, as packets are lost for other reasons: only the third loss in a row of one
 *   size lowers the ceiling below it. The first probe tries the maximum, which nearly every path carries; if that
 *   fails, each next one halves what is left.
 *
 *        ┌────────────┐  size = ceiling    ┌──────────┐  larger packets are lost   ┌────────────┐
 *        │ searching  │ ─────────────────> │ complete │ ─────────────────────────> │ confirming │
 *        └────────────┘ <───────────────── └──────────┘ <───────────────────────── └────────────┘
 *              ^          raise timer                        the probe arrived            │
 *              └──────────────────────────────────────────────────────────────────────────┘
 *                  three probes of a size that had been proven are lost: a black hole; start from the base again
 *
 * Time comes in as an argument, in ms. What a probe looks like, and how one learns what became of it, is not in here.
 */

/** RFC 9000 §14: every path that carries QUIC carries UDP payloads of this size, in bytes. BASE_PLPMTU. */
export const BASE_UDP_PAYLOAD = 1200

/** Lost probes of one size after which it is taken for too large (RFC 8899 §5.1.2, MAX_PROBES). */
const MAX_PROBES = 3

/** How long after a search that ended below the maximum the next one begins, in ms (RFC 8899 §5.1.1, PMTU_RAISE_TIMER). */
const RAISE_MS = 600_000

/** A probe that said nothing is repeated after this pause, in ms, which doubles each time up to the longest. */
const FIRST_PAUSE_MS = 100
const LONGEST_PAUSE_MS = 10_000

/** What a connection asks of a search: another one can take the place of this one. One that knows nothing of moves has a suspicion instead. */
export type MtuSearch = Omit<PathMtuSearch, 'onMoved'> & Partial<Pick<PathMtuSearch, 'onMoved'>>

export class PathMtuSearch {
  readonly #base: number
  readonly #max: number
  #state: 'searching' | 'complete' | 'confirming' = 'searching'
  #size: number
  #ceiling: number
  /** The next probe tries the ceiling itself. */
  #tryCeiling = true
  #losses = 0
  #pauseMs = FIRST_PAUSE_MS
  /** When the next probe is due; undefined: never, unless something happens. */
  #dueAt: number | undefined

  /** `max`: the largest UDP payload that may be sent, in bytes; below `base` it is the base. */
  constructor(options: { max: number; base?: number; now: number }) {
    this.#base = options.base ?? BASE_UDP_PAYLOAD
    this.#max = Math.max(options.max, this.#base)
    this.#size = this.#base
    this.#ceiling = this.#max
    this.#dueAt = options.now
    this.#completeIfDone(options.now)
  }

  /** The largest UDP payload that is proven to fit, in bytes: PLPMTU. */
  get size(): number {
    return this.#size
  }

  /** Whether a search has ended, so that `size` is more than a beginning. */
  get settled(): boolean {
    return this.#state !== 'searching'
  }

  /** When `nextProbe` will have one, in ms; undefined: not before something else happens. */
  get dueAt(): number | undefined {
    return this.#dueAt
  }

  /** The size of the probe that is to be sent now, in bytes; undefined: none. */
  nextProbe(now: number): number | undefined {
    if (this.#dueAt === undefined || now < this.#dueAt) return undefined
    if (this.#state === 'complete') this.#search(this.#max, true)
    return this.#candidate
  }

  /** The probe that `nextProbe` asked for was acknowledged. */
  onProbeAcked(now: number): void {
    this.#losses = 0
    this.#pauseMs = FIRST_PAUSE_MS
    this.#size = this.#candidate
    // Confirmed on a path that may carry more: then the ceiling itself is tried first, as at the beginning.
    this.#tryCeiling = this.#state === 'confirming'
    this.#state = 'searching'
    this.#dueAt = now
    this.#completeIfDone(now)
  }

  /** It was lost, while smaller packets arrived. */
  onProbeLost(now: number): void {
    this.#dueAt = now
    if (++this.#losses < MAX_PROBES) return
    const tooLarge = this.#candidate
    if (this.#state === 'confirming') this.#size = this.#base
    this.#search(Math.max(tooLarge - 1, this.#size), false)
    this.#completeIfDone(now)
  }

  /** All that is sent is larger than the base, and none of it arrives. */
  onStall(now: number): void {
    if (this.#size === this.#base) return
    this.#size = this.#base
    this.#search(this.#max, true)
    this.#dueAt = now
  }

  /** Nothing can be said about it: it could not be sent, or the path carried nothing at all. */
  onProbeVoid(now: number): void {
    this.#dueAt = now + this.#pauseMs
    this.#pauseMs = Math.min(this.#pauseMs * 2, LONGEST_PAUSE_MS)
  }

  /** The probe that is due can only be sent later, in ms. */
  postpone(until: number): void {
    this.#dueAt = until
  }

  /**
   * The path is another one, which may carry less than the one before, or more (RFC 9000 §14.3). What was proven there is confirmed first,
   * as nearly all paths carry the same: a tunnel that got narrower at each move, for a round trip, would be the greater harm.
   */
  onMoved(now: number): void {
    this.#search(this.#max, true)
    this.#dueAt = now
    if (this.#size > this.#base) this.#state = 'confirming'
    else this.#completeIfDone(now)
  }

  /** Packets larger than the base were lost: is this a black hole (RFC 8899 §4.3)? */
  suspect(now: number): void {
    if (this.#state !== 'complete' || this.#size === this.#base) return
    this.#state = 'confirming'
    this.#losses = 0
    this.#dueAt = now
  }

  get #candidate(): number {
    if (this.#state === 'confirming') return this.#size
    return this.#tryCeiling ? this.#ceiling : Math.ceil((this.#size + this.#ceiling) / 2)
  }

  #search(ceiling: number, tryCeiling: boolean): void {
    this.#state = 'searching'
    this.#ceiling = ceiling
    this.#tryCeiling = tryCeiling
    this.#losses = 0
  }

  #completeIfDone(now: number): void {
    if (this.#size < this.#ceiling) return
    this.#state = 'complete'
    this.#dueAt = this.#size < this.#max ? now + RAISE_MS : undefined
  }
}
