/**
 * PADDING, RFC 9000 §19.1: one byte that makes a packet larger, and says nothing.
 *
 *   PADDING Frame {
 *     Type (i) = 0x00,
 *   }
 */

import type { WireReader } from '../wire-reader.ts'
import type { WireWriter } from '../wire-writer.ts'
import { PADDING } from './frame-types.ts'

/** Skips all that follow one another: they come by the thousand. */
export function skipPadding(from: WireReader): void {
  while (from.offset < from.end && from.bytes[from.offset] === PADDING) from.offset++
}

export function appendPadding(to: WireWriter, length: number): void {
  to.zeros(length)
}
