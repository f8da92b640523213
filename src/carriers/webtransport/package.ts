/**
 * The package as the threads use it: the settings that it needs to work, and the few inner parts of it that are touched, since it has no
 * other way to them. They are why its version is pinned. Loaded in a thread only: it complains at length on the console when its native
 * half is missing, and a thread has a console of its own.
 */

import type { ClientHttp2Session, Http2SecureServer, Http2Session, Http2Stream } from 'node:http2'
import { createRequire } from 'node:module'
import { type Disconnected, plainError, type SessionEnd } from './messages.ts'

/** The native half, HTTP/3, which is nothing that everybody can install: used where the user has added it. Not tried here. */
const NATIVE_HALF = '@fails-components/webtransport-transport-http3-quiche'

export const hasHttp3 = isInstalled(NATIVE_HALF)

/**
 * Bytes that a peer may send ahead, on one stream and in all of a session. The package announces `initial…` and counts with `…SizeLimit`
 * on the other side: where they differ, as in its defaults, a session stands still after the first 16 KiB.
 */
const WINDOW = 1024 * 1024

/** Both ends take the same. One stream is all that a tunnel needs. */
export const FLOW_CONTROL = {
  initialStreamFlowControlWindow: WINDOW,
  streamFlowControlWindowSizeLimit: WINDOW,
  initialSessionFlowControlWindow: WINDOW,
  sessionFlowControlWindowSizeLimit: WINDOW,
}

/** What HTTP/2 below it lets a peer send ahead, on a connection and on each of its streams: node:http2's 64 KiB are little for a long path. */
const HTTP2_WINDOW = 512 * 1024
/** How much of the text in a GOAWAY is shown. */
const MAX_GOAWAY_TEXT = 200
/** Sessions on one connection. */
const HTTP2_STREAMS = 100

/** Makes a connection of the package's one that a tunnel can use. */
export function prepare(session: Http2Session): void {
  const { ping } = session
  // The package pings each second until it hears that the session has been closed: some time after it was destroyed, when there is nothing to ping.
  session.ping = (...given: unknown[]) => !session.destroyed && Reflect.apply(ping, session, given)
  // It may have ended while it came about.
  if (session.destroyed) return
  session.setLocalWindowSize(HTTP2_WINDOW)
  session.settings({ initialWindowSize: HTTP2_WINDOW, maxConcurrentStreams: HTTP2_STREAMS })
}

/** Calls back with what the peer, or the system, says of the connection's end. The first time counts. */
export function noteEnd(session: Http2Session, onEnd: (end: Disconnected) => void): void {
  session.on('goaway', (code, _lastStream, data) => {
    const text = data === undefined ? '' : Buffer.from(data).toString('latin1').slice(0, MAX_GOAWAY_TEXT)
    onEnd({ kind: 'goaway', by: 'peer', code, text })
  })
  session.on('error', error => onEnd({ kind: 'error', error: plainError(error) }))
}

/**
 * Calls back when nothing has come from the peer for so long: the package pings every second, so somebody who is there is heard. Also, within a
 * quarter of that time, when the session is over.
 */
export function watchSilence(session: Http2Session, idleTimeoutMs: number, onSilent: () => void): void {
  let read = -1
  let heardAt = performance.now()
  const timer = setInterval(() => {
    // Its socket may not even be looked at then.
    if (session.destroyed) {
      clearInterval(timer)
      return onSilent()
    }
    const { bytesRead } = session.socket
    if (bytesRead !== read) {
      read = bytesRead
      heardAt = performance.now()
    } else if (performance.now() - heardAt >= idleTimeoutMs) {
      clearInterval(timer)
      onSilent()
    }
  }, idleTimeoutMs / 4)
}

/** The longest capsule that is kept until all of it is there, in bytes: a datagram, with room to spare. The package sets itself no limit. */
const LONGEST_CAPSULE = 128 * 1024
/** NGHTTP2_NO_ERROR, NGHTTP2_PROTOCOL_ERROR, NGHTTP2_ENHANCE_YOUR_CALM */
const [NO_ERROR, MALFORMED, TOO_MUCH] = [0x0, 0x1, 0xb]

/**
 * A session whose peer breaks the capsules, or never ends one, ends by itself: without this the package throws, or keeps all that comes.
 * And its end leaves nothing to send. `onEnd` hears why it ends, if it is known; the first time counts.
 */
