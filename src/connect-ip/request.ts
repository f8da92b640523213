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

import { parseItem } from 'structured-headers'
import { DecodeError } from '../bytes/errors.ts'
import { PROXY_ERROR_STATUS, type ProxyError, type ProxyStatusDetails, proxyStatus } from '../http/proxy-status.ts'
import type { Header } from '../http3/qpack/encoder.ts'
import { IpProtocol } from '../ip/protocol.ts'
import { ConnectIpError, MalformedRequest } from './errors.ts'
import { parseScope, type Scope } from './scope.ts'
import { type ExpandedTemplate, matchPath, type PathTemplate } from './uri-template.ts'

export type { Header } from '../http3/qpack/encoder.ts'

/** The upgrade token of RFC 9484 §11.1, the value of `:protocol`. */
export const CONNECT_IP = 'connect-ip'

/** The request, whatever version of HTTP it came in. */
export interface RequestHead {
  readonly method: string
  /** `:protocol`, or what the Upgrade field of HTTP/1.1 asks for. */
  readonly protocol: string | undefined
  readonly scheme: string | undefined
  readonly authority: string | undefined
  /** Path and query. */
  readonly path: string | undefined
  /** The header fields without the pseudo-header fields. */
  readonly fields: readonly Header[]
}

/** A request for a tunnel that breaks no rule. Whether to grant it is another matter. */
export interface ConnectIpRequest {
  readonly authority: string
  readonly path: string
  readonly scope: Scope
  /** The Capsule-Protocol field was there and true. */
  readonly capsuleProtocol: boolean
  readonly fields: readonly Header[]
}

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
  const message = `"${shown(authority)}" is not a name of this proxy`
  return new RequestRejected(421, message, 'http_request_error', { details: message })
}

/** Sorts the header list of HTTP/2 or HTTP/3 into its parts. Throws MalformedRequest. */
export function requestHead(headers: readonly Header[]): RequestHead {
  const pseudo = new Map<string, string>()
  const fields: Header[] = []
  for (const [name, value] of headers) {
    if (!name.startsWith(':')) fields.push([name, value])
    else if (pseudo.has(name)) throw new MalformedRequest(`${name} is there twice; expected it once`)
    else pseudo.set(name, value)
  }
  return {
    method: pseudo.get(':method') ?? '',
    protocol: pseudo.get(':protocol'),
    scheme: pseudo.get(':scheme'),
    authority: pseudo.get(':authority'),
    path: pseudo.get(':path'),
    fields,
  }
}

/**
 * Checks a request that came over HTTP/2 or HTTP/3.
 *
 * Throws MalformedRequest when it breaks a rule (abort the stream with its `code`, or answer with its `status`), and
 * RequestRejected when it is correct and still gets no tunnel here (answer with its `status`).
 */
export function parseConnectIpRequest(
  headers: readonly Header[],
  template: PathTemplate,
  isOwn: OwnAuthority = () => true,
): ConnectIpRequest {
  const head = requestHead(headers)
  if (head.protocol !== undefined && head.protocol !== CONNECT_IP) {
    // RFC 9220 §3: an unknown :protocol is not malformed, it is not implemented.
    throw new RequestRejected(501, `:protocol is "${shown(head.protocol)}"; this proxy serves ${CONNECT_IP}`)
  }
  if (head.method !== 'CONNECT') throw new MalformedRequest(`:method is "${shown(head.method)}"; expected CONNECT`)
  if (head.protocol === undefined) {
    // RFC 9114 §4.4: an ordinary CONNECT, for a TCP tunnel, has :authority and neither :scheme nor :path.
    if (head.scheme !== undefined || head.path !== undefined || !head.authority) {
      throw new MalformedRequest(`:protocol is missing; expected ${CONNECT_IP}`)
    }
    throw new RequestRejected(501, `CONNECT without :protocol; this proxy serves ${CONNECT_IP}, and no TCP tunnels`)
  }
  if (!head.scheme) throw new MalformedRequest(':scheme is missing or empty; expected https')
  // §4: "MUST be operated over TLS or QUIC encryption", so no template has another scheme.
  if (head.scheme.toLowerCase() !== 'https') {
    throw new MalformedRequest(`:scheme is "${shown(head.scheme)}"; expected https`)
  }
  return parseRequestHead(head, template, isOwn)
}

