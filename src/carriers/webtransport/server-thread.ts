/** The proxy's thread: the package's servers, and nothing of ours that could be lost with them. See messages.ts. */

import {
  constants,
  type Http2SecureServer,
  type Http2Session,
  type Http2Stream,
  type ServerHttp2Stream,
} from 'node:http2'
import type { Socket } from 'node:net'
import { parentPort, workerData } from 'node:worker_threads'
import { HttpServer } from '@fails-components/webtransport'
import { TokenBucket } from '../../ip/token-bucket.ts'
import { REQUESTS } from '../request-rate.ts'
import {
  type Disconnected,
  type FromServerThread,
  plainError,
  type ServerThreadData,
  type ToThread,
} from './messages.ts'
import {
  FLOW_CONTROL,
  guardSession,
  hasHttp3,
  noteEnd,
  prepare,
  type ServerParts,
  type Session,
  type SessionParts,
  type SessionRequest,
  watchSilence,
} from './package.ts'
import { SessionPump } from './session-pump.ts'

const { data } = workerData as { data: ServerThreadData }

/** How long a peer gets to take leave, in ms. */
const CLOSE_MS = 500

/** Of the heads of requests, as on our own HTTP/2. */
const MAX_HEAD = 16 * 1024

interface Waiting {
  readonly server: Server
  readonly request: SessionRequest
}

/** A connection over HTTP/2. */
interface Connection {
  readonly number: number
  readonly requests: TokenBucket
  /** Ends its TCP connection, which node:http2 leaves to a peer that never does, where the session was closed in good order. */
  readonly cut: () => void
  /** Why it ends, as soon as that is known. */
  end: Disconnected | undefined
  /** It has asked for too much: nothing that it asks for counts any more. */
  isSentAway: boolean
}

const waiting = new Map<number, Waiting>()
const pumps = new Map<number, SessionPump>()
/** What ends a connection, by its number. */
const connections = new Map<number, () => void>()
const known = new WeakMap<Http2Session, Connection>()
/** What is below TLS, by the peer's address and port. */
const sockets = new Map<string, Socket>()
let lastNumber = 0

function post(message: FromServerThread, transfer: ArrayBuffer[] = []): void {
  parentPort?.postMessage(message, transfer)
  if (message.type === 'gone') pumps.delete(message.session)
}

/** Asks the program about every request, with the address of who asks, which the package's own callback is not told. */
class Server extends HttpServer {
  override onSessionRequest(args: unknown): void {
    const request = args as SessionRequest
    // The package takes WebSockets, too. They are no sessions of ours.
    const { ':protocol': protocol } = request.header
    const http2 = request.session?.session
    const connection = http2 === undefined ? this.#newConnection(request) : known.get(http2)?.number
    const headers = Object.entries(request.header).flatMap(([name, value]) =>
      [value].flat().map((each): [string, string] => [name, String(each ?? '')]),
    )
    const size = headers.reduce((sum, [name, value]) => sum + name.length + value.length, 0)
    if (protocol !== 'webtransport' || connection === undefined) return this.answer(request, 0, 400)
    if (size > MAX_HEAD) return this.answer(request, 0, 431)
    const session = ++lastNumber
    waiting.set(session, { server: this, request })
    request.session?.once?.('close', () => {
      if (waiting.delete(session)) post({ type: 'gone', session, by: 'reset', code: 0, reason: '' })
    })
    post({ type: 'asked', connection, session, headers, datagrams: http2 === undefined })
  }

  answer(request: SessionRequest, session: number, status: number): void {
    // Gone while the program decided.
    if (request.session?.destroyed) return post({ type: 'gone', session, by: 'reset', code: 0, reason: '' })
    // The package would respond, end the stream and close it without an error. When the peer ends it at that moment, node:http2 makes empty DATA frames
    // without end (see guardSession): what has nothing behind its head is ended with it, and closed by nobody.
    if (status !== 200 && request.session?.session !== undefined) {
      return (request.session as ServerHttp2Stream).respond({ ':status': status }, { endStream: true })
    }
    const parts = this.transportInt as ServerParts
    parts.finishSessionRequest({ ...request, status, path: '/', userData: { session } })
  }

