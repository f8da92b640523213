/**
 * The proxy's end: a thread that listens, started anew when it ends, and the connections and requests that it tells of.
 */

import type { AbortReason } from '../../http/errors.ts'
import { type Header, headerValue } from '../../http/header.ts'
import { runAll } from '../../net/run-all.ts'
import type { SocketAddress } from '../../net/udp.ts'
import type { Carrier, CarrierHandler, Encapsulation } from '../carrier.ts'
import { resetByUs } from '../end-reason.ts'
import type { HttpServerConnection, HttpServerHandler, IncomingRequest, RequestHandler } from '../http-connection.ts'
import { PackageCarrier } from './carrier.ts'
import { endedByUs, PackageConnection } from './connection.ts'
import type { FromServerThread, ServerThreadData, ToThread } from './messages.ts'
import { PackageThread } from './thread.ts'

/** How long to wait before a thread that has ended is started again, in ms: the double of the last time, up to the last of these. */
const FIRST_PAUSE_MS = 100
const LONGEST_PAUSE_MS = 10_000
/** A thread that has lived for so long has ended for another reason than the one before. */
const LONG_LIFE_MS = 60_000

export interface PackageServerOptions extends ServerThreadData {
  /** Gives the connection its handler. */
  onConnection(connection: HttpServerConnection): void
  /** A bug of ours. */
  onError(error: unknown): void
  onWarning(sentence: string): void
}

type Thread = PackageThread<FromServerThread>

export class PackageServer {
  local: SocketAddress
  readonly #options: PackageServerOptions
  readonly #connections = new Map<number, PackageServerConnection>()
  /** Requests and carriers hear of their sessions. */
  readonly #sessions = new Map<number, PackageServerConnection>()
  #thread: Thread | undefined
  #pauseMs = FIRST_PAUSE_MS
  #startedAt = 0
  #timer: NodeJS.Timeout | undefined
  #isListening = false
  /** It is known to work: when it ends, it is started again. */
  #hasListened = false
  #closed = false

  /** Rejects with the system's error (EADDRINUSE, EACCES, …), with nothing left open. */
  static async listen(options: PackageServerOptions): Promise<PackageServer> {
    const server = new PackageServer(options)
    await server.#start()
    return server
  }

  private constructor(options: PackageServerOptions) {
    this.#options = options
    this.local = { host: options.host, port: options.port }
  }

  /** Closes everything. Idempotent. */
  async close(): Promise<void> {
    this.#closed = true
    clearTimeout(this.#timer)
    await this.#thread?.stop()
  }

  /** A thread is there and takes connections. */
  get isListening(): boolean {
    return this.#isListening
  }

  /** For tests: what an exception inside the package does. */
  killThread(): void {
    this.#thread?.kill()
  }

  #start(): Promise<void> {
    const { onConnection: _, onError: _error, onWarning: _warning, ...data } = this.#options
    this.#startedAt = performance.now()
    let failure: Error | undefined
    return new Promise((resolve, reject) => {
      const onEnded = (error: Error | undefined): void => {
        const why = failure ?? error
        reject(why)
        this.#ended(why)
      }
      const onMessage = (message: FromServerThread): void => {
        if (message.type === 'listening') {
          this.local = message.local
          this.#hasListened = true
          this.#isListening = true
          resolve()
        } else if (message.type === 'failed') {
          const { message: text, ...rest } = message.error
          failure = Object.assign(new Error(text), rest)
          void this.#thread?.stop()
        } else this.#receive(message)
      }
      try {
        const { port } = this.local
        this.#thread = new PackageThread('./server-thread.ts', { ...data, port }, { onMessage, onEnded })
      } catch (error) {
        // The system has no thread for us, for now.
        onEnded(error as Error)
      }
    })
  }

  #ended(error: Error | undefined): void {
    this.#thread = undefined
    this.#isListening = false
    const connections = [...this.#connections.values()]
    this.#connections.clear()
    this.#sessions.clear()
    const isOurWill = this.#closed || error === undefined
    const end = endedByUs(isOurWill ? 'the proxy is shutting down' : 'the WebTransport thread has ended')
    runAll(connections.map(connection => () => connection.finish({ ...end, orderly: isOurWill })))
    if (isOurWill || !this.#hasListened) return
    if (performance.now() - this.#startedAt > LONG_LIFE_MS) this.#pauseMs = FIRST_PAUSE_MS
    const count = `${connections.length} connection${connections.length === 1 ? '' : 's'}`
    const again = `it is started again in ${this.#pauseMs / 1000} s; tunnels by other carriers go on`
    this.#options.onWarning(`the WebTransport thread has ended, and ${count} with it: ${error.message}; ${again}`)
    // What comes of it is told to `#ended`, too.
    this.#timer = setTimeout(() => this.#start().catch(() => {}), this.#pauseMs)
    this.#pauseMs = Math.min(this.#pauseMs * 2, LONGEST_PAUSE_MS)
  }

  #receive(message: FromServerThread): void {
    switch (message.type) {
      case 'connected': {
        const { connection: number, remote } = message
        const connection = new PackageServerConnection(remote, number, {
          post: (order, transfer) => this.#thread?.post(order, transfer),
          onError: error => this.#options.onError(error),
          forget: session => this.#sessions.delete(session),
        })
        this.#connections.set(number, connection)
        return connection.guard(() => {
          this.#options.onConnection(connection)
          connection.handler.onReady()
        })
      }
      case 'disconnected': {
        const connection = this.#connections.get(message.connection)
        this.#connections.delete(message.connection)
        return connection?.onDisconnected(message.reason)
      }
      case 'asked': {
        const connection = this.#connections.get(message.connection)
        if (connection === undefined)
          return this.#thread?.post({ type: 'answer', session: message.session, status: 503 })
        this.#sessions.set(message.session, connection)
        return connection.guard(() => connection.asked(message.session, message.headers, message.datagrams))
      }
      case 'listening':
      case 'failed':
        return
      default: {
        const connection = this.#sessions.get(message.session)
        connection?.guard(() => connection.receive(message))
      }
    }
  }
}

interface ConnectionLink {
  post(message: ToThread, transfer?: ArrayBuffer[]): void
  onError(error: unknown): void
  forget(session: number): void
}

class PackageServerConnection extends PackageConnection<HttpServerHandler> implements HttpServerConnection {
  inUse = false
  /** The package asks for none. */
  readonly peerCertificate = undefined
  readonly requests = new Map<number, PackageRequest>()
  readonly #number: number
  readonly #link: ConnectionLink

