/**
 * What makes a request well-formed: RFC 9113 §8.3.1 and RFC 9114 §4.3.1 (pseudo-headers), §4.4 (CONNECT), RFC 8441 §4 and
 * RFC 9220 §3 (Extended CONNECT), RFC 9297 §3.2 (messages with capsules).
 */
import { MalformedMessage } from './errors.ts'
import {
  checkDataStream,
  checkFields,
  contentLengthOf,
  type Header,
  splitPseudoHeaders,
  TOKEN,
  usesCapsules,
} from './header.ts'

/** The request, whatever version of HTTP it came in. */
export interface RequestHead {
  readonly method: string
  /** `:protocol` of an Extended CONNECT, or what the Upgrade field of HTTP/1.1 asks for. */
  readonly protocol: string | undefined
  readonly scheme: string | undefined
  /** `:authority`, else the Host field. */
  readonly authority: string | undefined
  /** Path and query. */
  readonly path: string | undefined
  /** The request says `capsule-protocol: ?1`. */
  readonly capsules: boolean
  /** Bytes of content that follow; undefined: not said. */
  readonly contentLength: number | undefined
}

/** Checks the header section of a request. `extendedConnect`: the server announced it. Throws MalformedMessage. */
export function checkRequest(headers: readonly Header[], extendedConnect: boolean): RequestHead {
  const pseudo = splitPseudoHeaders(headers, REQUEST_PSEUDO_HEADERS)
  checkFields(headers, 'request')
  const method = pseudo.get(':method')
  if (method === undefined || !TOKEN.test(method)) throw new MalformedMessage('the request has no valid :method')
  const head = {
    method,
    protocol: pseudo.get(':protocol'),
    scheme: pseudo.get(':scheme'),
    authority: pseudo.get(':authority'),
    path: pseudo.get(':path'),
    capsules: usesCapsules(headers),
    contentLength: contentLengthOf(headers),
  }
  const { protocol } = head
  if (protocol === undefined && method === 'CONNECT') {
    checkPlainConnect(head)
    return { ...head, contentLength: undefined }
  }
  if (protocol !== undefined) {
    if (!extendedConnect) {
      throw new MalformedMessage(':protocol is not allowed: SETTINGS_ENABLE_CONNECT_PROTOCOL was not sent')
    }
    if (method !== 'CONNECT') {
      throw new MalformedMessage(`:protocol is not allowed with :method ${method}, only with CONNECT`)
    }
    if (!TOKEN.test(protocol)) throw new MalformedMessage(`:protocol '${protocol}' is not a token`)
    if (head.authority === undefined) throw new MalformedMessage('an Extended CONNECT needs :authority')
  }
  const authority = checkTarget(headers, head)
  if (protocol !== undefined) checkDataStream(headers, head.capsules)
  return { ...head, authority }
}

const REQUEST_PSEUDO_HEADERS = new Set([':method', ':scheme', ':authority', ':path', ':protocol'])
const URI_CHARACTERS = /^[\x21-\x7e]*$/
const SCHEME = /^[A-Za-z][A-Za-z0-9+\-.]*$/

/** RFC 9114 §4.4: CONNECT to a host and port, nothing else. */
function checkPlainConnect({ scheme, path, authority }: RequestHead): void {
  if (scheme !== undefined || path !== undefined) {
    throw new MalformedMessage('a CONNECT without :protocol has no :scheme and :path')
  }
  if (!authority || !URI_CHARACTERS.test(authority)) {
    throw new MalformedMessage('a CONNECT needs :authority, a host and a port')
  }
}

/** RFC 9114 §4.3.1: scheme, path and authority of the target URI. Returns the authority, from wherever it is. */
function checkTarget(headers: readonly Header[], { method, scheme, authority, path }: RequestHead): string | undefined {
  if (scheme === undefined || !SCHEME.test(scheme)) throw new MalformedMessage('the request has no valid :scheme')
  if (!path) throw new MalformedMessage('the request has no :path, or an empty one')
  if (!URI_CHARACTERS.test(path)) throw new MalformedMessage(':path has characters that are not allowed in a URI')

  const hosts = headers.filter(([name]) => name === 'host').map(([, value]) => value)
  if (hosts.length > 1) throw new MalformedMessage('host occurs twice')
  const [host] = hosts
  if (authority !== undefined && host !== undefined && authority !== host) {
    throw new MalformedMessage(':authority and host differ')
  }
  const target = authority ?? host
  if (target === '') throw new MalformedMessage(':authority or host is empty')
  if (target !== undefined && !URI_CHARACTERS.test(target)) {
    throw new MalformedMessage(':authority has characters that are not allowed in a URI')
  }
  const web = scheme.toLowerCase() === 'https' || scheme.toLowerCase() === 'http'
  if (!web) return target
  if (target === undefined) throw new MalformedMessage(`a request with :scheme ${scheme} needs :authority or host`)
  if (target.includes('@')) throw new MalformedMessage(':authority may not contain user information')
  if (!path.startsWith('/') && !(method === 'OPTIONS' && path === '*')) {
    throw new MalformedMessage(":path does not begin with '/'")
  }
  return target
}
