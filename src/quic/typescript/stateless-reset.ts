/**
 * Stateless reset, RFC 9000 §10.3: who has lost the state of a connection can still end it, with a token that only the other side has.
 *
 *   Stateless Reset {
 *     Fixed Bits (2) = 1,
 *     Unpredictable Bits (38..),       it looks like a packet with a short header
 *     Stateless Reset Token (128),
 *   }
 */
import { createHmac, hkdfSync, type KeyObject } from 'node:crypto'
import { hostname } from 'node:os'
import type { SocketAddress } from '../quic.ts'

export const RESET_TOKEN_LENGTH = 16
/** 5 bytes that cannot be told from a packet, and the token. */
export const SHORTEST_RESET = 5 + RESET_TOKEN_LENGTH
/** A packet with a short header is so much longer than the connection id that its sender has: then what resets it looks like any other (§10.3). */
export const LONGER_THAN_ID = SHORTEST_RESET + 1
/** Longer ones would tell no more, and cost more. */
export const LONGEST_RESET = 43

/**
 * The key of a server, which is the same after it was started anew: made of the private key that it has anyway, and of where it is. Not the same for two
 * servers that share a certificate: whoever knows a connection id of the one would else be told its token by the other, and end the connection with it
 * (§21.11). undefined: the system chooses its port, so that nobody takes its place.
 */
export function statelessResetKey(privateKey: KeyObject, at: SocketAddress | undefined): Uint8Array | undefined {
  if (at === undefined || at.port === 0) return undefined
  const secret = privateKey.export({ type: 'pkcs8', format: 'der' })
  return new Uint8Array(
    hkdfSync('sha256', secret, '', `masque-lab stateless reset|${hostname()}|${at.host}|${at.port}`, 32),
  )
}

/** The token of each connection id, from one key of the endpoint: nothing has to be kept for it (§10.3.2). */
export class StatelessResetTokens {
  readonly #key: Uint8Array

  /** `key`: at least 32 bytes that nobody knows. One that outlives the process lets its successor reset what it has left. */
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

/** The end of a datagram that may be a stateless reset, as far as one can see (§10.3.1): other versions may put something else in front of it (§10.3). */
export function possibleResetToken(datagram: Uint8Array): Uint8Array | undefined {
  if (datagram.length < SHORTEST_RESET) return undefined
  return datagram.subarray(datagram.length - RESET_TOKEN_LENGTH)
}
