/** `npm run check-solutions -- --lab 3` tries all mutants. */
import { lab } from '../../../labs/lab-03-protocol/lab.ts'
import { testTasks } from '../every-lab.ts'

describe('labs/lab-03-protocol: tasks', () => {
  testTasks(lab, {
    solved: () => true,
    unfinished: () => /not written yet|no name yet/,
    minMutants: 5,
    sample: mutants => [...mutants.slice(0, 1), ...mutants.slice(-1)],
  })
})
