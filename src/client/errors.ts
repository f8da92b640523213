/** Why a client could not connect, or is no longer connected. */

import type { CloseReason } from '../carriers/http-connection.ts'
import { ConfigError } from '../config/config-error.ts'
import { TlsConfigError } from '../config/tls-config.ts'
import { ChoiceError } from '../quic/choice-error.ts'
import { BAD_CERTIFICATE, isAboutTrust, NO_APPLICATION_PROTOCOL, type TlsAlert } from '../quic/tls-alerts.ts'

/**
 *   config    the configuration, or MASQUE_QUIC or MASQUE_UDP, cannot work; nothing was sent
 *   network   nobody listens there, or the address cannot be reached
 *   timeout   no answer in time
 *   tls       one side did not trust the other, or TLS failed otherwise; `tlsAlert` says why
 *   refused   the proxy closed the connection
 *   http      the proxy answered the request with a status other than 2xx
 *   protocol  the proxy broke a rule, or is no HTTP/3 server
 *   tunnel    the tunnel was opened and ended again
 *   internal  a bug of ours; `cause` has it
 */
export type ClientErrorKind =
  | 'config'
  | 'network'
  | 'timeout'
  | 'tls'
  | 'refused'
  | 'http'
  | 'protocol'
  | 'tunnel'
  | 'internal'

export class ClientError extends Error {
  override name = 'ClientError'
  readonly kind: ClientErrorKind
  readonly tlsAlert: TlsAlert | undefined
  readonly status: number | undefined

  constructor(
    kind: ClientErrorKind,
    message: string,
    details: { tlsAlert?: TlsAlert; status?: number; cause?: unknown } = {},
  ) {
    super(message, details.cause === undefined ? undefined : { cause: details.cause })
    this.kind = kind
    this.tlsAlert = details.tlsAlert
    this.status = details.status
  }

  /**
   * Whether trying again later can help. A wrong token or certificate stays wrong; after a bug of ours, trying again costs
   * less than giving up.
   */
  get retryable(): boolean {
    switch (this.kind) {
      case 'network':
      case 'timeout':
      case 'refused':
      case 'tunnel':
      case 'internal':
        return true
      case 'http':
        return this.status !== undefined && (this.status >= 500 || this.status === 429)
      default:
        return false
    }
  }
}

/** What the end of a connection means to the client. `remote` is where it went, for the message. */
export function errorFromClose(reason: CloseReason, remote: string): ClientError {
  const { tlsAlert } = reason
  if (tlsAlert !== undefined) {
    const whatToDo = (reason.source === 'local' ? WE_REFUSE : THEY_REFUSE)[tlsAlert.code]
    // bad_certificate may mean many things: who knows which says more than we. Of the others we say what to do, and the log has the rest.
    const about = tlsAlert.code === BAD_CERTIFICATE ? reason.reason || whatToDo : (whatToDo ?? reason.reason)
    const detail = about ? `: ${about}` : ''
    const alert = `${detail} (TLS alert ${tlsAlert.name}, ${tlsAlert.code})`
    if (tlsAlert.code === NO_APPLICATION_PROTOCOL) {
      const what = `the server at ${remote} does not speak ${reason.protocol}: it is no CONNECT-IP proxy`
      return new ClientError('protocol', what + alert, { tlsAlert })
    }
    return new ClientError('tls', whoseTlsFault(reason, tlsAlert, remote) + alert, { tlsAlert })
  }
  if (reason.source === 'timeout') return new ClientError('timeout', `no answer from ${remote}`)
  if (reason.network) {
    return new ClientError(
      'network',
      describeUnreachable(/\bE[A-Z]{3,}\b/.exec(reason.reason)?.[0], reason.reason, remote),
    )
  }
  return new ClientError('refused', `connection to ${remote} closed ${reason.text}`)
}

/** What it means when our TLS library ends the handshake with this alert. */
const WE_REFUSE: Readonly<Record<number, string>> = {
  42: 'its certificate names another host than proxy.template or tls.server_name, or is not valid yet',
  45: 'its certificate has expired',
  48: 'its certificate was not signed by a CA that we know (tls.ca)',
}

/** What it means when the proxy does. */
const THEY_REFUSE: Readonly<Record<number, string>> = {
  45: 'our certificate (tls.certificate) has expired',
  48: 'our certificate (tls.certificate) was not signed by a CA that it knows',
}

function whoseTlsFault({ source }: CloseReason, alert: TlsAlert, remote: string): string {
  if (isAboutTrust(alert)) return source === 'local' ? 'we do not trust the proxy' : 'the proxy does not trust us'
  return `the TLS handshake with ${remote} was ended by ${source === 'local' ? 'us' : 'the proxy'}`
}

/**
 * What any failure of an attempt means to a client that was connected before: what the system refused passes, a
 * configuration that no longer works stays so. Anything else is a bug of ours, `internal`, with the error as its cause.
 */
export function errorFromFailure(error: unknown, remote: string): ClientError {
  if (error instanceof ClientError) return error
  if (error instanceof ConfigError || error instanceof TlsConfigError || error instanceof ChoiceError) {
    return new ClientError('config', error.message, { cause: error })
  }
  const { code, syscall, message } = (error ?? {}) as Partial<NodeJS.ErrnoException>
  if (code !== undefined && syscall !== undefined && message !== undefined) {
    return new ClientError('network', describeUnreachable(code, message, remote), { cause: error })
  }
  return new ClientError('internal', `internal error: ${message ?? String(error)}`, { cause: error })
}

/** Why the system would not send to `remote`, and what to look at. `code` as in errno(3). */
function describeUnreachable(code: string | undefined, message: string, remote: string): string {
  switch (code) {
    case 'ECONNREFUSED':
      return `nobody listens at ${remote}: is the proxy running?`
    case 'ENETUNREACH':
    case 'ENETDOWN':
      return `there is no way to ${remote} (${code}): is this machine connected to a network that leads there?`
    case 'EHOSTUNREACH':
    case 'EHOSTDOWN':
      return `the host of ${remote} cannot be reached (${code}): is the address right, and is the host up?`
    case 'EADDRNOTAVAIL':
      return `this machine has no address from which ${remote} can be reached (${code}): is the right interface up?`
    case 'EACCES':
    case 'EPERM':
      return `the system lets nothing out to ${remote} (${code}): look for a firewall, a forbidden route, a broadcast address`
    default:
      return `${remote} cannot be reached: ${message}`
  }
}
