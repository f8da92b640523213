/**
 * RESET_STREAM, RFC 9000 §19.4: the sender ends its half of a stream, whose data may never arrive.
 *
 *   RESET_STREAM Frame {
 *     Type (i) = 0x04,
 *     Stream ID (i),
 *     Application Protocol Error Code (i),
 *     Final Size (i),
 *   }
 */

import type { WireReader } from '../wire-reader.ts'
import type { WireWriter } from '../wire-writer.ts'
import { RESET_STREAM } from './frame-types.ts'
import type { FrameVisitor } from './frame-visitor.ts'

export function readResetStream(from: WireReader, visitor: FrameVisitor): void {
  visitor.onResetStream(from.varint(), from.varint(), from.varint())
}

export function appendResetStream(to: WireWriter, streamId: number, errorCode: number, finalSize: number): void {
  to.u8(RESET_STREAM)
  to.varint(streamId)
  to.varint(errorCode)
  to.varint(finalSize)
}
