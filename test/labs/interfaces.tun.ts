/** The optional tasks of labs 1 and 2 as a student has them checked: with a network of their own. */
import { expect } from 'chai'
import { ownRuns } from '../../labs/kit/check/own-runs.ts'
import { loadMutants } from '../../labs/kit/grading/mutants.ts'
import { ROOT } from '../../labs/kit/lab/registry.ts'
import type { Lab } from '../../labs/kit/lab/types.ts'
import { lab as deploy } from '../../labs/lab-01-deploy/lab.ts'
import { lab as performance } from '../../labs/lab-02-performance/lab.ts'
import { Scratch, said } from './grade-lab.ts'

/** The answer that the check has to be live for to judge it: the size is one that the network carries, or not. */
const CASES: readonly (readonly [Lab, task: string, figures: readonly string[], mutant: string])[] = [
  [deploy, 'interfaces', ['ttl', 'mtu'], 'mtu-of-the-cable'],
  [performance, 'kernel', ['bytes', 'seconds', 'mtu', 'packets', 'outside'], 'no-timestamps'],
]

describe('tasks over real interfaces', function () {
  this.timeout(180_000)

  for (const [lab, task, figures, wrong] of CASES) {
    describe(`${lab.id}, ${task}`, () => {
      const scratch = new Scratch(lab)
      after(() => scratch.remove())

      it('measures in a network of its own, keeps the figures, and takes right answers', async () => {
        scratch.solve()
        const before = ownRuns(scratch.exercises, task, figures).length
        const result = await scratch.check(task, { mode: 'live' })
        expect(result.passed, said(result)).to.equal(true)
        expect(ownRuns(scratch.exercises, task, figures)).to.have.length(before + 1)
      })

      it(`names the idea behind the wrong answer ${wrong}`, async () => {
        const mutant = (await loadMutants(ROOT, lab)).get(task)?.find(({ id }) => id === wrong)
        if (mutant === undefined) throw new Error(`${task} has no mutant ${wrong}`)
        scratch.solve(mutant)
        const result = await scratch.check(task, { mode: 'live' })
        expect(result.passed).to.equal(false)
        expect(said(result)).to.include(mutant.says)
      })
    })
  }
})
