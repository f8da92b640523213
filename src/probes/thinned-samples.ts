/**
 * Keeps samples of an endless row of measurements in bounded memory: all of them at first; when there are too many, every second is
 * forgotten, and from then on only every second is taken, and so on. What is kept is spread evenly over the whole row.
 */
export class ThinnedSamples {
  readonly #limit: number
  #values: number[] = []
  #stride = 1
  #count = 0

  constructor(limit = 100_000) {
    this.#limit = limit
  }

  /** How many were added, kept or not. */
  get count(): number {
    return this.#count
  }

  get values(): readonly number[] {
    return this.#values
  }

  add(value: number): void {
    if (this.#count++ % this.#stride !== 0) return
    if (this.#values.length === this.#limit) {
      this.#values = this.#values.filter((_, i) => i % 2 === 0)
      this.#stride *= 2
      // The one that is to be added may be among those that the new stride leaves out.
      if ((this.#count - 1) % this.#stride !== 0) return
    }
    this.#values.push(value)
  }
}
