/** What holds for the tasks of every lab. */
import { expect } from 'chai'
import type { Mutant } from '../../labs/kit/grading/mutants.ts'
import type { Lab, Task } from '../../labs/kit/lab/types.ts'
import { Scratch, said } from './grade-lab.ts'

export interface TaskExpectations {
  /** Whether the solution is tried here: not where that takes long. */
  solved(task: Task): boolean
  /** What the starting file is told about itself; undefined where it is not unfinished. */
  unfinished(task: Task): RegExp | undefined
  minMutants: number
  /** By task; of `loadMutants`. */
  catalogues: ReadonlyMap<string, readonly Mutant[]>
  /** The mutants that are tried here. With ALL_MUTANTS set, all are, as with `npm run check-solutions`. */
  sample(mutants: readonly Mutant[], task: Task): readonly Mutant[]
}

/** One group of tests for each task: solution, starting file, mutants. */
export function testTasks(lab: Lab, { solved, unfinished, minMutants, catalogues, sample }: TaskExpectations): void {
  const scratch = new Scratch(lab)
  after(() => scratch.remove())

  for (const task of lab.tasks) {
    describe(task.id, () => {
      if (solved(task)) {
        it('is passed by the solution', async () => {
          scratch.solve()
          const result = await scratch.check(task.id)
          expect(result.passed, said(result)).to.equal(true)
        })
      }

      it('is failed by the starting file, which is told to be unfinished', async () => {
        scratch.begin()
        const result = await scratch.check(task.id)
        expect(result.passed).to.equal(false)
        const told = unfinished(task)
        if (told) expect(result.feedback.found).to.match(told)
      })

      const mutants = catalogues.get(task.id) ?? []
      it(`has at least ${minMutants} mutants`, () => {
        expect(mutants).to.have.length.of.at.least(minMutants)
      })

      for (const mutant of process.env.ALL_MUTANTS ? mutants : sample(mutants, task)) {
        it(`rejects the mutant ${mutant.id}, and says: ${mutant.says}`, async () => {
          scratch.solve(mutant)
          const result = await scratch.check(task.id)
          expect(result.passed).to.equal(false)
          expect(mutant.says).to.not.equal('')
          expect(plain(said(result))).to.include(plain(mutant.says))
          expect(result.feedback.read).to.not.deep.equal([])
          expect(result.feedback.found).to.not.include(scratch.root)
        })
      }
    })
  }
}

/** Without line breaks and capitals, which are the screen's. */
function plain(text: string): string {
  return text.toLowerCase().replace(/\s+/g, ' ')
}
