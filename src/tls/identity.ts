import { createPrivateKey, createPublicKey, type KeyObject } from 'node:crypto'
import { certificatesOf } from './pem.ts'
import { parseCertificate } from './x509/certificate.ts'

/** What an endpoint proves who it is with. */
export interface Identity {
  /** DER, its own first. */
  readonly chain: readonly Uint8Array[]
  readonly key: KeyObject
}

/** From PEM texts. Throws when they are of no use, or do not belong to each other. */
export function readIdentity(certificateChain: Uint8Array, key: Uint8Array): Identity {
  const chain = certificatesOf(certificateChain)
  if (chain.length === 0) throw new Error('no certificate in the PEM text of the certificate chain')
  const privateKey = createPrivateKey(Buffer.from(key))
  if (!parseCertificate(chain[0]).publicKey.equals(createPublicKey(privateKey))) {
    throw new Error('the key is not that of the certificate')
  }
  return { chain, key: privateKey }
}
