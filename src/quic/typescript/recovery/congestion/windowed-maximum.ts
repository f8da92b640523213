/**
 * The largest of the values of the last rounds.
 *
 *     value   9 ─┐
 *                │   7 ─┐
 *                │      │    5 ─┐        only those that are larger than all after them can become the largest
 *     round      3      6       8
 */
export class WindowedMaximum {
  readonly #rounds: number
  readonly #kept: { value: number; round: number }[] = []

  constructor(rounds: number) {
    this.#rounds = rounds
  }

  /** 0: there is none. */
  get value(): number {
    return this.#kept[0]?.value ?? 0
  }

  /** `round` never falls. */
  add(value: number, round: number): void {
    const kept = this.#kept
    while (kept.length > 0 && kept[kept.length - 1].value <= value) kept.pop()
    if (kept.length === 0 || kept[kept.length - 1].round < round) kept.push({ value, round })
    while (round - kept[0].round >= this.#rounds) kept.shift()
  }
}
