/**
 * Which keys a 1-RTT packet is opened with, by its Key Phase bit and its number: RFC 9001 §6.3 to §6.5.
 *
 *      packet number ──────────────────────────────────────────────>
 *        phase before              │ this phase                        the next phase
 *        bit differs, below ───────┤ bit is the same                   bit differs, and the peer has updated when it opens
 *                                  the smallest number of this phase
 */
import { KEY_UPDATE_ERROR, TransportError } from '../transport-error.ts'
import { VERSION_1, type Version } from '../version.ts'
import type { CipherSuite } from './cipher-suites.ts'
import { deriveNextSecret } from './derive.ts'
import { HeaderProtection } from './header-protection.ts'
import { checkReservedBits, type OpenedPacket, readPacketNumber } from './open-packet.ts'
import { PacketAead } from './packet-aead.ts'
import { ForgeryCount, type OneRttLimits } from './usage-limits.ts'

const KEY_PHASE_BIT = 0x04

/** What we open with: the keys of this phase, of the one before while packets of it may come late, and of the next. */
export class OpeningPhases {
  readonly #suite: CipherSuite
  readonly #version: Version
  readonly #header: HeaderProtection
  readonly #forgeries: ForgeryCount
  #previous: PacketAead | undefined
  #previousUntil = 0
  #current: PacketAead
  #next: PacketAead
  #nextSecret: Uint8Array
  /** The smallest packet number that was opened in this phase: packets of the phase before are below it (§6.5). */
  #firstPacketNumber = Number.POSITIVE_INFINITY
  #largestPacketNumber = -1
  /** The packet that was opened last is of the next phase. */
  nextWasUsed = false

  constructor(suite: CipherSuite, secret: Uint8Array, limits: OneRttLimits, version: Version = VERSION_1) {
    this.#suite = suite
    this.#version = version
    this.#header = new HeaderProtection(suite, secret, version)
    this.#forgeries = new ForgeryCount(suite, limits.mostForged)
    this.#current = new PacketAead(suite, secret, version)
    this.#nextSecret = deriveNextSecret(suite, secret, version)
    this.#next = new PacketAead(suite, this.#nextSecret, version)
  }

  open(
    packet: Uint8Array,
    start: number,
    packetNumberOffset: number,
    end: number,
    largest: number,
    currentPhase: number,
  ): OpenedPacket | undefined {
    this.nextWasUsed = false
    const packetNumberLength = this.#header.remove(packet, start, packetNumberOffset, end)
    if (packetNumberLength === 0) return undefined
    const packetNumber = readPacketNumber(packet, packetNumberOffset, packetNumberLength, largest)
    if (packetNumber < 0) return undefined

    const keyPhase = packet[start] & KEY_PHASE_BIT ? 1 : 0
    const isCurrent = keyPhase === currentPhase
    const isPrevious = !isCurrent && packetNumber < this.#firstPacketNumber && this.#previous !== undefined
    const keys = isCurrent ? this.#current : isPrevious ? this.#previous! : this.#next
    const payload = keys.open(packet, start, packetNumberOffset + packetNumberLength, end, packetNumber)
    if (payload === undefined) {
      this.#forgeries.add()
      return undefined
    }
    checkReservedBits(packet[start])
    if (keys === this.#next) this.#beginPhase(packetNumber)
    else if (isCurrent) this.#noteNumber(packetNumber)
    return { packetNumber, payload, keyPhase }
  }

  get hasPrevious(): boolean {
    return this.#previous !== undefined
  }

  /** True: the time is over in which packets of the phase before may come. */
  forgetPrevious(now: number): boolean {
    if (this.#previous === undefined || now < this.#previousUntil) return false
    this.#previous = undefined
    return true
  }

  /** The packet that was opened last was the first of the next phase. */
  update(keepPreviousUntil: number): void {
    this.#previous = this.#current
    this.#previousUntil = keepPreviousUntil
    this.#current = this.#next
    this.#nextSecret = deriveNextSecret(this.#suite, this.#nextSecret, this.#version)
    this.#next = new PacketAead(this.#suite, this.#nextSecret, this.#version)
  }

  #beginPhase(packetNumber: number): void {
    if (packetNumber < this.#largestPacketNumber) {
      // §6.4: packets with higher numbers have the same keys, or newer ones.
      throw new TransportError(KEY_UPDATE_ERROR, 'old keys were used after new ones')
    }
    this.nextWasUsed = true
    this.#firstPacketNumber = packetNumber
    this.#largestPacketNumber = packetNumber
  }

  #noteNumber(packetNumber: number): void {
    if (packetNumber < this.#firstPacketNumber) this.#firstPacketNumber = packetNumber
    if (packetNumber > this.#largestPacketNumber) this.#largestPacketNumber = packetNumber
  }
}
