import { expect } from 'chai'
import { Seeded } from '../../../labs/kit/check/seeded.ts'
import { drawNetworks, Judge } from '../../../labs/lab-05-congestion/networks.ts'
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

  it('are the same for the same name, and others for another one', () => {
    expect(drawNetworks(new Seeded('test', 'controller'), 2)).to.deep.equal(networks)
    expect(drawNetworks(new Seeded('other', 'controller'), 2)).to.not.deep.equal(networks)
  })
})
