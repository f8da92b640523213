export interface BudgetLimits {
  /** What one owner may hold at once. */
  readonly each: number
  /** What all may hold together. */
  readonly inAll: number
}

/** Something that many want at once: so much for each, and so much in all. Who has nothing is not remembered. */
export class SharedBudget {
  readonly #limits: BudgetLimits
  readonly #held = new Map<string, number>()
  #total = 0

  constructor(limits: BudgetLimits) {
    this.#limits = limits
  }

  get total(): number {
    return this.#total
  }

  heldBy(owner: string): number {
    return this.#held.get(owner) ?? 0
  }

  /** Takes the amount and returns undefined, or takes nothing and says which limit is in the way. */
  take(owner: string, amount = 1): keyof BudgetLimits | undefined {
    const held = this.heldBy(owner) + amount
    if (held > this.#limits.each) return 'each'
    if (this.#total + amount > this.#limits.inAll) return 'inAll'
    this.#held.set(owner, held)
    this.#total += amount
    return undefined
  }

  giveBack(owner: string, amount = 1): void {
    const held = this.heldBy(owner) - amount
    if (held < 0) throw new RangeError(`${owner} gives back ${amount} and has ${held + amount}`)
    if (held === 0) this.#held.delete(owner)
    else this.#held.set(owner, held)
    this.#total -= amount
  }
}
