/** How a tunnel ended, in words for logs and for people: who ended it, with which code, and why. */

import { errorName } from '../http3/error-codes.ts'
import type { QuicCloseReason } from '../quic/quic.ts'
import { describeClose } from './h3/close-reason.ts'

/** `the peer reset the request stream: H3_REQUEST_CANCELLED`. */
export function resetByPeer(code: number): string {
  return `the peer reset the request stream: ${errorName(code)}`
}

/** STOP_SENDING: the peer reads no more capsules. */
export function stoppedByPeer(code: number): string {
  return `the peer stopped reading the request stream: ${errorName(code)}`
}

/** `we reset the request stream: H3_MESSAGE_ERROR (the stream ended inside a capsule)`. */
export function resetByUs(code: number, why: string): string {
  return `we reset the request stream: ${errorName(code)} (${why})`
}

/** `the connection was closed by the peer: H3_NO_ERROR`, `the connection timed out: nothing was heard from the peer`. */
export function connectionEnded(reason: QuicCloseReason): string {
  if (reason.source === 'timeout') return `the connection timed out: ${reason.reason}`
  return `the connection was closed ${describeClose(reason)}`
}

/** The request stream was closed in good order, first by us or by the peer. */
export function closedTunnel(by: 'us' | 'peer', why = ''): string {
  return `${by === 'us' ? 'we' : 'the peer'} closed the tunnel${why === '' ? '' : `: ${why}`}`
}
