/** What the cipher suites of TLS 1.3 mean for packets: RFC 9001 §5.3, §5.4 and §6.6. Names as OpenSSL has them. */
import type { HashName } from '../../../tls/hkdf.ts'
import type { CipherSuite } from '../../../tls/tls.ts'

export type { CipherSuite } from '../../../tls/tls.ts'

export interface SuiteTraits {
  readonly hash: HashName
  readonly keyLength: number
  readonly aead: string
  readonly headerCipher: string
  /** So many packets may be sealed with one key (the confidentiality limit). */
  readonly mostSealed: number
  /** So many packets may fail to open in the whole life of a connection (the integrity limit). */
  readonly mostForged: number
}

export const TLS_AES_128_GCM_SHA256 = 0x1301
export const TLS_AES_256_GCM_SHA384 = 0x1302
export const TLS_CHACHA20_POLY1305_SHA256 = 0x1303

export const SUITES: Readonly<Record<CipherSuite, SuiteTraits>> = {
  [TLS_AES_128_GCM_SHA256]: {
    hash: 'sha256',
    keyLength: 16,
    aead: 'aes-128-gcm',
    headerCipher: 'aes-128-ecb',
    mostSealed: 2 ** 23,
    mostForged: 2 ** 52,
  },
  [TLS_AES_256_GCM_SHA384]: {
    hash: 'sha384',
    keyLength: 32,
    aead: 'aes-256-gcm',
    headerCipher: 'aes-256-ecb',
    mostSealed: 2 ** 23,
    mostForged: 2 ** 52,
  },
  [TLS_CHACHA20_POLY1305_SHA256]: {
    hash: 'sha256',
    keyLength: 32,
    aead: 'chacha20-poly1305',
    headerCipher: 'chacha20',
    // More than there are packet numbers.
    mostSealed: Number.POSITIVE_INFINITY,
    mostForged: 2 ** 36,
  },
}
