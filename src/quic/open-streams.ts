/**
 * How many streams of one connection are open (RFC 9000 §3): from the first that is said on one, by either side, until both of its halves have ended.
 * Those of a kind are opened in the order of their ids, so that the first word on one opens all below it, too (§2.1).
 */

/** The halves of a stream that have ended. */
const OURS = 1
const PEERS = 2
const BOTH = OURS | PEERS

export class OpenStreams {
  readonly #isServer: boolean
  /** Streams that are open, with the halves that have ended, or never were. Bounded by the limits on streams, the peer's and ours. */
  readonly #ended = new Map<number, number>()
  /** Of each of the four kinds, the first that has not been opened. */
  readonly #next = [0, 1, 2, 3]
  /** Since the beginning of the connection. */
  opened = 0

  constructor(role: 'client' | 'server') {
    this.#isServer = role === 'server'
  }

  get size(): number {
    return this.#ended.size
  }

  /** Something was said on this stream. */
  touch(id: number): void {
    const kind = id & 3
    for (; this.#next[kind] <= id; this.#next[kind] += 4) {
      this.opened++
      this.#ended.set(this.#next[kind], this.#missingHalf(id))
    }
  }

  /** Of a unidirectional stream, the half of the one that has not opened it. */
  #missingHalf(id: number): number {
    if ((id & 2) === 0) return 0
    const isOurs = ((id & 1) === 1) === this.#isServer
    return isOurs ? PEERS : OURS
  }

  /** We have ended our half, or were told to (STOP_SENDING). */
  endedByUs(id: number): void {
    this.#end(id, OURS)
  }

  /** The peer has ended its half, or we do not listen to it any more. */
  endedByPeer(id: number): void {
    this.#end(id, PEERS)
  }

  #end(id: number, half: number): void {
    const before = this.#ended.get(id)
    if (before === undefined) return
    const ended = before | half
    if (ended === BOTH) this.#ended.delete(id)
    else this.#ended.set(id, ended)
  }

  /** The connection has ended, and all of them. */
  clear(): void {
    this.#ended.clear()
  }
}
