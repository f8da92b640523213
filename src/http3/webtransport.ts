/**
 * WebTransport over HTTP/3, as far as HTTP/3 has to know of it: draft-ietf-webtrans-http3-02, the version that browsers speak.
 *
 * A session is an Extended CONNECT with `:protocol = webtransport`; its id is the id of that stream. Datagrams of the session are
 * HTTP Datagrams of that stream. A bidirectional stream of the session begins with two varints where a request has a frame:
 *
 *   Bidirectional Stream {
 *     Signal Value (i) = 0x41,
 *     Session ID (i),
 *     Stream Body (..)
 *   }
 */
import { encodeVarint, varintLength } from '../bytes/varint.ts'

/** The value of `:protocol`. */
export const WEBTRANSPORT = 'webtransport'

/** SETTINGS_ENABLE_WEBTRANSPORT (§8.2): 1 = sessions are taken. */
export const WEBTRANSPORT_SETTING = 0x2b603742n

/** The signal value (§4.2). It stands where a frame has its type, and no frame has this one. */
export const WEBTRANSPORT_STREAM = 0x41

/** What a bidirectional stream of a session begins with. */
export function encodeSessionStreamHeader(sessionId: number): Uint8Array {
  const header = new Uint8Array(varintLength(WEBTRANSPORT_STREAM) + varintLength(sessionId))
  encodeVarint(sessionId, header, encodeVarint(WEBTRANSPORT_STREAM, header, 0))
  return header
}

/** The error codes of applications have 32 bits, and lie in HTTP/3's space without its reserved ones (§4.3). */
export function applicationErrorCode(code: number): number {
  return 0x52e4a40fa8db + code + Math.floor(code / 0x1e)
}
