/**
 * Whether a certificate is for a name or an IP address: RFC 9525 §6, for IP addresses RFC 9110 §4.3.5. Only subjectAltName counts, never
 * the common name; `*` only as a whole first label.
 */
import { isIP } from 'node:net'
import { TlsAlert } from '../alert.ts'
import type { Certificate } from './certificate.ts'

const HOST_OPTIONS = { subject: 'never', wildcards: true, partialWildcards: false, multiLabelWildcards: false } as const

/** Throws TlsAlert when it is for others. */
export function checkName(certificate: Certificate, serverName: string): void {
  const address = serverName.replace(/%.*$/, '')
  const name = serverName.replace(/\.$/, '')
  const isFor =
    isIP(address) !== 0
      ? certificate.x509.checkIP(address) !== undefined
      : name !== '' && certificate.x509.checkHost(name, HOST_OPTIONS) !== undefined
  forgetErrors(certificate)
  if (!isFor) throw new TlsAlert('bad_certificate', `the certificate does not name ${serverName}`)
}

/**
 * When names have no good form, these two leave an error where the next caller of OpenSSL finds it, and takes it for one of its own: seen with Node 20.20,
 * whose `createPrivateKey` then threw. Other calls clean up behind them; this one costs least.
 */
function forgetErrors(certificate: Certificate): void {
  void certificate.x509.ca
}
