/**
 * Every task: starting files fail, mutants are rejected with feedback that fits; and the solution passes where that takes no
 * waiting. `npm run check-solutions -- --lab 2` also runs what is measured live, and all mutants.
 */
import { expect } from 'chai'
import { lab } from '../../../labs/lab-02-performance/lab.ts'
import { mutantsOf, Scratch, SOLUTIONS, said } from './grade.ts'

/** Decided in virtual time or by bytes; the others measure for 10 to 20 s. */
const QUICK = ['overhead', 'pump', 'path-mtu', 'explain']

describe('labs/lab-02-performance: tasks', () => {
  const scratch = new Scratch()
  after(() => scratch.remove())

  for (const task of lab.tasks) {
    describe(task.id, () => {
      if (QUICK.includes(task.id) || process.env.ALL_MUTANTS) {
        it('is passed by the solution', async () => {
          scratch.fill(SOLUTIONS)
          const result = await scratch.check(task.id, 'reference-0')
          expect(result.passed, said(result)).to.equal(true)
        })
      }

      if (task.id !== 'send-packet') {
        it('is failed by the starting file, which is told to be unfinished', async () => {
          scratch.fill()
          const result = await scratch.check(task.id, 'reference-0')
          expect(result.passed).to.equal(false)
          expect(result.feedback.found).to.match(/not written yet|TODO|no answer yet/)
        })
      }

      it('has at least seven mutants', () => {
        expect(mutantsOf(task.id)).to.have.length.of.at.least(7)
      })

      for (const mutant of sample(task.id)) {
        it(`rejects the mutant ${mutant.name}, and says: ${mutant.expect}`, async () => {
          scratch.fill(SOLUTIONS, mutant.folder)
          const result = await scratch.check(task.id, 'reference-0')
          expect(result.passed).to.equal(false)
          expect(mutant.expect).to.not.equal('')
          expect(said(result)).to.include(mutant.expect)
          expect(result.feedback.read).to.not.deep.equal([])
        })
      }
    })
  }
})

/** One of each task that does not measure; with ALL_MUTANTS set, all. */
function sample(task: string) {
  const mutants = mutantsOf(task)
  if (process.env.ALL_MUTANTS) return mutants
  return task === 'handshake' ? [] : mutants.filter(({ name }) => !name.startsWith('s')).slice(-1)
}
