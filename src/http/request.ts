/**
 * What makes an HTTP/3 message well-formed: RFC 9114 §4.2 (fields), §4.3 (pseudo-headers), §4.4 (CONNECT),
 * RFC 9220 §3 (Extended CONNECT) and RFC 9297 §3.2 (messages with capsules).
 *
 * Every violation is a stream error H3_MESSAGE_ERROR (RFC 9114 §4.1.2): the request ends, the connection goes on.
 */
import { H3ErrorCode } from '../http3/error-codes.ts'
import { H3Error } from '../http3/errors.ts'
import type { Header } from '../http3/qpack/encoder.ts'

/** What the HTTP/3 layer needs to know of a request. */
export interface RequestHead {
  readonly method: string
  /** `:protocol` of an Extended CONNECT, else undefined. */
  readonly protocol: string | undefined
  /** The request says `capsule-protocol: ?1`. */
  readonly capsules: boolean
  /** Bytes of content that DATA frames must carry; undefined = not said. */
  readonly contentLength: number | undefined
}

/** What the HTTP/3 layer needs to know of a response. */
export interface ResponseHead {
  readonly status: number
  readonly contentLength: number | undefined
}

/** Checks the header section of a request. `extendedConnect`: the server announced ENABLE_CONNECT_PROTOCOL. */
export function checkRequest(headers: readonly Header[], extendedConnect: boolean): RequestHead {
  const pseudo = splitPseudoHeaders(headers, REQUEST_PSEUDO_HEADERS)
  checkFields(headers, 'request')
  const method = pseudo.get(':method')
  if (method === undefined || !TOKEN.test(method)) throw malformed('the request has no valid :method')
  const protocol = pseudo.get(':protocol')
  const contentLength = contentLengthOf(headers)
  const capsules = usesCapsules(headers)

  if (protocol === undefined && method === 'CONNECT') {
    checkPlainConnect(pseudo)
    return { method, protocol, capsules, contentLength: undefined }
  }
  if (protocol !== undefined) {
    if (!extendedConnect) throw malformed(':protocol is not allowed: SETTINGS_ENABLE_CONNECT_PROTOCOL was not sent')
    if (method !== 'CONNECT') throw malformed(`:protocol is not allowed with :method ${method}, only with CONNECT`)
    if (!TOKEN.test(protocol)) throw malformed(`:protocol '${protocol}' is not a token`)
    if (pseudo.get(':authority') === undefined) throw malformed('an Extended CONNECT needs :authority')
  }
  checkTarget(headers, pseudo, method)
  if (protocol !== undefined) checkDataStream(headers, capsules)
  return { method, protocol, capsules, contentLength }
}

/** Checks the header section of a response to `request`. */
export function checkResponse(headers: readonly Header[], request: RequestHead): ResponseHead {
  const pseudo = splitPseudoHeaders(headers, RESPONSE_PSEUDO_HEADERS)
  checkFields(headers, 'response')
  const text = pseudo.get(':status')
  if (text === undefined || !/^[1-9][0-9]{2}$/.test(text)) {
    throw malformed(
      `the response has ${text === undefined ? 'no :status' : `:status '${text}'`}; three digits expected`,
    )
  }
  const status = Number(text)
  if (status === 101) throw malformed('status 101 is not allowed: HTTP/3 has no Upgrade (RFC 9114 §4.5)')
  const contentLength = contentLengthOf(headers)
  const successful = status >= 200 && status < 300
  if (request.protocol !== undefined && successful) {
    const capsules = request.capsules || usesCapsules(headers)
    checkDataStream(headers, capsules)
    if (capsules && (status === 204 || status === 205 || status === 206)) {
      throw malformed(`status ${status} cannot be used with the Capsule Protocol (RFC 9297 §3.2)`)
    }
  }
  // These never have content, whatever content-length says (RFC 9110 §8.6); nor has a tunnel a length.
  const none = request.method === 'HEAD' || status === 304 || status < 200
  const tunnel = request.method === 'CONNECT' && successful
  return { status, contentLength: none || tunnel ? undefined : contentLength }
}

/** Checks a trailer section: ordinary fields only. */
export function checkTrailers(headers: readonly Header[]): void {
  splitPseudoHeaders(headers, NO_PSEUDO_HEADERS)
  checkFields(headers, 'trailers')
}

const REQUEST_PSEUDO_HEADERS = new Set([':method', ':scheme', ':authority', ':path', ':protocol'])
const RESPONSE_PSEUDO_HEADERS = new Set([':status'])
const NO_PSEUDO_HEADERS = new Set<string>()

