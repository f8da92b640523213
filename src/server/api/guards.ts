/** What each request has to pass before anybody looks at what it asks for. */
import type { IncomingMessage, ServerResponse } from 'node:http'
import type { Socket } from 'node:net'
import type { Request, RequestHandler } from 'express'
import { rateLimit } from 'express-rate-limit'
import { parseBearer, verifyToken } from '../auth.ts'
import { isLoopback, networkOf, remoteAddress } from './addresses.ts'
import { Problem, sendProblem } from './problem.ts'

export const REQUEST_LIMITS = {
  /** Characters of a request's target. */
  target: 2048,
  /** Fields of its head; its bytes are for Node's parser to count. */
  fields: 100,
  /** Requests of one address to one part of the API, in a window. */
  windowMs: 10_000,
  perWindow: 200,
  /** Where a whole class may sit on one machine: 100 a second. */
  perWindowOnLoopback: 1000,
  /** Requests that may wait on one connection for the answer to the one before them. */
  sentAhead: 16,
  /** How long the answer to one more request takes, and its connection is closed with it. */
  tooOftenMs: 1_000,
} as const

/**
 * Requests that were sent ahead on a connection (pipelining, RFC 9112 §9.3.2) are looked at one after the other, and packets pass in
 * between: answered in one go, a few hundred of them would stand in the way of every tunnel. Nothing of one that waits is looked at, and with one too many
 * none of them is answered any more; the connection ends a moment later, so that whoever comes again at once has to wait.
 */
export function inTurn(answer: (request: IncomingMessage, response: ServerResponse) => void): typeof answer {
  /** By connection: those that wait for the answer to the one before them. */
  const waiting = new WeakMap<Socket, (() => void)[]>()
  const over = new WeakSet<Socket>()
  return (request, response) => {
    const { socket } = request
    // Node makes requests of all that has come in one piece.
    if (over.has(socket)) return
    const begin = (): void => {
      response.once('close', () => setImmediate(goOn, socket))
      answer(request, response)
    }
    const behind = waiting.get(socket)
    if (behind === undefined) {
      waiting.set(socket, [])
      begin()
    } else if (behind.length < REQUEST_LIMITS.sentAhead) behind.push(begin)
    else endSoon(socket)
  }

  function endSoon(socket: Socket): void {
    over.add(socket)
    waiting.set(socket, [])
    socket.pause()
    const timer = setTimeout(() => socket.destroy(), REQUEST_LIMITS.tooOftenMs).unref()
    socket.once('close', () => clearTimeout(timer))
  }

  function goOn(socket: Socket): void {
    const following = socket.writable ? waiting.get(socket)?.shift() : undefined
    if (following === undefined) {
      if (!over.has(socket)) waiting.delete(socket)
    } else following()
  }
}

/** Passes requests for this machine, by one of its loopback addresses, as localhost, or as the configuration calls it. */
export function requireHostName(ownName: string): RequestHandler {
  const names = ['localhost', ownName.toLowerCase()]
  return (request, _response, next) => {
    // In the form for proxies the target names the host, whatever the field says (RFC 9112 §3.2.2).
    if (!request.url.startsWith('/')) throw new Problem(400, 'the target of a request begins with a slash here')
    const name = (request.headers.host ?? '').replace(/:[0-9]*$/, '').replace(/^\[(.*)\]$/, '$1')
    if (names.includes(name.toLowerCase()) || isLoopback(name)) return next()
    throw new Problem(403, 'the Host header must name this machine: localhost, 127.0.0.1 or [::1]')
  }
}

/**
 * Browsers say which page a request comes from (W3C Fetch Metadata). A page of another site, also one on another port of this machine,
 * could not read the answer; but it could make a visitor's browser ask. A link that somebody follows is theirs.
 */
