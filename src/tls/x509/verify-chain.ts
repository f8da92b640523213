/**
 * Whether a peer's certificate is to be believed: a path from it to one that is trusted, RFC 5280 §6.1.
 *
 *     leaf  <── issued by ──  CA certificate  <── issued by ──  CA certificate that is trusted
 *      names, key usage        is a CA, path length, key usage, purpose, names
 *      └────────── within their validity, algorithms that hold, nothing critical that is not understood ──────────┘
 *
 * The peer may send its certificates in any order, and some that lead nowhere (RFC 8446 §4.4.2), so paths are searched for; how
 * many signatures are looked at is limited.
 */
import { TlsAlert } from '../alert.ts'
import { type Certificate, CertificateExtension, KeyUsage, parseCertificate } from './certificate.ts'
import { checkName } from './name.ts'
import { checkNameConstraints } from './name-constraints.ts'
import { RSASSA_PSS } from './signature-algorithm.ts'
import type { TrustStore } from './trust-store.ts'

export interface ChainQuestion {
  /** DER, the peer's own first. */
  chain: readonly Uint8Array[]
  trust: TrustStore
  /** What the peer uses its certificate as. */
  purpose: 'server' | 'client'
  /** The name or IP address that a server's must be for. */
  serverName?: string
  unixMs: number
}

/** How many certificates of CAs a path may have. */
const MAX_DEPTH = 6
export const MAX_SIGNATURES = 24

/** extendedKeyUsage, RFC 5280 §4.2.1.12. */
const PURPOSE = { server: '1.3.6.1.5.5.7.3.1', client: '1.3.6.1.5.5.7.3.2' } as const
const ANY_PURPOSE = '2.5.29.37.0'

const MIN_RSA_BITS = 2048
/** Larger ones take long to verify, and a peer may show many. */
export const MAX_RSA_BITS = 8192
const MAX_RSA_EXPONENT = 2n ** 32n

/** Extensions that are understood, or that without a policy of ours mean nothing. Others must not be critical (§4.2). */
const UNDERSTOOD = new Set<string>(Object.values(CertificateExtension))

/** Returns the peer's own certificate; throws TlsAlert when it is not to be believed. */
export function verifyChain({ chain, trust, purpose, serverName, unixMs }: ChainQuestion): Certificate {
  const [leaf, ...others] = chain.map(parseCertificate)
  if (leaf === undefined) throw new TlsAlert('bad_certificate', 'there is no certificate')
  checkLeaf(leaf, purpose)
  checkEach(leaf, purpose, unixMs)
  if (serverName !== undefined) checkName(leaf, serverName)
  new PathSearch(trust, others, purpose, unixMs).search([leaf])
  return leaf
}

class PathSearch {
  readonly #trust: TrustStore
  readonly #others: readonly Certificate[]
  readonly #purpose: 'server' | 'client'
  readonly #unixMs: number
  #signaturesLeft = MAX_SIGNATURES
  /** Why the first path that got somewhere was not good. */
  #why: TlsAlert | undefined

  constructor(trust: TrustStore, others: readonly Certificate[], purpose: 'server' | 'client', unixMs: number) {
    this.#trust = trust
    this.#others = others
    this.#purpose = purpose
    this.#unixMs = unixMs
  }

  search(path: readonly Certificate[]): void {
    if (!this.#leadsToTrust(path)) {
      throw this.#why ?? new TlsAlert('unknown_ca', 'the certificate does not lead to an authority that is trusted')
    }
  }

