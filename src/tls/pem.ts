/** Texts with certificates in base64, RFC 7468 §2. */

/** DER of each certificate, in order; whatever is around and between them is a comment. */
export function certificatesOf(pem: Uint8Array | string): Uint8Array[] {
  const text = typeof pem === 'string' ? pem : new TextDecoder().decode(pem)
  const blocks = text.matchAll(/-----BEGIN CERTIFICATE-----([^-]*)-----END/g)
  return [...blocks].map(([, base64]) => Buffer.from(base64, 'base64'))
}
