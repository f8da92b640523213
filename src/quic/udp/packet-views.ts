/** Views of the memory that the system reads and writes, made once: nearly always packets have the length of the ones before. */

export class PacketViews {
  readonly #messages: readonly Uint8Array<ArrayBuffer>[]
  /** Of each message: packets of one length, one behind the other. */
  readonly #packets: { length: number; views: Buffer[] }[]
  readonly #rooms: Uint8Array[] = []

  constructor(messages: readonly Uint8Array<ArrayBuffer>[]) {
    this.#messages = messages
    this.#packets = messages.map(() => ({ length: 0, views: [] }))
  }

  /** The i-th message, cut into packets of `segment` bytes; the last may be shorter. Valid until the next call. */
  split(i: number, length: number, segment: number): Buffer[] {
    // A kernel does not say such a thing; but then this loop would not end.
    const step = segment > 0 ? segment : length
    const known = this.#packets[i]
    if (known.length !== step) this.#packets[i] = { length: step, views: [] }
    const { views } = this.#packets[i]
    const whole = step === 0 ? 0 : Math.floor(length / step)
    while (views.length < whole) views.push(this.#view(i, views.length * step, step))
    if (whole === views.length && whole * step === length && whole > 0) return views
    const packets = views.slice(0, whole)
    if (whole * step < length || whole === 0) packets.push(this.#view(i, whole * step, length - whole * step))
    return packets
  }

  /** `length` bytes of `memory` from `start`, where the n-th packet of a batch is written. */
  roomAt(memory: Uint8Array<ArrayBuffer>, n: number, start: number, length: number): Uint8Array {
    const known = this.#rooms[n]
    if (known !== undefined && known.byteOffset === memory.byteOffset + start && known.length === length) return known
    const room = memory.subarray(start, start + length)
    this.#rooms[n] = room
    return room
  }

  #view(i: number, start: number, length: number): Buffer {
    const { buffer, byteOffset } = this.#messages[i]
    return Buffer.from(buffer, byteOffset + start, length)
  }
}
