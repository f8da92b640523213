/**
 * Notices that nothing comes any more by h3, while a tunnel is over it that could go over to h2 (`tunnel.carrier = "auto"`): long before QUIC's idle timeout ends it.
 *
 *          0 ms  the last packet came
 *                something leaves that has to be answered: a packet of the tunnel's, a keep-alive
 *        250 ms  nothing has come: a PING (RFC 9000 §19.2), and one more after each further quarter
 *       1000 ms  the path is silent: h2 is tried (client.ts), while the tunnel stays where it is
 *                  whatever comes by h3: h2 is given up
 *                  h2 could be asked for a tunnel: one more PING, and the time for its answer; then the tunnel goes over
 *                  h2 does not answer either: again after another second, then after two, four … until the idle timeout, and the usual reconnect
 *
 * How long is too long? Three probe timeouts (RFC 9002 §6.2), by which QUIC itself has asked twice; and at least a second, as RFC 9002 and RFC 6298 wait where they know
 * nothing of a path: handovers and outages shorter than that are common, and what ends with them is not to be left. To be wrong costs a handshake of h2's.
 * The silence is counted in turns of a timer (carriers/silence.ts): neither a busy process nor a laptop that slept takes its own absence for the path's.
 */

import { SILENCE_TURNS, Silence } from '../carriers/silence.ts'
import { type Clock, systemClock } from '../hosts/clock.ts'
import type { QuicConnection, QuicStats } from '../quic/quic.ts'

const LEAST_LIMIT_MS = 1000
const PROBE_TIMEOUTS = 3
/** RFC 9002 §6.2.1, with the variation that a path has after its first measurement (§5.3), half a round trip; and the peer's max_ack_delay (RFC 9000 §18.2). */
const ROUND_TRIPS_A_PTO = 3
const ACK_DELAY_MS = 25
/** For the answer to the last question. */
const LEAST_ANSWER_MS = 100
const ANSWER_TURNS = 4
const LONGEST_PAUSE_MS = 60_000

export interface SilentPathOptions {
  /** What the tunnel is over; undefined: nothing that could be silent. */
  quic(): Pick<QuicConnection, 'stats' | 'ping'> | undefined
  /** Looks for another way. Resolves when that has come to an end, whatever came of it. Called at most once at a time. */
  onSilent(): Promise<unknown>
  /** It answers again, while another way is looked for. */
  onHeard(): void
  onError(error: unknown): void
  readonly clock?: Clock
  /** Calls back when what has arrived by now has been read. */
  afterInput?(step: () => void): void
}

export class SilentPath {
  readonly #options: SilentPathOptions
  readonly #clock: Clock
  readonly #afterInput: (step: () => void) => void
  #silence = new Silence()
  /** When it was last read, and what had been sent by then. */
  #received: number | undefined
  #sentBefore = 0
  #heardAt = 0
  #turns = 0
  #rttMs = 0
  #isSilent = false
  #isLooking = false
  #pauseMs = 0
  #nextLookAt = 0
  #timer: unknown
  /** Of the last `start`: what was on its way before it is not to go on. */
  #era = 0

  constructor(options: SilentPathOptions) {
    this.#options = options
    this.#clock = options.clock ?? systemClock
    this.#afterInput = options.afterInput ?? setImmediate
  }

  /** A tunnel stands over h3. */
  start(): void {
    this.stop()
    this.#silence = new Silence()
    this.#received = undefined
    this.#heard()
    this.#schedule(this.#era)
  }

  stop(): void {
    this.#era++
    this.#isSilent = false
    this.#clock.clearTimeout(this.#timer)
  }

  get isSilent(): boolean {
    return this.#isSilent
  }

  /** Since when nothing has come, in ms. */
  get silentMs(): number {
    return this.#clock.now() - this.#heardAt
  }

  /** Asks once more. Whether there is still no answer, after the time for one: in turns, too. */
  async isStillSilent(): Promise<boolean> {
    if (this.#isSilent) this.#options.quic()?.ping()
    const turnMs = Math.max(this.#ptoMs, LEAST_ANSWER_MS) / ANSWER_TURNS
    for (let turn = 0; turn < ANSWER_TURNS && this.#isSilent; turn++) {
      await new Promise<void>(resolve => this.#clock.setTimeout(resolve, turnMs))
      await new Promise<void>(resolve => this.#afterInput(resolve))
      this.#look()
    }
    return this.#isSilent
  }

  get #ptoMs(): number {
    return ROUND_TRIPS_A_PTO * this.#rttMs + ACK_DELAY_MS
  }

  get #limitMs(): number {
    return Math.max(LEAST_LIMIT_MS, PROBE_TIMEOUTS * this.#ptoMs)
  }

  #schedule(era: number): void {
    const turn = (): void => {
      if (era !== this.#era) return
      try {
        this.#turn()
      } catch (error) {
        this.#options.onError(error)
      }
      if (era === this.#era) this.#schedule(era)
    }
    this.#timer = this.#clock.setTimeout(() => this.#afterInput(turn), this.#limitMs / SILENCE_TURNS)
  }

  #turn(): void {
    this.#turns++
    const found = this.#look()
    // Also when it counts as silent: for as long as it does, it may answer again.
    if (found === 'ask' || (found === 'lost' && this.#turns % (SILENCE_TURNS / 4) === 0)) this.#options.quic()?.ping()
    if (found !== 'lost' || this.#isLooking || this.#clock.now() < this.#nextLookAt) return
    this.#isSilent = true
    this.#lookForAnotherWay()
  }

  #look(): ReturnType<Silence['look']> {
    const stats = this.#options.quic()?.stats()
    // Of a connection that has ended nothing is heard; what becomes of the tunnel is told elsewhere.
    if (stats === undefined) return 'quiet'
    const found = this.#silence.look(this.#unanswered(stats))
    if (found === 'heard') this.#heard()
    return found
  }

  /** How many packets have come; undefined: nothing has left since the last, so that none is due. */
  #unanswered({ packetsSent, packetsReceived, rttMs }: QuicStats): number | undefined {
    this.#rttMs = rttMs
    if (packetsReceived !== this.#received) {
      this.#received = packetsReceived
      this.#sentBefore = packetsSent
    }
    return packetsSent === this.#sentBefore ? undefined : packetsReceived
  }

  #heard(): void {
    this.#heardAt = this.#clock.now()
    this.#pauseMs = 0
    this.#nextLookAt = 0
    if (!this.#isSilent) return
    this.#isSilent = false
    this.#options.onHeard()
  }

  #lookForAnotherWay(): void {
    this.#isLooking = true
    this.#options
      .onSilent()
      .catch(error => this.#options.onError(error))
      .finally(() => {
        this.#isLooking = false
        this.#pauseMs = Math.min(Math.max(2 * this.#pauseMs, this.#limitMs), LONGEST_PAUSE_MS)
        this.#nextLookAt = this.#clock.now() + this.#pauseMs
      })
  }
}
