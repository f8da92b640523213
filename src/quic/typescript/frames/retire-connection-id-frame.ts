/**
 * RETIRE_CONNECTION_ID, RFC 9000 §19.16: the frame's sender calls its receiver by this id no more.
 *
 *   RETIRE_CONNECTION_ID Frame {
 *     Type (i) = 0x19,
 *     Sequence Number (i),
 *   }
 */

import type { WireReader } from '../wire-reader.ts'
import type { WireWriter } from '../wire-writer.ts'
import { RETIRE_CONNECTION_ID } from './frame-types.ts'
import type { FrameVisitor } from './frame-visitor.ts'

export function readRetireConnectionId(from: WireReader, visitor: FrameVisitor): void {
  visitor.onRetireConnectionId(from.varint())
}

export function appendRetireConnectionId(to: WireWriter, sequence: number): void {
  to.u8(RETIRE_CONNECTION_ID)
  to.varint(sequence)
}
