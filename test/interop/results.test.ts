import { expect } from 'chai'
import Mocha, { type Context } from 'mocha'
import type { Verdict } from '../../interop/harness/case-program.ts'
import { knownFault } from '../../interop/harness/known-fault.ts'
import { figure, leaveOut } from '../../interop/harness/remarks.ts'
import { collectResults, type Outcome } from '../../interop/matrix/results.ts'

const WRONG: Verdict = { ok: false, expected: '', found: '', log: [] }

describe('the results of an interoperability run', () => {
  let mocha: Mocha

  beforeEach(() => {
    mocha = new Mocha({ reporter: Mocha.reporters.Base })
    mocha.cleanReferencesAfterRun(false)
  })

  function outcomeOf(title: string): Promise<Outcome | undefined> {
    return new Promise(resolve => {
      const results = collectResults(mocha.run(() => resolve(results.get('a suite')?.get(title))))
    })
  }

  /** A case that does something else each time that it runs. */
  function addCase(...runs: ((context: Context) => void)[]): void {
    const suite = Mocha.Suite.create(mocha.suite, 'a suite')
    const next = [...runs]
    suite.addTest(
      new Mocha.Test('a case', function (this: Context) {
        next.shift()?.(this)
      }),
    )
  }

  it('have what a case measured, and why one was left out', async () => {
    addCase(
      context => figure(context, '8.5'),
      context => leaveOut(context, 'it cannot say'),
    )
    expect(await outcomeOf('a case')).to.deep.equal({ kind: 'passed', remark: '8.5' })
    expect(await outcomeOf('a case')).to.deep.equal({ kind: 'skipped', remark: 'it cannot say' })
  })

  it('say nothing of a case that it said in the run before, over another engine', async () => {
    addCase(
      context => leaveOut(context, 'it cannot say'),
      () => {},
      context => knownFault(context, 'it gets this wrong', WRONG),
      context => context.skip(),
    )
    expect(await outcomeOf('a case')).to.deep.equal({ kind: 'skipped', remark: 'it cannot say' })
    expect(await outcomeOf('a case')).to.deep.equal({ kind: 'passed' })
    expect(await outcomeOf('a case')).to.deep.equal({ kind: 'known-fault', note: 'it gets this wrong' })
    expect(await outcomeOf('a case')).to.deep.equal({ kind: 'skipped' })
  })

  it('forget what a case that failed had said before', async () => {
    addCase(
      context => {
        figure(context, '8.5')
        throw new Error('wrong')
      },
      () => {},
    )
    expect(await outcomeOf('a case')).to.deep.equal({ kind: 'failed' })
    expect(await outcomeOf('a case')).to.deep.equal({ kind: 'passed' })
  })
})
