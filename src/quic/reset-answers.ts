/**
 * Packets of connections that nobody knows here any more: the server was started anew, and its clients go on sending. A stateless reset tells them so,
 * which would else wait for their idle timeout (RFC 9000 §10.3).
 *
 * Anybody can send what looks like such a packet, so answers cost little: each is smaller than what it answers, which also ends a loop of two endpoints that
 * answer one another (§10.3.3), and there are so many a second for all of the world together.
 */

import { TokenBucket } from '../ip/token-bucket.ts'
import type { EndpointCounters } from './counters.ts'
import type { QuicEngine, UdpPath } from './engine.ts'
import type { DriverIo } from './io.ts'

/** A client needs one. What more than these send after a restart is answered in the next seconds, as they go on sending. */
export const RESETS = { perSecond: 200, burst: 400 }

export interface ResetHost {
  readonly io: DriverIo
  readonly engine: QuicEngine
  readonly counters: EndpointCounters
  answer(packet: Uint8Array, path: UdpPath): void
}

export class ResetAnswers {
  readonly #host: ResetHost
  readonly #budget: TokenBucket

  constructor(host: ResetHost) {
    this.#host = host
    this.#budget = new TokenBucket({ ...RESETS, now: () => host.io.now() })
  }

  /** A packet with a short header has come, whose connection id is nobody's. */
  receive(packet: Uint8Array, path: UdpPath): void {
    const { engine, counters } = this.#host
    counters.stray++
    if (!this.#budget.isAvailable) return
    const reset = engine.statelessReset?.(packet)
    if (reset === undefined) return
    this.#budget.take()
    counters.resets++
    this.#host.answer(reset, path)
  }
}
