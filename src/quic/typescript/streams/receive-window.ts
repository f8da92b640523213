/**
 * Flow control of what we receive (RFC 9000 §4.1): of one stream, or of all together.
 *
 *      read          received             limit
 *     ───┼──────────────┼───────────────────┤
 *        │←──────────── window ────────────→│      MAX_DATA or MAX_STREAM_DATA, when half of it is used up
 *
 * The window doubles, up to its maximum, when half of it is read within two round trips: then it is what holds the peer back.
 */
import { appendMaxData } from '../frames/max-data-frame.ts'
import { appendMaxStreamData } from '../frames/max-stream-data-frame.ts'
import type { SentContent } from '../recovery/sent-packet.ts'
import { FLOW_CONTROL_ERROR, TransportError } from '../transport-error.ts'
import type { WireWriter } from '../wire-writer.ts'
import type { FrameSource } from './frame-source.ts'

/** The longest frame, in bytes. */
const ROOM = 1 + 8 + 8

const ROUND_TRIPS = 2

export interface WindowOwner {
  /** MAX_DATA or MAX_STREAM_DATA is to be sent. */
  wantsUpdate(window: ReceiveWindow): void
  /** In ms. */
  readonly now: number
  /** Smoothed, in ms. */
  readonly rttMs: () => number
}

export class ReceiveWindow implements FrameSource, SentContent {
  isQueued = false
  wantsToSend = false
  #limit: number
  #received = 0
  #read = 0
  #size: number
  #updatedAt: number | undefined
  #isOver = false
  readonly #most: number
  readonly #streamId: number | undefined
  readonly #owner: WindowOwner

  /** `size`: at first, and `most`, in bytes. `streamId`: undefined for the whole connection. */
  constructor(size: number, most: number, streamId: number | undefined, owner: WindowOwner) {
    this.#limit = size
    this.#size = size
    this.#most = Math.max(size, most)
    this.#streamId = streamId
    this.#owner = owner
  }

  get limit(): number {
    return this.#limit
  }

  /** So many more bytes have come, whether they can be read or not. */
  onReceived(bytes: number): void {
    if (this.#received + bytes > this.#limit) {
      const what = this.#streamId === undefined ? 'the connection' : `stream ${this.#streamId}`
      throw new TransportError(FLOW_CONTROL_ERROR, `more than ${this.#limit} bytes on ${what}`)
    }
    this.#received += bytes
  }

  /** So many more bytes were read, or will not be. */
  onRead(bytes: number): void {
    const { now, rttMs } = this.#owner
    this.#read += bytes
    this.#updatedAt ??= now
    if (this.#isOver || this.#limit - this.#read >= this.#size / 2) return
    if (now - this.#updatedAt < ROUND_TRIPS * rttMs()) this.#size = Math.min(2 * this.#size, this.#most)
    this.#updatedAt = now
    this.#limit = this.#read + this.#size
    this.#update()
  }

  /** All has come that will come. */
  close(): void {
    this.#isOver = true
    this.wantsToSend = false
  }

  writeFrame(out: WireWriter, content: SentContent[]): boolean {
    if (out.remaining < ROOM) return false
    if (this.#streamId === undefined) appendMaxData(out, this.#limit)
    else appendMaxStreamData(out, this.#streamId, this.#limit)
    this.wantsToSend = false
    content.push(this)
    return true
  }

  onAcked(): void {}

  /** RFC 9000 §13.3: what is sent then is what is true then. */
  onLost(): void {
    if (!this.#isOver) this.#update()
  }

  #update(): void {
    this.wantsToSend = true
    this.#owner.wantsUpdate(this)
  }
}
