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
  /** Sizes whose probes brought no answer. One that is acknowledged after all is not among them any more. */
  #givenUp: number[] = []
  /** Nothing above it passes, a router says. */
  #limit = Infinity
  /** Sizes that were sent since the search began. An answer to any other is about the path before a black hole. */
  readonly #tried = new Set<number>()
  /** The size that is being tried, how often it was sent, and when last. */
  #probe: { size: number; sent: number; sentAtMs: number } | undefined

  constructor(options: SearchOptions) {
    this.#options = options
    this.#confirmed = options.base
  }

  get confirmed(): number {
    return this.#confirmed
  }

  /** The largest size that may still pass. */
  get #ceiling(): number {
    return Math.min(this.#options.max, this.#limit, ...this.#givenUp.map(size => size - 1))
  }

  next(nowMs: number): SearchAction {
    const { maxProbes, probeTimeoutMs, granularity } = this.#options
    const probe = this.#probe
    if (probe !== undefined) {
      const untilMs = probe.sentAtMs + probeTimeoutMs
      if (nowMs < untilMs) return { type: 'wait', untilMs }
      if (probe.sent < maxProbes) return this.#send(probe.size, probe.sent + 1, nowMs)
      this.#givenUp.push(probe.size)
      this.#probe = undefined
    }
    if (this.#ceiling - this.#confirmed < granularity) return { type: 'done' }
    return this.#send(this.#confirmed + Math.ceil((this.#ceiling - this.#confirmed) / 2), 1, nowMs)
  }

  acknowledged(size: number): void {
    if (!this.#tried.has(size)) return
    // Also when it comes late: whatever arrived is small enough, and what was concluded from its silence is wrong.
    this.#confirmed = Math.max(this.#confirmed, size)
    this.#givenUp = this.#givenUp.filter(other => other > this.#confirmed)
    if (this.#limit < this.#confirmed) this.#limit = Infinity
    if (this.#probe !== undefined && this.#probe.size <= this.#confirmed) this.#probe = undefined
  }

  packetTooBig(largest: number): void {
    // Anybody may have sent it: believed only where it can be true, and then only as a reason not to try more.
    if (this.#probe === undefined || largest < this.#confirmed || largest >= this.#probe.size) return
    this.#limit = largest
    this.#probe = undefined
  }

  blackHole(): void {
    this.#confirmed = this.#options.base
    this.#givenUp = []
    this.#limit = Infinity
    this.#tried.clear()
    this.#probe = undefined
  }

  #send(size: number, sent: number, nowMs: number): SearchAction {
    this.#tried.add(size)
    this.#probe = { size, sent, sentAtMs: nowMs }
    return { type: 'probe', size }
  }
}
