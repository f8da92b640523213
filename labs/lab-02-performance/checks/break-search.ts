/** Task 9: the student's test of the search that the proxy runs, on the sound one and on broken ones. */
import { checkBreakIt } from '../../kit/grading/break-it.ts'
import { mutants } from '../../kit/grading/mutants.ts'
import type { CheckContext, Feedback, Reading } from '../../kit/lab/types.ts'
import { showChart } from '../chart.ts'
import { foundOutPicture } from '../picture.ts'

const SUBJECT = 'src/quic/path-mtu.ts'
const READ: Reading[] = [`${SUBJECT}: the comments are the promise`, 'RFC 8899 §4.3, §5.1', 'node:assert/strict']

// Cases ----------------------------------------------------------------------------------------------------------------

/** By what is wrong with it. */
export const BROKEN = mutants(SUBJECT, {
  'one-loss': {
    misconception: 'it gives a size up after one lost probe',
    says: '',
    edits: [['++this.#losses < MAX_PROBES', '++this.#losses < 1']],
  },
  'losses-add-up': {
    misconception: 'losses before an acknowledged probe still count after it',
    says: '',
    edits: [['onProbeAcked(now: number): void { this.#losses = 0', 'onProbeAcked(now: number): void {']],
  },
  'rounds-down': {
    misconception: 'it never finds the last byte',
    says: '',
    edits: [['if (this.#size < this.#ceiling) return', 'if (this.#size < this.#ceiling - 1) return']],
  },
  'too-early': {
    misconception: 'it has a probe before one is due',
    says: '',
    edits: [['if (this.#dueAt === undefined || now < this.#dueAt) return', 'if (this.#dueAt === undefined) return']],
  },
  'never-again': {
    misconception: 'once complete, it never looks whether the path has become wider',
    says: '',
    edits: [['this.#size < this.#max ? now + RAISE_MS : undefined', 'undefined']],
  },
  'pause-stays': {
    misconception: 'the pause after a probe that said nothing does not grow',
    says: '',
    edits: [['Math.min(this.#pauseMs * 2, LONGEST_PAUSE_MS)', 'this.#pauseMs']],
  },
  'stays-in-the-hole': {
    misconception: 'in a black hole it keeps the size that was proven before',
    says: '',
    edits: [["if (this.#state === 'confirming') this.#size = this.#base", '']],
  },
  'stall-forgets-the-maximum': {
    misconception: 'after a stall it never tries again what it had ruled out before',
    says: '',
    edits: [
      [
        `this.#size = this.#base
    this.#search(this.#max, true)`,
        `this.#size = this.#base
    this.#search(this.#ceiling, true)`,
      ],
    ],
  },
})

/** Nothing about what it does is different. */
const SAME = mutants(SUBJECT, {
  'in-other-words': {
    misconception: 'none',
    says: '',
    edits: [
      ['Math.ceil((this.#size + this.#ceiling) / 2)', 'this.#size + Math.ceil((this.#ceiling - this.#size) / 2)'],
    ],
  },
})

// Judgement -----------------------------------------------------------------------------------------------------------

export function check(context: CheckContext): Promise<Feedback> {
  return checkBreakIt(context, {
    file: 'break-search.ts',
    subject: SUBJECT,
    name: 'search',
    same: SAME,
    broken: BROKEN,
    read: READ,
    show: results => showChart(context, foundOutPicture('Broken searches', results)),
  })
}
