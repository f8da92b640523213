/** `npm run check-solutions -- --lab 5` tries all mutants. */
import { loadMutants } from '../../../labs/kit/grading/mutants.ts'
import { ROOT } from '../../../labs/kit/lab/registry.ts'
import { lab } from '../../../labs/lab-05-congestion/lab.ts'
import { testTasks } from '../every-lab.ts'

const catalogues = await loadMutants(ROOT, lab)

describe('labs/lab-05-congestion: tasks', () => {
  testTasks(lab, {
    solved: ({ id }) => id === 'new-reno',
    unfinished: ({ kind }) => (kind === 'coding' ? /not written yet/ : undefined),
    minMutants: 5,
    catalogues,
    sample: mutants => mutants.slice(0, 1),
  })
})
