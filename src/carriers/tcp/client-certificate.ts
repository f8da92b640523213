/**
 * A client need not have a certificate, but one that it shows must verify. TLS 1.3 is done by the time when that can be said, so
 * that the alert that would be sent travels as text, in what the version of HTTP has for it.
 */

import type { TLSSocket } from 'node:tls'
import { tlsAlertName } from '../../quic/tls-alerts.ts'
import { certificateAlert, endedByTls, type SocketEnd } from './socket-end.ts'

/** The alert in words for a certificate that does not verify. Undefined: there is none, or it does. */
export function certificateProblem(socket: TLSSocket): string | undefined {
  if (socket.authorized || socket.getPeerX509Certificate() === undefined) return undefined
  const code = String(socket.authorizationError)
  const alert = certificateAlert(code)
  return alert === undefined ? undefined : `TLS alert ${tlsAlertName(alert)} (${alert}): ${code}`
}

/** What such words mean to the client that reads them: the proxy does not accept its certificate. */
export function refusedCertificate(text: string): SocketEnd | undefined {
  const alert = /^TLS alert \w+ \((\d+)\)/.exec(text)?.[1]
  return alert === undefined ? undefined : endedByTls('peer', Number(alert))
}
