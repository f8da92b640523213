/** Why a proxy did not do what it was asked to, as the value of a Proxy-Status header field (RFC 9209). */

import { serializeList, Token } from 'structured-headers'

/** The error types of RFC 9209 §2.3 that a CONNECT-IP proxy has use for, with the status code recommended for each. */
export const PROXY_ERROR_STATUS = {
  dns_timeout: 504,
  dns_error: 502,
  destination_not_found: 500,
  destination_unavailable: 503,
  destination_ip_prohibited: 502,
  destination_ip_unroutable: 502,
  connection_limit_reached: 503,
  http_request_error: 400,
  http_request_denied: 403,
  proxy_internal_error: 500,
  proxy_configuration_error: 500,
} as const

export type ProxyError = keyof typeof PROXY_ERROR_STATUS

export interface ProxyStatusDetails {
  /** For people; must tell the client nothing that it may not know (RFC 9209 §2.1.5, §4). */
  readonly details?: string
  /** With dns_error: the name of the DNS response code, "NXDOMAIN" (RFC 9209 §2.3.2). */
  readonly rcode?: string
}

/**
 * Builds `masque-lab; error=dns_error; rcode="NXDOMAIN"`.
 *
 * `proxy` names the proxy to whoever reads the message. Characters that a structured field string cannot hold become "?".
 */
export function proxyStatus(proxy: string, error: ProxyError, { details, rcode }: ProxyStatusDetails = {}): string {
  const parameters = new Map<string, Token | string>([['error', new Token(error)]])
  if (rcode !== undefined) parameters.set('rcode', printable(rcode))
  if (details !== undefined) parameters.set('details', printable(details))
  return serializeList([[printable(proxy), parameters]])
}

function printable(text: string): string {
  return text.replace(/[^\x20-\x7e]/g, '?').slice(0, 500)
}
