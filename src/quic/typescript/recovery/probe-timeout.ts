/**
 * The probe timeout, RFC 9002 §6.2: when nothing was heard for so long, something is sent that must be answered.
 *
 *      sent                       PTO                                      2 × PTO
 *       │── RTT + 4 × variation ───│────────────────────────────────────────│──── …
 *       │     + max_ack_delay      ↓ two packets                            ↓ two packets
 *
 * What they carry is what waits longest for its ACK; and none of it is lost by that. Handshake and Initial packets are acknowledged without
 * delay, 1-RTT packets by a peer that has the keys.
 */
import { APPLICATION, HANDSHAKE, INITIAL } from '../packet-number-space.ts'
import type { RecoverySpace } from './recovery-space.ts'
import type { Rtt } from './rtt.ts'

/** §6.2.4: two, so that the loss of one does not cost another PTO. */
const PROBES = 2

/** §6.2.1 doubles the PTO each time. After so often it is hours, and any idle timeout over. */
const MOST_BACKOFFS = 16

export interface PtoSituation {
  readonly rtt: Rtt
  readonly maxAckDelayMs: number
  readonly hasHandshakeKeys: boolean
  readonly handshakeConfirmed: boolean
  readonly amplificationBlocked: boolean
  readonly isPeerSureOfUs: boolean
}

export class ProbeTimeout {
  /** PTOs in a row without an answer. */
  count = 0
  readonly #spaces: readonly [RecoverySpace, RecoverySpace, RecoverySpace]
  readonly #situation: PtoSituation
  /** Since then nothing is on its way any more that the peer has to acknowledge; undefined: nothing was yet. */
  #quietSince: number | undefined

  constructor(spaces: readonly [RecoverySpace, RecoverySpace, RecoverySpace], situation: PtoSituation) {
    this.#spaces = spaces
    this.#situation = situation
  }

  /** The one whose PTO is next; undefined: nothing is waited for. */
  get space(): RecoverySpace | undefined {
    const { amplificationBlocked, handshakeConfirmed, hasHandshakeKeys, isPeerSureOfUs } = this.#situation
    // A server that may not send gains nothing by wanting to (§6.2.2.1).
    if (amplificationBlocked) return undefined
    let first: RecoverySpace | undefined
    let isQuiet = true
    for (const state of this.#spaces) {
      if (state.elicitingInFlight === 0) continue
      isQuiet = false
      if (state.space === APPLICATION && !handshakeConfirmed) continue
      if (first === undefined || this.#after(state) < this.#after(first)) first = state
    }
    // Such a server waits for us, who have nothing to say: then we say that.
    if (isQuiet && !isPeerSureOfUs && this.#quietSince !== undefined)
      return this.#spaces[hasHandshakeKeys ? HANDSHAKE : INITIAL]
    return first
  }

  /** When it ends, in ms. */
  at(state: RecoverySpace | undefined): number | undefined {
    return state === undefined ? undefined : this.#after(state)
  }

  #after(state: RecoverySpace): number {
    const { rtt, maxAckDelayMs } = this.#situation
    const since = state.elicitingInFlight > 0 ? state.lastElicitingAt : (this.#quietSince as number)
    const delay = state.space === APPLICATION ? maxAckDelayMs : 0
    return since + (rtt.probeTimeout + delay) * 2 ** Math.min(this.count, MOST_BACKOFFS)
  }

  /** It has ended: asks for probes. */
  expire(due: RecoverySpace, now: number): void {
    this.count++
    due.probesDue = due.elicitingInFlight > 0 ? PROBES : 1
    // What waits in the other spaces fits into the same datagrams (§6.2.4). A client that a NAT binds anew before it knows that the handshake is confirmed
    // is found by its 1-RTT packets alone: its server has no other keys any more.
    for (const state of this.#spaces) {
      if (state !== due && state.elicitingInFlight > 0) state.probesDue = 1
      if (state.probesDue > 0) sendContentAgain(state, now)
    }
  }

  /** Something was acknowledged, lost or forgotten: perhaps nothing is waited for any more. */
  noteQuiet(now: number): void {
    for (const state of this.#spaces) if (state.elicitingInFlight > 0) return
    this.#quietSince = now
  }
}

/** In the handshake all that waits for an ACK, which is little; later as much as the probes can carry. */
function sendContentAgain({ sent, space }: RecoverySpace, now: number): void {
  let left = space === APPLICATION ? PROBES : Number.POSITIVE_INFINITY
  for (let i = 0; i < sent.size && left > 0; i++) {
    const packet = sent.at(i)!
    if (packet.isContentSentAgain || packet.content.length === 0 || packet.isMtuProbe) continue
    packet.isContentSentAgain = true
    left--
    for (const content of packet.content) content.onLost(now)
  }
}
