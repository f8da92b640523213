import { existsSync } from 'node:fs'
import { expect } from 'chai'
import type { Demonstration, Phase } from '../../../../labs/kit/lab/types.ts'
import { runDemonstration } from '../../../../labs/kit/run/demonstrate.ts'

const demonstration = (run: Demonstration['run']): Demonstration => ({
  title: 'A demonstration',
  about: 'It shows something.',
  phases: [
    { id: 'one', title: 'One' },
    { id: 'two', title: 'Two' },
  ],
  run,
})

describe('a demonstration', () => {
  it('reports its phases as they go on, measured by a clock or by itself', async () => {
    let clock = 0
    const seen: string[] = []
    const onPhases = (phases: readonly Phase[]) => seen.push(phases.map(phase => phase.state).join(' '))
    const outcome = await runDemonstration(
      demonstration(async context => {
        context.begin('one')
        clock += 7
        context.done('one', 'found')
        context.done('two', 'by itself', 0.5)
        return { summary: ['Seen.'] }
      }),
      { onPhases, now: () => clock },
    )
    expect(seen).to.deep.equal(['waiting waiting', 'running waiting', 'done waiting', 'done done'])
    expect(outcome).to.deep.equal({
      phases: [
        { id: 'one', title: 'One', state: 'done', detail: 'found', ms: 7 },
        { id: 'two', title: 'Two', state: 'done', detail: 'by itself', ms: 0.5 },
      ],
      summary: ['Seen.'],
      failure: undefined,
      ms: 7,
    })
  })

  it('that fails says why, marks the phase, and leaves nothing behind', async () => {
    let scratch = ''
    let closed = false
    const outcome = await runDemonstration(
      demonstration(async context => {
        scratch = await context.scratch()
        context.defer(() => {
          closed = true
        })
        context.begin('one')
        throw new Error('port in use')
      }),
    )
    expect(outcome.failure).to.equal('port in use')
    expect(outcome.phases.map(phase => phase.state)).to.deep.equal(['failed', 'waiting'])
    expect(closed).to.equal(true)
    expect(existsSync(scratch)).to.equal(false)
  })

  it('can be stopped at any moment', async () => {
    const stop = new AbortController()
    let closed = false
    const outcome = await runDemonstration(
      demonstration(async context => {
        context.defer(() => {
          closed = true
        })
        context.begin('one')
        stop.abort()
        return await new Promise<never>(() => {})
      }),
      { signal: stop.signal },
    )
    expect(outcome.failure).to.equal('stopped')
    expect(closed).to.equal(true)
  })
})
