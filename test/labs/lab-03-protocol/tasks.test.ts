/** `npm run check-solutions -- --lab 3` tries all mutants. */
import { loadMutants } from '../../../labs/kit/grading/mutants.ts'
import { ROOT } from '../../../labs/kit/lab/registry.ts'
import { lab } from '../../../labs/lab-03-protocol/lab.ts'
import { testTasks } from '../every-lab.ts'

const catalogues = await loadMutants(ROOT, lab)

describe('labs/lab-03-protocol: tasks', () => {
  testTasks(lab, {
    solved: () => true,
    unfinished: () => /not written yet|no name yet/,
    minMutants: 5,
    catalogues,
    sample: mutants => [...mutants.slice(0, 1), ...mutants.slice(-1)],
  })
})
