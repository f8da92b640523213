/**
 * The connection ids by which the peer calls us, RFC 9000 §5.1. We choose them, and keep the peer supplied with as many as it will hold (its
 * active_connection_id_limit), so that its packets on another path need not be called by the same (§9.5).
 *
 *      we                            NEW_CONNECTION_ID            peer
 *      LocalConnectionIds  ─────────────────────────────────────> may call us so
 *                          <─────────────────────────────────────
 *                                  RETIRE_CONNECTION_ID           does so no more
 *
 * The other direction: peer-connection-ids.ts.
 */

import { sameBytes } from './same-bytes.ts'
import { PROTOCOL_VIOLATION, TransportError } from './transport-error.ts'

/** What a peer holds that has said nothing (§18.2). */
const LEAST_PEER_LIMIT = 2

export interface LocalConnectionId {
  readonly sequence: number
  readonly id: Uint8Array
  readonly resetToken: Uint8Array
}

/** The ids by which the peer may call us. */
export class LocalConnectionIds {
  readonly #makeToken: (id: Uint8Array) => Uint8Array
  readonly #limit: number
  #peerLimit = LEAST_PEER_LIMIT
  readonly #active: Pick<LocalConnectionId, 'sequence' | 'id'>[]
  /** Sequence numbers of which a NEW_CONNECTION_ID is to be sent. */
  readonly #toAnnounce: number[] = []
  #nextSequence = 1
  #largestAnnounced = 0

  /**
   * `first`: the Source Connection ID of our handshake packets, whose sequence number is 0. `makeToken`: the stateless reset token of an
   * id. `limit`: how many are active at most, however many the peer would hold.
   */
  constructor(first: Uint8Array, makeToken: (id: Uint8Array) => Uint8Array, limit: number) {
    this.#makeToken = makeToken
    this.#limit = limit
    this.#active = [{ sequence: 0, id: first }]
  }

  /** The peer's active_connection_id_limit. */
  setPeerLimit(limit: number): void {
    this.#peerLimit = limit
  }

  /** How many more are to be made (`add`) now. */
  get wanted(): number {
    return Math.max(0, Math.min(this.#limit, this.#peerLimit) - this.#active.length)
  }

  /** Adds an id, which is to be announced. */
  add(id: Uint8Array): void {
    const sequence = this.#nextSequence++
    this.#active.push({ sequence, id })
    this.#toAnnounce.push(sequence)
  }

  has(id: Uint8Array): boolean {
    for (const each of this.#active) if (sameBytes(each.id, id)) return true
    return false
  }

  /** All that are in use now. */
  get ids(): readonly Uint8Array[] {
    return this.#active.map(each => each.id)
  }

  get announcementsWaiting(): number {
    return this.#toAnnounce.length
  }

  /** The next one of which a NEW_CONNECTION_ID is sent, now. */
  nextAnnouncement(): LocalConnectionId | undefined {
    const sequence = this.#toAnnounce.shift()
    if (sequence === undefined) return undefined
    this.#largestAnnounced = Math.max(this.#largestAnnounced, sequence)
    const next = this.#active.find(each => each.sequence === sequence)
    // Made when it is sent, and not kept: it is always the same.
    return next && { ...next, resetToken: this.#makeToken(next.id) }
  }

  /** Its NEW_CONNECTION_ID is sent again, unless the peer has retired it: so it has got there after all. */
  onAnnouncementLost(sequence: number): void {
    const isActive = this.#active.some(each => each.sequence === sequence)
    if (isActive && !this.#toAnnounce.includes(sequence)) this.#toAnnounce.push(sequence)
  }

  /**
   * RETIRE_CONNECTION_ID has come, in a packet that called us `dcid`. Returns the id that is gone with it; undefined when it was gone
   * already. Throws PROTOCOL_VIOLATION (§19.16).
   */
  onRetire(sequence: number, dcid: Uint8Array): Uint8Array | undefined {
    if (sequence > this.#largestAnnounced) {
      throw new TransportError(PROTOCOL_VIOLATION, `connection id ${sequence} is retired, and was never given`)
    }
    const index = this.#active.findIndex(each => each.sequence === sequence)
    if (index === -1) return undefined
    const { id } = this.#active[index]
    if (sameBytes(id, dcid)) {
      throw new TransportError(PROTOCOL_VIOLATION, 'a packet retires the connection id that it is sent to')
    }
    this.#active.splice(index, 1)
    const waiting = this.#toAnnounce.indexOf(sequence)
    if (waiting !== -1) this.#toAnnounce.splice(waiting, 1)
    return id
  }
}
