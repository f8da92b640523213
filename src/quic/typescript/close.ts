/**
 * The end of a connection, RFC 9000 §10.2.
 *
 *                close() or an error of the peer      ┌─────────┐
 *             ┌─────────────────────────────────────> │ closing │  answers late packets with the close again, ever more seldom
 *        ┌────┴───┐                                   └────┬────┘
 *        │  open  │                 the peer's close       │ 3 PTO        ┌────────┐
 *        └────┬───┘                       ┌────────────────┼────────────> │ closed │
 *             │   CONNECTION_CLOSE comes, v                │              └────────┘
 *             ├────────────────────> ┌──────────┐  3 PTO   │                  ^
 *             │   or stateless reset │ draining │ ─────────┘                  │
 *             │                      └──────────┘  sends nothing              │
 *             └───────────────────────────────────────────────────────────────┘
 *               idle timeout, no version in common: nothing is to be said, and nobody to be heard
 */

import type { QuicCloseReason } from '../quic.ts'

const PROBE_TIMEOUTS = 3

/** What a CONNECTION_CLOSE says. */
export interface CloseMessage {
  readonly application: boolean
  readonly code: number
  readonly frameType: number
  readonly reason: string
}

export class Close {
  #state: 'open' | 'closing' | 'draining' | 'closed' = 'open'
  #message: CloseMessage | undefined
  #reason: QuicCloseReason | undefined
  #isMessageDue = false
  #endsAt: number | undefined
  /** Packets that came since the close was last sent, and how many lead to the next one: 1, 2, 4, … (§10.2.1). */
  #heard = 0
  #answerAfter = 1

  /** For those who look on. */
  get state(): 'open' | 'closing' | 'draining' | 'closed' {
    return this.#state
  }

  get isOpen(): boolean {
    return this.#state === 'open'
  }

  get isClosing(): boolean {
    return this.#state === 'closing'
  }

  get isOver(): boolean {
    return this.#state === 'closed'
  }

  /** Why it has ended, or is ending. */
  get reason(): QuicCloseReason | undefined {
    return this.#reason
  }

  /** What is to be sent now; undefined: nothing. */
  get due(): CloseMessage | undefined {
    return this.#isMessageDue ? this.#message : undefined
  }

  /** We end it, the first time that this is called. `reason`: what the peer is not told, or not in full. */
  begin(message: CloseMessage, reason: Pick<CloseMessage, 'application' | 'code' | 'reason'> = message): void {
    if (this.#state !== 'open') return
    this.#state = 'closing'
    this.#message = message
    this.#isMessageDue = true
    this.#reason = { source: 'local', application: reason.application, code: reason.code, reason: reason.reason }
  }

  /** The message was sent, or cannot be. The period begins with the first time. */
  onSent(now: number, ptoMs: number): void {
    this.#isMessageDue = false
    this.#endsAt ??= now + PROBE_TIMEOUTS * ptoMs
  }

  /** A packet of the peer has come while we are closing. */
  onLatePacket(): void {
    if (this.#state !== 'closing' || ++this.#heard < this.#answerAfter) return
    this.#heard = 0
    this.#answerAfter *= 2
    this.#isMessageDue = true
  }

  /** The peer has ended it, or has lost it. */
  onPeerClose(application: boolean, code: number, reason: string, now: number, ptoMs: number): void {
    if (this.#state === 'closed' || this.#state === 'draining') return
    this.#reason ??= { source: 'peer', application, code, reason }
    this.#state = 'draining'
    this.#isMessageDue = false
    this.#endsAt ??= now + PROBE_TIMEOUTS * ptoMs
  }

  /** It is over at once, and nothing is sent. */
  vanish(reason: QuicCloseReason): void {
    this.#reason ??= reason
    this.#state = 'closed'
    this.#isMessageDue = false
  }

  get deadline(): number | undefined {
    return this.#state === 'closing' || this.#state === 'draining' ? this.#endsAt : undefined
  }

  onDeadline(now: number): void {
    if (this.deadline !== undefined && now >= this.deadline) this.#state = 'closed'
  }
}
