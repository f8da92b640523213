/**
 * The check of `controller` takes a while: here its solution runs on a few networks only (controller.test.ts). `npm run check-solutions -- --lab 5` tries all
 * of it, and all mutants.
 */
import { loadMutants } from '../../../labs/kit/grading/mutants.ts'
import { ROOT } from '../../../labs/kit/lab/registry.ts'
import { lab } from '../../../labs/lab-05-congestion/lab.ts'
import { testTasks } from '../every-lab.ts'

const catalogues = await loadMutants(ROOT, lab)

describe('labs/lab-05-congestion: tasks', () => {
  testTasks(lab, {
    solved: ({ id }) => id !== 'controller',
    unfinished: ({ kind }) => (kind === 'coding' ? /not written yet/ : undefined),
    minMutants: 5,
    catalogues,
    sample: (mutants, { id }) => (id === 'controller' ? [] : mutants.slice(0, 1)),
  })
})
