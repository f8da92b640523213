/**
 * STREAMS_BLOCKED, RFC 9000 §19.14: one more stream would be opened if MAX_STREAMS let it.
 *
 *   STREAMS_BLOCKED Frame {
 *     Type (i) = 0x16..0x17,       bidirectional, unidirectional
 *     Maximum Streams (i),         the limit that is in the way
 *   }
 */

import type { WireReader } from '../wire-reader.ts'
import type { WireWriter } from '../wire-writer.ts'
import { STREAMS_BLOCKED_BIDI, STREAMS_BLOCKED_UNI } from './frame-types.ts'
import type { FrameVisitor, StreamKind } from './frame-visitor.ts'
import { readStreamCount } from './max-streams-frame.ts'

export function readStreamsBlocked(type: number, from: WireReader, visitor: FrameVisitor): void {
  visitor.onStreamsBlocked(type === STREAMS_BLOCKED_BIDI ? 'bidi' : 'uni', readStreamCount(from))
}

export function appendStreamsBlocked(to: WireWriter, kind: StreamKind, limit: number): void {
  to.u8(kind === 'bidi' ? STREAMS_BLOCKED_BIDI : STREAMS_BLOCKED_UNI)
  to.varint(limit)
}
