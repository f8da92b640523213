/**
 * Packets as DATAGRAM capsules on the request stream (RFC 9297 §3.5): the encapsulation `single-stream`, on any version of HTTP.
 *
 * A stream is reliable and in order, so that whatever the path loses holds up all that follows. What waits meanwhile is bounded
 * here: a packet that finds the queue full is dropped, as a router would do it, and the three counters show it.
 */

import { encodeDatagramCapsule } from '../connect-ip/datagram-capsule.ts'
import type { SendBacklog, SendResult } from './carrier.ts'

/** On streams nothing limits the size of a packet; this is what an Ethernet host expects. */
export const STREAM_MTU = 1500

/** Packets are dropped when so many bytes already wait for the peer to take them. */
export const MAX_STREAM_BACKLOG = 256 * 1024

/** The stream below. */
export interface CapsuleStream {
  /** Bytes that were written and have not left yet. */
  readonly buffered: number
  write(bytes: Uint8Array): void
}

export class CapsulePackets {
  readonly #stream: CapsuleStream
  readonly #now: () => number
  #dropped = 0
  #blockedMs = 0
  /** Since when there has been no room. */
  #fullSince: number | undefined

  /** `now`: a clock that never goes back, in ms. */
  constructor(stream: CapsuleStream, now: () => number = () => performance.now()) {
    this.#stream = stream
    this.#now = now
  }

  get writable(): boolean {
    const full = this.#stream.buffered >= MAX_STREAM_BACKLOG
    if (full) this.#fullSince ??= this.#now()
    else if (this.#fullSince !== undefined) {
      this.#blockedMs += this.#now() - this.#fullSince
      this.#fullSince = undefined
    }
    return !full
  }

  get backlog(): SendBacklog {
    const full = !this.writable
    const blockedNow = full && this.#fullSince !== undefined ? this.#now() - this.#fullSince : 0
    return { bytes: this.#stream.buffered, blockedMs: this.#blockedMs + blockedNow, dropped: this.#dropped }
  }

  send(packet: Uint8Array): SendResult {
    if (packet.length > STREAM_MTU) return 'too-large'
    if (!this.writable) {
      this.#dropped++
      return 'dropped'
    }
    this.#stream.write(encodeDatagramCapsule(packet))
    return 'sent'
  }
}
