/**
 * What is derived from a secret of TLS, RFC 9001 §5.1 and §6.1:
 *
 *   secret ──"quic key"──> key of the AEAD                    "quicv2 key", … in version 2 (RFC 9369 §3.3.2)
 *          ──"quic iv"───> its IV, 12 bytes
 *          ──"quic hp"───> key of header protection, which key updates leave as it is
 *          ──"quic ku"───> the secret of the next key phase
 */
import { hashLength, hkdfExpandLabel } from '../../../tls/hkdf.ts'
import { VERSION_1, type Version } from '../version.ts'
import { type CipherSuite, SUITES } from './cipher-suites.ts'
import { NONCE_LENGTH } from './lengths.ts'

const NO_CONTEXT = new Uint8Array(0)

export function deriveKey(suite: CipherSuite, secret: Uint8Array, version: Version = VERSION_1): Uint8Array {
  return hkdfExpandLabel(SUITES[suite].hash, secret, `${version.label} key`, NO_CONTEXT, SUITES[suite].keyLength)
}

export function deriveIv(suite: CipherSuite, secret: Uint8Array, version: Version = VERSION_1): Uint8Array {
  return hkdfExpandLabel(SUITES[suite].hash, secret, `${version.label} iv`, NO_CONTEXT, NONCE_LENGTH)
}

export function deriveHeaderKey(suite: CipherSuite, secret: Uint8Array, version: Version = VERSION_1): Uint8Array {
  return hkdfExpandLabel(SUITES[suite].hash, secret, `${version.label} hp`, NO_CONTEXT, SUITES[suite].keyLength)
}

export function deriveNextSecret(suite: CipherSuite, secret: Uint8Array, version: Version = VERSION_1): Uint8Array {
  return hkdfExpandLabel(SUITES[suite].hash, secret, `${version.label} ku`, NO_CONTEXT, hashLength(SUITES[suite].hash))
}
