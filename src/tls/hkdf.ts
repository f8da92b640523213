/**
 * HKDF as TLS 1.3 and QUIC use it: RFC 5869, RFC 8446 §7.1.
 */
import { createHmac } from 'node:crypto'

export type HashName = 'sha256' | 'sha384'

const encoder = new TextEncoder()

/** How many bytes the hash has. */
export function hashLength(hash: HashName): number {
  return hash === 'sha256' ? 32 : 48
}

export function hmac(hash: HashName, key: Uint8Array, data: Uint8Array): Uint8Array {
  return createHmac(hash, key).update(data).digest()
}

/** HKDF-Extract (RFC 5869 §2.2): a pseudorandom key from input keying material. */
export function hkdfExtract(hash: HashName, salt: Uint8Array, ikm: Uint8Array): Uint8Array {
  return hmac(hash, salt, ikm)
}

/**
 * HKDF-Expand-Label, RFC 8446 §7.1: HKDF-Expand (RFC 5869 §2.3) with this as its info. `label` is without "tls13 ".
 *
 *     struct {
 *         uint16 length = Length;
 *         opaque label<7..255> = "tls13 " + Label;
 *         opaque context<0..255> = Context;
 *     } HkdfLabel;
 */
export function hkdfExpandLabel(
  hash: HashName,
  secret: Uint8Array,
  label: string,
  context: Uint8Array,
  length: number,
): Uint8Array {
  const fullLabel = encoder.encode(`tls13 ${label}`)
  const info = new Uint8Array(2 + 1 + fullLabel.length + 1 + context.length)
  info[0] = length >> 8
  info[1] = length
  info[2] = fullLabel.length
  info.set(fullLabel, 3)
  info[3 + fullLabel.length] = context.length
  info.set(context, 4 + fullLabel.length)
  return hkdfExpand(hash, secret, info, length)
}

/** T(1) | T(2) | …, where T(n) = HMAC(secret, T(n-1) | info | n). */
function hkdfExpand(hash: HashName, secret: Uint8Array, info: Uint8Array, length: number): Uint8Array {
  const out = new Uint8Array(length)
  let previous: Uint8Array = new Uint8Array(0)
  for (let at = 0, n = 1; at < length; n++) {
    previous = createHmac(hash, secret).update(previous).update(info).update(Uint8Array.of(n)).digest()
    out.set(previous.subarray(0, length - at), at)
    at += previous.length
  }
  return out
}
