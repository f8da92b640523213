import { existsSync } from 'node:fs'
import { expect } from 'chai'
import { CheckFailure } from '../../../../labs/kit/check/check-failure.ts'
import type { Check, CheckContext } from '../../../../labs/kit/lab/types.ts'
import { type EngineEvent, runCheck, runChecks } from '../../../../labs/kit/run/engine.ts'
import { passing, sampleLab, sampleRoot, sampleTask } from '../sample-lab.ts'

describe('the engine that runs checks', () => {
  let place: ReturnType<typeof sampleRoot>
  before(() => {
    place = sampleRoot('[first]\nhost = 63\n')
  })
  after(() => place.remove())
  const run = (check: Check, changes = {}) => {
    const task = sampleTask({ check, ...changes })
    return runCheck(sampleLab([task]), task, { root: place.root, mode: 'live' })
  }

  it('hands on what a check has found', async () => {
    const result = await run(passing)
    expect(result).to.include({ task: 'first', passed: true })
    expect(result.feedback.found).to.equal('the sky')
  })

  it('ends a check at the first expectation that does not hold, with its feedback', async () => {
    let after = false
    const result = await run(async (context: CheckContext) => {
      await context.do('start something', () => 1)
      context.expect('one is two', false, { expected: 'two', found: 'one', misconception: 'They differ.' })
      after = true
      return await passing(context)
    })
    expect(after).to.equal(false)
    expect(result.feedback).to.deep.equal({
      passed: false,
      expected: 'two',
      found: 'one',
      misconception: 'They differ.',
      read: ['RFC 9484 §1'],
    })
    expect(result.steps).to.deep.equal([
      { text: 'start something', state: 'done' },
      { text: 'one is two', state: 'failed' },
    ])
  })

  it('names the step in which an error happened, and paths from the top of the repository', async () => {
    const result = await run(async context => {
      await context.do('open the file', () => {
        throw new Error(`no such file: ${context.exercises}/server.toml`)
      })
      return await passing(context)
    })
    expect(result.passed).to.equal(false)
    expect(result.feedback.expected).to.equal('this step to work: open the file')
    expect(result.feedback.found).to.equal('no such file: labs/lab-99-sample/exercises/server.toml')
  })

  it('marks the step whose outcome is not the expected one, however the check says so', async () => {
    const feedback = { passed: false, expected: 'this', found: 'that', read: [] }
    for (const end of [async () => feedback, () => Promise.reject(new CheckFailure(feedback))]) {
      const { steps } = await run(async context => {
        await context.do('ask this', () => {})
        await context.do('ask that', () => {})
        return await end()
      })
      expect(steps.map(({ state }) => state)).to.deep.equal(['done', 'failed'])
    }
  })

  it('survives a check that throws something odd', async () => {
    const result = await run(() => Promise.reject('odd'))
    expect(result.feedback).to.include({ passed: false, found: 'odd' })
  })

  it('stops a check that never ends, and says in which step it was', async () => {
    let aborted = false
    const result = await run(
      async context => {
        context.signal.addEventListener('abort', () => {
          aborted = true
        })
        return await context.do('wait for ever', () => new Promise<never>(() => {}))
      },
      { timeoutMs: 20 },
    )
    expect(aborted).to.equal(true)
    expect(result.feedback).to.include({
      passed: false,
      expected: 'this step to work: wait for ever',
      found: 'no result after 0.02 s',
    })
  })

  it('undoes what was deferred, last in first out, and removes the scratch directory, also after a failure', async () => {
    const undone: number[] = []
    let scratch = ''
    await run(async context => {
      scratch = await context.scratch()
      expect(existsSync(scratch)).to.equal(true)
      for (const n of [1, 2, 3]) context.defer(() => undone.push(n))
      context.defer(() => {
        throw new Error('cannot be closed')
      })
      throw new Error('failed')
    })
    expect(undone).to.deep.equal([3, 2, 1])
    expect(existsSync(scratch)).to.equal(false)
  })

  it('gives a check the answers of its task, unanswered ones as empty texts', async () => {
    let answers: unknown
    await run(
      async context => {
        answers = context.answers
        return await passing(context)
      },
      {
        questions: [
          { id: 'host', prompt: '?' },
          { id: 'gateway', prompt: '?' },
        ],
      },
    )
    expect(answers).to.deep.equal({ host: '63', gateway: '' })
  })

  it('runs checks one at a time and in order, and reports as it goes', async () => {
    const tasks = ['first', 'second'].map(id => sampleTask({ id }))
    const events: string[] = []
    const onEvent = (event: EngineEvent) => events.push(`${event.type} ${event.task.id}`)
    const results = await runChecks(sampleLab(tasks), tasks, { root: place.root, mode: 'unattended', onEvent })
    expect(results.map(result => result.passed)).to.deep.equal([true, true])
    expect(events).to.deep.equal(['started first', 'finished first', 'started second', 'finished second'])
  })

  it('stops between and inside checks when asked to', async () => {
    const stop = new AbortController()
    const tasks = [
      sampleTask({ id: 'first' }),
      sampleTask({
        id: 'second',
        check: async context => {
          stop.abort()
          return await context.do('too late', () => passing(context))
        },
      }),
      sampleTask({ id: 'third' }),
    ]
    const results = await runChecks(sampleLab(tasks), tasks, { root: place.root, mode: 'live', signal: stop.signal })
    expect(results.map(result => result.task)).to.deep.equal(['first'])
  })
})
