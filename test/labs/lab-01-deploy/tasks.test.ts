import { loadMutants } from '../../../labs/kit/grading/mutants.ts'
import { ROOT } from '../../../labs/kit/lab/registry.ts'
import { lab } from '../../../labs/lab-01-deploy/lab.ts'
import { testTasks } from '../every-lab.ts'

const catalogues = await loadMutants(ROOT, lab)

describe('labs/lab-01-deploy: tasks', () => {
  testTasks(lab, {
    solved: () => true,
    unfinished: () => undefined,
    minMutants: 3,
    catalogues,
    sample: mutants => mutants,
  })
})
