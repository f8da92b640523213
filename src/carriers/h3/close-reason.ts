/** The end of a connection in words, for logs and for people. */

import { errorName, H3ErrorCode } from '../../http3/error-codes.ts'
import type { QuicCloseReason } from '../../quic/quic.ts'
import { cryptoErrorAlert, NO_APPLICATION_PROTOCOL } from '../../quic/tls-alerts.ts'
import type { CloseReason } from '../http-connection.ts'

/** The end of a QUIC connection as the end of an HTTP/3 connection. */
export function closeReason(quic: QuicCloseReason): CloseReason {
  const { source, application, code, reason } = quic
  const tlsAlert = application ? undefined : cryptoErrorAlert(code)
  return {
    source,
    orderly: application && code === H3ErrorCode.H3_NO_ERROR,
    ...(tlsAlert !== undefined && { tlsAlert }),
    network: source === 'local' && !application,
    reason,
    text: describeClose(quic),
    protocol: 'HTTP/3 (ALPN "h3")',
  }
}

/** For example `by the peer: TLS alert unknown_ca (48)`, `by us: H3_NO_ERROR`, `timeout: nothing was heard …`. */
export function describeClose(reason: QuicCloseReason): string {
  if (reason.source === 'timeout') return `timeout: ${reason.reason}`
  const who = reason.source === 'local' ? 'by us' : 'by the peer'
  const text = reason.reason === '' ? '' : ` (${reason.reason})`
  if (reason.application) return `${who}: ${errorName(reason.code)}${text}`
  const alert = cryptoErrorAlert(reason.code)
  if (alert !== undefined) {
    const why = alert.code === NO_APPLICATION_PROTOCOL ? ': no application protocol (ALPN) in common' : ''
    return `${who}: TLS alert ${alert.name} (${alert.code})${why}${text}`
  }
  return `${who}: ${TRANSPORT_ERRORS[reason.code] ?? `transport error 0x${reason.code.toString(16)}`}${text}`
}

/** RFC 9000 §20.1. */
const TRANSPORT_ERRORS: Readonly<Record<number, string>> = {
  0: 'NO_ERROR',
  1: 'INTERNAL_ERROR',
  2: 'CONNECTION_REFUSED',
  3: 'FLOW_CONTROL_ERROR',
  4: 'STREAM_LIMIT_ERROR',
  5: 'STREAM_STATE_ERROR',
  6: 'FINAL_SIZE_ERROR',
  7: 'FRAME_ENCODING_ERROR',
  8: 'TRANSPORT_PARAMETER_ERROR',
  9: 'CONNECTION_ID_LIMIT_ERROR',
  10: 'PROTOCOL_VIOLATION',
  11: 'INVALID_TOKEN',
  12: 'APPLICATION_ERROR',
  13: 'CRYPTO_BUFFER_EXCEEDED',
  14: 'KEY_UPDATE_ERROR',
  15: 'AEAD_LIMIT_REACHED',
  16: 'NO_VIABLE_PATH',
  // RFC 9368 §10.2.
  17: 'VERSION_NEGOTIATION_ERROR',
}
