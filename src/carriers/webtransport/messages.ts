/**
 * What the program and the thread with the npm package `@fails-components/webtransport` say to each other, and nothing else passes
 * between them.
 *
 * Why a thread: handlers of the package throw on odd input from the network, outside of anything that could catch it, and an
 * exception that nobody catches ends a process. Here it ends the thread, with the tunnels on it; whoever started the thread hears
 * of it (`Worker`'s 'error' and 'exit'), says so, and starts another one.
 *
 *   program                                         thread
 *     answer, write, datagram, end, close   ─────►    the package: HTTP/2 and, where its native half is installed, HTTP/3
 *     taken (bytes that were read)          ─────►
 *                                           ◄─────    connected, asked (proxy), answered (client)
 *                                           ◄─────    read, datagram, ended, gone, disconnected
 *                                           ◄─────    written (bytes that were)
 *
 * Nothing queues without bound in either direction: whoever sends bytes counts those that were not yet said to be `written` or
 * `taken`, and stops at MAX_STREAM_BACKLOG and READ_WINDOW. Bytes are handed over (`transferList`), not copied.
 */

import type { SocketAddress } from '../../net/udp.ts'

/** Bytes of one session that the thread has read and the program has not taken yet. */
export const READ_WINDOW = 256 * 1024

/** Datagrams of one session, as above; further ones are dropped, as they may be anywhere on their way. */
export const MAX_DATAGRAMS_AHEAD = 256

/** What the thread is asked for. Sessions are numbered by the thread of a proxy; that of a client has only the session 0. */
export type ToThread =
  | { readonly type: 'answer'; readonly session: number; readonly status: number }
  | { readonly type: 'write'; readonly session: number; readonly bytes: Uint8Array }
  | { readonly type: 'datagram'; readonly session: number; readonly bytes: Uint8Array }
  | { readonly type: 'taken'; readonly session: number; readonly bytes: number }
  | { readonly type: 'datagram-taken'; readonly session: number }
  /** The end of our half of the stream, behind all that was written. */
  | { readonly type: 'end'; readonly session: number }
  | { readonly type: 'close'; readonly session: number; readonly code: number; readonly reason: string }
  | { readonly type: 'disconnect'; readonly connection: number }
  /** Ends every session in good order, and the thread. */
  | { readonly type: 'stop' }

/** What the thread of a proxy says of its connections. */
export type FromServerThread =
  | FromThread
  | { readonly type: 'listening'; readonly local: SocketAddress }
  | { readonly type: 'connected'; readonly connection: number; readonly remote: SocketAddress }
  | { readonly type: 'disconnected'; readonly connection: number; readonly reason: Disconnected }
  | {
      readonly type: 'asked'
      readonly connection: number
      readonly session: number
      readonly headers: [name: string, value: string][]
      readonly datagrams: boolean
    }

/** What the thread of a client says of its only connection. */
export type FromClientThread =
  | FromThread
  /** The proxy's answer to the request for a session. */
  | { readonly type: 'answered'; readonly status: number; readonly datagrams: boolean }
  | { readonly type: 'disconnected'; readonly connection: 0; readonly reason: Disconnected }

/** What both say of a session. */
export type FromThread =
  | { readonly type: 'read'; readonly session: number; readonly bytes: Uint8Array }
  | { readonly type: 'datagram'; readonly session: number; readonly bytes: Uint8Array }
  | { readonly type: 'written'; readonly session: number; readonly bytes: number }
  | { readonly type: 'datagram-written'; readonly session: number; readonly bytes: number }
  /** The peer has ended its half of the stream. */
  | { readonly type: 'ended'; readonly session: number }
  /** The session is over, and its connection is not, or does not say why. */
  | ({ readonly type: 'gone'; readonly session: number } & SessionEnd)
  /** Cannot be started, or go on: as the system says it. */
  | { readonly type: 'failed'; readonly error: PlainError }

/**
 * Who has ended a session: the peer has closed it, or has reset its HTTP/2 stream, or we have closed it. `code`: WebTransport's, and of a reset
 * HTTP/2's; 0 when nothing was wrong.
 */
export interface SessionEnd {
  readonly by: 'peer' | 'reset' | 'us'
  readonly code: number
  readonly reason: string
}

export interface PlainError {
  readonly message: string
  readonly code?: string | undefined
  readonly syscall?: string | undefined
}

export type Disconnected =
  | { readonly kind: 'closed' }
  | { readonly kind: 'timeout' }
  | { readonly kind: 'error'; readonly error: PlainError }
  /** A GOAWAY of ours or the peer's said why. `code`: HTTP/2's. */
  | { readonly kind: 'goaway'; readonly by: 'local' | 'peer'; readonly code: number; readonly text: string }
  /** The client does not take the proxy's certificate. */
  | { readonly kind: 'certificate'; readonly why: string }

/** What a thread is started with. */
export interface ServerThreadData {
  readonly host: string
  readonly port: number
  /** PEM. */
  readonly certificateChain: string
  readonly key: string
  readonly maxConnections: number
  readonly maxConnectionsPerAddress: number
  readonly handshakeTimeoutMs: number
  readonly idleTimeoutMs: number
}

export interface ClientThreadData {
  readonly url: string
  /** Where the name in `url` is. */
  readonly remote: SocketAddress
  /** SHA-256 of the certificate that is expected, in hexadecimal digits; undefined: one that the system's CAs have signed. */
  readonly certificateSha256: string | undefined
  readonly idleTimeoutMs: number
  /** With a session, a proxy that is silent for so long is gone, in ms; 0: see `idleTimeoutMs`. */
  readonly lostAfterMs: number
}

export function plainError(error: unknown): PlainError {
  const { message, code, syscall } = (error ?? {}) as Partial<NodeJS.ErrnoException>
  return { message: message ?? String(error), code, syscall }
}
