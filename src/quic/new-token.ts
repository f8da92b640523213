import { createCipheriv, createDecipheriv, randomBytes } from 'node:crypto'

/**
 * Tokens for a client's next connection, RFC 9000 §8.1.3: a server that wants to see an address proved takes one in the place of a Retry. A
 * client gets one in NEW_TOKEN, when its handshake is over, and shows it in the first Initial of a later connection.
 *
 *   Token {
 *     Kind (8) = 1,                    0: of a Retry (retry-token.ts)
 *     Nonce (96),
 *     Expiry (48),           sealed    ms on the clock of this process
 *     Tag (128),                       AES-256-GCM, over the kind, the client's address and the version of QUIC (RFC 9369 §5), too
 *   }
 *
 * Sealed, so that nobody on the way can tell when it was made, and so of which connection it is. Of the address, not of the port: the next
 * connection has another. Each is good for one connection, which takes a memory of those that were used (§8.1.4). That is bounded: when it is full, no token is
 * taken any more, and clients get their Retry.
 */
const KIND = 1
const NONCE_LENGTH = 12
const SEALED_LENGTH = 6
const TAG_LENGTH = 16
const SEALED_AT = 1 + NONCE_LENGTH
const TAG_AT = SEALED_AT + SEALED_LENGTH

export const NEW_TOKEN_LENGTH = TAG_AT + TAG_LENGTH

export const NEW_TOKENS = { lifetimeMs: 24 * 3_600_000, remembered: 8192 }

/** As far as one can see. */
export function isNewToken(token: Uint8Array): boolean {
  return token.length === NEW_TOKEN_LENGTH && token[0] === KIND
}

export class NewTokens {
  readonly #key: Uint8Array
  readonly #lifetimeMs: number
  readonly #remembered: number
  /** Nonces of tokens that were used: since `#since`, and in as long a time before. No token lives longer than to the end of the second. */
  #used = new Set<string>()
  #usedBefore = new Set<string>()
  #since = 0

  /** `key`: 32 random bytes, one a process. */
  constructor(key: Uint8Array, { lifetimeMs, remembered } = NEW_TOKENS) {
    this.#key = key
    this.#lifetimeMs = lifetimeMs
    this.#remembered = remembered
  }

  /** `host`: the address of the client, which has proved it. */
  issue(host: string, version: number, nowMs: number): Uint8Array {
    const nonce = randomBytes(NONCE_LENGTH)
    const expiry = Buffer.alloc(SEALED_LENGTH)
    expiry.writeUIntBE(Math.trunc(nowMs + this.#lifetimeMs), 0, SEALED_LENGTH)
    const cipher = createCipheriv('aes-256-gcm', this.#key, nonce).setAAD(boundTo(host, version))
    return Buffer.concat([Uint8Array.of(KIND), nonce, cipher.update(expiry), cipher.final(), cipher.getAuthTag()])
  }

  /** Whether the token is ours, was given to this address for this version, and is neither too old nor used. It stays unused. */
  verify(token: Uint8Array, host: string, version: number, nowMs: number): boolean {
    if (!isNewToken(token)) return false
    this.#forget(nowMs)
    const expiresAt = this.#open(token, boundTo(host, version))
    if (expiresAt === undefined || expiresAt < nowMs || this.#used.size >= this.#remembered) return false
    const nonce = nonceOf(token)
    return !this.#used.has(nonce) && !this.#usedBefore.has(nonce)
  }

  /** A connection has begun with it: none other does. */
  use(token: Uint8Array): void {
    this.#used.add(nonceOf(token))
  }

  #open(token: Uint8Array, bound: Uint8Array): number | undefined {
    const decipher = createDecipheriv('aes-256-gcm', this.#key, token.subarray(1, SEALED_AT)).setAAD(bound)
    decipher.setAuthTag(token.subarray(TAG_AT))
    const expiry = decipher.update(token.subarray(SEALED_AT, TAG_AT))
    try {
      decipher.final()
    } catch {
      return undefined
    }
    return expiry.readUIntBE(0, SEALED_LENGTH)
  }

  #forget(nowMs: number): void {
    if (nowMs - this.#since < this.#lifetimeMs) return
    // Nobody was here for as long again: what was used is too old by now.
    this.#usedBefore = nowMs - this.#since < 2 * this.#lifetimeMs ? this.#used : new Set()
    this.#used = new Set()
    this.#since = nowMs
  }
}

function boundTo(host: string, version: number): Buffer {
  return Buffer.from(`${KIND}|${host}|${version}`)
}

function nonceOf(token: Uint8Array): string {
  return Buffer.from(token.subarray(1, SEALED_AT)).toString('latin1')
}
