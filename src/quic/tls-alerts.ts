/**
 * TLS alerts as QUIC carries them.
 *
 * QUIC has no TLS records, so an alert travels as the error code of a CONNECTION_CLOSE frame: 0x0100 plus the
 * alert's number (RFC 9001 §4.8, RFC 9000 §20.1 CRYPTO_ERROR 0x0100-0x01ff). Every alert is fatal there.
 */

/** Alert descriptions, RFC 8446 §6 and appendix B.2 (the reserved ones keep the names they had in TLS 1.2). */
const ALERT_NAMES: Readonly<Record<number, string>> = {
  0: 'close_notify',
  10: 'unexpected_message',
  20: 'bad_record_mac',
  21: 'decryption_failed',
  22: 'record_overflow',
  30: 'decompression_failure',
  40: 'handshake_failure',
  41: 'no_certificate',
  42: 'bad_certificate',
  43: 'unsupported_certificate',
  44: 'certificate_revoked',
  45: 'certificate_expired',
  46: 'certificate_unknown',
  47: 'illegal_parameter',
  48: 'unknown_ca',
  49: 'access_denied',
  50: 'decode_error',
  51: 'decrypt_error',
  60: 'export_restriction',
  70: 'protocol_version',
  71: 'insufficient_security',
  80: 'internal_error',
  86: 'inappropriate_fallback',
  90: 'user_canceled',
  100: 'no_renegotiation',
  109: 'missing_extension',
  110: 'unsupported_extension',
  111: 'certificate_unobtainable',
  112: 'unrecognized_name',
  113: 'bad_certificate_status_response',
  114: 'bad_certificate_hash_value',
  115: 'unknown_psk_identity',
  116: 'certificate_required',
  120: 'no_application_protocol',
}

/** The first and last QUIC transport error code that stand for a TLS alert. */
const CRYPTO_ERROR_FIRST = 0x100
const CRYPTO_ERROR_LAST = 0x1ff

export interface TlsAlert {
  /** The alert's number in TLS, 0–255. */
  code: number
  /** Its name in RFC 8446, such as `unknown_ca`; `alert_N` when the RFC has none. */
  name: string
}

/** The peer, or we, do not speak any of the application protocols that the other offers (RFC 7301 §3.2, RFC 9001 §8.1). */
export const NO_APPLICATION_PROTOCOL = 120

export const BAD_CERTIFICATE = 42

/** Alerts that say: your certificate, or that you have none, is why. Others mean that TLS itself did not work out. */
const ABOUT_TRUST = new Set([41, 42, 43, 44, 45, 46, 48, 49, 116])

/** Whether an alert says that one side does not trust the other. */
export function isAboutTrust(alert: TlsAlert): boolean {
  return ABOUT_TRUST.has(alert.code)
}

/** The RFC 8446 name of an alert number; `alert_N` for a number that RFC does not know. */
export function tlsAlertName(alert: number): string {
  return ALERT_NAMES[alert] ?? `alert_${alert}`
}

/** Which TLS alert a QUIC transport error code stands for; undefined when it is not a CRYPTO_ERROR (RFC 9001 §4.8). */
export function cryptoErrorAlert(code: number): TlsAlert | undefined {
  if (!Number.isInteger(code) || code < CRYPTO_ERROR_FIRST || code > CRYPTO_ERROR_LAST) return undefined
  const alert = code - CRYPTO_ERROR_FIRST
  return { code: alert, name: tlsAlertName(alert) }
}
