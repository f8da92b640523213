/**
 * With which algorithms CertificateVerify may be signed, RFC 8446 §4.2.3.
 */
import { constants, type KeyObject, sign, verify } from 'node:crypto'
import { TlsAlert } from './alert.ts'

interface Scheme {
  readonly code: number
  readonly keyType: 'ec' | 'ed25519' | 'rsa'
  readonly curve?: string
  /** null: the algorithm has its own. */
  readonly hash: string | null
}

/** In order of preference. RSA is PSS only: its older padding is for certificates alone. */
const SCHEMES: readonly Scheme[] = [
  { code: 0x0403, keyType: 'ec', curve: 'prime256v1', hash: 'sha256' },
  { code: 0x0503, keyType: 'ec', curve: 'secp384r1', hash: 'sha384' },
  { code: 0x0807, keyType: 'ed25519', hash: null },
  { code: 0x0804, keyType: 'rsa', hash: 'sha256' },
  { code: 0x0805, keyType: 'rsa', hash: 'sha384' },
  { code: 0x0806, keyType: 'rsa', hash: 'sha512' },
]

/** rsa_pkcs1_sha256, 384 and 512: in certificates, not in handshakes. */
const CERTIFICATES_ONLY = [0x0401, 0x0501, 0x0601]

/**
 * What `signature_algorithms` says; it is also about the certificates, as there is no `signature_algorithms_cert`. So all of these are taken in
 * certificates, too: x509/signature-algorithm.ts.
 */
export const SIGNATURE_SCHEMES: readonly number[] = [...SCHEMES.map(({ code }) => code), ...CERTIFICATES_ONLY]

/** The first scheme that fits the key and that the peer takes; undefined when there is none. */
export function chooseScheme(key: KeyObject, accepted: readonly number[]): number | undefined {
  return SCHEMES.find(scheme => fits(scheme, key) && accepted.includes(scheme.code))?.code
}

export function signWith(code: number, key: KeyObject, content: Uint8Array): Uint8Array {
  const scheme = SCHEMES.find(known => known.code === code)!
  return sign(scheme.hash, content, { key, ...padding(scheme) })
}

/** Throws TlsAlert: the signature is not that of the key's owner, or one that is not allowed. */
export function checkSignature(code: number, key: KeyObject, content: Uint8Array, signature: Uint8Array): void {
  const scheme = SCHEMES.find(known => known.code === code)
  if (scheme === undefined || !fits(scheme, key)) {
    throw new TlsAlert(
      'illegal_parameter',
      `signature scheme 0x${code.toString(16)} was not offered, or is for other keys`,
    )
  }
  if (!isSigned(scheme, key, content, signature))
    throw new TlsAlert('decrypt_error', 'CertificateVerify does not verify')
}

function isSigned(scheme: Scheme, key: KeyObject, content: Uint8Array, signature: Uint8Array): boolean {
  try {
    return verify(scheme.hash, content, { key, ...padding(scheme) }, signature)
  } catch {
    return false
  }
}

function fits(scheme: Scheme, key: KeyObject): boolean {
  if (key.asymmetricKeyType !== scheme.keyType) return false
  return scheme.curve === undefined || key.asymmetricKeyDetails?.namedCurve === scheme.curve
}

/** §4.2.3: the salt is as long as the hash. */
function padding(scheme: Scheme): { padding?: number; saltLength?: number } {
  if (scheme.keyType !== 'rsa') return {}
  return { padding: constants.RSA_PKCS1_PSS_PADDING, saltLength: constants.RSA_PSS_SALTLEN_DIGEST }
}
