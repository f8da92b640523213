/**
 * MAX_STREAM_DATA, RFC 9000 §19.10: up to which offset of a stream may be sent.
 *
 *   MAX_STREAM_DATA Frame {
 *     Type (i) = 0x11,
 *     Stream ID (i),
 *     Maximum Stream Data (i),
 *   }
 */

import type { WireReader } from '../wire-reader.ts'
import type { WireWriter } from '../wire-writer.ts'
import { MAX_STREAM_DATA } from './frame-types.ts'
import type { FrameVisitor } from './frame-visitor.ts'

export function readMaxStreamData(from: WireReader, visitor: FrameVisitor): void {
  visitor.onMaxStreamData(from.varint(), from.varint())
}

export function appendMaxStreamData(to: WireWriter, streamId: number, maximum: number): void {
  to.u8(MAX_STREAM_DATA)
  to.varint(streamId)
  to.varint(maximum)
}
