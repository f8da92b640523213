/** Task 10: the student's test of the window that tells late packets from doubled ones, on the sound one and on broken ones. */
import { checkBreakIt } from '../../kit/grading/break-it.ts'
import { mutants } from '../../kit/grading/mutants.ts'
import type { CheckContext, Feedback, Reading } from '../../kit/lab/types.ts'

const SUBJECT = 'src/stats/sequence-window.ts'
const READ: Reading[] = [`${SUBJECT}: the comments are the promise`, 'RFC 4737 §3, §4.1', 'node:assert/strict']

// Cases ---------------------------------------------------------------------------------------------------------------

/** By what is wrong with it. */
export const BROKEN = mutants(SUBJECT, {
  'any-size': {
    misconception: 'a size that is no power of two is taken',
    says: '',
    edits: [['&& (size & (size - 1)) === 0)', ')']],
  },
  'highest-is-next': {
    misconception: 'the number that it expects next is the highest one seen',
    says: '',
    edits: [['this.#nextExpected = sequence + 1', 'this.#nextExpected = sequence']],
  },
  'late-is-not-noted': {
    misconception: 'a late number is not noted',
    says: '',
    edits: [["this.#mark(sequence) return 'late'", "return 'late'"]],
  },
  'twice-is-late': {
    misconception: 'a number that comes twice is taken for a late one',
    says: '',
    edits: [["if (this.has(sequence)) return 'duplicate'", '']],
  },
  'oldest-is-too-late': {
    misconception: 'the oldest number of the window is too late',
    says: '',
    edits: [
      ["if (sequence < next - this.size) return 'too-late'", "if (sequence <= next - this.size) return 'too-late'"],
    ],
  },
  'places-are-kept': {
    misconception: 'the place of a number that leaves the window is not cleared for the one that takes it',
    says: '',
    edits: [['this.#bits[bit >>> 5] &= ~(1 << (bit & 31))', 'if (bit < 0) return']],
  },
  'jump-clears-nothing': {
    misconception: 'after a jump beyond the window it still knows what was before',
    says: '',
    edits: [['this.#bits.fill(0)', '']],
  },
  'sees-the-future': {
    misconception: 'a number that is still to come was seen when an older one with its place was',
    says: '',
    edits: [['sequence >= this.#nextExpected || sequence', 'sequence']],
  },
})

/** Nothing about what it does is different. */
const SAME = mutants(SUBJECT, {
  'in-other-words': {
    misconception: 'none',
    says: '',
    edits: [['(size & (size - 1)) === 0', 'Number.isInteger(Math.log2(size))']],
  },
})

// Judgement -----------------------------------------------------------------------------------------------------------

export function check(context: CheckContext): Promise<Feedback> {
  return checkBreakIt(context, {
    file: 'break-window.ts',
    subject: SUBJECT,
    name: 'window',
    same: SAME,
    broken: BROKEN,
    read: READ,
  })
}
