/**
 * Explicit Congestion Notification: a router marks packets (CE) instead of dropping them, and the peer counts the marks (RFC 9000 §13.4).
 *
 *                       10 packets sent                     ACK with right counts
 *     testing ──────────────────────────────> unknown ─────────────────────────────> capable
 *     packets are marked ECT(0)               none is        │                       all are
 *        │                                      │            │                          │
 *        └──────────────────────────────────────┴────────────┴──> failed <──────────────┘
 *           counts are missing or too small, or all of these packets were lost: something on the path clears the field, or drops it
 */
import type { EcnCounts } from '../frames/ack-frame.ts'
import type { PacketNumberSpace } from '../packet-number-space.ts'

/** RFC 9000 appendix A.4. */
const TEST_PACKETS = 10

const NOTHING_COUNTED: EcnCounts = { ect0: 0, ect1: 0, ce: 0 }

export class EcnValidation {
  state: 'off' | 'testing' | 'unknown' | 'capable' | 'failed'
  /** What the peer has told, of each packet number space. */
  readonly #counts: EcnCounts[] = [NOTHING_COUNTED, NOTHING_COUNTED, NOTHING_COUNTED]
  /** Marked packets that were sent, in each. */
  readonly #sent = [0, 0, 0]
  #tested = 0
  #testsLost = 0

  /** `isWanted`: whoever sends packets can mark them. */
  constructor(isWanted: boolean) {
    this.state = isWanted ? 'testing' : 'off'
  }

  /** The next packet is to be marked ECT(0). */
  get marks(): boolean {
    return this.state === 'testing' || this.state === 'capable'
  }

  /** Packets leave on another path from now on. */
  restart(): void {
    if (this.state === 'off') return
    this.state = 'testing'
    this.#tested = 0
    this.#testsLost = 0
  }

  onMarkedSent(space: PacketNumberSpace): void {
    this.#sent[space]++
    if (this.state === 'testing' && ++this.#tested === TEST_PACKETS) this.state = 'unknown'
  }

  onMarkedLost(): void {
    if (this.state === 'unknown' && ++this.#testsLost === TEST_PACKETS) this.state = 'failed'
  }

  /**
   * Of an ACK whose largest is larger than all before: others may have been overtaken. `marked`: how many packets it newly acknowledges
   * that were marked. True: routers have marked more packets than before, which is a sign of congestion.
   */
  onAck(space: PacketNumberSpace, counts: EcnCounts | undefined, marked: number): boolean {
    if (this.state === 'off' || this.state === 'failed') return false
    const before = this.#counts[space]
    if (!this.#isRight(before, counts, this.#sent[space], marked)) {
      this.state = 'failed'
      return false
    }
    if (counts === undefined) return false
    this.#counts[space] = counts
    if (marked > 0) this.state = 'capable'
    return counts.ce > before.ce
  }

  /** RFC 9000 §13.4.2.1. */
  #isRight(before: EcnCounts, counts: EcnCounts | undefined, sent: number, marked: number): boolean {
    if (counts === undefined) return marked === 0
    const ect0 = counts.ect0 - before.ect0
    const ce = counts.ce - before.ce
    // We mark none ECT(1). A packet may have been counted whose ACK was lost, so more is right, up to what was sent.
    return ect0 >= 0 && ce >= 0 && ect0 + ce >= marked && counts.ect1 === 0 && counts.ect0 + counts.ce <= sent
  }
}
