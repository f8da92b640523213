/**
 * The keys of 1-RTT packets, and their update: RFC 9001 §6.
 *
 *   Either side may go on to the next keys; the Key Phase bit of the short header shows that it has, and the other follows.
 *
 *      initiating peer                              responding peer
 *      seals phase 0 ─────────────────────────────> opens phase 0
 *      updates: seals phase 1 ────────────────────> opens with the next keys: it follows, and seals phase 1 too
 *      opens phase 1 <───────────────────────────── … with an acknowledgment
 *      may update again                             keeps the keys of phase 0 for 3 PTO, for what is late
 *
 * Header protection stays as it is. The keys of the next phase are there before they are used, so that a forged packet takes as long
 * to refuse in any phase (§9.5).
 */
import type { KeyTrigger } from '../../observer.ts'
import { INITIAL_PROBE_TIMEOUT_MS } from '../recovery/rtt.ts'
import { KEY_UPDATE_ERROR, TransportError } from '../transport-error.ts'
import { VERSION_1, type Version } from '../version.ts'
import type { CipherSuite } from './cipher-suites.ts'
import type { OpenedPacket } from './open-packet.ts'
import { OpeningPhases } from './opening-phases.ts'
import { SealingPhase } from './sealing-phase.ts'
import type { OneRttLimits } from './usage-limits.ts'

/** How long keys of before are kept, and how long until the next update of our own at least (§6.5). */
const PTOS_TO_WAIT = 3

/** Hears that keys came or went. `generation`: which. */
export type OnKeyChange = (
  change: 'updated' | 'discarded',
  direction: 'read' | 'write',
  generation: number,
  trigger: KeyTrigger,
  now: number,
) => void

export class OneRttKeys {
  onChange: OnKeyChange | undefined
  readonly #limits: OneRttLimits
  #sealing: SealingPhase | undefined
  #opening: OpeningPhases | undefined

  /** How many updates there were in each direction: the last bit is the key phase. */
  #sealingGeneration = 0
  #openingGeneration = 0

  #confirmed = false
  #updateRequested = false
  /** The last update was begun by the peer. */
  #isItsOwn = false
  /** The peer has acknowledged a packet of the current phase of ours, and has had time to forget the phase before. */
  #mayUpdateAt = Number.POSITIVE_INFINITY
  #pto = INITIAL_PROBE_TIMEOUT_MS

  constructor(limits: OneRttLimits = {}) {
    this.#limits = limits
  }

  /** The write secret may come before the read secret (a server's 0.5-RTT data), or after it. */
  setSecret(direction: 'read' | 'write', suite: CipherSuite, secret: Uint8Array, version: Version = VERSION_1): void {
    if (direction === 'write') this.#sealing = new SealingPhase(suite, secret, this.#limits, version)
    else this.#opening = new OpeningPhases(suite, secret, this.#limits, version)
  }

  get canSeal(): boolean {
    return this.#sealing !== undefined
  }

  get canOpen(): boolean {
    return this.#opening !== undefined
  }

  /** How often the keys that we seal with were updated. */
  get updates(): number {
    return this.#sealingGeneration
  }

  /** An update may begin from now on (§6.1). */
  onHandshakeConfirmed(): void {
    this.#confirmed = true
  }

  /** An ACK for 1-RTT packets has come. `largest`: the largest number in it; `pto` in ms. */
  onAcknowledged(largest: number, now: number, pto: number): void {
    this.#pto = pto
    const sealing = this.#sealing
    if (sealing === undefined || sealing.sealed === 0 || largest < sealing.firstPacketNumber) return
    if (this.#mayUpdateAt === Number.POSITIVE_INFINITY) {
      this.#mayUpdateAt = this.#sealingGeneration === 0 ? now : now + PTOS_TO_WAIT * pto
    }
  }

  /** Updates before one of the next packets, as soon as that is allowed. */
  requestUpdate(): void {
    this.#updateRequested = true
  }

  /** The Key Phase bit for the next short header: asked before it is written. Updates the keys first when it is time for that. */
  nextKeyPhase(now: number): 0 | 1 {
    const sealing = this.#sealing
    if (sealing !== undefined && (this.#updateRequested || sealing.isWorn) && this.#mayUpdate(now)) this.#initiate(now)
    return (this.#sealingGeneration & 1) as 0 | 1
  }

  /** As SealingKeys.seal. */
  seal(
    packet: Uint8Array,
    headerLength: number,
    payloadLength: number,
    packetNumber: number,
    packetNumberLength: number,
  ): number {
    const sealing = this.#sealing
    if (sealing === undefined) throw new Error('a 1-RTT packet before there are keys for it')
    return sealing.seal(packet, headerLength, payloadLength, packetNumber, packetNumberLength)
  }

  /** As OpeningKeys.open, and follows the peer's key updates. Throws KEY_UPDATE_ERROR for one that comes too early. */
  open(
    packet: Uint8Array,
    start: number,
    packetNumberOffset: number,
    end: number,
    largest: number,
    now: number,
  ): OpenedPacket | undefined {
    const opening = this.#opening
    if (opening === undefined) return undefined
    if (opening.forgetPrevious(now)) this.#tell('discarded', 'read', this.#openingGeneration - 1, now)
    const opened = opening.open(packet, start, packetNumberOffset, end, largest, this.#openingGeneration & 1)
    if (opened !== undefined && opening.nextWasUsed) this.#follow(opening, now)
    return opened
  }

  #mayUpdate(now: number): boolean {
    // The phase before has to be over in both directions: the peer follows an update of ours before there is another.
    return this.#confirmed && this.#sealingGeneration === this.#openingGeneration && now >= this.#mayUpdateAt
  }

  #initiate(now: number): void {
    this.#updateRequested = false
    this.#isItsOwn = false
    this.#updateSealing(now)
  }

  #updateSealing(now: number): void {
    this.#sealing = this.#sealing!.next()
    this.#sealingGeneration++
    this.#tell('updated', 'write', this.#sealingGeneration, now)
    this.#tell('discarded', 'write', this.#sealingGeneration - 1, now)
    this.#mayUpdateAt = Number.POSITIVE_INFINITY
  }

  /**
   * A packet was opened with the next keys: an update of the peer's own, or its answer to ours. Whether we have confirmed the handshake is not asked: a
   * server has when it can open anything, and a client's server has before its HANDSHAKE_DONE is here.
   */
  #follow(opening: OpeningPhases, now: number): void {
    const itsOwn = this.#sealingGeneration === this.#openingGeneration
    if (itsOwn && this.#sealingGeneration > 0 && this.#sealing?.sealed === 0) {
      // It cannot have an acknowledgment of ours for the phase before: nothing was sent in it (§6.2).
      throw new TransportError(KEY_UPDATE_ERROR, 'a second key update before the first was answered')
    }
    // Those of two updates ago may still be there.
    if (opening.hasPrevious) this.#tell('discarded', 'read', this.#openingGeneration - 1, now)
    this.#isItsOwn = itsOwn
    this.#openingGeneration++
    opening.update(now + PTOS_TO_WAIT * this.#pto)
    this.#tell('updated', 'read', this.#openingGeneration, now)
    if (itsOwn && this.#sealing !== undefined) this.#updateSealing(now)
  }

  #tell(change: 'updated' | 'discarded', direction: 'read' | 'write', generation: number, now: number): void {
    this.onChange?.(change, direction, generation, this.#isItsOwn ? 'remote_update' : 'local_update', now)
  }
}
