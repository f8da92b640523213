/**
 * Who may join a class: whoever knows its code, and accounts that the instructor has named. Wrong codes are counted, because a code
 * that can be typed can be tried, too. The clock is an argument.
 */
import { createHash, timingSafeEqual } from 'node:crypto'
import { parseJoinCode } from '../run/join-code.ts'
import { Refusal } from './class-state.ts'

export const GATE_LIMITS = {
  /** Wrong codes of one account in a minute. After them the right one is wrong, too, until the minute is over. */
  wrong: 10,
  /** Accounts that are remembered for it. With more than these, nobody gets in who has not been heard of. */
  accounts: 1000,
} as const
const MINUTE_MS = 60_000

export interface JoinGateOptions {
  code: string
  /** User ids that need no code. */
  accounts?: ReadonlySet<string>
  now?: () => number
}

export class JoinGate {
  readonly code: string
  readonly #accounts: ReadonlySet<string>
  readonly #now: () => number
  readonly #wrong = new Map<string, { since: number; count: number }>()

  constructor({ code, accounts = new Set(), now = () => performance.now() }: JoinGateOptions) {
    this.code = code
    this.#accounts = accounts
    this.#now = now
  }

  /** `id`: who it is, as the kernel says. Throws a Refusal. */
  check(id: string, given: unknown): void {
    if (this.#accounts.has(id)) return
    if (given === undefined) {
      throw new Refusal(403, 'the code of the class is needed, your instructor has it: npm run lab -- --join CODE')
    }
    const now = this.#now()
    for (const [other, { since }] of this.#wrong) if (now - since >= MINUTE_MS) this.#wrong.delete(other)
    const wrong = this.#wrong.get(id) ?? { since: now, count: 0 }
    const isFull = this.#wrong.size >= GATE_LIMITS.accounts && !this.#wrong.has(id)
    if (isFull || wrong.count >= GATE_LIMITS.wrong)
      throw new Refusal(429, 'too many wrong codes; wait a minute, and ask your instructor for the code')
    const typed = typeof given === 'string' ? (parseJoinCode(given)?.text ?? '') : ''
    if (isSame(typed, this.code)) return
    this.#wrong.set(id, { ...wrong, count: wrong.count + 1 })
    throw new Refusal(403, 'this is not the code of the class that runs here')
  }
}

/** In a time that says nothing about where they differ. */
function isSame(a: string, b: string): boolean {
  const digest = (text: string): Buffer => createHash('sha256').update(text).digest()
  return timingSafeEqual(digest(a), digest(b))
}
