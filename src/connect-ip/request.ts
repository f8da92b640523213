/**
 * Asking for a tunnel and answering, RFC 9484 §4.4 (request) and §4.5 (response) for HTTP/2 and HTTP/3:
 *
 *   HEADERS                                    HEADERS
 *   :method = CONNECT                          :status = 200
 *   :protocol = connect-ip                     capsule-protocol = ?1
 *   :scheme = https
 *   :path = /.well-known/masque/ip/%2A/%2A/
 *   :authority = example.org
 *   capsule-protocol = ?1
 */

import { DecodeError } from '../bytes/errors.ts'
import { MalformedMessage } from '../http/errors.ts'
import { checkDataStream, type Header, printable } from '../http/header.ts'
import { PROXY_ERROR_STATUS, type ProxyError, type ProxyStatusDetails, proxyStatus } from '../http/proxy-status.ts'
import { checkRequest } from '../http/request.ts'
import { IpProtocol } from '../ip/protocol.ts'
import { parseScope, type Scope } from './scope.ts'
import { type ExpandedTemplate, matchPath, type PathTemplate } from './uri-template.ts'

/** The upgrade token of RFC 9484 §12.1, the value of `:protocol`. */
export const CONNECT_IP = 'connect-ip'

/** The request is well-formed, and the answer is no. */
export class RequestRejected extends DecodeError {
  override name = 'RequestRejected'
  readonly status: number
  readonly proxyError: ProxyError | undefined
  readonly details: ProxyStatusDetails

  constructor(status: number, message: string, proxyError?: ProxyError, details: ProxyStatusDetails = {}) {
    super(message)
    this.status = status
    this.proxyError = proxyError
    this.details = details
  }

  /** With the status code that RFC 9209 recommends for the error. */
  static because(proxyError: ProxyError, message: string, details: ProxyStatusDetails = {}): RequestRejected {
    return new RequestRejected(PROXY_ERROR_STATUS[proxyError], message, proxyError, details)
  }
}

/** Is this `:authority` a name of the proxy's own? */
export type OwnAuthority = (authority: string) => boolean

/** RFC 9110 §7.4: a request for somebody else's resource is rejected, with 421 (§15.5.20). */
export function misdirected(authority: string): RequestRejected {
  const message = `"${printable(authority)}" is not a name of this proxy`
  return new RequestRejected(421, message, 'http_request_error', { details: message })
}

/**
 * Checks a request for a tunnel that came over any version of HTTP; returns what the tunnel is to reach.
 *
 * Throws MalformedMessage when it breaks a rule (abort its stream), and RequestRejected when it is correct and still gets
 * no tunnel here (answer with its `status`).
 */
export function parseConnectIpRequest(
  headers: readonly Header[],
  template: PathTemplate,
  isOwn: OwnAuthority = () => true,
): Scope {
  const { protocol, scheme, authority, path } = checkRequest(headers, true)
  if (protocol === undefined) {
    throw new RequestRejected(501, `CONNECT without :protocol; this proxy serves ${CONNECT_IP}, and no TCP tunnels`)
  }
  if (protocol !== CONNECT_IP) {
    // RFC 9220 §3: an unknown :protocol is not malformed, it is not implemented.
    throw new RequestRejected(501, `:protocol is "${printable(protocol)}"; this proxy serves ${CONNECT_IP}`)
  }
  // §4: "MUST be operated over TLS or QUIC encryption", so no template has another scheme.
  if (scheme?.toLowerCase() !== 'https') {
    throw new MalformedMessage(`:scheme is "${printable(scheme ?? '')}"; expected https`)
  }
  if (!authority || !/^[A-Za-z0-9._~!$&'()*+,;=%:[\]-]+$/.test(authority)) {
    throw new MalformedMessage(`the authority is "${printable(authority ?? '')}"; expected HOST or HOST:PORT`)
  }
  if (!path || path.includes('#')) throw new MalformedMessage('the path has a "#"; expected it percent-encoded')
  // What follows are capsules, whether Capsule-Protocol says so or not.
  checkDataStream(headers, true)

  if (!isOwn(authority)) throw misdirected(authority)
  const variables = matchPath(template, path)
  if (!variables) throw new RequestRejected(404, `no tunnel service at ${printable(path)}`)
  return requestScope(variables)
}

function requestScope(variables: { target?: string; ipproto?: string }): Scope {
  let scope: Scope
  try {
    scope = parseScope(variables)
  } catch (error) {
    if (error instanceof DecodeError) throw new MalformedMessage(error.message)
    throw error
  }
  if (scope.protocol !== undefined && EXTENSION_HEADERS.has(scope.protocol)) {
    // RFC 9484 §4.8: "IP proxies MAY reject requests to scope to protocol numbers that are used for extension headers".
    // Packets are matched by what follows their extension headers, so such a scope would pass nothing but ICMP.
    throw RequestRejected.because(
      'http_request_denied',
      `ipproto ${scope.protocol} is an IPv6 extension header; packets are matched by the protocol after those`,
    )
  }
  return scope
}

/**
 * Those that are walked over to find a packet's protocol. Not among them: ESP, because it hides what follows, and AH,
 * because in IPv4 it is a protocol like any other.
 */
const EXTENSION_HEADERS: ReadonlySet<number> = new Set([
  IpProtocol.HOPOPT,
  IpProtocol.IPV6_ROUTE,
  IpProtocol.IPV6_FRAG,
  IpProtocol.IPV6_OPTS,
  IpProtocol.MOBILITY,
  IpProtocol.HIP,
  IpProtocol.SHIM6,
])

/** The header list of a request. `extra` has fields such as `authorization`. */
export function buildRequestHeaders(expanded: ExpandedTemplate, extra: readonly Header[] = []): Header[] {
  return [
    [':method', 'CONNECT'],
    [':protocol', CONNECT_IP],
    [':scheme', expanded.scheme],
    [':authority', expanded.authority],
    [':path', expanded.path],
    ['capsule-protocol', '?1'],
    ...extra,
  ]
}

/** The header list of the answer "yes". */
export function buildAcceptHeaders(extra: readonly Header[] = []): Header[] {
  return [[':status', '200'], ['capsule-protocol', '?1'], ...extra]
}

/**
 * The header list of the answer "no". `proxyName` names the proxy in the Proxy-Status field, which is there when the
 * rejection has an error type. No Capsule-Protocol field: RFC 9297 §3.4 forbids it on failures.
 */
export function buildRejectHeaders(rejection: RequestRejected | MalformedMessage, proxyName: string): Header[] {
  const headers: Header[] = [[':status', String(rejection.status)]]
  if (rejection instanceof RequestRejected && rejection.proxyError) {
    headers.push(['proxy-status', proxyStatus(proxyName, rejection.proxyError, rejection.details)])
  }
  return headers
}

/**
 * Does this final response say "yes"? (§4.5) 3xx is a failure, too: where a redirection points to is not followed. Every
 * failure means that the client has to abort the request.
 */
export function isAccepted(status: number): boolean {
  return status >= 200 && status < 300
}