export function guardSession({ capsParser: parser }: Partial<SessionParts>, onEnd: (end: SessionEnd) => void): void {
  // On HTTP/3 there are none.
  if (parser === undefined) return
  const { stream, session } = parser
  // Before the package's own listeners, which say that the session is over.
  for (const event of ['error', 'close']) {
    stream.prependListener(event, () => {
      if (stream.rstCode) onEnd({ by: 'reset', code: stream.rstCode, reason: '' })
    })
  }
  // The package waits for more.
  stream.once('end', () => {
    // A stream that is reset ends, too; 'close' follows.
    if (stream.rstCode || session.jsobj.state === 'closed' || session.jsobj.state === 'failed') return
    onEnd({ by: 'peer', code: 0, reason: '' })
    session.jsobj.onClose({ errorcode: 0, error: '' })
    parser.closeHttp2Stream(NO_ERROR)
  })
  const { onCloseWebTransportSession: onClosed } = parser
  parser.onCloseWebTransportSession = info => {
    onEnd({ by: 'peer', code: Number(info.code), reason: String(info.reason) })
    onClosed.call(parser, info)
  }
  const { closeConnection } = session
  session.closeConnection = info => {
    onEnd({ by: 'us', code: Number(info.code), reason: String(info.reason) })
    closeConnection.call(session, info)
  }
  // The package closes the stream and then destroys it. Without an error, closing only waits until all is sent; destroyed meanwhile, node:http2
  // (20 to 26) makes empty DATA frames without end as soon as the peer's window lets it, in native code that nothing stops.
  parser.closeHttp2Stream = code => {
    if (code !== NO_ERROR) parser.stream.close(code)
    parser.stream.destroy()
  }
  let isOver = false
  const end = (code: number, reason: string): void => {
    isOver = true
    onEnd({ by: 'us', code, reason })
    parser.saveddata = undefined
    parser.stream.close(code)
  }
  const parse = parser.parseData
  parser.parseData = data => {
    if (isOver) return
    try {
      parse.call(parser, data)
    } catch {
      return end(MALFORMED, 'a capsule is malformed')
    }
    if ((parser.saveddata?.byteLength ?? 0) > LONGEST_CAPSULE) end(TOO_MUCH, 'a capsule is too long')
  }
}

interface CloseInfo {
  readonly code: number
  readonly reason: string
}

/** Inside a session over HTTP/2. */
export interface SessionParts {
  readonly capsParser: {
    /** The beginning of a capsule. */
    saveddata: Uint8Array | undefined
    readonly stream: Http2Stream
    readonly session: {
      readonly jsobj: { readonly state: string; onClose(args: { errorcode: number; error: string }): void }
      /** The peer has broken a rule. */
      closeConnection(info: CloseInfo): void
    }
    parseData(data: Uint8Array): void
    onCloseWebTransportSession(info: CloseInfo): void
    /** The session is over, for both. `code`: as the peer, or the program, gave it. */
    closeHttp2Stream(code: number): void
  }
}

/** A session as both ends have it: `WebTransport` of the W3C, as far as it is needed. */
export interface Session {
  readonly ready: Promise<unknown>
  readonly closed: Promise<{ closeCode?: number; reason?: string }>
  readonly incomingBidirectionalStreams: ReadableStream<ByteStream>
  readonly incomingUnidirectionalStreams: ReadableStream<unknown>
  readonly datagrams: { readonly readable: ReadableStream<Uint8Array>; createWritable(): WritableStream<Uint8Array> }
  createBidirectionalStream(): Promise<ByteStream>
  close(info: { closeCode: number; reason: string }): void
}

export interface ByteStream {
  readonly readable: ReadableStream<Uint8Array>
  readonly writable: WritableStream<Uint8Array>
}

/** Inside a client. */
export interface ClientParts {
  readonly sessionint: {
    /** Once there is a session. */
    readonly objint?: Partial<SessionParts>
    /** Hears why a session has not come about, of which the package tells nobody else. */
    onClose(args: { errorcode?: number | string; error?: string }): void
    readonly parentobj: { readonly transportInt?: { readonly clientInt?: ClientHttp2Session } }
  }
}

/** Inside a server. */
export interface ServerParts {
  readonly serverInt?: Http2SecureServer
  finishSessionRequest(answer: object): void
}

/** A request for a session, as the package tells its server of it. */
export interface SessionRequest {
  readonly header: Record<string, string | string[] | undefined>
  readonly peerAddress: string
  /** HTTP/2: the stream of the request. */
  readonly session?: Http2Stream
  readonly protocol: string
}

function isInstalled(name: string): boolean {
  try {
    createRequire(import.meta.url).resolve(name)
    return true
  } catch {
    return false
  }
}
