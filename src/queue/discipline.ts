/**
 * The discipline of a send queue: which of the packets that wait for a tunnel's carrier leaves next, and which never does.
 *
 *   tunnel ── enqueue(packet, now) ──▶ discipline ── dequeue(now) ──▶ carrier: a few packets at a time
 *                                          │
 *                                          └── onDrop(reason): counted, by reason
 *
 * Sans-IO: time is an argument, in ms on a clock that never goes back. A discipline of your own is a class with these methods, and a name
 * in carriers/send-queue.ts.
 */

/** `queue-full`: it was one too many. `queue-delay`: the queue was long for too long (CoDel). */
export type QueueDropReason = 'queue-full' | 'queue-delay'

export interface QueueDiscipline {
  /** How many packets wait, and their bytes. */
  readonly packets: number
  readonly bytes: number
  /** Less waits than may: a sender that can wait goes on now. */
  readonly hasRoom: boolean
  /** Takes a copy of the packet. That, or another one, is dropped when there is no room. */
  enqueue(packet: Uint8Array, now: number): void
  /** The packet that leaves now; perhaps others are dropped instead. undefined: none waits any more. */
  dequeue(now: number): Uint8Array | undefined
}

/** What may wait in one tunnel. As many packets as wait in QUIC by default, and as many bytes as 1024 packets of 2 KiB have. */
export const QUEUE_LIMITS = { packets: 1024, bytes: 2 << 20 } as const

export interface DisciplineOptions {
  limits?: { readonly packets: number; readonly bytes: number }
  /** A packet is gone that was enqueued. */
  onDrop?: (reason: QueueDropReason) => void
}
