import { DecodeError } from '../bytes/errors.ts'
import type { Reader } from '../bytes/reader.ts'
import type { HashName } from './hkdf.ts'
import type { CipherSuite } from './tls.ts'

/** In order of preference: AES first, which processors have instructions for (RFC 8446 appendix B.4). */
export const CIPHER_SUITES: readonly CipherSuite[] = [0x1301, 0x1302, 0x1303]

/** The hash of the key schedule and of the transcript. */
export function hashOf(suite: CipherSuite): HashName {
  return suite === 0x1302 ? 'sha384' : 'sha256'
}

/** One of ours, as tickets have it. */
export function takeSuite(reader: Reader): CipherSuite {
  const number = reader.u16()
  const suite = CIPHER_SUITES.find(known => known === number)
  if (suite === undefined) throw new DecodeError(`cipher suite 0x${number.toString(16)}`)
  return suite
}
