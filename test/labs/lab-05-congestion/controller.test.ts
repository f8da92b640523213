import { expect } from 'chai'
import { Seeded } from '../../../labs/kit/check/seeded.ts'
import { StudentError } from '../../../labs/kit/student-code/student-code.ts'
import { play } from '../../../labs/lab-05-congestion/checks/controller.ts'
import { drawNetworks, Judge } from '../../../labs/lab-05-congestion/networks.ts'
import { StudentControllers } from '../../../labs/lab-05-congestion/remote-controller.ts'
import { CRITERIA, type Criterion, type Trial } from '../../../labs/lab-05-congestion/verdict.ts'
import { TunnelController } from '../../../solutions/lab-05-congestion/controller.ts'
import type { VirtualFlowOptions } from '../../../src/testbed/virtual-bottleneck.ts'
import { serverTls } from '../../support/certificates.ts'

const networks = drawNetworks(new Seeded('test', 'controller'), 2)

async function trialsOf(congestion: VirtualFlowOptions['congestion']): Promise<Trial[]> {
  const judge = new Judge(await serverTls(), new AbortController().signal)
  const trials: Trial[] = []
  for (const network of networks) {
    const newReno = await judge.alone(network, { congestion: 'reno' })
    const alone = await judge.alone(network, { congestion })
    trials.push({ newReno, alone, duel: await judge.duel(network, { congestion }) })
  }
  return trials
}

describe('labs/lab-05-congestion: controllers on networks', () => {
  const failed = (trials: readonly Trial[]) =>
    (Object.keys(CRITERIA) as Criterion[]).filter(criterion => !trials.every(CRITERIA[criterion]))

  it('the solution is better than NewReno, and starves nobody', async () => {
    const trials = await trialsOf(options => new TunnelController(options))
    expect(failed(trials)).to.deep.equal([])
    // With room to spare: chance decides about nothing.
    for (const { alone, newReno } of trials) expect(alone.p95 / newReno.p95).to.be.below(0.35)
  })

  it('NewReno is not better than itself', async () => {
    expect(failed(await trialsOf('reno'))).to.include('delay')
  })

  it('that fail while others are still being made end the check, and not its process', async () => {
    const made = (afterMs: number) => {
      const call = async (method: string) => {
        await new Promise(resolve => setTimeout(resolve, afterMs))
        return method === 'add' ? 0 : new Float64Array(100).fill(12_000)
      }
      return new StudentControllers({ call } as never)
    }
    const judge = {
      alone: async () => {
        throw new StudentError('threw', 'no')
      },
      duel: async () => ({ own: 1, cubic: 1 }),
    }
    const students = { alone: made(0), duel: made(20) }
    const unhandled: unknown[] = []
    const onUnhandled = (reason: unknown) => unhandled.push(reason)
    process.on('unhandledRejection', onUnhandled)
    try {
      const failure = await play({ progress() {} } as never, judge as never, networks, students).catch(error => error)
      expect(failure.feedback.found).to.equal('no')
      expect(unhandled).to.deep.equal([])
    } finally {
      process.off('unhandledRejection', onUnhandled)
    }
  })

  it('are the same for the same name, and others for another one', () => {
    expect(drawNetworks(new Seeded('test', 'controller'), 2)).to.deep.equal(networks)
    expect(drawNetworks(new Seeded('other', 'controller'), 2)).to.not.deep.equal(networks)
  })
})
