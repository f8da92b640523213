/**
 * DATA_BLOCKED, RFC 9000 §19.12: there is more to send than MAX_DATA lets through.
 *
 *   DATA_BLOCKED Frame {
 *     Type (i) = 0x14,
 *     Maximum Data (i),            the limit that is in the way
 *   }
 */

import type { WireReader } from '../wire-reader.ts'
import type { WireWriter } from '../wire-writer.ts'
import { DATA_BLOCKED } from './frame-types.ts'
import type { FrameVisitor } from './frame-visitor.ts'

export function readDataBlocked(from: WireReader, visitor: FrameVisitor): void {
  visitor.onDataBlocked(from.varint())
}

export function appendDataBlocked(to: WireWriter, limit: number): void {
  to.u8(DATA_BLOCKED)
  to.varint(limit)
}
