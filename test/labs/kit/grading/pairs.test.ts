import { existsSync } from 'node:fs'
import { join } from 'node:path'
import { expect } from 'chai'
import { loadPairs, type Meeting, type PairsModule, pair, pairsTable } from '../../../../labs/kit/grading/pairs.ts'
import { submissionSubjects } from '../../../../labs/kit/grading/subjects.ts'
import { findLab, loadLabs, ROOT } from '../../../../labs/kit/lab/registry.ts'
import type { Runner } from '../../../../labs/kit/run/runner.ts'
import { type Class, classFolder } from './class-folder.ts'

describe('check-solutions --pairs', () => {
  let submitted: Class
  beforeEach(() => {
    submitted = classFolder()
  })
  afterEach(() => submitted.remove())

  it('lets those meet who have solved the task, each with each and with itself, and draws a matrix', async () => {
    const labs = await loadLabs()
    const lab = findLab(labs, '3')!
    for (const student of ['ada', 'bob', 'eve']) submitted.handIn(student, lab.id)
    // Eve has not solved it; Bob cannot answer Ada.
    const runner = (): Runner => ({
      demonstrate: async () => {
        throw new Error('not here')
      },
      check: async (_lab, task, { seed }) => {
        const feedback = { passed: seed !== 'eve', expected: '', found: '', read: [] }
        return { task: task.id, passed: feedback.passed, feedback, steps: [], ms: 1 } as never
      },
      close: async () => {},
    })
    const met: string[] = []
    let closed = false
    const meeting: Meeting = {
      others: ['a library'],
      notes: ['another was left out'],
      async exchange(from, to) {
        met.push(`${from.name} ${to.name}`)
        for (const { name, exercises } of [from, to]) {
          expect(exercises !== undefined && existsSync(join(exercises, 'endpoint.ts'))).to.equal(name !== 'a library')
        }
        return from.name === 'ada' && to.name === 'bob' ? 'no answer\u001b[2J' : undefined
      },
      close: async () => {
        closed = true
      },
    }
    const module: PairsModule = { task: 'live', open: async () => meeting }
    const subjects = submissionSubjects(ROOT, submitted.path, [lab], true)
    const pairs = await pair(module, subjects, { root: ROOT, jobs: 1, signal: new AbortController().signal, runner })
    expect(closed).to.equal(true)
    expect(met).to.have.length(8)
    expect(pairs.names).to.deep.equal(['ada', 'bob', 'eve', 'a library'])
    expect(pairs.cells[0][1]).to.deep.equal({ passed: false, found: 'no answer?[2J' })
    expect(pairsTable(pairs).split('\n')).to.deep.equal([
      'Task live: rows ask, columns answer',
      '',
      '      asks        1  2  3  4',
      '   1  ada         ✔  ✘  –  ✔',
      '   2  bob         ✔  ✔  –  ✔',
      '   3  eve         –  –  –  –',
      '   4  a library   ✔  ✔  –  –',
      '',
      '✘ ada asks bob: no answer?[2J',
      'another was left out',
      '',
    ])
  })

  it('is there for a lab that says what can meet', async () => {
    const labs = await loadLabs()
    expect(await loadPairs(ROOT, findLab(labs, '1')!)).to.equal(undefined)
    const module = await loadPairs(ROOT, findLab(labs, '3')!)
    expect(findLab(labs, '3')!.tasks.map(({ id }) => id)).to.include(module!.task)
  })
})
