/** Mutations of the solutions that change nothing which can be observed; and why. */
import type { Equivalents } from '../../kit/grading/mutants.ts'

export default {
  'new-reno.ts': {
    'before the first loss there is no congestion avoidance, and the loss makes it 0': [
      ['#acked = 0', '#acked = (-1)'],
      ['#acked = 0', '#acked = 1'],
    ],
  },
} satisfies Equivalents
