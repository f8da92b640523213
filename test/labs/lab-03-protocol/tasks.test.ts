/** Every task: the solution passes, the starting file fails, mutants are rejected with feedback that fits. */
import { expect } from 'chai'
import { lab } from '../../../labs/lab-03-protocol/lab.ts'
import { mutantsOf, Scratch, SOLUTIONS, said } from './grade.ts'

describe('labs/lab-03-protocol: tasks', () => {
  const scratch = new Scratch()
  after(() => scratch.remove())

  for (const task of lab.tasks) {
    describe(task.id, () => {
      it('is passed by the solution', async () => {
        scratch.fill(SOLUTIONS)
        const result = await scratch.check(task.id, 'reference-0')
        expect(result.passed, said(result)).to.equal(true)
      })

      it('is failed by the starting file, which is told to be unfinished', async () => {
        scratch.fill()
        const result = await scratch.check(task.id, 'reference-0')
        expect(result.passed).to.equal(false)
        expect(result.feedback.found).to.match(/not written yet|no name yet/)
      })

      it('has at least five mutants', () => {
        expect(mutantsOf(task.id)).to.have.length.of.at.least(5)
      })

      for (const mutant of sample(mutantsOf(task.id))) {
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

/** Two of each task. `npm run check-solutions -- --lab 3` tries all of them, and so does this with ALL_MUTANTS set. */
function sample<T>(mutants: readonly T[]): readonly T[] {
  return process.env.ALL_MUTANTS ? mutants : [...mutants.slice(0, 1), ...mutants.slice(-1)]
}
