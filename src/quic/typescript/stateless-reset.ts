/**
 * Stateless reset, RFC 9000 §10.3: who has lost the state of a connection can still end it, with a token that only the other side has.
 *
 *   Stateless Reset {
 *     Fixed Bits (2) = 1,
 *     Unpredictable Bits (38..),       it looks like a packet with a short header
 *     Stateless Reset Token (128),
 *   }
 */
import { createHmac } from 'node:crypto'

export const RESET_TOKEN_LENGTH = 16
/** 5 bytes that cannot be told from a packet, and the token. */
export const SHORTEST_RESET = 5 + RESET_TOKEN_LENGTH
/** Longer ones would tell no more, and cost more. */
const LONGEST_RESET = 43

/** The token of each connection id, from one key of the endpoint: nothing has to be kept for it (§10.3.2). */
export class StatelessResetTokens {
  readonly #key: Uint8Array

  /** `key`: at least 32 random bytes. One that outlives the process lets its successor reset what it has left. */
  constructor(key: Uint8Array) {
    this.#key = key
  }

  of(id: Uint8Array): Uint8Array {
    return createHmac('sha256', this.#key).update(id).digest().subarray(0, RESET_TOKEN_LENGTH)
  }
}

/**
 * A datagram that answers one of `answeredLength` bytes: shorter than that, so that two endpoints do not answer one another for ever
 * (§10.3.3). undefined: that was too short to be answered.
 */
export function encodeStatelessReset(
  token: Uint8Array,
  answeredLength: number,
  randomBytes: (length: number) => Uint8Array,
): Uint8Array | undefined {
  const length = Math.min(answeredLength - 1, LONGEST_RESET)
  if (length < SHORTEST_RESET) return undefined
  const reset = new Uint8Array(length)
  reset.set(randomBytes(length - RESET_TOKEN_LENGTH))
  reset[0] = 0x40 | (reset[0] & 0x3f)
  reset.set(token, length - RESET_TOKEN_LENGTH)
  return reset
}

/** The end of a datagram that may be a stateless reset, as far as one can see (§10.3.1). */
export function possibleResetToken(datagram: Uint8Array): Uint8Array | undefined {
  if (datagram.length < SHORTEST_RESET || datagram[0] & 0x80) return undefined
  return datagram.subarray(datagram.length - RESET_TOKEN_LENGTH)
}
