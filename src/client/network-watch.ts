/**
 * Notices that the network has changed: that the system would now send from another address than the one in use.
 *
 *     every half second      which address would a new socket get, towards the proxy?
 *                               the one in use          nothing to do
 *                               none                    there is no network: wait
 *                               another, twice in a row, or the one in use is no address of this machine any more: move
 *
 * A connected UDP socket tells that on every system, and costs no packet. An interface that comes and goes ten times a second costs two looks a second, and
 * no move while no two of them agree. A move that fails is tried again after a pause that doubles, until the address is another one.
 */

import { networkInterfaces } from 'node:os'
import { bindUdp, connectUdp } from '../net/udp.ts'
import type { SocketAddress } from '../quic/quic.ts'

const LOOK_MS = 500
/** After a move, in ms; and at most, after moves that failed. */
const PAUSE_MS = 1000
const LONGEST_PAUSE_MS = 30_000

export interface NetworkWatchOptions {
  /** Where the tunnel's packets leave and go to; undefined while there is none. */
  path(): { local: SocketAddress; remote: SocketAddress } | undefined
  /** Whether the tunnel has moved. Called at most once at a time. */
  move(): Promise<boolean>
  onError(error: unknown): void
  /** For tests: the address from which the system would send. undefined: there is no way there. */
  chosenAddress?(remote: SocketAddress): Promise<string | undefined>
  /** For tests: the addresses of this machine. */
  ownAddresses?(): readonly string[]
  /** For tests. */
  lookMs?: number
}

export class NetworkWatch {
  readonly #options: NetworkWatchOptions
  #timer: NodeJS.Timeout | undefined
  #stopped = false
  /** What the last look has shown. */
  #lastChosen: string | undefined
  #notBefore = 0
  #pauseMs = PAUSE_MS
  /** To which a move has failed. */
  #failedTo: string | undefined

  constructor(options: NetworkWatchOptions) {
    this.#options = options
    this.#schedule()
  }

  stop(): void {
    this.#stopped = true
    clearTimeout(this.#timer)
  }

  #schedule(): void {
    if (this.#stopped) return
    // A program that has nothing else to do may end.
    this.#timer = setTimeout(() => {
      this.#look()
        .catch(error => this.#options.onError(error))
        .finally(() => this.#schedule())
    }, this.#options.lookMs ?? LOOK_MS).unref()
  }

  async #look(): Promise<void> {
    const { path, chosenAddress = addressTowards, ownAddresses = addressesOfThisMachine } = this.#options
    const before = path()
    if (before === undefined) return
    const chosen = await chosenAddress(before.remote)
    const now = path()
    if (this.#stopped || chosen === undefined || now === undefined) return
    const isSettled = chosen === this.#lastChosen
    this.#lastChosen = chosen
    if (chosen === now.local.host) return
    if (chosen !== this.#failedTo) this.#pauseMs = PAUSE_MS
    else if (performance.now() < this.#notBefore) return
    const isGone = !ownAddresses().includes(now.local.host.replace(/%.*$/, ''))
    if (isSettled || isGone) await this.#move(chosen)
  }

  async #move(to: string): Promise<void> {
    const hasMoved = await this.#options.move()
    this.#failedTo = hasMoved ? undefined : to
    this.#notBefore = performance.now() + this.#pauseMs
    this.#pauseMs = hasMoved ? PAUSE_MS : Math.min(2 * this.#pauseMs, LONGEST_PAUSE_MS)
  }
}

async function addressTowards(remote: SocketAddress): Promise<string | undefined> {
  try {
    const socket = await bindUdp({ host: remote.host.includes(':') ? '::' : '0.0.0.0', port: 0 })
    // When that is refused it has closed the socket.
    await connectUdp(socket, remote)
    const { address } = socket.address()
    socket.close()
    return address
  } catch {
    return undefined
  }
}

function addressesOfThisMachine(): string[] {
  return Object.values(networkInterfaces()).flatMap(addresses => (addresses ?? []).map(({ address }) => address))
}
