/**
 * What has frames to send, and waits its turn. Frames that belong together are in one queue, in which each has its turn: one that has much to
 * send does not keep others waiting.
 */
import type { SentContent } from '../recovery/sent-packet.ts'
import type { WireWriter } from '../wire-writer.ts'

export interface FrameSource {
  /** Set by the queue. */
  isQueued: boolean
  /** It may not any more when its turn comes. */
  readonly wantsToSend: boolean
  /** Appends a frame, and what its packet carries with it to `content`. False: there is no room for it. */
  writeFrame(out: WireWriter, content: SentContent[]): boolean
}

export class FrameQueue {
  #sources: FrameSource[] = []

  /** Whether something is to be sent. */
  get wantsToSend(): boolean {
    this.#skip()
    return this.#sources.length > 0
  }

  /** It wants to send. Nothing, when it is in here already. */
  add(source: FrameSource): void {
    if (source.isQueued) return
    source.isQueued = true
    this.#sources.push(source)
  }

  /** Appends frames as there is room. One that wants to send more goes to the end of the queue. */
  writeFrames(out: WireWriter, content: SentContent[]): void {
    while (this.wantsToSend) {
      const source = this.#sources[0]
      if (!source.writeFrame(out, content)) return
      this.#sources.shift()
      source.isQueued = false
      if (source.wantsToSend) this.add(source)
    }
  }

  clear(): void {
    for (const source of this.#sources) source.isQueued = false
    this.#sources = []
  }

  #skip(): void {
    while (this.#sources.length > 0 && !this.#sources[0].wantsToSend) {
      this.#sources[0].isQueued = false
      this.#sources.shift()
    }
  }
}
