/**
 * The connection ids by which we call the peer, RFC 9000 §5.1: it chooses them, and each path of ours takes one (§9.5).
 *
 *      we                            NEW_CONNECTION_ID            peer
 *      PeerConnectionIds   <─────────────────────────────────────
 *      a path takes one
 *      the path ends, or   ─────────────────────────────────────>
 *      Retire Prior To             RETIRE_CONNECTION_ID           may give another one
 *
 * What is remembered of them is bounded, whatever the peer does. The other direction: local-connection-ids.ts.
 */

import { timingSafeEqual } from 'node:crypto'
import type { PreferredAddress } from './preferred-address.ts'
import { sameBytes } from './same-bytes.ts'
import { possibleResetToken } from './stateless-reset.ts'
import { CONNECTION_ID_LIMIT_ERROR, PROTOCOL_VIOLATION, TransportError } from './transport-error.ts'

/** Our active_connection_id_limit (§18.2), and as many ids as we give: one for each path, and some for the next ones. */
export const ACTIVE_CONNECTION_IDS = 8

/** How many RETIRE_CONNECTION_IDs may be without acknowledgment; §5.1.2 asks for at least twice the limit. */
const RETIREMENTS_PER_ID = 4
/** How many sequence numbers of ids that were retired out of turn are remembered. An honest peer has few of them. */
const MOST_REMEMBERED = 64

export interface PeerConnectionId {
  readonly sequence: number
  readonly id: Uint8Array
  readonly resetToken: Uint8Array | undefined
  /** The peer wants to be called so no more: the path that uses it takes another. */
  readonly retired: boolean
}

interface HeldId extends PeerConnectionId {
  id: Uint8Array
  resetToken: Uint8Array | undefined
  retired: boolean
  /** A path has it, or had it. */
  used: boolean
}

/** The ids by which we may call the peer. */
export class PeerConnectionIds {
  readonly #limit: number
  /** Those that are not retired. */
  #held: HeldId[]
  readonly #first: HeldId
  /** All below are retired (Retire Prior To). */
  #retiredBelow = 0
  /** Those above that are retired too, the oldest first. */
  readonly #retiredOutOfTurn: number[] = []
  /** Sequence numbers of which a RETIRE_CONNECTION_ID is to be sent; those of which one was sent and not yet acknowledged. */
  readonly #toRetire: number[] = []
  readonly #unacknowledged: number[] = []

  /** `first`: what the path of the handshake uses. `limit`: the active_connection_id_limit that we have sent. */
  constructor(first: Uint8Array, limit: number) {
    this.#limit = limit
    this.#first = { sequence: 0, id: first, resetToken: undefined, retired: false, used: true }
    this.#held = [this.#first]
  }

  /** What the path of the handshake uses. */
  get first(): PeerConnectionId {
    return this.#first
  }

  /** Of a client: the server's own choice takes the place of what we had made up (§7.2). */
  replaceFirst(id: Uint8Array): void {
    this.#first.id = id
  }

  /** From the server's transport parameters. */
  setFirstResetToken(token: Uint8Array): void {
    this.#first.resetToken = token
  }

  /** We do not go there; but its id counts as one that was given, with sequence number 1 (§5.1.1). */
  onPreferredAddress({ connectionId, resetToken }: PreferredAddress): void {
    this.onNewConnectionId(1, 0, connectionId, resetToken)
  }

