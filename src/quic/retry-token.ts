import { createHmac, timingSafeEqual } from 'node:crypto'
import type { SocketAddress } from './quic.ts'

/**
 * Address validation tokens for Retry, RFC 9000 §8.1.
 *
 *   Token {
 *     Kind (8) = 0,                    1: of NEW_TOKEN (new-token.ts)
 *     Expiry (48),                     ms on the clock of this process
 *     Original DCID Length (8),
 *     Original DCID (0..160),
 *     MAC (128),                       HMAC-SHA256 over address, port, new DCID and all of the above, cut to 16 bytes
 *   }
 *
 * The server keeps no state between Retry and the client's second Initial: all it needs comes back in the
 * token, and the MAC binds it to the address the client really has.
 */
const KIND = 0
const MAC_LENGTH = 16
const HEADER_LENGTH = 8

export class RetryTokens {
  readonly #secret: Uint8Array
  readonly #lifetimeMs: number

  /** `secret`: at least 32 random bytes, one a process. `lifetimeMs`: how long a client may take to come back. */
  constructor(secret: Uint8Array, lifetimeMs = 10_000) {
    this.#secret = secret
    this.#lifetimeMs = lifetimeMs
  }

  /** A token for the client at `from`, whose first Initial had `originalDcid`; it is to use `newDcid` from now on. */
  issue(from: SocketAddress, originalDcid: Uint8Array, newDcid: Uint8Array, nowMs: number): Uint8Array {
    const body = Buffer.alloc(HEADER_LENGTH + originalDcid.length)
    body[0] = KIND
    body.writeUIntBE(Math.trunc(nowMs + this.#lifetimeMs), 1, 6)
    body[7] = originalDcid.length
    body.set(originalDcid, HEADER_LENGTH)
    return Buffer.concat([body, this.#mac(body, from, newDcid)])
  }

  /**
   * The original DCID when the token is ours, still valid and was given to this address; 'expired' when it is all of this but valid;
   * else undefined. Clients also send tokens that they have from other servers (RFC 9000 §8.1.3, NEW_TOKEN).
   */
  verify(token: Uint8Array, from: SocketAddress, dcid: Uint8Array, nowMs: number): Uint8Array | 'expired' | undefined {
    const bodyLength = token.length - MAC_LENGTH
    if (bodyLength < HEADER_LENGTH || token[0] !== KIND) return undefined
    const body = Buffer.from(token.subarray(0, bodyLength))
    if (!timingSafeEqual(this.#mac(body, from, dcid), token.subarray(bodyLength))) return undefined
    if (body.readUIntBE(1, 6) < nowMs) return 'expired'
    return body.subarray(HEADER_LENGTH, HEADER_LENGTH + body[7])
  }

  #mac(body: Uint8Array, from: SocketAddress, newDcid: Uint8Array): Buffer {
    return createHmac('sha256', this.#secret)
      .update(`${from.host}|${from.port}|${newDcid.length}|`)
      .update(newDcid)
      .update(body)
      .digest()
      .subarray(0, MAC_LENGTH)
  }
}
