import type { PacketNumberSpace } from '../packet-number-space.ts'
import type { FrameVisitor } from './frame-visitor.ts'

/** What `readFrames` says of the packet, bits that may be set together. */
export const ACK_ELICITING = 1
/** It has a frame which is not one of those that only test a path (RFC 9000 §9.1). */
export const NON_PROBING = 2

/**
 * Calls the visitor for each frame, in order. Throws TransportError for what RFC 9000 §12.4 and §19 do not allow.
 * Returns ACK_ELICITING | NON_PROBING.
 */
export function readFrames(
  _payload: Uint8Array,
  _space: PacketNumberSpace,
  _from: 'client' | 'server',
  _visitor: FrameVisitor,
): number {
  throw new Error('to be written')
}
