/**
 * The solution is tried here where nothing is measured over a network; `npm run check-solutions -- --lab 4` tries all of it,
 * and all mutants.
 */
import { loadMutants } from '../../../labs/kit/grading/mutants.ts'
import { ROOT } from '../../../labs/kit/lab/registry.ts'
import { lab } from '../../../labs/lab-04-impairment/lab.ts'
import { testTasks } from '../every-lab.ts'

const IN_VIRTUAL_TIME = ['metrics', 'migration', 'handover', 'break-window']

const catalogues = await loadMutants(ROOT, lab)

describe('labs/lab-04-impairment: tasks', () => {
  testTasks(lab, {
    solved: ({ id }) => IN_VIRTUAL_TIME.includes(id),
    unfinished: ({ kind }) => (kind === 'coding' ? /not written yet/ : undefined),
    minMutants: 5,
    catalogues,
    sample: mutants => mutants.slice(0, 1),
  })
})
