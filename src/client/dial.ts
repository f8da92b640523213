/**
 * A connection to a proxy that has several addresses, some of which may lead nowhere. RFC 8305 §5: an attempt begins a
 * moment after the one before it, or at once when that has failed; the first handshake that is done wins, and the others
 * are given up.
 */

import type { HttpClientConnection, HttpClientHandler } from '../carriers/http-connection.ts'
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
}

/** So many attempts at a time: a second's worth, so that each has the time of a long round trip. The oldest makes room. */
const MOST_KNOCKS = 40

/** Failures that are remembered, for the sentence in the end. */
const MOST_FAILURES = 8

export class Dial {
  readonly #options: DialOptions
  /** Handshakes under way, and what to call when one has ended. */
  readonly #running = new Map<HttpClientConnection, () => void>()
  readonly #failures: ClientError[] = []
  #next = 0
  #pending = 0
  #over = false
  #timer: NodeJS.Timeout | undefined

  constructor(options: DialOptions) {
    this.#options = options
  }

  start(): void {
    clearTimeout(this.#timer)
    if (this.#over) return
    const { addresses, knockMs, delayMs = ATTEMPT_DELAY_MS } = this.#options
    const remote = addresses[this.#next++ % addresses.length]
    if (knockMs !== undefined) this.#knockAgain(knockMs)
    else if (this.#next < addresses.length) this.#timer = setTimeout(() => this.start(), delayMs)
    this.#pending++
    this.#attempt(remote).catch(error => this.#failed(errorFromFailure(error, addressText(remote))))
  }

  #knockAgain(ms: number): void {
    this.#timer = setTimeout(() => this.start(), ms)
    if (this.#running.size < MOST_KNOCKS) return
    const [oldest] = this.#running.keys()
    this.#running.delete(oldest)
    this.#pending--
    oldest.handler = { ...NOTHING, onReady() {}, onClosed() {} }
    oldest.close('')
  }

  /** Gives up what is under way; resolves when it has ended. Idempotent. */
  cancel(): Promise<unknown> {
    this.#over = true
    clearTimeout(this.#timer)
    const ended = [...this.#running.keys()].map(
      connection => new Promise<void>(resolve => this.#running.set(connection, resolve)),
    )
    for (const connection of this.#running.keys()) connection.close('')
    return Promise.all(ended)
  }

  async #attempt(remote: SocketAddress): Promise<void> {
    const connection = await this.#options.connect(remote)
    if (this.#over) return connection.close('')
    this.#running.set(connection, () => {})
    connection.handler = {
      ...NOTHING,
      onReady: () => this.#won(connection),
      onClosed: reason => {
        const ended = this.#running.get(connection)
        this.#running.delete(connection)
        ended?.()
        this.#failed(errorFromClose(reason, addressText(remote)))
      },
    }
  }

  #won(connection: HttpClientConnection): void {
    if (this.#over) return
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
