import { expect } from 'chai'
import { realNetwork } from '../../../../labs/kit/check/real-network.ts'
import { runCheck } from '../../../../labs/kit/run/engine.ts'
import { sampleLab, sampleRoot, sampleTask } from '../sample-lab.ts'

describe('a network with real interfaces, for a task', () => {
  it('fails its check at once, with one line of why, where the system allows none', async () => {
    const { root, remove } = sampleRoot()
    const task = sampleTask({
      async check(context) {
        await realNetwork(context, ['ping'], programs => `no ${programs} in this museum`)
        throw new Error('it went on')
      },
    })
    const { passed, feedback, steps } = await runCheck(sampleLab([task]), task, { root, mode: 'live' })
    remove()
    expect(passed).to.equal(false)
    expect(feedback.found).to.equal(
      'it does not: no ping in this museum. The task is optional: no points are lost, and nothing else depends on it',
    )
    expect(steps.map(({ state }) => state)).to.deep.equal(['failed'])
  })
})
