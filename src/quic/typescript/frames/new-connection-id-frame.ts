/**
 * NEW_CONNECTION_ID, RFC 9000 §19.15: one more id by which the frame's sender can be called.
 *
 *   NEW_CONNECTION_ID Frame {
 *     Type (i) = 0x18,
 *     Sequence Number (i),
 *     Retire Prior To (i),         ids below are to be retired
 *     Length (8),                  1 to 20
 *     Connection ID (8..160),
 *     Stateless Reset Token (128),
 *   }
 */

import { LONGEST_CONNECTION_ID } from '../packets/long-header.ts'
import { RESET_TOKEN_LENGTH } from '../stateless-reset.ts'
import type { WireReader } from '../wire-reader.ts'
import type { WireWriter } from '../wire-writer.ts'
import { NEW_CONNECTION_ID } from './frame-types.ts'
import type { FrameVisitor } from './frame-visitor.ts'

export function readNewConnectionId(from: WireReader, visitor: FrameVisitor): void {
  const sequence = from.varint()
  const retirePriorTo = from.varint()
  if (retirePriorTo > sequence) throw from.error('NEW_CONNECTION_ID retires the id that it gives')
  const length = from.u8()
  if (length < 1 || length > LONGEST_CONNECTION_ID)
    throw from.error(`a connection id of ${length} bytes; 1 to 20 expected`)
  visitor.onNewConnectionId(sequence, retirePriorTo, from.take(length), from.take(RESET_TOKEN_LENGTH))
}

export function appendNewConnectionId(
  to: WireWriter,
  sequence: number,
  retirePriorTo: number,
  id: Uint8Array,
  resetToken: Uint8Array,
): void {
  to.u8(NEW_CONNECTION_ID)
  to.varint(sequence)
  to.varint(retirePriorTo)
  to.u8(id.length)
  to.write(id)
  to.write(resetToken)
}
