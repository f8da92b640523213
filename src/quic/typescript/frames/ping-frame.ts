/**
 * PING, RFC 9000 §19.2: nothing but something to acknowledge.
 *
 *   PING Frame {
 *     Type (i) = 0x01,
 *   }
 */

import type { WireWriter } from '../wire-writer.ts'
import { PING } from './frame-types.ts'

export function appendPing(to: WireWriter): void {
  to.u8(PING)
}
