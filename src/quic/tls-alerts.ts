/**
 * TLS alerts as QUIC carries them.
 *
 * QUIC has no TLS records, so an alert travels as the error code of a CONNECTION_CLOSE frame: 0x0100 plus the
 * alert's number (RFC 9001 §4.8, RFC 9000 §20.1 CRYPTO_ERROR 0x0100-0x01ff). Every alert is fatal there.
 */
import { Alert, CRYPTO_ERROR } from '../tls/alert.ts'

const ALERT_NAMES = new Map<number, string>(Object.entries(Alert).map(([name, number]) => [number, name]))

const MAX_ALERT = 0xff

export interface TlsAlert {
  /** The alert's number in TLS, 0–255. */
  code: number
  /** Its name in RFC 8446, such as `unknown_ca`; `alert_N` when the RFC has none. */
  name: string
}

/** The peer, or we, do not speak any of the application protocols that the other offers (RFC 7301 §3.2, RFC 9001 §8.1). */
export const NO_APPLICATION_PROTOCOL = Alert.no_application_protocol

export const BAD_CERTIFICATE = Alert.bad_certificate

/** Alerts that say: your certificate, or that you have none, is why. Others mean that TLS itself did not work out. */
const ABOUT_TRUST = new Set<number>([
  Alert.no_certificate,
  Alert.bad_certificate,
  Alert.unsupported_certificate,
  Alert.certificate_revoked,
  Alert.certificate_expired,
  Alert.certificate_unknown,
  Alert.unknown_ca,
  Alert.access_denied,
  Alert.certificate_required,
])

/** Whether an alert says that one side does not trust the other. */
export function isAboutTrust(alert: TlsAlert): boolean {
  return ABOUT_TRUST.has(alert.code)
}

/** The RFC 8446 name of an alert number; `alert_N` for a number that RFC does not know. */
export function tlsAlertName(alert: number): string {
  return ALERT_NAMES.get(alert) ?? `alert_${alert}`
}

/** Which TLS alert a QUIC transport error code stands for; undefined when it is not a CRYPTO_ERROR (RFC 9001 §4.8). */
export function cryptoErrorAlert(code: number): TlsAlert | undefined {
  const alert = code - CRYPTO_ERROR
  if (!Number.isInteger(alert) || alert < 0 || alert > MAX_ALERT) return undefined
  return { code: alert, name: tlsAlertName(alert) }
}
