/**
 * Error codes of HTTP/3 (RFC 9114 §8.1), QPACK (RFC 9204 §6), HTTP Datagrams (RFC 9297 §5.2) and WebTransport
 * (draft-ietf-webtrans-http3 §4.5, §6).
 *
 * They travel in QUIC's RESET_STREAM and STOP_SENDING (a stream error) or CONNECTION_CLOSE (a connection error).
 */
export const H3ErrorCode = {
  /** A datagram or capsule could not be parsed, or arrived where datagrams have no meaning. */
  H3_DATAGRAM_ERROR: 0x33,
  /** Nothing is wrong; the connection or stream just ends. */
  H3_NO_ERROR: 0x100,
  /** A broken rule that has no code of its own. */
  H3_GENERAL_PROTOCOL_ERROR: 0x101,
  /** Our own fault. */
  H3_INTERNAL_ERROR: 0x102,
  /** The peer opened a stream that may not exist. */
  H3_STREAM_CREATION_ERROR: 0x103,
  /** The control stream or a QPACK stream was closed. */
  H3_CLOSED_CRITICAL_STREAM: 0x104,
  /** A frame that is not allowed here, or not now. */
  H3_FRAME_UNEXPECTED: 0x105,
  /** A frame whose length or layout is wrong. */
  H3_FRAME_ERROR: 0x106,
  /** The peer asks for more memory or work than we give. */
  H3_EXCESSIVE_LOAD: 0x107,
  /** A stream id or push id above its limit, reduced, or used twice. */
  H3_ID_ERROR: 0x108,
  /** A setting that is not allowed or has an impossible value. */
  H3_SETTINGS_ERROR: 0x109,
  /** The control stream did not begin with SETTINGS. */
  H3_MISSING_SETTINGS: 0x10a,
  /** The server did not look at the request: it may safely be sent again elsewhere. */
  H3_REQUEST_REJECTED: 0x10b,
  /** The request or its response is no longer wanted. */
  H3_REQUEST_CANCELLED: 0x10c,
  /** The client ended its stream before the request was complete. */
  H3_REQUEST_INCOMPLETE: 0x10d,
  /** The message is malformed (RFC 9114 §4.1.2). */
  H3_MESSAGE_ERROR: 0x10e,
  /** The TCP connection behind a CONNECT failed. */
  H3_CONNECT_ERROR: 0x10f,
  /** Retry over HTTP/1.1. */
  H3_VERSION_FALLBACK: 0x110,
  /** A field section could not be decoded. */
  QPACK_DECOMPRESSION_FAILED: 0x200,
  /** The peer's QPACK encoder stream broke a rule. */
  QPACK_ENCODER_STREAM_ERROR: 0x201,
  /** The peer's QPACK decoder stream broke a rule. */
  QPACK_DECODER_STREAM_ERROR: 0x202,
  /** A stream of a WebTransport session that is not there yet, and more of those wait already than we hold. */
  WEBTRANSPORT_BUFFERED_STREAM_REJECTED: 0x3994bd84,
  /** A stream of a WebTransport session that is over, or never was one. */
  WEBTRANSPORT_SESSION_GONE: 0x170d7b68,
} as const

const NAMES = new Map<number, string>(Object.entries(H3ErrorCode).map(([name, code]) => [code, name]))

/** The name of an error code as the RFCs write it, e.g. `H3_NO_ERROR`; for others its number, e.g. `0x21`. */
export function errorName(code: number): string {
  return NAMES.get(code) ?? `0x${code.toString(16)}`
}
