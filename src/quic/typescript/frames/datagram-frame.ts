/**
 * DATAGRAM, RFC 9221 §4: data that is sent once, and not again when it is lost.
 *
 *   DATAGRAM Frame {
 *     Type (i) = 0x30..0x31,
 *     [Length (i)],                0x31 only; else up to the end of the packet
 *     Datagram Data (..),
 *   }
 */

import type { WireReader } from '../wire-reader.ts'
import type { WireWriter } from '../wire-writer.ts'
import { appendDataLength, dataLengthLength, dataThatFitsBehindTwo } from './data-length.ts'
import { DATAGRAM_WITH_LENGTH } from './frame-types.ts'
import type { FrameVisitor } from './frame-visitor.ts'

export function readDatagram(type: number, from: WireReader, visitor: FrameVisitor): void {
  const before = from.offset
  const data = type === DATAGRAM_WITH_LENGTH ? from.take(from.varint()) : from.rest()
  visitor.onDatagram(data, 1 + from.offset - before)
}

/** With a Length, so that others can follow. */
export function appendDatagram(to: WireWriter, data: Uint8Array): void {
  to.u8(DATAGRAM_WITH_LENGTH)
  appendDataLength(to, data.length)
  to.write(data)
}

/** How long the whole frame is, with its Length. */
export function datagramFrameLength(dataLength: number): number {
  return 1 + dataLengthLength(dataLength) + dataLength
}

/** How many bytes of data such a frame can have in so much room; below 0: it does not fit. */
export function datagramDataThatFits(room: number): number {
  return dataThatFitsBehindTwo(room - 1)
}
