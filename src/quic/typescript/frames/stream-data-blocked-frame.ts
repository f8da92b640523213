/**
 * STREAM_DATA_BLOCKED, RFC 9000 §19.13: there is more to send than MAX_STREAM_DATA lets through.
 *
 *   STREAM_DATA_BLOCKED Frame {
 *     Type (i) = 0x15,
 *     Stream ID (i),
 *     Maximum Stream Data (i),     the limit that is in the way
 *   }
 */

import type { WireReader } from '../wire-reader.ts'
import type { WireWriter } from '../wire-writer.ts'
import { STREAM_DATA_BLOCKED } from './frame-types.ts'
import type { FrameVisitor } from './frame-visitor.ts'

export function readStreamDataBlocked(from: WireReader, visitor: FrameVisitor): void {
  visitor.onStreamDataBlocked(from.varint(), from.varint())
}

export function appendStreamDataBlocked(to: WireWriter, streamId: number, limit: number): void {
  to.u8(STREAM_DATA_BLOCKED)
  to.varint(streamId)
  to.varint(limit)
}