  /** A session has come about. */
  override onHttpWTSessionVisitor(args: unknown): void {
    const visit = args as Parameters<HttpServer['onHttpWTSessionVisitor']>[0]
    super.onHttpWTSessionVisitor(visit)
    const parts = visit.session as Partial<SessionParts>
    const { session: id } = visit.userData as { session: number }
    const http2 = parts.capsParser?.stream.session
    const pump = new SessionPump(id, visit.session.jsobj as unknown as Session, (message, transfer) => {
      // Together with the connection, which knows why.
      if (message.type === 'gone' && http2?.destroyed) pumps.delete(id)
      else post(message, transfer)
    })
    guardSession(parts, end => pump.noteEnd(end))
    pumps.set(id, pump)
    pump.run(true)
  }

  /** On HTTP/3 the package shows no connections: each session counts as one. */
  #newConnection({ peerAddress }: SessionRequest): number {
    const connection = ++lastNumber
    const at = peerAddress.lastIndexOf(':')
    const remote = { host: peerAddress.slice(0, at).replace(/^\[|\]$/g, ''), port: Number(peerAddress.slice(at + 1)) }
    connections.set(connection, () => {})
    post({ type: 'connected', connection, remote })
    return connection
  }
}

/** Who may connect: the package's HTTP/2 server has no limits of its own. */
function guardConnections(http2: Http2SecureServer): void {
  const ofAddress = new Map<string, number>()
  const handshakes = new Map<string, NodeJS.Timeout>()
  http2.maxConnections = data.maxConnections
  http2.on('connection', (socket: Socket) => {
    const { remoteAddress: host = '' } = socket
    const peer = peerOf(socket)
    sockets.set(peer, socket)
    const count = (ofAddress.get(host) ?? 0) + 1
    socket.on('error', () => {})
    socket.once('close', () => {
      if (sockets.get(peer) === socket) sockets.delete(peer)
    })
    if (count > data.maxConnectionsPerAddress) return void socket.destroy()
    ofAddress.set(host, count)
    const timer = setTimeout(() => socket.destroy(), data.handshakeTimeoutMs)
    handshakes.set(peer, timer)
    socket.once('close', () => {
      clearTimeout(timer)
      if (handshakes.get(peer) === timer) handshakes.delete(peer)
      const left = (ofAddress.get(host) ?? 1) - 1
      if (left > 0) ofAddress.set(host, left)
      else ofAddress.delete(host)
    })
  })
  http2.on('secureConnection', socket => {
    // HTTP/1.1, which the package takes for WebSockets, has no sessions of ours.
    if (socket.alpnProtocol !== 'h2') socket.destroy()
    clearTimeout(handshakes.get(peerOf(socket)))
  })
  http2.on('session', session => begin(session))
  guardRequests(http2)
}

/** Every request is counted, before the package looks at it: also those that it refuses itself. */
function guardRequests(http2: Http2SecureServer): void {
  const lookAt = http2.listeners('stream')
  http2.removeAllListeners('stream')
  http2.on('stream', (stream: Http2Stream, ...rest: unknown[]) => {
    const { session } = stream
    const connection = session && known.get(session)
    if (connection === undefined || (!connection.isSentAway && connection.requests.take())) {
      for (const look of lookAt) Reflect.apply(look, http2, [stream, ...rest])
      return
    }
    stream.on('error', () => {})
    sendAway(session as Http2Session, connection)
  })
}