/** RFC 9110 §5.6.2. */
const TOKEN = /^[!#$%&'*+\-.^_`|~0-9A-Za-z]+$/
/** A token without upper case. */
const FIELD_NAME = /^[!#$%&'*+\-.^_`|~0-9a-z]+$/
/** RFC 9110 §5.5 field-content: visible characters and obs-text, with spaces and tabs only in between. */
const FIELD_VALUE = /^(?:[\x21-\x7e\x80-\xff](?:[\t\x20-\x7e\x80-\xff]*[\x21-\x7e\x80-\xff])?)?$/
const URI_CHARACTERS = /^[\x21-\x7e]*$/
const SCHEME = /^[A-Za-z][A-Za-z0-9+\-.]*$/

/** Fields about the connection have no place in HTTP/3: QUIC does that (RFC 9114 §4.2). */
const CONNECTION_FIELDS = new Set(['connection', 'keep-alive', 'proxy-connection', 'transfer-encoding', 'upgrade'])

/** Pseudo-headers come first, each at most once, and only those that are defined here. */
function splitPseudoHeaders(headers: readonly Header[], allowed: ReadonlySet<string>): Map<string, string> {
  const pseudo = new Map<string, string>()
  let fieldsBegan = false
  for (const [name, value] of headers) {
    if (!name.startsWith(':')) {
      fieldsBegan = true
      continue
    }
    if (fieldsBegan) throw malformed(`${printable(name)} comes after a regular field`)
    if (!allowed.has(name)) throw malformed(`${printable(name)} is not allowed here`)
    if (pseudo.has(name)) throw malformed(`${name} occurs twice`)
    pseudo.set(name, value)
  }
  return pseudo
}

function checkFields(headers: readonly Header[], kind: 'request' | 'response' | 'trailers'): void {
  for (const [name, value] of headers) {
    if (!name.startsWith(':') && !FIELD_NAME.test(name)) {
      throw malformed(`'${printable(name)}' is not a field name; lower-case tokens only`)
    }
    if (!FIELD_VALUE.test(value)) throw malformed(`the value of ${name} has characters that are not allowed`)
    if (CONNECTION_FIELDS.has(name)) throw malformed(`${name} is about the connection and not allowed in HTTP/3`)
    if (name === 'te' && (kind !== 'request' || value.toLowerCase() !== 'trailers')) {
      throw malformed(`te is not allowed except as 'te: trailers' in a request`)
    }
  }
}

/** RFC 9114 §4.4: CONNECT to a host and port, nothing else. */
function checkPlainConnect(pseudo: Map<string, string>): void {
  if (pseudo.has(':scheme') || pseudo.has(':path'))
    throw malformed('a CONNECT without :protocol has no :scheme and :path')
  const authority = pseudo.get(':authority')
  if (!authority || !URI_CHARACTERS.test(authority)) throw malformed('a CONNECT needs :authority, a host and a port')
}

/** RFC 9114 §4.3.1: scheme, path and authority of the target URI. */
function checkTarget(headers: readonly Header[], pseudo: Map<string, string>, method: string): void {
  const scheme = pseudo.get(':scheme')
  if (scheme === undefined || !SCHEME.test(scheme)) throw malformed('the request has no valid :scheme')
  const path = pseudo.get(':path')
  if (!path) throw malformed('the request has no :path, or an empty one')
  if (!URI_CHARACTERS.test(path)) throw malformed(':path has characters that are not allowed in a URI')

  const authority = pseudo.get(':authority')
  const hosts = headers.filter(([name]) => name === 'host').map(([, value]) => value)
  if (hosts.length > 1) throw malformed('host occurs twice')
  const host = hosts[0]
  if (authority !== undefined && host !== undefined && authority !== host) {
    throw malformed(':authority and host differ')
  }
  const target = authority ?? host
  if (target === '') throw malformed(':authority or host is empty')
  if (target !== undefined && !URI_CHARACTERS.test(target)) {
    throw malformed(':authority has characters that are not allowed in a URI')
  }
  const web = scheme.toLowerCase() === 'https' || scheme.toLowerCase() === 'http'
  if (!web) return
  if (target === undefined) throw malformed(`a request with :scheme ${scheme} needs :authority or host`)
  if (target.includes('@')) throw malformed(':authority may not contain user information')
  if (!path.startsWith('/') && !(method === 'OPTIONS' && path === '*')) throw malformed(":path does not begin with '/'")
}

/** RFC 9297 §3.2: what follows the headers is a data stream, not content; nothing may describe content. */
function checkDataStream(headers: readonly Header[], capsules: boolean): void {
  for (const [name] of headers) {
    if (name === 'content-length' || (capsules && name === 'content-type')) {
      throw malformed(`${name} is not allowed: the message carries a data stream, not content`)
    }
  }
}

/** `capsule-protocol` is a structured field Boolean (RFC 9297 §3.4); parameters are ignored, other types too. */
function usesCapsules(headers: readonly Header[]): boolean {
  return headers.some(([name, value]) => name === 'capsule-protocol' && /^\?1(?:[;\t\x20]|$)/.test(value))
}

/** RFC 9110 §8.6: digits; the same value twice is tolerated, two different ones are not. */
function contentLengthOf(headers: readonly Header[]): number | undefined {
  let length: number | undefined
  for (const [name, value] of headers) {
    if (name !== 'content-length') continue
    const parsed = /^[0-9]{1,15}$/.test(value) ? Number(value) : undefined
    if (parsed === undefined) throw malformed(`content-length '${printable(value)}' is not a number`)
    if (length !== undefined && length !== parsed) throw malformed('content-length occurs twice with different values')
    length = parsed
  }
  return length
}

/** For messages: at most 64 characters, and none that could disturb a log. */
function printable(text: string): string {
  return text.slice(0, 64).replace(/[^\x20-\x7e]/g, '?')
}

function malformed(reason: string): H3Error {
  return new H3Error(H3ErrorCode.H3_MESSAGE_ERROR, `malformed message: ${reason}`, 'stream')
}
