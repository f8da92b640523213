/** Who a packet is from: a sockaddr as text, which is made once for each sender. */

import type { SocketAddress } from '../quic.ts'
import { PORT_OFFSET, SOCKADDR_IN6_LENGTH, type UdpCalls } from './linux-calls.ts'

/** Addresses that are known at a time. Whoever sends from more costs some time, and no memory. */
const MAX_KNOWN = 1024

const WORDS = SOCKADDR_IN6_LENGTH / 4

export class Senders {
  readonly #calls: Pick<UdpCalls, 'formatAddress'>
  readonly #known = new Map<string, SocketAddress>()
  /** Of the last one: nearly always the next packet is from there too. */
  readonly #lastWords = new Uint32Array(WORDS)
  #last: SocketAddress = { host: '', port: 0 }

  constructor(calls: Pick<UdpCalls, 'formatAddress'>) {
    this.#calls = calls
  }

  of(sockaddr: DataView<ArrayBuffer>): SocketAddress {
    if (this.#isLast(sockaddr)) return this.#last
    const bytes = Buffer.from(sockaddr.buffer, sockaddr.byteOffset, SOCKADDR_IN6_LENGTH)
    const key = bytes.toString('latin1')
    let sender = this.#known.get(key)
    if (sender === undefined) {
      sender = { host: this.#calls.formatAddress(bytes), port: sockaddr.getUint16(PORT_OFFSET) }
      if (this.#known.size >= MAX_KNOWN) this.#known.clear()
      this.#known.set(key, sender)
    }
    for (let i = 0; i < WORDS; i++) this.#lastWords[i] = sockaddr.getUint32(4 * i, true)
    this.#last = sender
    return sender
  }

  /** What the system leaves of an earlier, longer address behind a shorter one only makes it look new. */
  #isLast(sockaddr: DataView): boolean {
    for (let i = 0; i < WORDS; i++) {
      if (this.#lastWords[i] !== sockaddr.getUint32(4 * i, true)) return false
    }
    return true
  }
}
