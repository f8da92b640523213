import { expect } from 'chai'
import { mustPass, nextTask, solvedCount, worth } from '../../../../labs/kit/plain/pages.ts'
import { sampleLab, sampleTask } from '../sample-lab.ts'

const [first, extra] = [sampleTask(), sampleTask({ id: 'extra', points: 0, optional: true })]
const lab = sampleLab([first, extra])
const progressOf = (state: 'open' | 'solved') => ({ state, attempts: 1, hints: 0, solutionShown: false })

describe('optional tasks', () => {
  it('are not among those that a lab is solved by', () => {
    const progress = { extra: progressOf('solved'), first: progressOf('open') }
    expect(solvedCount(lab, progress)).to.equal(0)
    expect(nextTask(lab, progress)?.id).to.equal('first')
    expect(nextTask(lab, { first: progressOf('solved') })).to.equal(undefined)
  })

  it('have to pass only where they are checked alone', () => {
    expect(mustPass([first, extra])).to.deep.equal([first])
    expect(mustPass([extra])).to.deep.equal([extra])
  })

  it('say so in the place of points', () => {
    expect([worth(first), worth(extra)]).to.deep.equal(['5 points', 'optional'])
  })
})
