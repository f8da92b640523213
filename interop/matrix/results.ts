import Mocha from 'mocha'
import { faultOf, forgetFault } from '../harness/known-fault.ts'
import { forgetRemark, remarkOf } from '../harness/remarks.ts'

export type Outcome =
  /** `remark`: what was measured, or why it was left out. */
  { kind: 'passed' | 'failed' | 'skipped'; remark?: string } | { kind: 'known-fault'; note: string }

/** How each case ended: suite title → case title → outcome. */
export type Results = Map<string, Map<string, Outcome>>

/** Collects from a running mocha what the matrix shows. */
export function collectResults(runner: Mocha.Runner): Results {
  const results: Results = new Map()
  const { EVENT_TEST_BEGIN, EVENT_TEST_PASS, EVENT_TEST_FAIL, EVENT_TEST_PENDING } = Mocha.Runner.constants
  const record = (test: Mocha.Runnable, outcome: Outcome) => {
    const suite = test.parent?.title ?? ''
    const cases = results.get(suite) ?? new Map<string, Outcome>()
    results.set(suite, cases)
    cases.set(test.title, outcome)
  }
  // The same test runs over each engine: what it said over the one before is not of this run.
  runner.on(EVENT_TEST_BEGIN, test => {
    forgetRemark(test)
    forgetFault(test)
  })
  runner.on(EVENT_TEST_PASS, test => record(test, { kind: 'passed', ...remarkIn(test) }))
  runner.on(EVENT_TEST_FAIL, test => record(failedTest(test), { kind: 'failed' }))
  runner.on(EVENT_TEST_PENDING, test => {
    const note = faultOf(test)
    record(test, note === undefined ? { kind: 'skipped', ...remarkIn(test) } : { kind: 'known-fault', note })
  })
  return results
}

/** A failed hook is a failure of the test that it belongs to. */
function failedTest(runnable: Mocha.Runnable): Mocha.Runnable {
  return (runnable as Mocha.Hook).ctx?.currentTest ?? runnable
}

function remarkIn(test: Mocha.Runnable): { remark?: string } {
  const remark = remarkOf(test)
  return remark === undefined ? {} : { remark }
}
