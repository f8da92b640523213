/** What makes a response well-formed: RFC 9113 §8.3.2, RFC 9114 §4.3.2, and RFC 9297 §3.2 where capsules follow. */
import { MalformedMessage } from './errors.ts'
import {
  checkDataStream,
  checkFields,
  contentLengthOf,
  type Header,
  printable,
  splitPseudoHeaders,
  usesCapsules,
} from './header.ts'
import type { RequestHead } from './request.ts'

export interface ResponseHead {
  readonly status: number
  /** Bytes of content that follow; undefined: not said, or none can. */
  readonly contentLength: number | undefined
}

const RESPONSE_PSEUDO_HEADERS = new Set([':status'])

/** Checks the header section of a response to `request`. Throws MalformedMessage. */
export function checkResponse(headers: readonly Header[], request: RequestHead): ResponseHead {
  const pseudo = splitPseudoHeaders(headers, RESPONSE_PSEUDO_HEADERS)
  checkFields(headers, 'response')
  const text = pseudo.get(':status')
  if (text === undefined || !/^[1-9][0-9]{2}$/.test(text)) {
    const found = text === undefined ? 'no :status' : `:status '${printable(text)}'`
    throw new MalformedMessage(`the response has ${found}; three digits expected`)
  }
  const status = Number(text)
  if (status === 101) throw new MalformedMessage('status 101, which exists in HTTP/1.1 only (RFC 9114 §4.5)')
  const contentLength = contentLengthOf(headers)
  const successful = status >= 200 && status < 300
  if (request.protocol !== undefined && successful) {
    const capsules = request.capsules || usesCapsules(headers)
    checkDataStream(headers, capsules)
    if (capsules && (status === 204 || status === 205 || status === 206)) {
      throw new MalformedMessage(`status ${status} cannot be used with the Capsule Protocol (RFC 9297 §3.2)`)
    }
  }
  // These never have content, whatever content-length says (RFC 9110 §8.6); nor has a tunnel a length.
  const none = request.method === 'HEAD' || status === 304 || status < 200
  const tunnel = request.method === 'CONNECT' && successful
  return { status, contentLength: none || tunnel ? undefined : contentLength }
}
