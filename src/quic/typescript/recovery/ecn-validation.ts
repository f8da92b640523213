/**
 * Explicit Congestion Notification: a router marks packets (CE) instead of dropping them, and the peer counts the marks (RFC 9000 §13.4).
 *
 *                       10 packets sent, or a PTO       ACK with right counts
 *     testing ──────────────────────────────> unknown ─────────────────────────────> capable
 *     packets are marked ECT(0)               none is        │                       all are
 *        │                                      │            │                          │
 *        └──────────────────────────────────────┴────────────┴──> failed <──────────────┘
 *           counts are missing or too small, or all of these packets were lost: something on the path clears the field, or drops it
 *
 * In a handshake whatever drops marked packets costs one PTO at each end: what is sent then is not marked.
 */
import type { EcnCounts } from '../frames/ack-frame.ts'
import type { PacketNumberSpace } from '../packet-number-space.ts'

/** RFC 9000 appendix A.4. */
const TEST_PACKETS = 10

/** Of a path that was good: so often it has become silent, and was not again when nothing was marked. It may lead elsewhere now (§13.4.2 leaves that open). */
const SILENCES = 3

const NOTHING_COUNTED: EcnCounts = { ect0: 0, ect1: 0, ce: 0 }

export class EcnValidation {
  state: 'off' | 'testing' | 'unknown' | 'capable' | 'failed' = 'off'
  /** What the peer has told, of each packet number space. */
  readonly #counts: EcnCounts[] = [NOTHING_COUNTED, NOTHING_COUNTED, NOTHING_COUNTED]
  /** Marked packets that were sent, in each. */
  readonly #sent = [0, 0, 0]
  /** Of this path, before one of them was acknowledged. */
  #tests = 0
  #testsLost = 0
  /** PTOs, each after an answer, since a marked packet was acknowledged. */
  #silences = 0

  /** Whoever sends packets can mark them. */
  enable(): void {
    this.state = 'testing'
  }

  /** The next packet is to be marked ECT(0). */
  get marks(): boolean {
    return this.state === 'testing' || this.state === 'capable'
  }

  /** Packets leave on another path from now on. */
  restart(): void {
    if (this.state === 'off') return
    this.state = 'testing'
    this.#tests = 0
    this.#testsLost = 0
    this.#silences = 0
  }

  onMarkedSent(space: PacketNumberSpace): void {
    this.#sent[space]++
    this.#tests++
    if (this.state === 'testing' && this.#tests >= TEST_PACKETS) this.state = 'unknown'
  }

  /** Nobody answers any more. RFC 9000 §13.4.2 lets the test go on for three PTOs; but a handshake would wait for them. */
  onSilence(): void {
    if (this.state === 'testing' && this.#tests > 0) this.state = 'unknown'
    if (this.state === 'capable' && ++this.#silences === SILENCES) this.state = 'unknown'
  }

  /** It was sent on this path. */
  onMarkedLost(): void {
    this.#testsLost++
    if (this.state === 'unknown' && this.#testsLost === this.#tests) this.state = 'failed'
  }

  /**
   * Of an ACK whose largest is larger than all before: others may have been overtaken. `marked`: how many packets it newly acknowledges
   * that were marked; `markedHere`: and were sent on this path. True: routers have marked more packets than before, which is a sign of congestion.
   */
  onAck(space: PacketNumberSpace, counts: EcnCounts | undefined, marked: number, markedHere = marked): boolean {
    if (this.state === 'off' || this.state === 'failed') return false
    const before = this.#counts[space]
    if (!this.#isRight(before, counts, this.#sent[space], marked)) {
      this.state = 'failed'
      return false
    }
    if (counts === undefined) return false
    this.#counts[space] = counts
    if (markedHere > 0) {
      this.state = 'capable'
      this.#silences = 0
    }
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