/** Says why, and gives the peer a moment to read it. */
function sendAway(session: Http2Session, connection: Connection): void {
  if (connection.isSentAway || session.destroyed) return
  connection.isSentAway = true
  const [code, text] = [constants.NGHTTP2_ENHANCE_YOUR_CALM, 'too many requests']
  connection.end ??= { kind: 'goaway', by: 'local', code, text }
  session.goaway(code, 0, Buffer.from(text))
  // Closed at once, with requests that nobody has read, TCP would reset the connection, and what was said last be lost. They are read, and not answered.
  setTimeout(() => {
    session.destroy()
    connection.cut()
  }, CLOSE_MS)
}

function peerOf({ remoteAddress, remotePort }: Pick<Socket, 'remoteAddress' | 'remotePort'>): string {
  return `${remoteAddress} ${remotePort}`
}

/** An HTTP/2 connection has come about. */
function begin(session: Http2Session): void {
  const { remoteAddress: host = '', remotePort: port = 0 } = session.socket
  const requests = new TokenBucket({ ...REQUESTS, now: () => performance.now() })
  const socket = sockets.get(peerOf(session.socket))
  const cut = (): void => void socket?.destroy()
  const connection: Connection = { number: ++lastNumber, requests, cut, end: undefined, isSentAway: false }
  const { number } = connection
  known.set(session, connection)
  connections.set(number, () => {
    session.destroy()
    setTimeout(cut, CLOSE_MS)
  })
  noteEnd(session, end => {
    connection.end ??= end
  })
  prepare(session)
  watchSilence(session, data.idleTimeoutMs, () => {
    // A session that has ended before waits for the end of its socket.
    if (!session.destroyed) connection.end ??= { kind: 'timeout' }
    session.destroy()
    cut()
  })
  session.once('close', () => {
    connections.delete(number)
    post({ type: 'disconnected', connection: number, reason: connection.end ?? { kind: 'closed' } })
  })
  post({ type: 'connected', connection: number, remote: { host, port } })
}

async function listen(reliability: 'reliableOnly' | 'unreliableOnly', port: number): Promise<Server> {
  const server = new Server({
    host: data.host,
    port,
    // For tickets of its own on HTTP/3.
    secret: crypto.randomUUID(),
    cert: data.certificateChain,
    privKey: data.key,
    ...FLOW_CONTROL,
    reliability,
  } as ConstructorParameters<typeof HttpServer>[0])
  await server.createTransportInt()
  const { serverInt } = server.transportInt as ServerParts
  if (serverInt !== undefined) guardConnections(serverInt)
  server.setRequestCallback(() => {})
  server.startServer()
  await server.ready
  return server
}

parentPort?.on('message', (message: ToThread) => {
  switch (message.type) {
    case 'answer': {
      const asked = waiting.get(message.session)
      if (!waiting.delete(message.session) || asked === undefined) break
      asked.server.answer(asked.request, message.session, message.status)
      break
    }
    case 'write':
      pumps.get(message.session)?.write(message.bytes)
      break
    case 'datagram':
      pumps.get(message.session)?.sendDatagram(message.bytes)
      break
    case 'taken':
      pumps.get(message.session)?.taken(message.bytes)
      break
    case 'datagram-taken':
      pumps.get(message.session)?.datagramTaken()
      break
    case 'end':
      pumps.get(message.session)?.end()
      break
    case 'close':
      pumps.get(message.session)?.close(message.code, message.reason)
      break
    case 'disconnect':
      connections.get(message.connection)?.()
      break
    case 'stop':
      for (const pump of pumps.values()) pump.close(0, 'the proxy is shutting down')
      // Once that is on its way.
      setTimeout(() => process.exit(0), 50)
      break
  }
})

try {
  const http2 = await listen('reliableOnly', data.port)
  const local = http2.address()
  if (local === null) throw new Error('the package does not say where it listens')
  if (hasHttp3) await listen('unreliableOnly', local.port)
  post({ type: 'listening', local: { host: local.host, port: local.port } })
} catch (error) {
  post({ type: 'failed', error: plainError(error) })
}
