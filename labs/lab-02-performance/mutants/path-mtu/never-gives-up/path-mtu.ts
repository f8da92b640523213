// mutant: a size is tried for ever; expect: has to be given up
/**
 * Task 5: how large may a packet be? The arithmetic of the tunnel, and a search for the largest UDP payload that the path carries.
 */

/** What surrounds an IP packet in a UDP payload: header and tag of the QUIC packet, the DATAGRAM frame, two ids. */
export function tunnelMtu(maxUdpPayload: number, connectionIdLength: number, streamId: number): number {
  const quicPacket = 1 + connectionIdLength + LONGEST_PACKET_NUMBER + AEAD_TAG
  return maxUdpPayload - quicPacket - DATAGRAM_FRAME - varintLength(streamId / 4) - CONTEXT_ID
}

const LONGEST_PACKET_NUMBER = 4
const AEAD_TAG = 16
const DATAGRAM_FRAME = 1 + 2
const CONTEXT_ID = 1

function varintLength(value: number): number {
  if (value < 2 ** 6) return 1
  if (value < 2 ** 14) return 2
  return value < 2 ** 30 ? 4 : 8
}

export interface SearchOptions {
  base: number
  max: number
  granularity: number
  maxProbes: number
  probeTimeoutMs: number
}

export type SearchAction = { type: 'probe'; size: number } | { type: 'wait'; untilMs: number } | { type: 'done' }

export class PathMtuSearch {
  readonly #options: SearchOptions
  /** The largest size that is known to pass. */
  #confirmed: number
  /** The largest size that may still pass. */
  #ceiling: number
  /** The size that is being tried, how often it was sent, and when last. */
  #probe: { size: number; sent: number; sentAtMs: number } | undefined

  constructor(options: SearchOptions) {
    this.#options = options
    this.#confirmed = options.base
    this.#ceiling = options.max
  }

  get confirmed(): number {
    return this.#confirmed
  }

  next(nowMs: number): SearchAction {
    const { maxProbes, probeTimeoutMs, granularity } = this.#options
    const probe = this.#probe
    if (probe !== undefined) {
      const untilMs = probe.sentAtMs + probeTimeoutMs
      if (nowMs < untilMs) return { type: 'wait', untilMs }
      if (probe.sent > 0) return this.#send(probe.size, probe.sent + 1, nowMs)
      this.#ceiling = Math.min(this.#ceiling, probe.size - 1)
      this.#probe = undefined
    }
    if (this.#ceiling - this.#confirmed < granularity) return { type: 'done' }
    return this.#send(this.#confirmed + Math.ceil((this.#ceiling - this.#confirmed) / 2), 1, nowMs)
  }

  acknowledged(size: number): void {
    // Also when it comes late: whatever arrived is small enough.
    this.#confirmed = Math.max(this.#confirmed, size)
    this.#ceiling = Math.max(this.#ceiling, this.#confirmed)
    if (this.#probe !== undefined && this.#probe.size <= this.#confirmed) this.#probe = undefined
  }

  packetTooBig(largest: number): void {
    // Anybody may have sent it: believed only where it can be true, and then only as a reason not to try more.
    if (this.#probe === undefined || largest < this.#confirmed || largest >= this.#probe.size) return
    this.#ceiling = Math.min(this.#ceiling, largest)
    this.#probe = undefined
  }

  blackHole(): void {
    this.#confirmed = this.#options.base
    this.#ceiling = this.#options.max
    this.#probe = undefined
  }

  #send(size: number, sent: number, nowMs: number): SearchAction {
    this.#probe = { size, sent, sentAtMs: nowMs }
    return { type: 'probe', size }
  }
}
