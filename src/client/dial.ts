/**
 * A connection to a proxy that has several addresses, some of which may lead nowhere. RFC 8305 §5: an attempt begins a
 * moment after the one before it, or at once when that has failed; the first handshake that is done wins, and the others
 * are given up.
 */

import type { HttpClientConnection, HttpClientHandler } from '../carriers/http-connection.ts'
import { type Clock, systemClock } from '../hosts/clock.ts'
import type { SocketAddress } from '../quic/quic.ts'
import { ClientError, errorFromClose, errorFromFailure } from './errors.ts'

/** RFC 8305 §8, Connection Attempt Delay, in ms. */
const ATTEMPT_DELAY_MS = 250

export interface DialOptions {
  readonly addresses: readonly SocketAddress[]
  /** Starts a handshake. Nothing is reported on the connection before the caller's turn is over. */
  connect(remote: SocketAddress): Promise<HttpClientConnection>
  /** A handshake is done; what is returned hears the rest, beginning with `onReady`. */
  onConnected(connection: HttpClientConnection): HttpClientHandler
  /** All attempts have failed. */
  onFailed(error: ClientError): void
  /** A bug of ours. */
  onError(error: unknown): void
  delayMs?: number
  /**
   * The proxy was there a moment ago, and comes back at some moment: an attempt begins so often, in ms, until there is an answer, or the dial is
   * cancelled. An attempt repeats its first packet only after a second, then after two; a new one is a knock at the door now.
   */
  knockMs?: number
  readonly clock?: Clock
}

/**
 * So many attempts at a time, so that each has the time of a long round trip, and none that of repeating its first packet: that is what the next knock is for. The
 * oldest makes room.
 */
const MOST_KNOCKS = 36

/** Failures that are remembered, for the sentence in the end. */
const MOST_FAILURES = 8

interface Attempt {
  readonly remote: SocketAddress
  /** Called when it has ended. */
  ended(): void
}

export class Dial {
  readonly #options: DialOptions
  readonly #clock: Clock
  /** Handshakes under way, in the order in which they have begun. */
  readonly #running = new Map<HttpClientConnection, Attempt>()
  readonly #failures: ClientError[] = []
  #next = 0
  #pending = 0
  #over = false
  #timer: unknown

  constructor(options: DialOptions) {
    this.#options = options
    this.#clock = options.clock ?? systemClock
  }

  start(): void {
    this.#clock.clearTimeout(this.#timer)
    if (this.#over) return
    const { addresses, knockMs, delayMs = ATTEMPT_DELAY_MS } = this.#options
    const remote = addresses[this.#next++ % addresses.length]
    if (knockMs !== undefined) this.#knockAgain(knockMs)
    else if (this.#next < addresses.length) this.#timer = this.#clock.setTimeout(() => this.start(), delayMs)
    this.#pending++
    this.#attempt(remote).catch(error => this.#failed(errorFromFailure(error, addressText(remote))))
  }

  #knockAgain(ms: number): void {
    this.#timer = this.#clock.setTimeout(() => this.start(), ms)
    if (this.#running.size < MOST_KNOCKS) return
    const [oldest] = this.#running.keys()
    this.#running.delete(oldest)
    this.#pending--
    oldest.handler = { ...NOTHING, onReady() {}, onClosed() {} }
    vanish(oldest)
  }

  /** Gives up what is under way; resolves when it has ended. Idempotent. */
  cancel(): Promise<unknown> {
    this.#over = true
    this.#clock.clearTimeout(this.#timer)
    const ended = [...this.#running].map(
      ([connection, { remote }]) => new Promise<void>(ended => this.#running.set(connection, { remote, ended })),
    )
    for (const connection of this.#running.keys()) connection.close('')
    return Promise.all(ended)
  }

  /**
   * The proxy has answered this one, and so was not there for the knocks before it. A goodbye would be the first that it hears of them: a packet of 1200 bytes
   * each, with the request behind them, and to the proxy so many handshakes more that nobody finishes, which it takes for a flood.
   */
  #vanishBefore(answered: HttpClientConnection): void {
    if (this.#options.knockMs === undefined) return
    const remote = this.#running.get(answered)?.remote
    for (const [connection, attempt] of this.#running) {
      if (connection === answered) return
      // Another address may only be further away.
      if (attempt.remote !== remote) continue
      this.#running.delete(connection)
      vanish(connection)
    }
  }

  async #attempt(remote: SocketAddress): Promise<void> {
    const connection = await this.#options.connect(remote)
    if (this.#over) return connection.close('')
    this.#running.set(connection, { remote, ended() {} })
    connection.handler = {
      ...NOTHING,
      onReady: () => this.#won(connection),
      onClosed: reason => {
        const attempt = this.#running.get(connection)
        this.#running.delete(connection)
        attempt?.ended()
        this.#failed(errorFromClose(reason, addressText(remote)))
      },
    }
  }

  #won(connection: HttpClientConnection): void {
    if (this.#over) return
    this.#over = true
    this.#vanishBefore(connection)
    this.#running.delete(connection)
    this.cancel().catch(error => this.#options.onError(error))
    connection.handler = this.#options.onConnected(connection)
    connection.handler.onReady()
  }

  #failed(error: ClientError): void {
    this.#pending--
    if (error.kind === 'internal') this.#options.onError(error.cause)
    if (this.#over) return
    this.#failures.push(error)
    if (this.#failures.length > MOST_FAILURES) this.#failures.shift()
    if (this.#options.knockMs !== undefined) {
      // The next knock is on its way. But what has answered has answered.
      if (isSilence(error)) return
      void this.cancel().catch(failure => this.#options.onError(failure))
      return this.#options.onFailed(error)
    }
    if (this.#next < this.#options.addresses.length) return this.start()
    if (this.#pending > 0) return
    this.#over = true
    this.#options.onFailed(summary(this.#failures))
  }
}

function vanish(connection: HttpClientConnection): void {
  if (connection.vanish === undefined) connection.close('')
  else connection.vanish()
}

/** Nobody has answered; or the system could not even send. */
function isSilence({ kind }: ClientError): boolean {
  return kind === 'network' || kind === 'timeout'
}

/** One error for all attempts: an answer says more than that there was none. */
function summary(failures: readonly ClientError[]): ClientError {
  const answer = failures.find(failure => !isSilence(failure))
  if (failures.length === 1 || answer !== undefined) return answer ?? failures[0]
  const kind = failures.some(failure => failure.kind === 'timeout') ? 'timeout' : 'network'
  return new ClientError(kind, failures.map(({ message }) => message).join('; '))
}

/** `192.0.2.1:443`, `[2001:db8::1]:443`. */
export function addressText({ host, port }: SocketAddress): string {
  return host.includes(':') ? `[${host}]:${port}` : `${host}:${port}`
}

const NOTHING: Omit<HttpClientHandler, 'onReady' | 'onClosed'> = {
  onCapabilities() {},
  onResponse() {},
  onRequestFailed() {},
  onGoAway() {},
}
