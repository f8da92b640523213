/**
 * CONNECTION_CLOSE, RFC 9000 §19.19: the connection ends, and why. 0x1c: QUIC's own reason; 0x1d: the application's.
 *
 *   CONNECTION_CLOSE Frame {
 *     Type (i) = 0x1c..0x1d,
 *     Error Code (i),
 *     [Frame Type (i)],            0x1c only: the frame that was wrong, or 0
 *     Reason Phrase Length (i),
 *     Reason Phrase (..),          UTF-8, for people
 *   }
 */

import { varintNumberLength } from '../varint-number.ts'
import type { WireReader } from '../wire-reader.ts'
import type { WireWriter } from '../wire-writer.ts'
import { dataThatFits } from './data-length.ts'
import { CONNECTION_CLOSE, CONNECTION_CLOSE_APPLICATION } from './frame-types.ts'
import type { FrameVisitor } from './frame-visitor.ts'

export function readConnectionClose(type: number, from: WireReader, visitor: FrameVisitor): void {
  const application = type === CONNECTION_CLOSE_APPLICATION
  const errorCode = from.varint()
  const frameType = application ? undefined : from.varint()
  visitor.onConnectionClose(application, errorCode, frameType, from.take(from.varint()))
}

/** A reason for which there is no room is cut short. `frameType`: of QUIC's own only. */
export function appendConnectionClose(
  to: WireWriter,
  application: boolean,
  errorCode: number,
  frameType: number,
  reason: Uint8Array,
): void {
  to.u8(application ? CONNECTION_CLOSE_APPLICATION : CONNECTION_CLOSE)
  to.varint(errorCode)
  if (!application) to.varint(frameType)
  const length = Math.min(reason.length, dataThatFits(to.remaining))
  to.varint(length)
  to.write(length < reason.length ? reason.subarray(0, length) : reason)
}

/** The shortest that can be sent: without a reason. */
export function shortestConnectionCloseLength(application: boolean, errorCode: number, frameType: number): number {
  return 1 + varintNumberLength(errorCode) + (application ? 0 : varintNumberLength(frameType)) + 1
}
