/**
 * The idle timeout, RFC 9000 §10.1: a connection on which nothing arrives for long is gone, without a word.
 *
 *   a packet of the peer was processed                        ─┐
 *   something was sent that the peer must answer, and it is     ├─>  begins again
 *   the first such thing since a packet of the peer            ─┘
 */

/** A timeout shorter than this many probe timeouts would end connections of which one packet was lost. */
const PROBE_TIMEOUTS = 3

export class IdleTimeout {
  /** In ms; 0: none. */
  #timeoutMs: number
  #since: number | undefined
  #isAnswerDue = false

  /** `own`: the max_idle_timeout that we announce, in ms. 0: none. */
  constructor(own: number) {
    this.#timeoutMs = own
  }

  /** The smaller of the two holds, where both have one. */
  onPeerTimeout(peers: number): void {
    if (peers === 0) return
    this.#timeoutMs = this.#timeoutMs === 0 ? peers : Math.min(this.#timeoutMs, peers)
  }

  onReceived(now: number): void {
    this.#since = now
    this.#isAnswerDue = false
  }

  onSent(isAckEliciting: boolean, now: number): void {
    if (this.#since !== undefined && (!isAckEliciting || this.#isAnswerDue)) return
    this.#since = now
    this.#isAnswerDue = isAckEliciting
  }

  /** `ptoMs`: the probe timeout now. undefined: never. */
  deadline(ptoMs: number): number | undefined {
    if (this.#timeoutMs === 0 || this.#since === undefined) return undefined
    return this.#since + Math.max(this.#timeoutMs, PROBE_TIMEOUTS * ptoMs)
  }
}
