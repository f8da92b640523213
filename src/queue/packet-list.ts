/** Packets in the order in which they came, each with its time: what every discipline is made of. */

interface Waiting {
  readonly packet: Uint8Array
  /** When it came, in ms. */
  readonly since: number
  next: Waiting | undefined
}

export class PacketList {
  packets = 0
  bytes = 0
  #first: Waiting | undefined
  #last: Waiting | undefined

  /** Takes a copy. `slice` makes none of a Buffer, whose memory is that of all that was read with it. */
  push(packet: Uint8Array, now: number): void {
    const waiting = { packet: new Uint8Array(packet), since: now, next: undefined }
    if (this.#last === undefined) this.#first = waiting
    else this.#last.next = waiting
    this.#last = waiting
    this.packets++
    this.bytes += packet.length
  }

  /** The oldest one, which waits no more. */
  shift(): { readonly packet: Uint8Array; readonly since: number } | undefined {
    const oldest = this.#first
    if (oldest === undefined) return undefined
    this.#first = oldest.next
    if (this.#first === undefined) this.#last = undefined
    this.packets--
    this.bytes -= oldest.packet.length
    return oldest
  }
}
