/**
 * Tells an observer how loss recovery goes: what changed is found by comparing, so that nothing of it is needed where nobody looks.
 *
 *   packet sent, ACK, deadline ──> report ──┬── metrics
 *                                           ├── the loss timer, when it has moved
 *                                           └── slow_start ⇄ recovery ⇄ congestion_avoidance     or the controller's own states
 */

import type { QuicObserver } from '../../observer.ts'
import type { PacketNumberSpace } from '../packet-number-space.ts'
import type { CongestionController } from './congestion/controller.ts'
import type { LossRecovery } from './loss-recovery.ts'
import type { SentPacket } from './sent-packet.ts'

/** When the loss timer rings, and why. */
export interface LossTimer {
  readonly type: 'ack' | 'pto'
  readonly space: PacketNumberSpace
  readonly at: number
}

export class RecoveryReport {
  readonly observer: QuicObserver
  readonly #recovery: LossRecovery
  #timer: LossTimer | undefined
  #state = ''
  #trigger: 'persistent_congestion' | 'ECN' | undefined
  /** The window was reduced then, and nothing that was sent since has been acknowledged. */
  #recoveringSince: number | undefined

  constructor(observer: QuicObserver, recovery: LossRecovery) {
    this.observer = observer
    this.#recovery = recovery
  }

  /** Something has happened. */
  update(now: number): void {
    this.observer.metrics(this.#recovery, now)
    this.#tellState(now)
    this.#tellTimer(this.#recovery.timer, now)
  }

  /** The controller was told of congestion; before, its window had so many bytes. */
  onCongestion(windowBefore: number, trigger: 'persistent_congestion' | 'ECN' | undefined, now: number): void {
    if (this.#recovery.controller.window >= windowBefore) return
    this.#trigger = trigger
    // RFC 9002 §7.6.2: then all begins anew.
    this.#recoveringSince = trigger === 'persistent_congestion' ? undefined : now
    // At once: the rest of the same ACK may make it larger again.
    this.observer.metrics(this.#recovery, now)
    this.#tellState(now)
  }

  onAcked(newest: SentPacket): void {
    if (this.#recoveringSince !== undefined && newest.sentAt > this.#recoveringSince) this.#recoveringSince = undefined
  }

  onPathChange(): void {
    this.#recoveringSince = undefined
  }

  onExpired({ type, space }: LossTimer, now: number): void {
    this.#timer = undefined
    this.observer.lossTimer('expired', type, space, 0, now)
  }

  #tellState(now: number): void {
    const state = this.#stateOf(this.#recovery.controller)
    // Why it has begun anew is told even where it was there before.
    if (state === this.#state && this.#trigger === undefined) return
    this.#state = state
    this.observer.congestionState(state, this.#trigger, now)
    this.#trigger = undefined
  }

  #stateOf({ state, window, slowStartThreshold }: CongestionController): string {
    if (state !== undefined) return state
    if (this.#recoveringSince !== undefined) return 'recovery'
    return window < slowStartThreshold ? 'slow_start' : 'congestion_avoidance'
  }

  #tellTimer(next: LossTimer | undefined, now: number): void {
    const before = this.#timer
    this.#timer = next
    if (next === undefined) {
      if (before !== undefined) this.observer.lossTimer('cancelled', before.type, before.space, 0, now)
      return
    }
    const isSame = before?.at === next.at && before.type === next.type && before.space === next.space
    if (!isSame) this.observer.lossTimer('set', next.type, next.space, next.at - now, now)
  }
}
