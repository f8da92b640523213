/**
 * Notices that the network has changed: that the system would now send from another address than the one in use.
 *
 *     when a change was heard,      which address would a new socket get, towards the proxy?
 *     and every half second            the one in use     nothing to do
 *                                      none               there is no network: wait
 *                                      another            move at once if the one in use is no address of this machine any more; else when it has stood for a while
 *
 * A connected UDP socket tells that on every system, and costs no packet. Linux says when it is worth a look (net/network-changes.ts); elsewhere, and where that socket is
 * refused, two looks in a row have to agree.
 *
 *     A ............................ B . B                    A has stood for long: two looks at B, 25 ms apart, are enough
 *     A ............................ B . B  A  B  A  B  A     A comes and goes: B is where it stays, until A has stood for half a second
 *
 * So an interface that comes and goes ten times a second makes one move, and costs forty looks a second at most. A move that fails is tried again after a pause that doubles, until the
 * address is another one.
 */

import { networkInterfaces } from 'node:os'
import { type Listening, listenForChanges, type NetworkChanges } from '../net/network-changes.ts'
import { bindUdp, connectUdp } from '../net/udp.ts'
import type { SocketAddress } from '../quic/quic.ts'

/** Where nothing is heard; and from one move to the next at least. */
const LOOK_MS = 500
/** From a change to the look: a change is several messages, and there may be thousands. And from that look to the one that has to agree. */
const SOON_MS = 25
/** What has stood for so long does not come and go. */
const STANDING_MS = 1000
/** What has taken the place of something that had not stood for so long has to stand for this. */
const SETTLED_MS = 500
/** After a move that failed, in ms; and at most. */
const PAUSE_MS = 1000
const LONGEST_PAUSE_MS = 30_000

export interface NetworkWatchOptions {
  /** Where the tunnel's packets leave and go to; undefined while there is none. */
  path(): { local: SocketAddress; remote: SocketAddress } | undefined
  /** Whether the tunnel has moved. Called at most once at a time. */
  move(): Promise<boolean>
  onError(error: unknown): void
  /** Changes are not heard of, or not any more: then it is only looked. */
  onDeaf(why: string): void
  /** For tests: the address from which the system would send. undefined: there is no way there. */
  chosenAddress?(remote: SocketAddress): Promise<string | undefined>
  /** For tests: the addresses of this machine. */
  ownAddresses?(): readonly string[]
  /** For tests: how changes are heard, or why they are not. */
  listen?(events: NetworkChanges): Listening | string
  /** For tests. */
  lookMs?: number
  /** For tests: a clock, in ms. */
  now?(): number
}

export class NetworkWatch {
  readonly #options: NetworkWatchOptions
  readonly #lookMs: number
  readonly #now: () => number
  #changes: Listening | undefined
  #isHearing = false
  #timer: NodeJS.Timeout | undefined
  /** When the next look is due; undefined during one. */
  #dueAt: number | undefined
  /** There was a change during a look: the next one is soon. */
  #hasChanged = false
  #stopped: Promise<void> | undefined
  /** What the last look has shown, and since when looks have shown that. */
  #lastChosen: string | undefined
  #chosenSince = Number.NEGATIVE_INFINITY
  /** For so long it has to stand, in ms. */
  #standMs = 0
  #nextMoveAt = Number.NEGATIVE_INFINITY
  #pauseMs = PAUSE_MS
  /** To which a move has failed, and how long it is not tried again. */
  #failedTo: string | undefined
  #failedUntil = 0

  constructor(options: NetworkWatchOptions) {
    this.#options = options
    this.#lookMs = options.lookMs ?? LOOK_MS
    this.#now = options.now ?? (() => performance.now())
    this.#hear()
    this.#schedule(this.#lookMs)
  }

  /** Resolves when nothing of it is left. Idempotent; never rejects. */
  stop(): Promise<void> {
    clearTimeout(this.#timer)
    this.#stopped ??= this.#changes?.close() ?? Promise.resolve()
    return this.#stopped
  }

  #hear(): void {
    const { listen = listenForChanges, onDeaf } = this.#options
    const changes = listen({
      onChange: () => this.#heard(),
      onDeaf: why => {
        this.#isHearing = false
        onDeaf(why)
      },
    })
    if (typeof changes === 'string') return onDeaf(changes)
    this.#changes = changes
    this.#isHearing = true
  }

  #heard(): void {
    if (this.#dueAt === undefined) this.#hasChanged = true
    else if (this.#dueAt > this.#now() + SOON_MS) this.#schedule(SOON_MS)
  }

  #schedule(delayMs: number): void {
    if (this.#stopped !== undefined) return
    clearTimeout(this.#timer)
    this.#dueAt = this.#now() + delayMs
    // A program that has nothing else to do may end.
    this.#timer = setTimeout(() => {
      this.#dueAt = undefined
      this.#hasChanged = false
      // From here on, for what changes while it is looked.
      this.#changes?.listen()
      this.#look()
        .catch(error => {
          this.#options.onError(error)
          return this.#lookMs
        })
        .then(nextMs => this.#schedule(this.#hasChanged ? Math.min(SOON_MS, nextMs) : nextMs))
    }, delayMs).unref()
  }

  /** Returns in how many ms it is to be looked again. */
  async #look(): Promise<number> {
    const { path, chosenAddress = addressTowards, ownAddresses = addressesOfThisMachine } = this.#options
    const before = path()
    if (before === undefined) return this.#lookMs
    const chosen = await chosenAddress(before.remote)
    const used = path()?.local.host
    if (this.#stopped !== undefined || chosen === undefined || used === undefined) return this.#lookMs
    const isSame = chosen === this.#lastChosen
    if (!isSame) this.#choiceIs(chosen)
    if (chosen === used) return this.#lookMs
    const now = this.#now()
    if (chosen !== this.#failedTo) this.#pauseMs = PAUSE_MS
    else if (now < this.#failedUntil) return this.#lookMs
    const isGone = !ownAddresses().includes(used.replace(/%.*$/, ''))
    const waitMs = Math.max(this.#nextMoveAt - now, isGone ? 0 : this.#chosenSince + this.#standMs - now)
    if (waitMs <= 0 && (isSame || isGone)) {
      await this.#move(chosen)
      return this.#lookMs
    }
    // Where nothing is heard, a look in between could come upon the same moment of what comes and goes.
    return this.#isHearing ? Math.min(this.#lookMs, Math.max(waitMs, SOON_MS)) : this.#lookMs
  }

  #choiceIs(chosen: string): void {
    const now = this.#now()
    const hasStood = now - this.#chosenSince >= STANDING_MS
    this.#standMs = !this.#isHearing ? 0 : hasStood ? SOON_MS : SETTLED_MS
    // The first is what was there when it began.
    if (this.#lastChosen !== undefined) this.#chosenSince = now
    this.#lastChosen = chosen
  }

  async #move(to: string): Promise<void> {
    const hasMoved = await this.#options.move()
    this.#failedTo = hasMoved ? undefined : to
    this.#nextMoveAt = this.#now() + this.#lookMs
    this.#failedUntil = this.#now() + this.#pauseMs
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
