/**
 * The packets of the search for the path's MTU (../path-mtu.ts): PING, and PADDING up to the size in question (RFC 9000 §14.4). Acknowledged, it
 * fits; lost, it perhaps does not, and that is no sign of congestion.
 *
 * And the suspicion that a size fits no more (RFC 8899 §4.3): packets larger than the base are lost, one after the other, while none of them arrives.
 */

import { BASE_UDP_PAYLOAD, type MtuSearch } from '../path-mtu.ts'
import type { SentContent } from './recovery/sent-packet.ts'

/** So many large packets in a row. */
const SUSPICIOUS_LOSSES = 6

export class MtuProbes {
  /** Undefined before the handshake is over: until then packets have the size that every path carries. */
  #search: MtuSearch | undefined
  #isUnderWay = false
  #probe: SentContent | undefined
  #lostInARow = 0
  #heeded = { size: BASE_UDP_PAYLOAD, settled: false }

  begin(search: MtuSearch): void {
    this.#search = search
  }

  /** The largest UDP payload that may be sent now, in bytes. */
  get size(): number {
    return this.#search?.size ?? BASE_UDP_PAYLOAD
  }

  get settled(): boolean {
    return this.#search?.settled === true
  }

  get dueAt(): number | undefined {
    return this.#isUnderWay ? undefined : this.#search?.dueAt
  }

  /** The size of a probe that is to be sent now. */
  nextSize(now: number): number | undefined {
    return this.#isUnderWay ? undefined : this.#search?.nextProbe(now)
  }

  /** It could not be sent. */
  onNotSent(now: number): void {
    this.#search?.onProbeVoid(now)
  }

  /** What belongs to the probe's packet. */
  onSent(): SentContent {
    this.#isUnderWay = true
    const search = this.#search
    const end = (): MtuSearch | undefined => {
      // Of a path that was left, what becomes of it says nothing.
      if (!this.#isUnderWay || this.#probe !== content) return undefined
      this.#isUnderWay = false
      return search
    }
    const content: SentContent = {
      onAcked: now => end()?.onProbeAcked(now),
      onLost: now => end()?.onProbeLost(now),
    }
    this.#probe = content
    return content
  }

  onMoved(now: number): void {
    this.#isUnderWay = false
    this.#lostInARow = 0
    if (this.#search?.onMoved === undefined) this.#search?.suspect(now)
    else this.#search.onMoved(now)
  }

  /** Belongs to every other packet that is larger than the base. */
  readonly large: SentContent = {
    onAcked: () => {
      this.#lostInARow = 0
    },
    onLost: now => {
      if (++this.#lostInARow >= SUSPICIOUS_LOSSES && !this.#isUnderWay) this.#search?.suspect(now)
    },
  }

  /** True: `size` or `settled` has changed. `waiting`: there is never room for a probe, as more waits to be sent than may be. */
  judge(waiting: boolean, now: number): boolean {
    if (waiting && this.#lostInARow >= SUSPICIOUS_LOSSES) {
      this.#lostInARow = 0
      this.#search?.onStall(now)
    }
    const { size, settled } = this
    if (size === this.#heeded.size && settled === this.#heeded.settled) return false
    this.#heeded = { size, settled }
    return true
  }
}
