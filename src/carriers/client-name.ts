/**
 * A client that comes back by another connection, while the proxy still waits for packets of its old tunnel, finds its addresses taken: by itself. So a
 * client with `reconnect.enabled`, or with `tunnel.carrier = "auto"`, makes up a name, and says it in each request, in a header field of ours (in no RFC;
 * proxies that do not know it ignore it). A tunnel of the same name, and of the same identity, is then the one before, and ends.
 *
 * The name is 128 random bits, made anew by each process and never shown: who does not know it cannot end anybody's tunnel with it.
 */

import { type Header, headerValue } from '../http/header.ts'

export const CLIENT_NAME_HEADER = 'masque-lab-client'

/**
 * Beside the name. In an answer: this proxy can hand a tunnel's addresses over to another one. In a request: the tunnel before lives and is to carry
 * packets until its client goes over to the one that is asked for (server/proxy-tunnel.ts). Of ours, as the name is.
 */
export const HANDOVER_HEADER = 'masque-lab-handover'
/** A boolean of RFC 8941. */
export const YES = '?1'

const NAME = /^[A-Za-z0-9_-]{22}$/

/** The name in a request. What is none is ignored: the request has done without it before. */
export function clientName(headers: readonly Header[]): string | undefined {
  const value = headerValue(headers, CLIENT_NAME_HEADER)
  return value !== undefined && NAME.test(value) ? value : undefined
}

/** Whether a request asks for a handover, or an answer says that there can be one. */
export function saysHandover(headers: readonly Header[]): boolean {
  return headerValue(headers, HANDOVER_HEADER) === YES
}
