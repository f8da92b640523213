/** Task 12: the student's test of the token bucket that limits ICMP errors, on the sound one and on broken ones. */
import { checkBreakIt } from '../../kit/grading/break-it.ts'
import { mutants } from '../../kit/grading/mutants.ts'
import type { CheckContext, Feedback, Reading } from '../../kit/lab/types.ts'

const SUBJECT = 'src/ip/token-bucket.ts'
const READ: Reading[] = [`${SUBJECT}: the comments are the promise`, 'RFC 4443 §2.4 (f)', 'node:assert/strict']

// Cases ---------------------------------------------------------------------------------------------------------------

/** By what is wrong with it. */
export const BROKEN = mutants(SUBJECT, {
  'starts-empty': {
    misconception: 'it has nothing at the beginning',
    says: '',
    edits: [['this.#tokens = options.burst', 'this.#tokens = 0']],
  },
  'keeps-the-last': {
    misconception: 'it never gives the last token',
    says: '',
    edits: [['return this.#tokens >= 1', 'return this.#tokens > 1']],
  },
  'no-parts': {
    misconception: 'parts of a token are lost',
    says: '',
    edits: [['(elapsed * this.#perSecond) / 1000', 'Math.floor((elapsed * this.#perSecond) / 1000)']],
  },
  'saves-without-end': {
    misconception: 'it saves up more than the burst',
    says: '',
    edits: [['Math.min(this.#burst, this.#tokens + (elapsed', '(this.#tokens + (elapsed']],
  },
  'asking-costs': {
    misconception: 'whoever only asks takes a token',
    says: '',
    edits: [
      ['return this.#tokens >= 1', 'return this.#tokens >= 1 && this.#tokens-- >= 1'],
      ['this.#tokens-- return true', 'return true'],
    ],
  },
  'never-full': {
    misconception: 'it is never full',
    says: '',
    edits: [['this.#tokens >= this.#burst', 'this.#tokens > this.#burst']],
  },
  'back-takes': {
    misconception: 'a clock that jumps back takes tokens away',
    says: '',
    edits: [['Math.max(0, now - this.#filledAt)', 'now - this.#filledAt']],
  },
  'back-blocks': {
    misconception: 'once the clock has jumped back, nothing comes in before the old time has come again',
    says: '',
    edits: [['this.#filledAt = now', 'this.#filledAt = Math.max(this.#filledAt, now)']],
  },
})

/** Nothing about what it does is different. */
const SAME = mutants(SUBJECT, {
  'in-other-words': {
    misconception: 'none',
    says: '',
    edits: [
      [
        'if (!this.isAvailable) return false this.#tokens-- return true',
        'const taken = this.isAvailable\nif (taken) this.#tokens -= 1\nreturn taken',
      ],
    ],
  },
})

// Judgement -----------------------------------------------------------------------------------------------------------

export function check(context: CheckContext): Promise<Feedback> {
  return checkBreakIt(context, {
    file: 'break-bucket.ts',
    subject: SUBJECT,
    name: 'bucket',
    same: SAME,
    broken: BROKEN,
    read: READ,
  })
}
