/**
 * Alerts, RFC 8446 §6. In QUIC each is fatal and travels as an error code of CONNECTION_CLOSE: 0x0100 + alert (RFC 9001 §4.8).
 */

/** AlertDescription, RFC 8446 appendix B.2: those that this implementation sends. */
export const Alert = {
  unexpected_message: 10,
  handshake_failure: 40,
  bad_certificate: 42,
  unsupported_certificate: 43,
  certificate_expired: 45,
  illegal_parameter: 47,
  unknown_ca: 48,
  decode_error: 50,
  decrypt_error: 51,
  protocol_version: 70,
  insufficient_security: 71,
  internal_error: 80,
  missing_extension: 109,
  unsupported_extension: 110,
  certificate_required: 116,
  no_application_protocol: 120,
} as const

export type AlertName = keyof typeof Alert

/** CRYPTO_ERROR, RFC 9000 §20.1. */
const CRYPTO_ERROR = 0x100
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
