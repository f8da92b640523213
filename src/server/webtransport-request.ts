/**
 * Asking for a tunnel from a web page: a WebTransport session (draft-ietf-webtrans-http3-02 §3.3) at a path of its own.
 *
 *   HEADERS                                    HEADERS
 *   :method = CONNECT                          :status = 200
 *   :protocol = webtransport                   sec-webtransport-http3-draft = draft02
 *   :scheme = https
 *   :path = /webtransport?token=…
 *   :authority = 127.0.0.1:4433
 *   origin = http://127.0.0.1:8080
 *
 * A page cannot set header fields, so its token is in the query. It is taken out of there before anything else looks at the request.
 */

import type { Encapsulation } from '../carriers/carrier.ts'
import type { HttpVersion } from '../carriers/http-connection.ts'
import { misdirected, type OwnAuthority, RequestRejected } from '../connect-ip/request.ts'
import { type Scope, UNLIMITED_SCOPE } from '../connect-ip/scope.ts'
import { type Header, headerValue, printable } from '../http/header.ts'
import { checkRequest } from '../http/request.ts'

export interface WebTransportPolicy {
  readonly path: string
  /** May pages of this origin (RFC 6454) open sessions? */
  allowsOrigin(origin: string): boolean
}

/** Throws MalformedMessage or RequestRejected, as `parseConnectIpRequest` does. */
export function parseWebTransportRequest(
  headers: readonly Header[],
  policy: WebTransportPolicy,
  isOwn: OwnAuthority,
): { scope: Scope; credentials: readonly Header[] } {
  const { authority = '', path = '' } = checkRequest(headers, true)
  if (!isOwn(authority)) throw misdirected(authority)
  const [place, query] = splitPath(path)
  if (place !== policy.path) throw new RequestRejected(404, `no WebTransport service at ${printable(place)}`)
  const origin = headerValue(headers, 'origin')
  if (origin === undefined || !(isNoPage(origin) ? isOwn(origin) : policy.allowsOrigin(origin))) {
    const message = `pages of the origin "${printable(origin ?? '')}" may not open tunnels here (webtransport.origins)`
    throw new RequestRejected(403, message, 'http_request_denied', { details: message })
  }
  const token = new URLSearchParams(query).get('token')
  return {
    scope: UNLIMITED_SCOPE,
    credentials: token === null ? headers : [['authorization', `Bearer ${token}`]],
  }
}

/**
 * What pages send is a scheme with a host, or "null" (RFC 6454 §6.2), and they cannot choose it. The npm package sends the name of the proxy
 * alone, which no page can.
 */
function isNoPage(origin: string): boolean {
  return origin !== 'null' && !origin.includes('/')
}

function splitPath(path: string): [place: string, query: string] {
  const at = path.indexOf('?')
  return at < 0 ? [path, ''] : [path.slice(0, at), path.slice(at + 1)]
}

/** Scheme, host and port as browsers write them (RFC 6454 §6.2). */
export function isOrigin(text: string): boolean {
  return URL.canParse(text) && new URL(text).origin === text
}

/** The header list of the answer "yes". Throws RequestRejected for a page's session without datagrams, which has no use. */
export function webTransportAcceptHeaders(encapsulation: Encapsulation, version: HttpVersion): Header[] {
  if (version === 'webtransport') return [[':status', '200']]
  if (encapsulation !== 'datagram') {
    throw new RequestRejected(400, 'a WebTransport session needs HTTP Datagrams: SETTINGS_H3_DATAGRAM is not 1')
  }
  return [
    [':status', '200'],
    ['sec-webtransport-http3-draft', 'draft02'],
  ]
}
