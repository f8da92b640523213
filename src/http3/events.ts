/** What an HTTP/3 connection tells its owner, and what it wants done on QUIC. */
import type { Header } from '../http/header.ts'
import type { H3Settings } from './settings.ts'

/**
 * Something that happened. Byte arrays in `data` events are views of what was handed to `receiveStream`: valid until
 * the caller reuses that buffer. Payloads of `datagram` events are copies.
 */
export type H3Event =
  /** The peer's SETTINGS, once. */
  | { type: 'settings'; settings: H3Settings }
  /** Server: a request's header section. `fin`: nothing follows. */
  | { type: 'request'; streamId: number; headers: Header[]; fin: boolean }
  /** Client: the final response's header section; interim (1xx) responses are not reported. */
  | { type: 'response'; streamId: number; headers: Header[]; fin: boolean }
  /** Content (or, for a tunnel, capsule bytes) from DATA frames; a DATA frame may come in several pieces. */
  | { type: 'data'; streamId: number; data: Uint8Array; fin: boolean }
  /** The peer ended its side, and no `request`, `response` or `data` event of the same moment could carry `fin`. */
  | { type: 'finished'; streamId: number }
  /** The peer gave up sending on this stream. The request is over; answer with `resetStream`. */
  | { type: 'reset'; streamId: number; code: number }
  /** The peer does not want to receive more on this stream; our sending side was reset in answer. */
  | { type: 'stop-sending'; streamId: number; code: number }
  /**
   * The peer shuts down. From a server, `id` is the first request stream that it will not process (those are reported
   * as `reset` with H3_REQUEST_REJECTED); from a client, a push id.
   */
  | { type: 'goaway'; id: number }
  /** A datagram that came before its stream and was held until now. */
  | { type: 'datagram'; streamId: number; payload: Uint8Array }
  /**
   * A bidirectional stream belongs to a WebTransport session that is there, or can still come; `data` and the rest follow,
   * as for a request, and what we send on it is not framed.
   */
  | { type: 'session-stream'; streamId: number; sessionId: number }
  /** Bytes on a unidirectional stream of a type that was agreed on (`acceptStreamType`). */
  | { type: 'extension-stream'; streamType: number; streamId: number; data: Uint8Array; fin: boolean }
  /** The peer broke a rule on this stream; it was reset in both directions. */
  | { type: 'stream-error'; streamId: number; code: number; reason: string }
  /** The peer broke a rule of the connection; it is being closed and nothing more will happen on it. */
  | { type: 'connection-error'; code: number; reason: string }

/** Something to be done on QUIC. Outputs are to be carried out in order. */
export type H3Output =
  | { type: 'stream'; streamId: number; data: Uint8Array; fin: boolean }
  | { type: 'reset'; streamId: number; code: number }
  | { type: 'stop-sending'; streamId: number; code: number }
  | { type: 'close'; code: number; reason: string }
