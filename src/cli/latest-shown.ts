import { TokenBucket } from '../ip/token-bucket.ts'
import { LINES } from '../log/log-budget.ts'

/** How long what came last waits, when too much has come. */
const WAIT_MS = 1000

/**
 * Shows what a peer may change as often as it likes: at once as long as that is seldom, then only what came last, with how many came
 * before it. So nobody can flood a terminal or a file, and the last word is always there.
 */
export class LatestShown<T> {
  readonly #show: (value: T, leftOut: number) => void
  readonly #bucket = new TokenBucket({ ...LINES.connection, now: () => performance.now() })
  #waiting: { readonly value: T; readonly leftOut: number } | undefined
  #timer: NodeJS.Timeout | undefined

  constructor(show: (value: T, leftOut: number) => void) {
    this.#show = show
  }

  push(value: T): void {
    if (this.#waiting === undefined && this.#bucket.take()) return this.#show(value, 0)
    this.#waiting = { value, leftOut: this.#waiting === undefined ? 0 : this.#waiting.leftOut + 1 }
    this.#timer ??= setTimeout(() => this.flush(), WAIT_MS)
  }

  /** Shows what waits, if anything does. */
  flush(): void {
    clearTimeout(this.#timer)
    this.#timer = undefined
    const waiting = this.#waiting
    this.#waiting = undefined
    if (waiting !== undefined) this.#show(waiting.value, waiting.leftOut)
  }
}
