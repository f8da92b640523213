import type { HashName } from './hkdf.ts'
import type { CipherSuite } from './tls.ts'

/** In order of preference: AES first, which processors have instructions for (RFC 8446 appendix B.4). */
export const CIPHER_SUITES: readonly CipherSuite[] = [0x1301, 0x1302, 0x1303]

/** The hash of the key schedule and of the transcript. */
export function hashOf(suite: CipherSuite): HashName {
  return suite === 0x1302 ? 'sha384' : 'sha256'
}
