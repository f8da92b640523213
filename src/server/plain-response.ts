/**
 * What a browser or curl hears that comes to this port: a small page, or why there is none.
 *
 * Which status? RFC 9110 §9.1: 501 for a method that is not known, 405 for one that is, and is not allowed here. One may
 * know a method without having any use for it: those of the RFC's own table and PATCH get 405, which says what to use
 * instead (Allow), where there is a page, and 404 where there is none.
 */

import type { Header } from '../http/header.ts'

export interface PlainResponse {
  readonly headers: Header[]
  /** Empty for HEAD, whose fields are still those of GET. */
  readonly body: Uint8Array
}

/** RFC 9110 §9.1, without CONNECT, which asks for a tunnel; and RFC 5789. */
const KNOWN_METHODS: ReadonlySet<string> = new Set([
  'GET',
  'HEAD',
  'POST',
  'PUT',
  'DELETE',
  'OPTIONS',
  'TRACE',
  'PATCH',
])

/** The answer to a request that asks for no tunnel. `path` has the query with it; "*" stands for the server itself. */
export function plainResponse(method: string, path: string): PlainResponse {
  const [status, text] = choose(method, path)
  const body = new TextEncoder().encode(`${text}\n`)
  return {
    headers: [
      [':status', String(status)],
      ['content-type', 'text/plain; charset=utf-8'],
      ['content-length', String(body.length)],
      ...(status === 405 ? [['allow', 'GET, HEAD'] as const] : []),
    ],
    body: method === 'HEAD' ? new Uint8Array(0) : body,
  }
}

function choose(method: string, path: string): [status: number, text: string] {
  if (!KNOWN_METHODS.has(method)) return [501, 'This method is not implemented here; GET and HEAD are.']
  const [page] = path.split('?')
  if (page !== '/' && page !== '*') {
    return [404, 'There is nothing here. CONNECT-IP is reached by Extended CONNECT (RFC 9484).']
  }
  if (method !== 'GET' && method !== 'HEAD') return [405, 'Only GET and HEAD are understood here.']
  return [200, 'This is masque-lab, a CONNECT-IP proxy (RFC 9484). It answers Extended CONNECT requests.']
}
