/**
 * Answers that take long to make serve for ten times as long: with a thousand clients, the list of them takes 10 ms, and whoever asks for
 * it without pause gets one of 100 ms ago. So nobody can make the proxy spend more than a tenth of its time on any of them; and where
 * there are few clients, an answer is never older than a millisecond or two.
 */

const TIMES_AS_LONG = 10

interface Kept {
  readonly answer: string | Promise<string>
  /** By the clock; Infinity while it is being made. */
  until: number
}

export class KeptAnswers {
  readonly #now: () => number
  readonly #kept = new Map<string, Kept>()

  /** `now` gives milliseconds that never go back. */
  constructor(now: () => number = () => performance.now()) {
    this.#now = now
  }

  /** `name` is one of a few fixed words, never from a peer. */
  get(name: string, make: () => string | Promise<string>): string | Promise<string> {
    const kept = this.#kept.get(name)
    const startedAt = this.#now()
    if (kept !== undefined && startedAt < kept.until) return kept.answer
    const answer = make()
    const made: Kept = { answer, until: Number.POSITIVE_INFINITY }
    const settle = (): void => {
      const now = this.#now()
      made.until = now + (now - startedAt) * TIMES_AS_LONG
    }
    if (typeof answer === 'string') settle()
    else
      answer.then(settle, () => {
        made.until = 0
      })
    this.#kept.set(name, made)
    return answer
  }

  /** Something has just changed, on behalf of somebody who wants to see that. */
  forget(): void {
    this.#kept.clear()
  }
}
