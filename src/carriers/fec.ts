/**
 * Forward error correction in a tunnel (connect-ip/fec/): between the tunnel and its carrier, where both ends have agreed on it.
 *
 *   out:  tunnel → `send` → context of FEC → carrier, and a parity behind each group, or when one has waited for long enough
 *   in:   carrier → tunnel → `receive` → what came, what was lost → tunnel, which judges both as any other packet
 */

import { varintLengthFromFirstByte } from '../bytes/varint.ts'
import { FecDecoder, type FecDecoderCounters } from '../connect-ip/fec/decoder.ts'
import { FecEncoder } from '../connect-ip/fec/encoder.ts'
import { IPV6_MINIMUM_MTU } from '../ip/ipv6.ts'
import type { Carrier, SendResult } from './carrier.ts'

/** So long a packet waits for its parity when the others of its group do not come, in ms. */
export const FEC_FLUSH_MS = 50

export interface FecCounters extends Readonly<FecDecoderCounters> {
  readonly paritySent: number
}

export class TunnelFec {
  readonly contextId: number
  readonly #carrier: Carrier
  readonly #decoder = new FecDecoder()
  /** Undefined while the peer has not agreed. */
  #encoder: FecEncoder | undefined
  #paritySent = 0
  #timer: NodeJS.Timeout | undefined

  /** Packets are taken on that context from now on. */
  constructor(carrier: Carrier, contextId: number) {
    this.#carrier = carrier
    this.contextId = contextId
  }

  /** Packets are sent there from now on, if the carrier has datagrams: on streams nothing is lost. */
  start(groupSize: number): void {
    if (this.#carrier.sendDatagram === undefined || this.#carrier.encapsulation !== 'datagram') return
    this.#encoder = new FecEncoder({ contextId: this.contextId, groupSize })
  }

  /** The tunnel has ended. */
  stop(): void {
    clearTimeout(this.#timer)
    this.#encoder = undefined
  }

  get counters(): FecCounters {
    return { paritySent: this.#paritySent, ...this.#decoder.counters }
  }

  /** A parity has to fit, too. For what IPv6 asks of a link there is room nevertheless: what does not fit here goes unprotected. */
  get mtu(): number {
    return Math.max(this.#protectedMtu, Math.min(this.#carrier.mtu, IPV6_MINIMUM_MTU))
  }

  get #protectedMtu(): number {
    return this.#carrier.mtu - (this.#encoder?.overhead ?? 0)
  }

  send(packet: Uint8Array): SendResult {
    const encoder = this.#encoder
    if (encoder === undefined || packet.length > this.#protectedMtu) return this.#carrier.sendPacket(packet)
    const result = this.#sendDatagram(encoder.wrap(packet))
    if (result !== 'sent') return result
    this.#sendParity(encoder.sent(packet, performance.now()))
    if (encoder.since !== undefined) this.#timer ??= setTimeout(() => this.#flush(encoder), FEC_FLUSH_MS).unref()
    return result
  }

  #sendParity(parity: Uint8Array | undefined): void {
    if (parity !== undefined && this.#sendDatagram(parity) === 'sent') this.#paritySent++
  }

  #sendDatagram(payload: Uint8Array): SendResult {
    return this.#carrier.sendDatagram?.(payload) ?? 'dropped'
  }

  /** One timer for all groups: most of them end by themselves, long before. */
  #flush(encoder: FecEncoder): void {
    this.#timer = undefined
    if (encoder.since === undefined) return
    const left = encoder.since + FEC_FLUSH_MS - performance.now()
    // A timer may fire a little early.
    if (left < 1) this.#sendParity(encoder.flush())
    else this.#timer = setTimeout(() => this.#flush(encoder), left).unref()
  }

  /**
   * What a datagram of the context brings, in its order: the packet in it, and the one that was lost and can now be made. Throws DecodeError when it is
   * malformed.
   */
  receive(payload: Uint8Array): { packet: Uint8Array | undefined; recovered: Uint8Array | undefined } {
    const packet = this.#decoder.receive(payload.subarray(varintLengthFromFirstByte(payload[0])))
    return { packet, recovered: this.#decoder.takeRecovered() }
  }
}
