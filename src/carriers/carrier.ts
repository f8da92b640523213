/**
 * What CONNECT-IP needs from the HTTP version below it: a byte stream for capsules and a way to send packets.
 *
 * One carrier is one tunnel: one request stream and the datagrams that belong to it.
 */

import type { AbortReason } from '../http/errors.ts'

/**
 * How IP packets travel.
 * - `datagram`: one packet in one QUIC DATAGRAM frame (RFC 9484 §6, RFC 9297 §2.1). The default.
 * - `single-stream`: DATAGRAM capsules on the request stream (RFC 9297 §3.5): reliable, in order, and so each
 *   lost packet holds up all that follow.
 * - `stream-per-packet`: each packet on a new unidirectional stream of its own. Not in any RFC: a private
 *   extension, here to be measured against the other two. Reliable, not in order.
 */
export type Encapsulation = 'datagram' | 'stream-per-packet' | 'single-stream'

/**
 * The header field by which client and proxy agree on an encapsulation that is not the default: a list, in the request
 * and, when the proxy agrees, the same in the response. The first is what both send; packets may arrive in the others,
 * too. Without it nobody opens streams of a private type, and nobody takes them for anything.
 */
export const ENCAPSULATION_HEADER = 'masque-lab-encapsulation'

/** `dropped`: a queue was full. `too-large`: the packet does not fit `mtu`. */
export type SendResult = 'sent' | 'dropped' | 'too-large'

/** What waits to be sent in a tunnel whose packets travel on its request stream, and what has come of it so far. */
export interface SendBacklog {
  /** Bytes that wait now: for the peer to take them, or for what the path has lost to be sent again. */
  readonly bytes: number
  /** How long there was no room for one more packet, in ms, over the life of the tunnel. */
  readonly blockedMs: number
  /** Packets that found no room. */
  readonly dropped: number
}

/**
 * Of a carrier whose packets wait for QUIC to send them: for a tunnel with a send queue of its own (send-queue.ts), which hands over only a
 * few at a time, so that they wait where its discipline sees them.
 */
export interface Egress {
  /** Fewer packets wait in QUIC than it needs to be busy. */
  readonly wantsPackets: boolean
  /** Asks for one `onRoom`: as soon as it wants packets, and those have had their turn who have asked before. */
  awaitRoom(): void
}

export interface CarrierHandler {
  /** Bytes of the capsule stream, cut anywhere. Valid during the call only. */
  onCapsuleBytes(bytes: Uint8Array): void
  /** An HTTP Datagram payload: context id and the rest. Valid during the call only. */
  onDatagram(payload: Uint8Array): void
  /** `mtu` or `mtuSettled` of the carrier may have changed. */
  onMtu(): void
  /** What `egress.awaitRoom` has asked for. */
  onRoom?(): void
  /** The peer has ended its half of the request stream. */
  onEnd(): void
  /** The request stream or the connection below it is gone. The last call. */
  onAborted(end: CarrierEnd): void
}

/** How a carrier ended that was not closed by both ends. */
export interface CarrierEnd {
  /** The peer, or the connection, had nothing to complain about. */
  readonly orderly: boolean
  /** Who ended it and why; see end-reason.ts. */
  readonly reason: string
  /** Nobody has ended it: nothing was heard any more. */
  readonly silent?: boolean
}

export interface Carrier {
  readonly encapsulation: Encapsulation
  /** The largest IP packet that fits, in bytes; it may change while the connection learns about its path. */
  readonly mtu: number
  /** Whether `mtu` is known to be what the path carries; false while that is being searched for. */
  readonly mtuSettled: boolean
  handler: CarrierHandler
  sendCapsules(bytes: Uint8Array): void
  /** Bytes of the capsule stream that the peer has not taken yet. */
  readonly capsulesWaiting: number
  /** Sends one IP packet in context 0. */
  sendPacket(packet: Uint8Array): SendResult
  /** Sends an HTTP Datagram payload of any context: context id and the rest. Of a carrier whose packets travel in QUIC datagrams. */
  sendDatagram?(payload: Uint8Array): SendResult
  /** Room for one more packet now, so that a fast sender can wait instead of being dropped. */
  readonly writable: boolean
  /** Of a carrier that sends its packets on the request stream. */
  readonly backlog?: SendBacklog
  /** Of a carrier that sends its packets in QUIC datagrams. */
  readonly egress?: Egress
  /** Ends our half of the request stream in good order. */
  end(): void
  /** Ends both halves at once; returns the name of the error code that the peer sees. */
  abort(reason: AbortReason): string
}
