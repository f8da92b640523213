/**
 * Packets whose keys are not there yet: reordered, they come before the packets that bring the keys (RFC 9001 §5.7). What does not fit
 * is lost, and is sent again.
 */

import type { EcnCodepoint } from '../ecn.ts'
import type { UdpPath } from '../engine.ts'

/** In packets; each is at most as large as what fits on most paths, so that this is 20 KB in all. */
const MAX_PACKETS = 12
const MAX_LENGTH = 1700

export interface Undecryptable {
  readonly packet: Uint8Array
  readonly udp: UdpPath
  readonly ecn: EcnCodepoint
}

export class UndecryptablePackets {
  #packets: Undecryptable[] = []

  /** Keeps a copy. False: there is no room. */
  add(packet: Uint8Array, udp: UdpPath, ecn: EcnCodepoint): boolean {
    if (this.#packets.length >= MAX_PACKETS || packet.length > MAX_LENGTH) return false
    this.#packets.push({ packet: Uint8Array.from(packet), udp, ecn })
    return true
  }

  /** All of them, which are forgotten here. */
  take(): readonly Undecryptable[] {
    const packets = this.#packets
    this.#packets = []
    return packets
  }

  get isEmpty(): boolean {
    return this.#packets.length === 0
  }
}
