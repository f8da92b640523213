/**
 * The receiver's half of FEC: gives back the one packet of a group that was lost.
 *
 * Of a group it keeps no packets, but which numbers have come, and the exclusive or of all that came, the parity too. When one number is missing, that
 * exclusive or is the missing packet. So a group takes the room of its longest packet, however many it has.
 *
 * Whoever gets a packet from here, lost or not, has to judge it as one of context 0: a parity can make anything that a packet can be, and nothing more.
 */

import { FEC_HEADER_LENGTH, GROUP_NUMBERS, groupOf, indexOf, PARITY_LENGTHS, parityCountOf } from './datagram.ts'
import { XorSum } from './xor-sum.ts'

/** Groups behind the newest one that are still remembered; what comes later is not protected. And the bytes of all of them. */
export const FEC_DECODER_LIMITS = { groups: 32, bytes: 128 * 1024 } as const

interface Group {
  /** -1: none. */
  number: number
  /** A bit for each packet that has come, or was made. */
  seen: number
  /** How many those are. */
  count: number
  /** How many there are in all, as the parity says; 0 while that has not come. */
  size: number
  /** Bytes of the parity behind its lengths: as many as the longest packet has. */
  parityLength: number
  /** Of all that came. */
  readonly sum: XorSum
}

export interface FecDecoderCounters {
  /** Parities that came. */
  parityReceived: number
  /** Packets that were lost, and made again. */
  recovered: number
  /** Packets and parities that had come before. Of a packet that was late it had been made already. */
  duplicates: number
  /** Groups of which no packet could be made because their parity does not fit their packets. */
  unfit: number
}

export class FecDecoder {
  readonly counters: FecDecoderCounters = { parityReceived: 0, recovered: 0, duplicates: 0, unfit: 0 }
  readonly #limits: { readonly groups: number; readonly bytes: number }
  /** Each number has its place: that of the number `groups` before it. */
  readonly #groups: Group[]
  #newest = -1
  #held = 0
  #recovered: Uint8Array | undefined

  constructor(limits: { readonly groups: number; readonly bytes: number } = FEC_DECODER_LIMITS) {
    this.#limits = limits
    this.#groups = Array.from({ length: limits.groups }, () => emptyGroup())
  }

  /** Memory of all groups, in bytes. */
  get heldBytes(): number {
    return this.#held
  }

  /**
   * Takes what stands behind the context id. Returns the packet in it, as a view; undefined when it is a parity, or a packet that has come before.
   * Ask `takeRecovered` behind every call. Throws DecodeError when it is malformed.
   */
  receive(bytes: Uint8Array): Uint8Array | undefined {
    this.#recovered = undefined
    const number = groupOf(bytes)
    const size = parityCountOf(bytes)
    const group = this.#groupOf(number)
    if (size > 0) {
      if (group !== undefined) this.#takeParity(group, size, bytes)
      return undefined
    }
    const packet = bytes.subarray(FEC_HEADER_LENGTH)
    if (group === undefined) return packet
    const bit = 1 << indexOf(bytes)
    if ((group.seen & bit) !== 0) {
      this.counters.duplicates++
      return undefined
    }
    group.seen |= bit
    group.count++
    this.#add(group, packet.length, packet)
    return packet
  }

  /** The packet that could be made by what was received last, as a view; it is there once, and until the next call of `receive`. */
  takeRecovered(): Uint8Array | undefined {
    const packet = this.#recovered
    this.#recovered = undefined
    return packet
  }

  #takeParity(group: Group, size: number, bytes: Uint8Array): void {
    this.counters.parityReceived++
    if (group.size !== 0) {
      this.counters.duplicates++
      return
    }
    group.size = size
    group.parityLength = bytes.length - FEC_HEADER_LENGTH - PARITY_LENGTHS
    const lengths = (bytes[FEC_HEADER_LENGTH] << 8) | bytes[FEC_HEADER_LENGTH + 1]
    this.#add(group, lengths, bytes.subarray(FEC_HEADER_LENGTH + PARITY_LENGTHS))
  }

  #add(group: Group, length: number, bytes: Uint8Array): void {
    this.#makeRoom(group, bytes.length)
    group.sum.add(bytes, length)
    if (group.size !== 0 && group.count === group.size - 1) this.#recover(group)
  }

  /** All but one have come. */
  #recover(group: Group): void {
    // The lowest number that has not.
    const bit = ~group.seen & (group.seen + 1)
    group.seen |= bit
    group.count++
    const { packets, lengths } = group.sum
    const isOne = group.size === 32 || group.seen >>> group.size === 0
    // A parity is as long as its longest packet: a few bytes must not make many.
    const isLong = packets.length <= group.parityLength && lengths <= packets.length
    // Behind the packet there is nothing but what the padding of all has left: nothing.
    if (!isOne || !isLong || !isZero(packets.subarray(lengths))) {
      this.counters.unfit++
      return
    }
    this.counters.recovered++
    this.#recovered = packets.subarray(0, lengths)
  }

  /** What is known of a group; undefined when it is too old. */
  #groupOf(number: number): Group | undefined {
    if (this.#newest === -1) this.#newest = number
    const ahead = (number - this.#newest + GROUP_NUMBERS) % GROUP_NUMBERS
    if (ahead < GROUP_NUMBERS / 2) this.#newest = number
    else if (GROUP_NUMBERS - ahead >= this.#limits.groups) return undefined
    const group = this.#groups[number % this.#limits.groups]
    if (group.number !== number) forget(group, number)
    return group
  }

  /** Older groups go when a longer packet makes it too much in all. */
  #makeRoom(group: Group, length: number): void {
    const { sum } = group
    if (length <= sum.room) return
    this.#held += sum.roomFor(length) - sum.room
    for (let age = this.#limits.groups - 1; this.#held > this.#limits.bytes && age >= 0; age--) {
      const old = this.#groups[(this.#newest - age + GROUP_NUMBERS) % this.#limits.groups]
      if (old === group) continue
      this.#held -= old.sum.room
      old.sum.release()
      forget(old, -1)
    }
  }
}

function emptyGroup(): Group {
  return { number: -1, seen: 0, count: 0, size: 0, parityLength: 0, sum: new XorSum() }
}

function forget(group: Group, number: number): void {
  group.number = number
  group.seen = 0
  group.count = 0
  group.size = 0
  group.parityLength = 0
  group.sum.clear()
}

function isZero(bytes: Uint8Array): boolean {
  for (let i = 0; i < bytes.length; i++) if (bytes[i] !== 0) return false
  return true
}
