/**
 * Alerts, RFC 8446 §6. In QUIC each is fatal and travels as an error code of CONNECTION_CLOSE: 0x0100 + alert (RFC 9001 §4.8).
 */

/** AlertDescription, RFC 8446 appendix B.2, and after it those that keep the names they had before TLS 1.3. Not all are ones that we send. */
export const Alert = {
  close_notify: 0,
  unexpected_message: 10,
  bad_record_mac: 20,
  record_overflow: 22,
  handshake_failure: 40,
  bad_certificate: 42,
  unsupported_certificate: 43,
  certificate_revoked: 44,
  certificate_expired: 45,
  certificate_unknown: 46,
  illegal_parameter: 47,
  unknown_ca: 48,
  access_denied: 49,
  decode_error: 50,
  decrypt_error: 51,
  protocol_version: 70,
  insufficient_security: 71,
  internal_error: 80,
  inappropriate_fallback: 86,
  user_canceled: 90,
  missing_extension: 109,
  unsupported_extension: 110,
  unrecognized_name: 112,
  bad_certificate_status_response: 113,
  unknown_psk_identity: 115,
  certificate_required: 116,
  no_application_protocol: 120,

  decryption_failed: 21,
  decompression_failure: 30,
  no_certificate: 41,
  export_restriction: 60,
  no_renegotiation: 100,
  certificate_unobtainable: 111,
  bad_certificate_hash_value: 114,
} as const

export type AlertName = keyof typeof Alert

/** CRYPTO_ERROR, RFC 9000 §20.1: the first of 256 codes, one an alert. */
export const CRYPTO_ERROR = 0x100
/** RFC 9000 §20.1. */
const PROTOCOL_VIOLATION = 0x0a

/** What the peer did wrong, in its handshake messages or with its certificate. */
export class TlsAlert extends Error {
  override name = 'TlsAlert'
  readonly alert: number
  /** For CONNECTION_CLOSE: CRYPTO_ERROR with the alert, or the QUIC error that RFC 9001 names instead. */
  readonly transportError: number

  constructor(alert: AlertName, message: string, transportError = CRYPTO_ERROR + Alert[alert]) {
    super(message)
    this.alert = Alert[alert]
    this.transportError = transportError
  }
}

/** What TLS would allow and RFC 9001 does not. */
export function protocolViolation(alert: AlertName, message: string): TlsAlert {
  return new TlsAlert(alert, message, PROTOCOL_VIOLATION)
}