  constructor(remote: SocketAddress, number: number, link: ConnectionLink) {
    super(remote, link.onError)
    this.#number = number
    this.#link = link
    this.handshakeMs = 0
  }

  override post(message: ToThread, transfer?: ArrayBuffer[]): void {
    this.#link.post(message, transfer)
  }

  protected override disconnect(): void {
    this.post({ type: 'disconnect', connection: this.#number })
  }

  protected override onFinished(): void {
    for (const session of [...this.requests.keys(), ...this.carriers.keys()]) this.#link.forget(session)
    this.requests.clear()
  }

  asked(session: number, headers: Header[], datagrams: boolean): void {
    if (this.capabilities === undefined) {
      this.capabilities = {
        tunnels: true,
        encapsulations: datagrams ? ['datagram', 'single-stream'] : ['single-stream'],
      }
      this.handler.onCapabilities(this.capabilities)
    }
    const request = new PackageRequest(this, session, headers)
    this.requests.set(session, request)
    this.handler.onRequest(request, false)
  }

  receive(message: Exclude<FromServerThread, { connection: number }>): void {
    if (!('session' in message)) return
    const carrier = this.carriers.get(message.session)
    if (carrier !== undefined) carrier.receive(message)
    else if (message.type === 'gone') {
      const request = this.requests.get(message.session)
      this.forget(message.session)
      request?.handler.onGone()
    }
  }

  forget(session: number): void {
    this.requests.delete(session)
    this.carriers.delete(session)
    this.#link.forget(session)
  }
}

class PackageRequest implements IncomingRequest {
  readonly id: number
  readonly headers: readonly Header[]
  readonly isWebTransport = true
  handler: RequestHandler = NOBODY
  awaitsResponse = true
  readonly #connection: PackageServerConnection

  constructor(connection: PackageServerConnection, id: number, headers: readonly Header[]) {
    this.#connection = connection
    this.id = id
    this.headers = headers
  }

  accept(_headers: Header[]): boolean {
    if (!this.#connection.requests.has(this.id)) return false
    this.#answer(200)
    return true
  }

  openCarrier([encapsulation]: readonly [Encapsulation, ...Encapsulation[]], handler: CarrierHandler): Carrier {
    const connection = this.#connection
    const link = {
      session: this.id,
      encapsulation,
      post: (message: ToThread, transfer?: ArrayBuffer[]) => connection.post(message, transfer),
      forget: () => connection.forget(this.id),
    }
    const carrier = new PackageCarrier(link, handler)
    connection.requests.delete(this.id)
    connection.carriers.set(this.id, carrier)
    return carrier
  }

  /** The package sends a status and nothing else. */
  respond(headers: Header[]): void {
    this.#answer(Number(headerValue(headers, ':status')))
    this.#connection.forget(this.id)
  }

  peerEnded(): void {
    this.#connection.carriers.get(this.id)?.ended()
  }

  abort(reason: AbortReason): void {
    if (this.awaitsResponse) return this.respond([[':status', STATUS[reason]]])
    this.#connection.carriers.get(this.id)?.abort(reason)
  }

  fail(error: unknown): void {
    const carrier = this.#connection.carriers.get(this.id)
    if (carrier === undefined) this.abort('internal')
    else {
      const code = carrier.abort('internal')
      carrier.handler.onAborted({ orderly: false, reason: resetByUs(code, 'internal error') })
    }
    this.#connection.handler.onRequestFailed(this.id, error)
  }

  #answer(status: number): void {
    if (!this.awaitsResponse) return
    this.awaitsResponse = false
    this.#connection.post({ type: 'answer', session: this.id, status })
  }
}

/** What a request is answered with that other versions of HTTP would reset. */
const STATUS: Readonly<Record<AbortReason, string>> = {
  malformed: '400',
  'excessive-load': '429',
  cancelled: '503',
  internal: '500',
}

const NOBODY: RequestHandler = { onCapsuleBytes() {}, onEnd() {}, onGone() {} }
