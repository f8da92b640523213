/** Why a client could not connect, or is no longer connected. */

import { describeClose } from '../quic/close-reason.ts'
import type { QuicCloseReason } from '../quic/quic.ts'
import { cryptoErrorAlert, isAboutTrust, NO_APPLICATION_PROTOCOL, type TlsAlert } from '../quic/tls-alerts.ts'

/**
 *   config    the configuration cannot work; nothing was sent
 *   network   nobody listens there, or the address cannot be reached
 *   timeout   no answer in time
 *   tls       one side did not trust the other, or TLS failed otherwise; `tlsAlert` says why
 *   refused   the proxy closed the connection
 *   http      the proxy answered the request with a status other than 2xx
 *   protocol  the proxy broke a rule, or is no HTTP/3 server
 *   tunnel    the tunnel was opened and ended again
 */
export type ClientErrorKind = 'config' | 'network' | 'timeout' | 'tls' | 'refused' | 'http' | 'protocol' | 'tunnel'

export class ClientError extends Error {
  override name = 'ClientError'
  readonly kind: ClientErrorKind
  readonly tlsAlert: TlsAlert | undefined
  readonly status: number | undefined

  constructor(kind: ClientErrorKind, message: string, details: { tlsAlert?: TlsAlert; status?: number } = {}) {
    super(message)
    this.kind = kind
    this.tlsAlert = details.tlsAlert
    this.status = details.status
  }

  /** Whether trying again later can help. A wrong token or certificate stays wrong. */
  get retryable(): boolean {
    switch (this.kind) {
      case 'network':
      case 'timeout':
      case 'refused':
      case 'tunnel':
        return true
      case 'http':
        return this.status !== undefined && (this.status >= 500 || this.status === 429)
      default:
        return false
    }
  }
}

/** What the end of a QUIC connection means to the client. `remote` is where it went, for the message. */
export function errorFromClose(reason: QuicCloseReason, remote: string): ClientError {
  const tlsAlert = reason.application ? undefined : cryptoErrorAlert(reason.code)
  if (tlsAlert !== undefined) {
    const detail = reason.reason === '' ? '' : `: ${reason.reason}`
    const alert = `${detail} (TLS alert ${tlsAlert.name}, ${tlsAlert.code})`
    if (tlsAlert.code === NO_APPLICATION_PROTOCOL) {
      const what = `the server at ${remote} does not speak HTTP/3 (ALPN "h3"): it is no CONNECT-IP proxy`
      return new ClientError('protocol', what + alert, { tlsAlert })
    }
    return new ClientError('tls', whoseTlsFault(reason, tlsAlert, remote) + alert, { tlsAlert })
  }
  if (reason.source === 'timeout') return new ClientError('timeout', `no answer from ${remote}`)
  if (reason.source === 'local' && /ECONNREFUSED/.test(reason.reason)) {
    return new ClientError('network', `nobody listens at ${remote}: is the proxy running?`)
  }
  if (reason.source === 'local' && !reason.application) {
    return new ClientError('network', `${remote} cannot be reached: ${reason.reason}`)
  }
  return new ClientError('refused', `connection to ${remote} closed ${describeClose(reason)}`)
}

function whoseTlsFault({ source }: QuicCloseReason, alert: TlsAlert, remote: string): string {
  if (isAboutTrust(alert)) return source === 'local' ? 'we do not trust the proxy' : 'the proxy does not trust us'
  return `the TLS handshake with ${remote} was ended by ${source === 'local' ? 'us' : 'the proxy'}`
}
