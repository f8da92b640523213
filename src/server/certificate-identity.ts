/** Who a client certificate, which TLS has verified, stands for: its one common name. */

import { X509Certificate } from 'node:crypto'

export type CertificateIdentity = { readonly name: string } | { readonly problem: string }

/**
 * A CA may sign certificates that name nobody by a common name: with an empty subject (RFC 5280 §4.1.2.6 allows it where there
 * is a subjectAltName), or with several, of which nobody can say which is meant. Such a certificate is no identity here.
 */
export function certificateIdentity(der: Uint8Array): CertificateIdentity {
  // In this form, values are not escaped, and two of one kind are a list.
  const { subject } = new X509Certificate(der).toLegacyObject() as unknown as { subject?: Record<string, unknown> }
  const commonName = subject?.CN
  if (Array.isArray(commonName)) {
    return { problem: `the client certificate has ${commonName.length} common names (CN); expected one` }
  }
  if (typeof commonName !== 'string' || commonName === '') {
    return { problem: 'the client certificate has no common name (CN) in its subject, which is the identity here' }
  }
  return { name: commonName }
}
