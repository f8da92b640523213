/** How a tunnel ended, in words for logs and for people: who ended it, with which code, and why. */

import type { CarrierEnd } from './carrier.ts'
import type { CloseReason } from './http-connection.ts'

/** `the peer reset the request stream: H3_REQUEST_CANCELLED`. */
export function resetByPeer(code: string): string {
  return `the peer reset the request stream: ${code}`
}

/** The peer reads no more capsules. */
export function stoppedByPeer(code: string): string {
  return `the peer stopped reading the request stream: ${code}`
}

/** `we reset the request stream: H3_MESSAGE_ERROR (the stream ended inside a capsule)`. */
export function resetByUs(code: string, why: string): string {
  return `we reset the request stream: ${code} (${why})`
}

/** `the connection was closed by the peer: H3_NO_ERROR`, `the connection timed out: nothing was heard from the peer`. */
export function connectionEnded({ source, orderly, reason, text }: CloseReason): CarrierEnd {
  const silent = source === 'timeout'
  return {
    orderly,
    silent,
    reason: silent ? `the connection timed out: ${reason}` : `the connection was closed ${text}`,
  }
}

/** The request stream was closed in good order, first by us or by the peer. */
export function closedTunnel(by: 'us' | 'peer', why = ''): string {
  return `${by === 'us' ? 'we' : 'the peer'} closed the tunnel${why === '' ? '' : `: ${why}`}`
}
