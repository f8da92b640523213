/**
 * HANDSHAKE_DONE, RFC 9000 §19.20: a server tells its client that the handshake is confirmed.
 *
 *   HANDSHAKE_DONE Frame {
 *     Type (i) = 0x1e,
 *   }
 */

import type { WireWriter } from '../wire-writer.ts'
import { HANDSHAKE_DONE } from './frame-types.ts'

export function appendHandshakeDone(to: WireWriter): void {
  to.u8(HANDSHAKE_DONE)
}
