/**
 * Hears that interfaces, addresses or routes of this machine have changed, and not how: for whoever then looks himself. On Linux, without any rights.
 *
 *     kernel ── a message, or a thousand ──> socket ── onChange, once ──> ... ── listen() ──> throws away what waits, hears again
 *
 * Between `onChange` and `listen` nothing is read and nobody is woken, so that a flood of changes costs no more than the caller wants; the kernel drops what its buffer
 * has no room for.
 */

import { constants } from 'node:os'
import { errorName } from './libc.ts'
import { readinessProblem, type Watch, watchReadable } from './readiness.ts'
import { RouteGroup, RoutingSocket } from './routing-socket.ts'

const ALL =
  RouteGroup.LINK | RouteGroup.IPV4_ADDRESS | RouteGroup.IPV6_ADDRESS | RouteGroup.IPV4_ROUTE | RouteGroup.IPV6_ROUTE

/** So many messages are thrown away at once; more than the kernel's buffer usually holds. What comes behind them is a change again. */
const MESSAGES_AT_ONCE = 256

export interface NetworkChanges {
  /** Something has changed, or nobody knows. Not called again before `listen`. */
  onChange(): void
  /** Nothing will be heard any more. */
  onDeaf(why: string): void
}

export interface Listening {
  listen(): void
  /** Idempotent; never rejects. */
  close(): Promise<void>
}

type ReadSocket = Pick<RoutingSocket, 'fd' | 'receive' | 'close'>

/** For tests: what is needed of the system. */
export interface ChangesSystem {
  open(groups: number): ReadSocket | string
  watchReadable: typeof watchReadable
}

const SYSTEM: ChangesSystem = { open: groups => RoutingSocket.open(groups), watchReadable }

/** Returns a sentence that says why nothing can be heard here. */
export function listenForChanges(events: NetworkChanges, system?: ChangesSystem): Listening | string {
  if (system === undefined && process.platform !== 'linux') return `not built for ${process.platform}`
  const problem = system === undefined ? readinessProblem() : undefined
  if (problem !== undefined) return problem
  const { open, watchReadable: watch } = system ?? SYSTEM
  const socket = open(ALL)
  return typeof socket === 'string' ? socket : new ChangesListener(socket, events, watch)
}

class ChangesListener implements Listening {
  readonly #socket: ReadSocket
  readonly #events: NetworkChanges
  readonly #watch: Watch
  /** Of a message that does not fit the kernel throws the rest away: nobody reads them. */
  readonly #buffer = new Uint8Array(16)
  #closed: Promise<void> | undefined

  constructor(socket: ReadSocket, events: NetworkChanges, watch: typeof watchReadable) {
    this.#socket = socket
    this.#events = events
    this.#watch = watch(
      socket.fd,
      {
        onReadable: () => {
          this.#watch.pause()
          this.#events.onChange()
        },
        onError: error => this.#deaf((error as Error).message),
      },
      { keepsAlive: false },
    )
  }

  listen(): void {
    if (this.#closed !== undefined) return
    for (let i = 0; i < MESSAGES_AT_ONCE; i++) {
      const length = this.#socket.receive(this.#buffer)
      if (length > 0) continue
      const { EAGAIN, EINTR, ENOBUFS } = constants.errno
      if (length === -EAGAIN) break
      // More has changed than the kernel keeps: whoever calls this looks anyway.
      if (length === -ENOBUFS || length === -EINTR) continue
      return this.#deaf(length === 0 ? 'the routing socket has ended' : `reading failed (${errorName(-length)})`)
    }
    this.#watch.resume()
  }

  close(): Promise<void> {
    // Whoever closes it is through with it: what the system may say of that helps nobody.
    this.#closed ??= this.#watch
      .close()
      .then(() => this.#socket.close())
      .catch(() => {})
    return this.#closed
  }

  #deaf(why: string): void {
    if (this.#closed !== undefined) return
    void this.close()
    this.#events.onDeaf(why)
  }
}
