/**
 * The sender's half of FEC: numbers packets, and makes a parity of each group.
 *
 *   wrap(packet) ── datagram ──▶ has it left? ── sent(packet) ──▶ was it the last of its group? its parity
 *
 * What a full queue has dropped is in no group: it is lost for sure, and would take the place of what the link may lose.
 */

import { encodeVarint, varintLength } from '../../bytes/varint.ts'
import {
  FEC_HEADER_LENGTH,
  GROUP_NUMBERS,
  MAX_FEC_GROUP,
  MIN_FEC_GROUP,
  PARITY_LENGTHS,
  parityKind,
  writeFecHeader,
} from './datagram.ts'
import { XorSum } from './xor-sum.ts'

/** Every datagram is put together here; whoever sends it copies it. */
const datagram = new Uint8Array(65_536 + 16)

export class FecEncoder {
  readonly #groupSize: number
  readonly #contextId: Uint8Array
  #group: number
  /** Packets of this group that have left. */
  #count = 0
  readonly #sum = new XorSum()
  #since: number | undefined

  /** `groupSize`: packets in a group. `firstGroup`: where their numbers begin. */
  constructor(options: { contextId: number; groupSize: number; firstGroup?: number }) {
    const { contextId, groupSize, firstGroup = 0 } = options
    if (!(groupSize >= MIN_FEC_GROUP && groupSize <= MAX_FEC_GROUP)) {
      throw new RangeError(`a group of ${groupSize} packets; expected ${MIN_FEC_GROUP} to ${MAX_FEC_GROUP}`)
    }
    this.#groupSize = groupSize
    this.#group = firstGroup
    this.#contextId = new Uint8Array(varintLength(contextId))
    encodeVarint(contextId, this.#contextId, 0)
  }

  /** Since when the first packet of a group waits for its parity, by the time that `sent` was told; undefined: none does. */
  get since(): number | undefined {
    return this.#since
  }

  /** How much more than in context 0 a parity takes than its longest packet does, in bytes: by as much falls the tunnel's MTU. */
  get overhead(): number {
    return this.#contextId.length + FEC_HEADER_LENGTH + PARITY_LENGTHS - 1
  }

  /** The HTTP Datagram payload that carries the packet. Valid until the next call, of any encoder. */
  wrap(packet: Uint8Array): Uint8Array {
    const at = this.#writeHeader(this.#count)
    datagram.set(packet, at)
    return datagram.subarray(0, at + packet.length)
  }

  /** The packet that was wrapped last has left. Returns the parity when that was the last of its group; see `flush`. */
  sent(packet: Uint8Array, now: number): Uint8Array | undefined {
    this.#sum.add(packet)
    this.#since ??= now
    this.#count++
    return this.#count === this.#groupSize ? this.flush() : undefined
  }

  /** Ends the group as it is. Returns the HTTP Datagram payload with its parity, valid as that of a packet; undefined when the group is empty. */
  flush(): Uint8Array | undefined {
    if (this.#count === 0) return undefined
    const { lengths, packets } = this.#sum
    const at = this.#writeHeader(parityKind(this.#count))
    datagram[at] = lengths >> 8
    datagram[at + 1] = lengths
    datagram.set(packets, at + PARITY_LENGTHS)
    this.#sum.clear()
    this.#group = (this.#group + 1) % GROUP_NUMBERS
    this.#count = 0
    this.#since = undefined
    return datagram.subarray(0, at + PARITY_LENGTHS + packets.length)
  }

  /** Returns where it ends. */
  #writeHeader(kind: number): number {
    datagram.set(this.#contextId)
    writeFecHeader(datagram, this.#contextId.length, this.#group, kind)
    return this.#contextId.length + FEC_HEADER_LENGTH
  }
}
