/**
 * Flow control of what we send (RFC 9000 §4.1): of one stream, or of all together.
 *
 *         used             limit
 *     ─────┼─────────────────┤      DATA_BLOCKED or STREAM_DATA_BLOCKED, when there is more to send than that
 */
import { appendDataBlocked } from '../frames/data-blocked-frame.ts'
import { appendStreamDataBlocked } from '../frames/stream-data-blocked-frame.ts'
import type { SentContent } from '../recovery/sent-packet.ts'
import type { WireWriter } from '../wire-writer.ts'
import type { FrameQueue, FrameSource } from './frame-source.ts'

/** The longest frame, in bytes. */
const ROOM = 1 + 8 + 8

export class SendWindow implements FrameSource, SentContent {
  isQueued = false
  #limit: number
  #used = 0
  /** The limit that was in the way last; it is told once. */
  #blockedAt = -1
  #isDue = false
  #isOver = false
  readonly #streamId: number | undefined
  readonly #queue: FrameQueue

  /** `streamId`: undefined for the whole connection. */
  constructor(limit: number, streamId: number | undefined, queue: FrameQueue) {
    this.#limit = limit
    this.#streamId = streamId
    this.#queue = queue
  }

  /** How many more bytes may be sent. */
  get left(): number {
    return this.#limit - this.#used
  }

  /** Limits only rise (§4.1). */
  onLimit(limit: number): void {
    this.#limit = Math.max(this.#limit, limit)
  }

  use(bytes: number): void {
    this.#used += bytes
  }

  /** More would be sent if it could. */
  onBlocked(): void {
    if (this.#blockedAt === this.#limit) return
    this.#blockedAt = this.#limit
    this.#isDue = true
    this.#queue.add(this)
  }

  /** Nothing more will be sent: that it was held back is no news any more, and after a RESET_STREAM may not be told (§3.3). */
  close(): void {
    this.#limit = this.#used
    this.#blockedAt = this.#limit
    this.#isDue = false
    this.#isOver = true
  }

  get wantsToSend(): boolean {
    return this.#isDue && this.#blockedAt === this.#limit
  }

  writeFrame(out: WireWriter, content: SentContent[]): boolean {
    if (out.remaining < ROOM) return false
    if (this.#streamId === undefined) appendDataBlocked(out, this.#limit)
    else appendStreamDataBlocked(out, this.#streamId, this.#limit)
    this.#isDue = false
    content.push(this)
    return true
  }

  onAcked(): void {}

  onLost(): void {
    if (this.#isOver || this.#blockedAt !== this.#limit || this.left > 0) return
    this.#isDue = true
    this.#queue.add(this)
  }
}
