import { expect } from 'chai'
import { defineLab, type TaskDeclaration } from '../../../../labs/kit/lab/declare.ts'
import type { CheckContext } from '../../../../labs/kit/lab/types.ts'
import { passing } from '../sample-lab.ts'

// Every `@ts-expect-error` below is checked by `npm run typecheck`: without a compile error, it is one itself.
describe('the declaration of a lab', () => {
  const task = {
    id: 'first',
    title: 'First',
    kind: 'coding',
    points: 1,
    files: ['first.ts'],
    brief: 'Do it.',
    hints: ['Like this.'],
    reading: ['RFC 9484 §1'],
    check: passing,
  } as const satisfies TaskDeclaration
  const basics = {
    at: import.meta.url,
    title: 'A lab',
    summary: 'For tests.',
    objectives: ['test'],
    prerequisites: [],
    minutes: 1,
    reading: ['RFC 9484'],
  } as const
  /** Declares what must not compile; some of it must not run either. */
  const refused = (declare: () => unknown) => expect(declare).to.be.a('function')

  it('takes a sound one, and a task without questions has none', () => {
    const lab = defineLab({ ...basics, id: 'lab-09-test', number: 9, tasks: [task] })
    expect(lab.tasks[0].questions).to.deep.equal([])
    expect(defineLab({ ...basics, id: 'lab-12-test', number: 12, tasks: [task] }).number).to.equal(12)
  })

  it('takes a task that is optional, which has no points; and no other without', () => {
    const declare = (changes: Pick<TaskDeclaration, 'points' | 'optional'>) =>
      defineLab({ ...basics, id: 'lab-09-test', number: 9, tasks: [{ ...task, ...changes }] })
    expect(declare({ points: 0, optional: true }).tasks[0].optional).to.equal(true)
    expect(() => declare({ points: 3, optional: true })).to.throw(
      "task 'first': it is optional, so 0 points are expected",
    )
    expect(() => declare({ points: 0 })).to.throw("task 'first': points above 0 are expected")
  })

  it('does not compile with a folder that does not fit the number', () => {
    // @ts-expect-error lab-08 is not number 9
    refused(() => defineLab({ ...basics, id: 'lab-08-test', number: 9, tasks: [task] }))
    // @ts-expect-error two digits
    refused(() => defineLab({ ...basics, id: 'lab-9-test', number: 9, tasks: [task] }))
  })

  it('does not compile without tasks, or with two of the same id', () => {
    // @ts-expect-error no task
    refused(() => defineLab({ ...basics, id: 'lab-09-test', number: 9, tasks: [] }))
    // @ts-expect-error twice the same id
    refused(() => defineLab({ ...basics, id: 'lab-09-test', number: 9, tasks: [task, { ...task, title: 'Again' }] }))
  })

  it('does not compile with a part missing, misspelt or empty', () => {
    const { hints: _hints, ...withoutHints } = task
    // @ts-expect-error no hints
    refused(() => defineLab({ ...basics, id: 'lab-09-test', number: 9, tasks: [withoutHints] }))
    // @ts-expect-error empty hints
    refused(() => defineLab({ ...basics, id: 'lab-09-test', number: 9, tasks: [{ ...task, hints: [] }] }))
    // @ts-expect-error misspelt
    refused(() => defineLab({ ...basics, id: 'lab-09-test', number: 9, tasks: [{ ...task, kind: 'codeing' }] }))
    // @ts-expect-error no objectives
    refused(() => defineLab({ ...basics, objectives: [], id: 'lab-09-test', number: 9, tasks: [task] }))
  })

  it('does not compile with a coding task without code, or a question task without a question', () => {
    // @ts-expect-error a configuration is not code
    refused(() => defineLab({ ...basics, id: 'lab-09-test', number: 9, tasks: [{ ...task, files: ['a.toml'] }] }))
    const asking = { ...task, kind: 'question', files: ['answers.toml'] } as const
    // @ts-expect-error no question
    refused(() => defineLab({ ...basics, id: 'lab-09-test', number: 9, tasks: [asking] }))
  })

  it('finds the check of a task under its name beside the declaration, when it is to run', async () => {
    const { check: _check, ...named } = task
    const at = new URL('../../../../labs/lab-02-performance/lab.ts', import.meta.url).href
    const [explain, nothing] = defineLab({
      ...basics,
      at,
      id: 'lab-09-test',
      number: 9,
      tasks: [
        { ...named, id: 'explain' },
        { ...named, id: 'none' },
      ],
    }).tasks
    const feedback = await explain!.check({
      answers: {},
      exercises: 'nowhere',
      expect: () => {},
    } as unknown as CheckContext)
    expect(feedback.expected).to.match(/explanations/)
    const error = await nothing!.check({} as CheckContext).catch(error => error as Error)
    expect(error).to.be.instanceOf(Error).and.have.property('message').that.includes('checks/none.ts')
  })

  it('says which task asks questions without a file for the answers', () => {
    const asking = { ...task, questions: [{ id: 'one', prompt: 'Why?' }] } as const
    expect(() => defineLab({ ...basics, id: 'lab-09-test', number: 9, tasks: [asking] })).to.throw(
      "lab-09-test, task 'first': it asks questions, so 'answers.toml' is expected among its files",
    )
  })

  it('says which id cannot be one', () => {
    const odd = { ...task, id: 'Not this' } as const
    expect(() => defineLab({ ...basics, id: 'lab-09-test', number: 9, tasks: [odd] })).to.throw(
      /'Not this'.*lower case/,
    )
  })
})
