/**
 * STOP_SENDING, RFC 9000 §19.5: what arrives on this stream is thrown away from now on; its sender should reset it.
 *
 *   STOP_SENDING Frame {
 *     Type (i) = 0x05,
 *     Stream ID (i),
 *     Application Protocol Error Code (i),
 *   }
 */

import type { WireReader } from '../wire-reader.ts'
import type { WireWriter } from '../wire-writer.ts'
import { STOP_SENDING } from './frame-types.ts'
import type { FrameVisitor } from './frame-visitor.ts'

export function readStopSending(from: WireReader, visitor: FrameVisitor): void {
  visitor.onStopSending(from.varint(), from.varint())
}

export function appendStopSending(to: WireWriter, streamId: number, errorCode: number): void {
  to.u8(STOP_SENDING)
  to.varint(streamId)
  to.varint(errorCode)
}
