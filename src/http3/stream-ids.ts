/**
 * Stream ids, RFC 9000 §2.1.
 *
 *   Bits   Stream Type
 *   0x00   Client-Initiated, Bidirectional    (requests)
 *   0x01   Server-Initiated, Bidirectional    (not used by HTTP/3)
 *   0x02   Client-Initiated, Unidirectional
 *   0x03   Server-Initiated, Unidirectional
 */

import { H3ErrorCode } from './error-codes.ts'
import { H3Error } from './errors.ts'

export function isClientInitiated(streamId: number): boolean {
  return streamId % 2 === 0
}

export function isUnidirectional(streamId: number): boolean {
  return streamId % 4 >= 2
}

/**
 * Which of the peer's streams of one type were seen before.
 *
 * Streams can appear out of order (stream 8 before stream 4, when a packet was lost), and a finished stream must
 * not be mistaken for a new one. So this remembers the highest id and the gaps below it. The gaps are bounded by
 * QUIC's own stream limit, because QUIC counts a skipped stream as open.
 */
export class SeenStreams {
  readonly #firstId: number
  readonly #maxGaps: number
  readonly #gaps = new Set<number>()
  /** The id that the next stream in sequence has. */
  #next: number

  /** `firstId`: 0 to 3, the first id of the type. `maxGaps`: how many ids may be skipped and still be unseen. */
  constructor(firstId: number, maxGaps: number) {
    this.#firstId = firstId
    this.#next = firstId
    this.#maxGaps = maxGaps
  }

  /** One beyond the highest seen: the lowest id that is certainly new. */
  get next(): number {
    return this.#next
  }

  /** How many have been seen. */
  get count(): number {
    return (this.#next - this.#firstId) / 4 - this.#gaps.size
  }

  /** Has this stream not been seen yet? */
  isNew(streamId: number): boolean {
    return streamId >= this.#next || this.#gaps.has(streamId)
  }

  /** Notes a stream. Returns false when too many ids were skipped: the peer is beyond any limit that we gave it. */
  see(streamId: number): boolean {
    if (streamId < this.#next) {
      this.#gaps.delete(streamId)
      return true
    }
    const skipped = (streamId - this.#next) / 4
    if (this.#gaps.size + skipped > this.#maxGaps) return false
    for (let id = this.#next; id < streamId; id += 4) this.#gaps.add(id)
    this.#next = streamId + 4
    return true
  }
}

/** The error for a stream that is beyond the limits: QUIC should not have let it through. */
export function tooManyStreams(streamId: number): H3Error {
  return new H3Error(H3ErrorCode.H3_EXCESSIVE_LOAD, `stream ${streamId}: too many streams are open or were skipped`)
}
