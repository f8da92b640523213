/** The exclusive or of packets, each followed by zeros up to the length of the longest, and the exclusive or of their lengths. */

/** Room for packets comes in pieces of so many bytes: whole words, and few new ones while packets get longer. */
const PIECE = 512

/** Each packet is copied here first, so that words can be taken of it: four bytes at once, wherever it begins. */
const aligned = new Uint8Array(65_536 + PIECE)
const alignedWords = new Uint32Array(aligned.buffer)

/** Of a sum that has had no packet yet: a decoder has many of those. */
const NO_BYTES = new Uint8Array(0)
const NO_WORDS = new Uint32Array(0)

export class XorSum {
  /** Behind `end` there are zeros. */
  #bytes = NO_BYTES
  #words = NO_WORDS
  #lengths = 0
  #end = 0

  /** Exclusive or of the lengths, in bytes. */
  get lengths(): number {
    return this.#lengths
  }

  /** Exclusive or of the packets, as long as the longest: a view, until the next change. */
  get packets(): Uint8Array {
    return this.#bytes.subarray(0, this.#end)
  }

  /** Memory, in bytes. */
  get room(): number {
    return this.#bytes.length
  }

  /** At most 65 536 bytes. `length`: where they are a sum themselves, that of their lengths. */
  add(packet: Uint8Array, length = packet.length): void {
    const words = Math.ceil(packet.length / 4)
    if (packet.length > this.#bytes.length) this.#grow(packet.length)
    aligned.set(packet)
    aligned.fill(0, packet.length, words * 4)
    const sum = this.#words
    for (let i = 0; i < words; i++) sum[i] ^= alignedWords[i]
    this.#lengths ^= length
    if (packet.length > this.#end) this.#end = packet.length
  }

  /** Of nothing. */
  clear(): void {
    this.#bytes.fill(0, 0, this.#end)
    this.#lengths = 0
    this.#end = 0
  }

  /** Of nothing, and without memory. */
  release(): void {
    this.#bytes = NO_BYTES
    this.#words = NO_WORDS
    this.#lengths = 0
    this.#end = 0
  }

  /** What `room` would be with a packet of this length. */
  roomFor(length: number): number {
    return Math.max(this.room, Math.ceil(length / PIECE) * PIECE)
  }

  #grow(length: number): void {
    const before = this.packets
    this.#replace(this.roomFor(length))
    this.#bytes.set(before)
  }

  #replace(room: number): void {
    this.#bytes = new Uint8Array(room)
    this.#words = new Uint32Array(this.#bytes.buffer)
  }
}
