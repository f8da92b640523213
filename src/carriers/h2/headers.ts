/** Heads of messages between the form of http/header.ts and that of node:http2. */

import type { Http2Session, IncomingHttpHeaders, OutgoingHttpHeaders } from 'node:http2'
import { PeerFieldSectionLimit } from '../../http/errors.ts'
import type { Header } from '../../http/header.ts'

/** RFC 9113 §6.5.2: what each field line counts beside its name and value. */
const OVERHEAD = 32

/** RFC 9113 §10.5.1: bytes of a header section that we take, uncompressed. nghttp2 announces it, and lets four times as much pass. */
export const H2_HEADER_LIST_SIZE = 16 * 1024

export function isTooLarge(headers: readonly Header[]): boolean {
  return sizeOf(headers) > H2_HEADER_LIST_SIZE
}

function sizeOf(headers: readonly Header[]): number {
  return headers.reduce((sum, [name, value]) => sum + name.length + value.length + OVERHEAD, 0)
}

/**
 * Throws PeerFieldSectionLimit when the peer's SETTINGS_MAX_HEADER_LIST_SIZE is less than they have: then they SHOULD NOT be
 * sent (RFC 9113 §10.5.1).
 */
export function toNode(headers: readonly Header[], session: Http2Session): OutgoingHttpHeaders {
  const size = sizeOf(headers)
  const limit = session.remoteSettings.maxHeaderListSize
  if (limit !== undefined && size > limit) throw new PeerFieldSectionLimit(size, limit, 'SETTINGS_MAX_HEADER_LIST_SIZE')
  const out: OutgoingHttpHeaders = {}
  for (const [name, value] of headers) {
    const before = out[name]
    out[name] = before === undefined ? value : [before, value].flat().map(String)
  }
  return out
}

/** `lines`: names and values in turn, as node:http2 gives them; without them, what it has made of them. */
export function fromNode(headers: IncomingHttpHeaders, lines: unknown): Header[] {
  if (Array.isArray(lines)) {
    return Array.from({ length: lines.length / 2 }, (_, i): Header => [lines[2 * i], lines[2 * i + 1]])
  }
  return Object.entries(headers).flatMap(([name, value]) =>
    [value].flat().map((each): Header => [name, String(each ?? '')]),
  )
}
