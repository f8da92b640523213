/**
 * PATH_RESPONSE, RFC 9000 §19.18: the answer to a PATH_CHALLENGE, on the path on which that came.
 *
 *   PATH_RESPONSE Frame {
 *     Type (i) = 0x1b,
 *     Data (64),                   of the challenge
 *   }
 */

import type { WireReader } from '../wire-reader.ts'
import type { WireWriter } from '../wire-writer.ts'
import { PATH_RESPONSE } from './frame-types.ts'
import type { FrameVisitor } from './frame-visitor.ts'
import { PATH_DATA_LENGTH } from './path-challenge-frame.ts'

export function readPathResponse(from: WireReader, visitor: FrameVisitor): void {
  visitor.onPathResponse(from.take(PATH_DATA_LENGTH))
}

export function appendPathResponse(to: WireWriter, data: Uint8Array): void {
  to.u8(PATH_RESPONSE)
  to.write(data)
}
