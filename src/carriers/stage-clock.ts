/**
 * Where the time of a packet from the peer goes: of one packet in 64, since reading the clock for each would cost more than much of what is measured.
 *
 *            onDatagram    the packet      may it pass?    whose is it?     handed over
 *   carrier ──────┼────────────┼────────────────┼────────────────┼───────────────┼──▶
 *                 │  receive   │     policy     │    forward     │     send      │
 *
 * A packet that is dropped has only the stages that it got through.
 */

export const STAGES = ['receive', 'policy', 'forward', 'send'] as const
/** Places in it. */
export const [RECEIVE, POLICY, FORWARD, SEND] = STAGES.keys()

const SAMPLE_EVERY = 64

export interface StageObserver {
  /** Of one packet, in ms: the whole way, and its stages in the order of `STAGES`, NaN for those that it did not get to. Valid during the call only. */
  onPacketTimed(ms: number, stagesMs: Readonly<Float64Array>): void
}

export class StageClock {
  readonly #observer: StageObserver
  readonly #now: () => number
  readonly #stages = new Float64Array(STAGES.length)
  #untilSample = 1
  #isTiming = false
  #startedAt = 0
  #lastAt = 0

  /** `now`: ms that never go back. */
  constructor(observer: StageObserver, now: () => number = () => performance.now()) {
    this.#observer = observer
    this.#now = now
  }

  /** A packet has come. One that was begun before and never ended, as something threw, is forgotten. */
  begin(): void {
    this.#untilSample--
    this.#isTiming = this.#untilSample === 0
    if (!this.#isTiming) return
    this.#untilSample = SAMPLE_EVERY
    this.#stages.fill(Number.NaN)
    this.#startedAt = this.#now()
    this.#lastAt = this.#startedAt
  }

  /** The packet has got through this stage, by its place in `STAGES`. */
  over(stage: number): void {
    if (!this.#isTiming) return
    const now = this.#now()
    this.#stages[stage] = now - this.#lastAt
    this.#lastAt = now
  }

  /** Nothing more is done with the packet. */
  end(): void {
    if (!this.#isTiming) return
    this.#isTiming = false
    this.#observer.onPacketTimed(this.#now() - this.#startedAt, this.#stages)
  }
}
