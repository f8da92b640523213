/**
 * A tunnel by whichever version of HTTP gets through, for networks that block one of them. After RFC 8305 (Happy Eyeballs), one floor higher
 * than dial.ts: not addresses are raced, but carriers.
 *
 *      0 ms  h3   handshake, SETTINGS ── its turn: the request ── the tunnel stands: it has won
 *    250 ms  h2   begins, unless h3 has its turn by then; at once when h3 has failed
 *                 handshake, SETTINGS ── waits for its turn ── closed: nothing was asked of the proxy
 *
 * Where is the finish? Behind the handshake would be too early: a middlebox may let a handshake pass and nothing after it, and a server may speak
 * HTTP/3 and know no tunnels there. But a request takes addresses from the proxy's pool, and two at once are two tunnels of one client. So the
 * tunnel decides, and requests go out one at a time: whoever may send one first has the turn, and loses it when the proxy leaves it unanswered
 * while others wait.
 *
 * No answer is raced around. A proxy that has said no says it by every carrier; and where one side does not trust the other, somebody else may have
 * answered: that is for people to hear, and no reason to look for a way on which nobody notices.
 */

import type { HttpVersion } from '../carriers/http-connection.ts'
import { type Clock, systemClock } from '../hosts/clock.ts'
import { ClientError, errorFromFailure } from './errors.ts'

/** How long a request may be unanswered while there is another carrier, in ms: several round trips of the longest path, over satellites. */
export const TURN_MS = 3000

/** One who takes part: an attempt to open a tunnel by one carrier. */
export interface Contender {
  /** The proxy has said yes. */
  readonly accepted: boolean
  /** Resolves when the tunnel stands. */
  connect(): Promise<unknown>
  close(): Promise<void>
}

/** Called when a request may go out, with what sends it: at once, later, or never. */
export type AwaitTurn = (ask: () => void) => void

export interface CarrierRaceOptions<T extends Contender> {
  /** Who is expected to win comes first. */
  readonly carriers: readonly HttpVersion[]
  begin(carrier: HttpVersion, awaitTurn: AwaitTurn): T
  /** How long the first has for itself, in ms. */
  readonly headStartMs: number
  /** A bug of ours. */
  onError(error: unknown): void
  readonly clock?: Clock
}

interface Runner<T> {
  readonly carrier: HttpVersion
  contender: T
  /** It waits for its turn with this. */
  ask?: () => void
}

export class CarrierRace<T extends Contender> {
  readonly #options: CarrierRaceOptions<T>
  readonly #clock: Clock
  /** Those that have not begun. */
  readonly #waiting: HttpVersion[]
  readonly #running = new Set<Runner<T>>()
  readonly #failures: { carrier: HttpVersion; error: ClientError }[] = []
  /** Whose request is under way. */
  #turn: Runner<T> | undefined
  /** It has been for so long that others may have it. */
  #isTurnUp = false
  #startTimer: unknown
  #turnTimer: unknown
  #over = false
  #settle: { resolve: (winner: T) => void; reject: (error: ClientError) => void } | undefined

  constructor(options: CarrierRaceOptions<T>) {
    this.#options = options
    this.#clock = options.clock ?? systemClock
    this.#waiting = [...options.carriers]
  }

  /** Resolves with whose tunnel stands. Rejects with one ClientError for all. */
  run(): Promise<T> {
    return new Promise((resolve, reject) => {
      this.#settle = { resolve, reject }
      this.#startNext()
    })
  }

  /** Gives up what is under way; resolves when it has ended. Idempotent. */
  async cancel(): Promise<void> {
    await this.#end()
    this.#settle?.reject(new ClientError('tunnel', 'the client was closed while it was connecting'))
  }

  #startNext(): void {
    this.#clock.clearTimeout(this.#startTimer)
    const carrier = this.#waiting.shift()
    if (this.#over || carrier === undefined) return
    if (this.#waiting.length > 0) {
      this.#startTimer = this.#clock.setTimeout(() => {
        // Whoever has the turn has got through; what becomes of that is known soon.
        if (this.#turn === undefined) this.#startNext()
      }, this.#options.headStartMs)
    }
    const runner = { carrier } as Runner<T>
    runner.contender = this.#options.begin(carrier, ask => this.#wantsTurn(runner, ask))
    this.#running.add(runner)
    runner.contender.connect().then(
      () => this.#stands(runner),
      error => this.#failed(runner, errorFromFailure(error, 'the proxy')),
    )
  }