/** The checks that are the same on every version of HTTP. */
export function parseRequestHead(
  head: RequestHead,
  template: PathTemplate,
  isOwn: OwnAuthority = () => true,
): ConnectIpRequest {
  const { authority, path, fields } = head
  if (!authority) throw new MalformedRequest('the authority is missing or empty; expected the name of the proxy')
  if (!/^[A-Za-z0-9._~!$&'()*+,;=%:[\]-]+$/.test(authority)) {
    throw new MalformedRequest(`the authority is "${shown(authority)}"; expected HOST or HOST:PORT`)
  }
  const host = fields.filter(([name]) => name === 'host')
  if (host.some(([, value]) => value !== authority)) {
    // RFC 9114 §4.3.1: "If both fields are present, they MUST contain the same value".
    throw new MalformedRequest('the Host field and :authority differ; expected the same value')
  }
  if (!path?.startsWith('/')) throw new MalformedRequest('the path is missing or does not start with "/"')
  if (!/^[\x21-\x7e]+$/.test(path) || path.includes('#')) {
    throw new MalformedRequest('the path has characters that no path has; expected them percent-encoded')
  }
  refuseContent(fields, message => new MalformedRequest(message))

  if (!isOwn(authority)) throw misdirected(authority)
  const variables = matchPath(template, path)
  if (!variables) throw new RequestRejected(404, `no tunnel service at ${shown(path)}`)
  return { authority, path, scope: requestScope(variables), capsuleProtocol: capsuleProtocolOf(fields), fields }
}

function requestScope(variables: { target?: string; ipproto?: string }): Scope {
  let scope: Scope
  try {
    scope = parseScope(variables)
  } catch (error) {
    if (error instanceof DecodeError) throw new MalformedRequest(error.message)
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
export function buildRejectHeaders(rejection: RequestRejected | MalformedRequest, proxyName: string): Header[] {
  const headers: Header[] = [[':status', String(rejection.status)]]
  if (rejection instanceof RequestRejected && rejection.proxyError) {
    headers.push(['proxy-status', proxyStatus(proxyName, rejection.proxyError, rejection.details)])
  }
  return headers
}

export type ResponseVerdict =
  /** The tunnel is there. */
  | { readonly kind: 'accepted'; readonly status: number }
  /** 1xx: the real response is still to come. */
  | { readonly kind: 'interim'; readonly status: number }
  /** Every other status: the client has to abort the request. */
  | { readonly kind: 'rejected'; readonly status: number; readonly proxyStatus: string | undefined }

/** Checks the response on HTTP/2 or HTTP/3 (§4.5). Throws ConnectIpError when it is malformed. */
export function checkResponse(headers: readonly Header[]): ResponseVerdict {
  const statuses = headers.filter(([name]) => name === ':status')
  const text = statuses[0]?.[1] ?? ''
  if (statuses.length !== 1 || !/^[1-9][0-9]{2}$/.test(text)) {
    throw new ConnectIpError(`the response has the status "${shown(text)}"; expected one of three digits`)
  }
  const status = Number(text)
  // RFC 9114 §4.5: HTTP/3 has no 101.
  if (status === 101) throw new ConnectIpError('status 101, which exists in HTTP/1.1 only; expected 200')
  if (status < 200) return { kind: 'interim', status }
  if (status >= 300) {
    // 3xx included (§4.5): a redirection is a failure, and where it points to is not followed.
    return { kind: 'rejected', status, proxyStatus: headers.find(([name]) => name === 'proxy-status')?.[1] }
  }
  if (status === 204 || status === 205 || status === 206) {
    throw new ConnectIpError(`status ${status} on a response that starts the Capsule Protocol; expected 200`)
  }
  refuseContent(headers, message => new ConnectIpError(message))
  return { kind: 'accepted', status }
}

/**
 * Is there a Capsule-Protocol field with the value true? (RFC 9297 §3.4)
 *
 * It is not required. RFC 9297 says that endpoints SHOULD send it, to help intermediaries, and that false, a
 * value that is no Boolean, and two fields (which makes a List) all mean the same as no field; RFC 9484 shows it in its
 * examples but not among the requirements of a request or response. What starts the Capsule Protocol is the upgrade
 * token "connect-ip". So we send it, and reject nobody who does not.
 */
export function capsuleProtocolOf(fields: readonly Header[]): boolean {
  const values = fields.filter(([name]) => name === 'capsule-protocol').map(([, value]) => value)
  if (values.length !== 1) return false
  try {
    const [value] = parseItem(values[0])
    return value === true
  } catch {
    return false
  }
}

/** RFC 9297 §3.2: a message that starts the Capsule Protocol has no content, and fields about content make it malformed. */
function refuseContent(fields: readonly Header[], malformed: (message: string) => Error): void {
  const found = fields.find(([name]) => CONTENT_FIELDS.has(name))
  if (found) throw malformed(`the field ${found[0]} on a message that starts the Capsule Protocol; expected none`)
}

const CONTENT_FIELDS: ReadonlySet<string> = new Set(['content-length', 'content-type', 'transfer-encoding'])

/** Text from the network, short and printable, for an error message. */
function shown(text: string): string {
  return text.slice(0, 80).replace(/[^\x20-\x7e]/g, '?')
}
