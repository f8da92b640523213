import { rootCertificates } from 'node:tls'
import { certificatesOf } from '../pem.ts'
import { type Certificate, parseCertificate } from './certificate.ts'

/** The certificates that are trusted: where a chain has to end. */
export class TrustStore {
  readonly #bySubject = new Map<string, Certificate[]>()

  constructor(certificates: readonly Certificate[]) {
    for (const certificate of certificates) {
      const name = hex(certificate.subject)
      this.#bySubject.set(name, [...(this.#bySubject.get(name) ?? []), certificate])
    }
  }

  /** By their names; whether the signature is theirs is another question. */
  issuersOf(certificate: Certificate): readonly Certificate[] {
    return this.#bySubject.get(hex(certificate.issuer)) ?? []
  }

  has(certificate: Certificate): boolean {
    const sameName = this.#bySubject.get(hex(certificate.subject)) ?? []
    return sameName.some(trusted => Buffer.compare(trusted.der, certificate.der) === 0)
  }
}

const stores = new WeakMap<Uint8Array, TrustStore>()
let nodesRoots: TrustStore | undefined

/** Of the certificates in a PEM text, or else of the roots that come with Node. Throws when there are none in it, or one cannot be read. */
export function trustStoreOf(ca: Uint8Array | undefined): TrustStore {
  if (ca === undefined) {
    nodesRoots ??= new TrustStore(rootCertificates.flatMap(certificatesOf).map(parseCertificate))
    return nodesRoots
  }
  let store = stores.get(ca)
  if (store === undefined) {
    const certificates = certificatesOf(ca).map(parseCertificate)
    if (certificates.length === 0) throw new Error('no certificate in the PEM text of the certificate authority')
    store = new TrustStore(certificates)
    stores.set(ca, store)
  }
  return store
}

function hex(bytes: Uint8Array): string {
  return Buffer.from(bytes.buffer, bytes.byteOffset, bytes.length).toString('hex')
}
