/** Which of the latest `size` sequence numbers were seen: a bit each. `size`: a power of two, 32 or more. */
export class SequenceWindow {
  readonly size: number
  readonly #bits: Uint32Array
  #nextExpected = 0

  constructor(size: number) {
    if (!(Number.isInteger(size) && size >= 32 && (size & (size - 1)) === 0)) {
      throw new RangeError(`window of ${size} sequence numbers; expected a power of two from 32 on`)
    }
    this.size = size
    this.#bits = new Uint32Array(size / 32)
  }

  /** One more than the highest number seen: RFC 4737's NextExp. 0 before the first. */
  get nextExpected(): number {
    return this.#nextExpected
  }

  /**
   * Notes a number, from 0 to 2^53 - 1. 'in-order': higher than all before. 'late': lower, and new. 'duplicate': seen before.
   * 'too-late': so far behind that it is no longer known whether it was seen; not noted.
   */
  note(sequence: number): 'in-order' | 'late' | 'duplicate' | 'too-late' {
    const next = this.#nextExpected
    if (sequence >= next) {
      this.#forget(next, sequence)
      this.#nextExpected = sequence + 1
      this.#mark(sequence)
      return 'in-order'
    }
    if (sequence < next - this.size) return 'too-late'
    if (this.has(sequence)) return 'duplicate'
    this.#mark(sequence)
    return 'late'
  }

  /** Was it seen? False too for what is too far behind to know. */
  has(sequence: number): boolean {
    if (sequence < 0 || sequence >= this.#nextExpected || sequence < this.#nextExpected - this.size) return false
    const bit = sequence % this.size
    return (this.#bits[bit >>> 5] & (1 << (bit & 31))) !== 0
  }

  #mark(sequence: number): void {
    const bit = sequence % this.size
    this.#bits[bit >>> 5] |= 1 << (bit & 31)
  }

  /** Clears the places of the numbers from … to, which enter the window unseen. */
  #forget(from: number, to: number): void {
    if (to - from >= this.size) {
      this.#bits.fill(0)
      return
    }
    for (let sequence = from; sequence <= to; sequence++) {
      const bit = sequence % this.size
      this.#bits[bit >>> 5] &= ~(1 << (bit & 31))
    }
  }
}
