/**
 * NEW_TOKEN, RFC 9000 §19.7: with this a client can show its address again, in the Initial of a later connection.
 *
 *   NEW_TOKEN Frame {
 *     Type (i) = 0x07,
 *     Token Length (i),
 *     Token (..),
 *   }
 */

import type { WireReader } from '../wire-reader.ts'
import type { WireWriter } from '../wire-writer.ts'
import { NEW_TOKEN } from './frame-types.ts'
import type { FrameVisitor } from './frame-visitor.ts'

export function readNewToken(from: WireReader, visitor: FrameVisitor): void {
  const token = from.take(from.varint())
  if (token.length === 0) throw from.error('NEW_TOKEN with an empty token')
  visitor.onNewToken(token)
}

export function appendNewToken(to: WireWriter, token: Uint8Array): void {
  to.u8(NEW_TOKEN)
  to.varint(token.length)
  to.write(token)
}
