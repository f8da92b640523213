/**
 * What the live view sees of the tunnels: a few packets while somebody looks, and the capsules.
 *
 * Without the live view there is none of this. With it, and when nobody looks, a packet costs one question; when somebody does,
 * reading the clock, and a copy of 256 bytes ten times a second. Capsules are few, and the last of them are kept.
 */
import type { PacketDirection, TunnelWatch } from '../carriers/tunnel.ts'
import { TokenBucket } from '../ip/token-bucket.ts'
import {
  CAPSULE_EVENT_LIMITS,
  type CapsuleContent,
  type CapsuleEvent,
  capsuleEvent,
  receivedCapsule,
  sentCapsules,
} from './capsule-event.ts'
import { type PacketSample, packetSample, SamplePace, type WatchedTunnel } from './packet-sample.ts'

/** Whoever listens. */
export interface TrafficListener {
  readonly listening: boolean
  publish(event: { type: 'packet'; data: PacketSample } | { type: 'capsule'; data: CapsuleEvent }): void
}

export class TrafficWatch {
  readonly #listener: TrafficListener
  readonly #pace: SamplePace
  readonly #capsuleBudget: TokenBucket
  readonly #capsules: CapsuleEvent[] = []
  #leftOut = 0

  /** `now` in ms that never go back; `random` in [0, 1). */
  constructor(listener: TrafficListener, now: () => number, random: () => number = Math.random) {
    this.#listener = listener
    this.#pace = new SamplePace(now, random)
    const { perSecond } = CAPSULE_EVENT_LIMITS
    this.#capsuleBudget = new TokenBucket({ perSecond, burst: perSecond, now })
  }

  /** The last capsules, the oldest first; and how many were not told, because they were too many. */
  get capsules(): { readonly events: readonly CapsuleEvent[]; readonly leftOut: number } {
    return { events: this.#capsules, leftOut: this.#leftOut }
  }

  /** For one tunnel. */
  readonly watchTunnel = (tunnel: WatchedTunnel): TunnelWatch => {
    const listener = this.#listener
    return {
      get listening() {
        return listener.listening
      },
      packet: (direction, encapsulation, bytes, contextId) => {
        if (!this.#pace.take(direction)) return
        const data = packetSample(tunnel, direction, encapsulation, bytes, contextId)
        listener.publish({ type: 'packet', data })
      },
      capsuleReceived: event => {
        if (event.type === 'datagram') return
        this.#tell(tunnel, 'from-client', () => [receivedCapsule(event)])
      },
      capsulesSent: bytes => this.#tell(tunnel, 'to-client', () => sentCapsules(bytes)),
    }
  }

  /** What is too much is not even put into words. */
  #tell(tunnel: WatchedTunnel, direction: PacketDirection, describe: () => (CapsuleContent | undefined)[]): void {
    if (!this.#capsuleBudget.take()) {
      this.#leftOut++
      return
    }
    for (const content of describe()) {
      if (content === undefined) continue
      const data = capsuleEvent(tunnel, direction, content)
      this.#capsules.push(data)
      if (this.#capsules.length > CAPSULE_EVENT_LIMITS.kept) this.#capsules.shift()
      this.#listener.publish({ type: 'capsule', data })
    }
  }
}
