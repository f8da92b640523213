/**
 * PATH_CHALLENGE, RFC 9000 §19.17: whoever can send these bytes back is at the other end of the path.
 *
 *   PATH_CHALLENGE Frame {
 *     Type (i) = 0x1a,
 *     Data (64),
 *   }
 */

import type { WireReader } from '../wire-reader.ts'
import type { WireWriter } from '../wire-writer.ts'
import { PATH_CHALLENGE } from './frame-types.ts'
import type { FrameVisitor } from './frame-visitor.ts'

export const PATH_DATA_LENGTH = 8

export function readPathChallenge(from: WireReader, visitor: FrameVisitor): void {
  visitor.onPathChallenge(from.take(PATH_DATA_LENGTH))
}

export function appendPathChallenge(to: WireWriter, data: Uint8Array): void {
  to.u8(PATH_CHALLENGE)
  to.write(data)
}
