/**
 * The solution is tried here where that takes no waiting. `npm run check-solutions -- --lab 2` also runs what is measured live,
 * and all mutants.
 */
import { loadMutants } from '../../../labs/kit/grading/mutants.ts'
import { ROOT } from '../../../labs/kit/lab/registry.ts'
import { lab } from '../../../labs/lab-02-performance/lab.ts'
import { testTasks } from '../every-lab.ts'

/** Decided in virtual time or by bytes; the others measure for 10 to 20 s. */
const QUICK = ['overhead', 'pump', 'path-mtu', 'explain', 'carriers', 'break-search', 'kernel']

const catalogues = await loadMutants(ROOT, lab)

describe('labs/lab-02-performance: tasks', () => {
  testTasks(lab, {
    solved: ({ id }) => QUICK.includes(id) || process.env.ALL_MUTANTS !== undefined,
    // The starting file of send-packet works, and is too slow.
    unfinished: ({ id }) => (id === 'send-packet' ? undefined : /not written yet|TODO|no answer yet/),
    minMutants: 7,
    catalogues,
    /** One of each task that does not measure. */
    sample: (mutants, { id }) => {
      if (id === 'handshake') return []
      // Its answers are judged before anything is measured.
      if (id === 'whole') return mutants.filter(({ file }) => file === 'answers.toml')
      return mutants.filter(({ id }) => !id.startsWith('s')).slice(-1)
    },
  })
})
