/**
 * Unidirectional streams of ours that have ended and whose data the peer has not acknowledged. An engine keeps something for each
 * (quiche some 4 KiB, however little the stream holds), and how many there are would else be up to the peer, who grants them.
 */

const MAX_UNACKNOWLEDGED_STREAMS = 256

export class UnacknowledgedStreams {
  /** As far as we know. */
  readonly #streams = new Set<number>()
  /** What arrived since they were last looked through may have acknowledged some of them. */
  #mayBeAcknowledged = false

  add(streamId: number): void {
    this.#streams.add(streamId)
  }

  onPacket(): void {
    this.#mayBeAcknowledged = true
  }

  /** Whether there may be one more. */
  hasRoom(isAcknowledged: (streamId: number) => boolean): boolean {
    if (this.#streams.size < MAX_UNACKNOWLEDGED_STREAMS) return true
    if (!this.#mayBeAcknowledged) return false
    this.#mayBeAcknowledged = false
    for (const streamId of this.#streams) if (isAcknowledged(streamId)) this.#streams.delete(streamId)
    return this.#streams.size < MAX_UNACKNOWLEDGED_STREAMS
  }
}
