/** How a TCP connection ended, or did not come about, in words, for logs and for people. */

import { type TlsAlert, tlsAlertName } from '../../quic/tls-alerts.ts'
import type { CloseReason } from '../http-connection.ts'

/** What becomes a `CloseReason` when whoever knows it adds what was spoken. */
export type SocketEnd = Omit<CloseReason, 'protocol'>

/** The peer has ended it without a word. */
export const ENDED_SILENTLY: SocketEnd = {
  source: 'peer',
  orderly: false,
  reason: 'the TCP connection ended',
  text: 'by the peer: the TCP connection ended',
}

/** We end it because nothing has come for too long. */
export function timedOut(what: string): SocketEnd {
  return { source: 'timeout', orderly: false, reason: what, text: `timeout: ${what}` }
}

/** TLS has ended it, on our side or the peer's. */
export function endedByTls(source: 'local' | 'peer', code: number): SocketEnd {
  const tlsAlert: TlsAlert = { code, name: tlsAlertName(code) }
  const who = source === 'local' ? 'by us' : 'by the peer'
  return { source, orderly: false, tlsAlert, reason: '', text: `${who}: TLS alert ${tlsAlert.name} (${code})` }
}

/** What Node's TLS says of a certificate that it does not accept, as the alert that goes with it (RFC 8446 §6.2). */
const CERTIFICATE_ALERTS: Readonly<Record<string, number>> = {
  CERT_HAS_EXPIRED: 45,
  CERT_NOT_YET_VALID: 42,
  ERR_TLS_CERT_ALTNAME_INVALID: 42,
  CERT_REVOKED: 44,
}
const UNKNOWN_CA = 48

/** Codes of X.509 verification that are not among those above mean that nobody we know has signed. */
const VERIFICATION = /^(?:UNABLE_TO_|SELF_SIGNED|DEPTH_ZERO|CERT_|INVALID_|HOSTNAME_|PATH_LENGTH|ERR_TLS_CERT)/

/** The alert for a certificate that was not accepted; `code` is of Node's TLS. Undefined: it is about something else. */
export function certificateAlert(code: string): number | undefined {
  return CERTIFICATE_ALERTS[code] ?? (VERIFICATION.test(code) ? UNKNOWN_CA : undefined)
}

/** What an 'error' event of a socket means. `secure`: TLS was there already. */
export function endedByError(error: NodeJS.ErrnoException, secure: boolean): SocketEnd {
  const { code = '', message } = error
  // OpenSSL: "…:ssl3_read_bytes:tlsv1 alert unknown ca:…:SSL alert number 48".
  const alert = /SSL alert number (\d+)/.exec(message)?.[1]
  if (alert !== undefined) return endedByTls('peer', Number(alert))
  const refused = certificateAlert(code)
  if (refused !== undefined) return endedByTls('local', refused)
  if (code === 'ETIMEDOUT') return timedOut('TCP had no answer')
  if (code === 'ECONNRESET' || code === 'EPIPE') {
    const when = secure ? 'the TCP connection was reset' : 'the TCP connection was cut before TLS was there'
    return { source: 'peer', orderly: false, reason: when, text: `by the peer: ${when}` }
  }
  return { source: 'local', orderly: false, network: true, reason: message, text: `by us: ${message}` }
}