  /**
   * NEW_CONNECTION_ID (§19.15). The id of a path may be `retired` afterwards: it takes another. Throws CONNECTION_ID_LIMIT_ERROR,
   * PROTOCOL_VIOLATION. The bytes are copied.
   */
  onNewConnectionId(sequence: number, retirePriorTo: number, id: Uint8Array, resetToken: Uint8Array): void {
    if (this.#first.id.length === 0) {
      throw new TransportError(PROTOCOL_VIOLATION, 'a connection id from a peer that is called by none')
    }
    const isRepeated = this.#checkAgainstHeld(sequence, id, resetToken)
    if (retirePriorTo > this.#retiredBelow) this.#retireBelow(retirePriorTo)
    if (isRepeated || this.#retiredOutOfTurn.includes(sequence)) return
    if (sequence < this.#retiredBelow) {
      // It was overtaken by the one that retires it (§19.15).
      this.#queueRetirement(sequence)
      return
    }
    // Of a Buffer, `slice` would be a view, and keep the whole packet.
    const copy = { id: Uint8Array.from(id), resetToken: Uint8Array.from(resetToken) }
    this.#held.push({ sequence, ...copy, retired: false, used: false })
    if (this.#held.length > this.#limit) {
      throw new TransportError(CONNECTION_ID_LIMIT_ERROR, `more than ${this.#limit} connection ids`)
    }
  }

  /** An id that no path has used. undefined: the peer has given us none. */
  take(): PeerConnectionId | undefined {
    let next: HeldId | undefined
    for (const each of this.#held) {
      if (!each.used && (next === undefined || each.sequence < next.sequence)) next = each
    }
    if (next !== undefined) next.used = true
    return next
  }

  /** Nothing is sent with it any more. */
  retire(id: PeerConnectionId): void {
    const held = this.#held.find(each => each === id)
    if (held === undefined) return
    this.#remove(held)
    this.#retiredOutOfTurn.push(held.sequence)
    if (this.#retiredOutOfTurn.length > MOST_REMEMBERED) this.#retiredOutOfTurn.shift()
  }

  get retirementsWaiting(): number {
    return this.#toRetire.length
  }

  /** The next one of which a RETIRE_CONNECTION_ID is sent, now. */
  nextRetirement(): number | undefined {
    const sequence = this.#toRetire.shift()
    if (sequence !== undefined) this.#unacknowledged.push(sequence)
    return sequence
  }

  onRetirementLost(sequence: number): void {
    if (remove(this.#unacknowledged, sequence)) this.#toRetire.push(sequence)
  }

  onRetirementAcknowledged(sequence: number): void {
    remove(this.#unacknowledged, sequence)
    remove(this.#toRetire, sequence)
  }

  /**
   * Whether a datagram that could not be opened is a stateless reset (§10.3.1): ends with the token of an id that we have used. How
   * long this takes says nothing of the tokens.
   */
  isStatelessReset(datagram: Uint8Array): boolean {
    const token = possibleResetToken(datagram)
    if (token === undefined) return false
    let found = false
    for (const { resetToken, used } of this.#held) {
      if (resetToken !== undefined && used && timingSafeEqual(resetToken, token)) found = true
    }
    return found
  }

  /** True: it is there already, the same. The same number or id with another one beside it is a PROTOCOL_VIOLATION (§19.15). */
  #checkAgainstHeld(sequence: number, id: Uint8Array, resetToken: Uint8Array): boolean {
    for (const each of this.#held) {
      const sameSequence = each.sequence === sequence
      const sameId = sameBytes(each.id, id)
      if (!sameSequence && !sameId) continue
      const sameToken = each.resetToken === undefined || sameBytes(each.resetToken, resetToken)
      if (sameSequence && sameId && sameToken) return true
      throw new TransportError(PROTOCOL_VIOLATION, 'a connection id or its sequence number is used twice')
    }
    return false
  }

  #retireBelow(sequence: number): void {
    this.#retiredBelow = sequence
    for (const each of [...this.#held]) if (each.sequence < sequence) this.#remove(each)
    const outOfTurn = this.#retiredOutOfTurn
    for (let i = outOfTurn.length - 1; i >= 0; i--) if (outOfTurn[i] < sequence) outOfTurn.splice(i, 1)
  }

  #remove(held: HeldId): void {
    held.retired = true
    this.#held = this.#held.filter(each => each !== held)
    this.#queueRetirement(held.sequence)
  }

  #queueRetirement(sequence: number): void {
    if (this.#toRetire.includes(sequence) || this.#unacknowledged.includes(sequence)) return
    this.#toRetire.push(sequence)
    if (this.#toRetire.length + this.#unacknowledged.length > RETIREMENTS_PER_ID * this.#limit) {
      throw new TransportError(CONNECTION_ID_LIMIT_ERROR, 'too many connection ids wait to be retired')
    }
  }
}

function remove(from: number[], value: number): boolean {
  const index = from.indexOf(value)
  if (index !== -1) from.splice(index, 1)
  return index !== -1
}