  // -- turns -----------------------------------------------------------------------------------------------------

  #wantsTurn(runner: Runner<T>, ask: () => void): void {
    if (this.#over) return
    runner.ask = ask
    if (this.#turn === undefined) this.#nextTurn()
    else if (this.#isTurnUp) this.#takeTurnAway(this.#turn)
  }

  /** Whoever has waited longest. */
  #nextTurn(): void {
    this.#clock.clearTimeout(this.#turnTimer)
    this.#turn = [...this.#running].find(({ ask }) => ask !== undefined)
    this.#isTurnUp = false
    if (this.#turn === undefined) return
    const { ask } = this.#turn
    this.#turn.ask = undefined
    this.#turnTimer = this.#clock.setTimeout(() => this.#turnUp(), TURN_MS)
    ask?.()
  }

  #turnUp(): void {
    const holder = this.#turn
    // A tunnel that was granted is not given up for another one.
    if (holder === undefined || holder.contender.accepted) return
    this.#isTurnUp = true
    if ([...this.#running].some(({ ask }) => ask !== undefined)) this.#takeTurnAway(holder)
    else this.#startNext()
  }

  #takeTurnAway(holder: Runner<T>): void {
    if (holder.contender.accepted) return
    holder.contender.close().catch(error => this.#options.onError(error))
    this.#failed(holder, unanswered())
  }

  // -- outcomes --------------------------------------------------------------------------------------------------

  #stands(winner: Runner<T>): void {
    if (this.#over || !this.#running.delete(winner)) return
    this.#end().catch(error => this.#options.onError(error))
    this.#settle?.resolve(winner.contender)
  }

  #failed(runner: Runner<T>, error: ClientError): void {
    // The end of one that was given up is no news.
    if (!this.#running.delete(runner) || this.#over) return
    this.#failures.push({ carrier: runner.carrier, error })
    if (isAnswer(error) || (this.#running.size === 0 && this.#waiting.length === 0)) {
      const silent = [...this.#running].map(({ carrier }) => carrier)
      this.#end().catch(failure => this.#options.onError(failure))
      return this.#settle?.reject(summary(this.#failures, silent))
    }
    if (this.#turn === runner) this.#nextTurn()
    this.#startNext()
  }

  async #end(): Promise<void> {
    this.#over = true
    this.#clock.clearTimeout(this.#startTimer)
    this.#clock.clearTimeout(this.#turnTimer)
    const losers = [...this.#running]
    this.#running.clear()
    await Promise.all(losers.map(({ contender }) => contender.close()))
  }
}

/** What a carrier fails with whose request has had no answer. */
export function unanswered(): ClientError {
  return new ClientError('timeout', `no answer to the request within ${TURN_MS / 1000} s`)
}

/** The proxy has said no, or one side does not trust the other, or nothing can be sent with this configuration. */
function isAnswer({ kind, tlsAlert }: ClientError): boolean {
  return kind === 'http' || kind === 'tls' || kind === 'config' || tlsAlert !== undefined
}

/** One error for all carriers, in a sentence; of its kind is what says most. `silent`: those that were still trying. */
function summary(
  failures: readonly { carrier: HttpVersion; error: ClientError }[],
  silent: readonly HttpVersion[],
): ClientError {
  const errors = failures.map(({ error }) => error)
  const { kind, tlsAlert, status, cause } =
    errors.find(isAnswer) ??
    errors.find(error => error.kind !== 'network' && error.kind !== 'timeout') ??
    errors.find(error => error.kind === 'timeout') ??
    errors[0]
  const sentences = [
    ...failures.map(({ carrier, error }) => `over ${carrier}: ${error.message}`),
    ...silent.map(carrier => `over ${carrier}: no answer so far`),
  ]
  return new ClientError(kind, sentences.join('; '), { tlsAlert, status, cause })
}
