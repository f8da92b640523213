import { TlsAlert } from './alert.ts'
import { decodeCertificateVerify, signedContent } from './messages/certificate-verify.ts'
import { checkSignature } from './signature-scheme.ts'
import { type Certificate, parseCertificate } from './x509/certificate.ts'
import type { TrustStore } from './x509/trust-store.ts'
import { verifyChain } from './x509/verify-chain.ts'

export interface PeerQuestion {
  role: 'client' | 'server'
  /** undefined: whoever it is. */
  trust: TrustStore | undefined
  serverName?: string
  unixMs: number
}

/** The peer's certificate, believed as far as `question` asks for. Throws TlsAlert. */
export function acceptChain(chain: readonly Uint8Array[], question: PeerQuestion): Certificate {
  const { role, trust, serverName, unixMs } = question
  if (trust === undefined) return parseCertificate(chain[0])
  return verifyChain({ chain, trust, purpose: role, unixMs, ...(serverName === undefined ? {} : { serverName }) })
}

/**
 * RFC 8446 §4.4.3: the peer has the certificate's key. `transcriptHash`: of all messages before CertificateVerify. Returns the
 * certificate in DER; throws TlsAlert.
 */
export function checkCertificateVerify(
  body: Uint8Array,
  role: 'client' | 'server',
  certificate: Certificate | undefined,
  transcriptHash: Uint8Array,
): Uint8Array {
  const { scheme, signature } = decodeCertificateVerify(body)
  if (certificate === undefined) throw new TlsAlert('unexpected_message', 'CertificateVerify without a certificate')
  checkSignature(scheme, certificate.publicKey, signedContent(role, transcriptHash), signature)
  return certificate.der
}
