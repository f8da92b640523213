import type { Otherwise } from '../lab/types.ts'

/** Thrown by `context.expect`, and by a check's own helpers, to end a check with feedback. */
export class CheckFailure extends Error {
  override name = 'CheckFailure'
  readonly feedback: Otherwise

  constructor(feedback: Otherwise) {
    super(`expected ${feedback.expected}; found ${feedback.found}`)
    this.feedback = feedback
  }
}