  /** Depth first; a certificate is at most once on a path. */
  #leadsToTrust(path: readonly Certificate[]): boolean {
    const last = path.at(-1)!
    if (this.#trust.has(last)) return true
    if (path.length > MAX_DEPTH) return false
    const sent = this.#others.filter(other => Buffer.compare(other.subject, last.issuer) === 0)
    for (const issuer of [...this.#trust.issuersOf(last), ...sent]) {
      if (!path.includes(issuer) && this.#mayFollow(path, issuer) && this.#leadsToTrust([...path, issuer])) return true
    }
    return false
  }

  #mayFollow(path: readonly Certificate[], issuer: Certificate): boolean {
    const last = path.at(-1)!
    // It may have the name, and another key than the one that is meant.
    if (!last.x509.checkIssued(issuer.x509)) return false
    try {
      checkCa(issuer, path)
      checkEach(issuer, this.#purpose, this.#unixMs, this.#trust.has(issuer))
      // How many signatures are looked at is limited, and with that how often names are compared.
      this.#checkSignature(last, issuer)
      checkNameConstraints(issuer, path)
      return true
    } catch (error) {
      if (!(error instanceof TlsAlert)) throw error
      this.#why ??= error
      return false
    }
  }

  #checkSignature(certificate: Certificate, issuer: Certificate): void {
    if (this.#signaturesLeft === 0) throw new TlsAlert('bad_certificate', 'too many signatures to look at')
    this.#signaturesLeft--
    // rsa_pss_rsae is what we have offered, not rsa_pss_pss, whose keys are for nothing else (RFC 8446 §4.2.3).
    if (certificate.signatureAlgorithm.id === RSASSA_PSS && issuer.publicKey.asymmetricKeyType !== 'rsa') {
      throw new TlsAlert('bad_certificate', 'a certificate is signed with an RSA key that is for RSASSA-PSS alone')
    }
    if (!certificate.x509.verify(issuer.publicKey)) {
      throw new TlsAlert('bad_certificate', 'a certificate is not signed by the authority that it names')
    }
  }
}

/** What holds for all certificates of a path. `isTrusted`: who signed it does not matter, as with many a root of the days of SHA-1. */
function checkEach(certificate: Certificate, purpose: 'server' | 'client', unixMs: number, isTrusted = false): void {
  if (unixMs < certificate.notBeforeMs) throw new TlsAlert('certificate_expired', 'a certificate is not valid yet')
  if (unixMs > certificate.notAfterMs) throw new TlsAlert('certificate_expired', 'a certificate has expired')
  const { id, isStrong } = certificate.signatureAlgorithm
  if (!isTrusted && !isStrong) {
    throw new TlsAlert('bad_certificate', `signature algorithm ${id} of a certificate, or what goes with it`)
  }
  checkKey(certificate)
  for (const [extension, { critical }] of certificate.extensions) {
    if (critical && !UNDERSTOOD.has(extension)) {
      throw new TlsAlert(
        'unsupported_certificate',
        `critical extension ${extension} of a certificate is not understood`,
      )
    }
  }
  // Of an authority it limits what those below it are for.
  const purposes = certificate.extendedKeyUsage
  if (purposes !== undefined && !purposes.includes(PURPOSE[purpose]) && !purposes.includes(ANY_PURPOSE)) {
    throw new TlsAlert('unsupported_certificate', `a certificate is not for TLS as a ${purpose}`)
  }
}

function checkKey({ publicKey }: Certificate): void {
  const { modulusLength: bits, publicExponent } = publicKey.asymmetricKeyDetails ?? {}
  if (bits !== undefined && (bits < MIN_RSA_BITS || bits > MAX_RSA_BITS)) {
    throw new TlsAlert('bad_certificate', `an RSA key of ${bits} bits, not ${MIN_RSA_BITS} to ${MAX_RSA_BITS}`)
  }
  if (publicExponent !== undefined && publicExponent > MAX_RSA_EXPONENT) {
    throw new TlsAlert('bad_certificate', 'an RSA key with an exponent above 2^32')
  }
}

/** RFC 8446 §4.4.2.2: its key signs the handshake. */
function checkLeaf(leaf: Certificate, purpose: 'server' | 'client'): void {
  if (leaf.keyUsage !== undefined && (leaf.keyUsage & KeyUsage.digitalSignature) === 0) {
    throw new TlsAlert('unsupported_certificate', `the key of the ${purpose}'s certificate is not for signatures`)
  }
}

/** RFC 5280 §6.1.4 (k) to (n). `path`: from the leaf up to what it is said to have issued. */
function checkCa(issuer: Certificate, path: readonly Certificate[]): void {
  if (!issuer.isCa) throw new TlsAlert('unknown_ca', 'a certificate was issued by one that is not an authority')
  if (issuer.keyUsage !== undefined && (issuer.keyUsage & KeyUsage.keyCertSign) === 0) {
    throw new TlsAlert('unknown_ca', 'the key of an authority is not for certificates')
  }
  const between = path.slice(1).filter(({ subject, issuer }) => Buffer.compare(subject, issuer) !== 0)
  if (issuer.pathLength !== undefined && between.length > issuer.pathLength) {
    throw new TlsAlert('unknown_ca', `${between.length} authorities below one that allows ${issuer.pathLength}`)
  }
}