export const refuseOtherSites: RequestHandler = (request, _response, next) => {
  const site = request.headers['sec-fetch-site']
  const isOther = site === 'cross-site' || site === 'same-site'
  const isFollowed =
    request.headers['sec-fetch-mode'] === 'navigate' && request.headers['sec-fetch-dest'] === 'document'
  if (isOther && !isFollowed) throw new Problem(403, 'pages of other sites get nothing from here')
  next()
}

export const limitHead: RequestHandler = (request, _response, next) => {
  const { target, fields } = REQUEST_LIMITS
  if (request.url.length > target) throw new Problem(414, `the path and its query have more than ${target} characters`)
  if (request.rawHeaders.length / 2 > fields) throw new Problem(431, `there are more than ${fields} header fields`)
  // RFC 9112 §3.2. Node gives the first one.
  const hosts = request.rawHeaders.filter((name, at) => at % 2 === 0 && name.toLowerCase() === 'host')
  if (hosts.length > 1) throw new Problem(400, 'there is more than one Host header')
  next()
}

/** Nothing here takes content, so nobody has to read any: the connection ends, whatever follows. */
export const refuseContent: RequestHandler = (request, _response, next) => {
  const { 'content-length': length, 'transfer-encoding': coding } = request.headers
  if (coding === undefined && (length === undefined || Number(length) === 0)) return next()
  throw new Problem(413, 'requests to this API have no content', { headers: { Connection: 'close' } })
}

/** Those of one part do not use up what is left for another: Prometheus, probes and listeners are served whatever else is asked for. */
function partOf(path: string): string {
  if (path === '/metrics') return 'metrics'
  if (path === '/api/v1/events') return 'events'
  if (path.startsWith('/api/v1/')) return 'api'
  return path.startsWith('/health') ? 'health' : 'pages'
}

/**
 * How often one address may ask. The answer to more than that comes late and ends the connection, so that who asks without pause costs
 * little; what was sent ahead on the connection is not looked at.
 */
export function limitRate(): RequestHandler {
  const { windowMs, perWindow, perWindowOnLoopback, tooOftenMs } = REQUEST_LIMITS
  return rateLimit({
    windowMs,
    limit: request => (isLoopback(remoteAddress(request)) ? perWindowOnLoopback : perWindow),
    keyGenerator: request => `${partOf(request.path)} ${networkOf(remoteAddress(request))}`,
    standardHeaders: false,
    legacyHeaders: false,
    // Its checks print to the console, for servers behind a proxy, which this is not.
    validate: false,
    handler: (request, response) => {
      request.socket.pause()
      setTimeout(() => {
        if (response.destroyed) return
        const seconds = String(windowMs / 1000)
        const headers = { 'Retry-After': seconds, Connection: 'close' }
        sendProblem(response, new Problem(429, `too many requests; ask again in ${seconds} s`, { headers }))
      }, tooOftenMs).unref()
    },
  })
}

export class TokenGuard {
  readonly #sha256: string | undefined

  /** SHA-256 of the token, 64 hexadecimal digits. Undefined: there is none, and what needs one is off. */
  constructor(sha256: string | undefined) {
    this.#sha256 = sha256
  }

  /** Throws a Problem unless the request has the token. */
  check(request: Request): void {
    if (this.#sha256 === undefined) {
      throw new Problem(
        403,
        'this needs a token, and none is configured: give the SHA-256 of one as api.token_sha256 (printf %s "$TOKEN" | openssl dgst -sha256), or a file with it as api.token_file',
      )
    }
    const token = parseBearer(request.headers.authorization)
    if (token !== undefined && verifyToken(token, [{ identity: 'api', sha256: this.#sha256 }]) !== undefined) return
    const detail = token === undefined ? 'a bearer token is required' : 'this is not the token of the API'
    const error = token === undefined ? '' : ', error="invalid_token"'
    throw new Problem(401, detail, { headers: { 'WWW-Authenticate': `Bearer realm="masque-lab"${error}` } })
  }
}
