/**
 * MAX_DATA, RFC 9000 §19.9: how many bytes of all streams together may be sent, since the connection began.
 *
 *   MAX_DATA Frame {
 *     Type (i) = 0x10,
 *     Maximum Data (i),
 *   }
 */

import type { WireReader } from '../wire-reader.ts'
import type { WireWriter } from '../wire-writer.ts'
import { MAX_DATA } from './frame-types.ts'
import type { FrameVisitor } from './frame-visitor.ts'

export function readMaxData(from: WireReader, visitor: FrameVisitor): void {
  visitor.onMaxData(from.varint())
}

export function appendMaxData(to: WireWriter, maximum: number): void {
  to.u8(MAX_DATA)
  to.varint(maximum)
}
