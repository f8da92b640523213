/** Bearer tokens: RFC 6750 in a Proxy-Authorization or Authorization header. */
import { createHash, timingSafeEqual } from 'node:crypto'

/** A token the server knows, by its digest. */
export interface KnownToken {
  identity: string
  /** SHA-256 of the token, 64 hexadecimal digits. */
  sha256: string
}

/** SHA-256 of a token in hexadecimal, as it is written into the server's configuration. */
export function hashToken(token: string): string {
  return createHash('sha256').update(token, 'utf8').digest('hex')
}

/**
 * Which identity this token stands for; undefined when it is not a known one.
 *
 * How long this takes says nothing about the tokens: digests of one length are compared in constant time, with every entry,
 * also after one has matched. (Hashing takes longer for a longer token, which the caller knows anyway.)
 */
export function verifyToken<T extends KnownToken>(token: string, tokens: readonly T[]): string | undefined {
  const digest = createHash('sha256').update(token, 'utf8').digest()
  let identity: string | undefined
  for (const known of tokens) {
    const expected = Buffer.from(known.sha256, 'hex')
    if (expected.length === digest.length && timingSafeEqual(expected, digest)) identity = known.identity
  }
  return identity
}

/** Longer header values are refused before they are hashed. */
const LONGEST_HEADER_VALUE = 4096
/** With "Bearer " in front. */
export const LONGEST_TOKEN = LONGEST_HEADER_VALUE - 'Bearer '.length

/** The token in an `Authorization: Bearer TOKEN` header value (RFC 6750 §2.1); undefined when it has another form. */
export function parseBearer(authorization: string | undefined): string | undefined {
  if (authorization === undefined || authorization.length > LONGEST_HEADER_VALUE) return undefined
  // The scheme's name is case-insensitive: RFC 9110 §11.1.
  return /^bearer +([A-Za-z0-9\-._~+/]+=*) *$/i.exec(authorization)?.[1]
}
