/**
 * MAX_STREAMS, RFC 9000 §19.11: how many streams of a kind may be opened, since the connection began.
 *
 *   MAX_STREAMS Frame {
 *     Type (i) = 0x12..0x13,       bidirectional, unidirectional
 *     Maximum Streams (i),
 *   }
 */

import type { WireReader } from '../wire-reader.ts'
import type { WireWriter } from '../wire-writer.ts'
import { MAX_STREAMS_BIDI, MAX_STREAMS_UNI } from './frame-types.ts'
import type { FrameVisitor, StreamKind } from './frame-visitor.ts'

/** More would be stream ids that no varint can hold (RFC 9000 §4.6). */
export const MOST_STREAMS = 2 ** 60

export function readMaxStreams(type: number, from: WireReader, visitor: FrameVisitor): void {
  visitor.onMaxStreams(type === MAX_STREAMS_BIDI ? 'bidi' : 'uni', readStreamCount(from))
}

export function readStreamCount(from: WireReader): number {
  const count = from.varint()
  if (count > MOST_STREAMS) throw from.error('a limit of more than 2^60 streams')
  return count
}

export function appendMaxStreams(to: WireWriter, kind: StreamKind, maximum: number): void {
  to.u8(kind === 'bidi' ? MAX_STREAMS_BIDI : MAX_STREAMS_UNI)
  to.varint(maximum)
}
