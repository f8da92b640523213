/**
 * How many streams of one kind may be opened (RFC 9000 §4.6): those of the peer, and ours.
 */
import type { StreamKind } from '../frames/frame-visitor.ts'
import { appendMaxStreams } from '../frames/max-streams-frame.ts'
import { appendStreamsBlocked } from '../frames/streams-blocked-frame.ts'
import type { SentContent } from '../recovery/sent-packet.ts'
import type { WireWriter } from '../wire-writer.ts'
import type { FrameQueue, FrameSource } from './frame-source.ts'

/** The longest frame of either, in bytes. */
const ROOM = 1 + 8

/** The peer learns that it may open more when so large a part of what it may have open has ended. */
const PART = 4

/** Streams of the peer: at most `atOnce` are open, and as one ends another may be opened (MAX_STREAMS). */
export class PeerStreamLimit implements FrameSource, SentContent {
  isQueued = false
  /** How many it has opened since the beginning, and how many it may have. */
  opened = 0
  limit: number
  #ended = 0
  #isDue = false
  readonly #atOnce: number
  readonly #kind: StreamKind
  readonly #queue: FrameQueue

  constructor(atOnce: number, kind: StreamKind, queue: FrameQueue) {
    this.limit = atOnce
    this.#atOnce = atOnce
    this.#kind = kind
    this.#queue = queue
  }

  onEnded(): void {
    this.#ended++
    const limit = this.#ended + this.#atOnce
    if (limit - this.limit < this.#atOnce / PART) return
    this.limit = limit
    this.#update()
  }

  get wantsToSend(): boolean {
    return this.#isDue
  }

  writeFrame(out: WireWriter, content: SentContent[]): boolean {
    if (out.remaining < ROOM) return false
    appendMaxStreams(out, this.#kind, this.limit)
    this.#isDue = false
    content.push(this)
    return true
  }

  onAcked(): void {}

  onLost(): void {
    this.#update()
  }

  #update(): void {
    this.#isDue = true
    this.#queue.add(this)
  }
}

/** Streams of ours: as many as the peer allows, in all (STREAMS_BLOCKED). */
export class OwnStreamLimit implements FrameSource, SentContent {
  isQueued = false
  opened = 0
  limit = 0
  #blockedAt = -1
  #isDue = false
  readonly #kind: StreamKind
  readonly #queue: FrameQueue

  constructor(kind: StreamKind, queue: FrameQueue) {
    this.#kind = kind
    this.#queue = queue
  }

  onLimit(limit: number): void {
    this.limit = Math.max(this.limit, limit)
  }

  onBlocked(): void {
    if (this.#blockedAt === this.limit) return
    this.#blockedAt = this.limit
    this.#isDue = true
    this.#queue.add(this)
  }

  get wantsToSend(): boolean {
    return this.#isDue && this.#blockedAt === this.limit
  }

  writeFrame(out: WireWriter, content: SentContent[]): boolean {
    if (out.remaining < ROOM) return false
    appendStreamsBlocked(out, this.#kind, this.limit)
    this.#isDue = false
    content.push(this)
    return true
  }

  onAcked(): void {}

  onLost(): void {
    if (this.#blockedAt !== this.limit) return
    this.#isDue = true
    this.#queue.add(this)
  }
}
