/**
 * STREAM, RFC 9000 §19.8: a piece of a stream, which is opened by the first of them.
 *
 *   STREAM Frame {
 *     Type (i) = 0x08..0x0f,       0b00001 OFF LEN FIN
 *     Stream ID (i),
 *     [Offset (i)],                if OFF; else 0
 *     [Length (i)],                if LEN; else up to the end of the packet
 *     Stream Data (..),
 *   }
 */

import { LARGEST_VARINT, varintNumberLength } from '../varint-number.ts'
import type { WireReader } from '../wire-reader.ts'
import type { WireWriter } from '../wire-writer.ts'
import { appendDataLength, dataThatFitsBehindTwo } from './data-length.ts'
import { STREAM } from './frame-types.ts'
import type { FrameVisitor } from './frame-visitor.ts'

const OFF = 0x04
const LEN = 0x02
const FIN = 0x01

export function readStream(type: number, from: WireReader, visitor: FrameVisitor): void {
  const streamId = from.varint()
  const offset = type & OFF ? from.varint() : 0
  const data = type & LEN ? from.take(from.varint()) : from.rest()
  if (offset + data.length > LARGEST_VARINT) throw from.error('stream data goes beyond offset 2^62-1')
  visitor.onStream(streamId, offset, data, (type & FIN) !== 0)
}

export function appendStream(to: WireWriter, streamId: number, offset: number, data: Uint8Array, fin: boolean): void {
  appendStreamHeader(to, streamId, offset, data.length, fin)
  to.write(data)
}

/** The same up to its data, `length` bytes of which are to be written behind it. */
export function appendStreamHeader(
  to: WireWriter,
  streamId: number,
  offset: number,
  length: number,
  fin: boolean,
): void {
  to.u8(STREAM | OFF | LEN | (fin ? FIN : 0))
  to.varint(streamId)
  to.varint(offset)
  appendDataLength(to, length)
}

/** How many bytes of data such a frame can have in so much room. 0: none, but it may end the stream; less: it does not fit. */
export function streamDataThatFits(room: number, streamId: number, offset: number): number {
  return dataThatFitsBehindTwo(room - 1 - varintNumberLength(streamId) - varintNumberLength(offset))
}
