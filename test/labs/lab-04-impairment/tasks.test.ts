/**
 * Every task: the starting file fails, mutants are rejected with feedback that fits. The solution is tried here where nothing is
 * measured over a network; `npm run check-solutions -- --lab 4` tries all of it.
 */
import { expect } from 'chai'
import { lab } from '../../../labs/lab-04-impairment/lab.ts'
import { mutantsOf, Scratch, SOLUTIONS, said } from './grade.ts'

const IN_VIRTUAL_TIME = ['metrics']

describe('labs/lab-04-impairment: tasks', () => {
  const scratch = new Scratch()
  after(() => scratch.remove())

  for (const task of lab.tasks) {
    describe(task.id, () => {
      if (IN_VIRTUAL_TIME.includes(task.id)) {
        it('is passed by the solution', async () => {
          scratch.fill(SOLUTIONS)
          const result = await scratch.check(task.id, 'reference-0')
          expect(result.passed, said(result)).to.equal(true)
        })
      }

      it('is failed by the starting files', async () => {
        scratch.fill()
        const result = await scratch.check(task.id, 'reference-0')
        expect(result.passed).to.equal(false)
        if (task.kind === 'coding') expect(result.feedback.found).to.match(/not written yet/)
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
          expect(said(result).toLowerCase().replace(/\s+/g, ' ')).to.include(mutant.expect.toLowerCase())
          expect(result.feedback.read).to.not.deep.equal([])
        })
      }
    })
  }
})

/** One of each task. `npm run check-solutions -- --lab 4` tries all of them, and so does this with ALL_MUTANTS set. */
function sample<T>(mutants: readonly T[]): readonly T[] {
  return process.env.ALL_MUTANTS ? mutants : mutants.slice(0, 1)
}
