import { expect } from 'chai'
import { Seeded } from '../../../labs/kit/check/seeded.ts'
import { drawFlows } from '../../../labs/lab-05-congestion/checks/controller.ts'
import { drawNetworks, Judge } from '../../../labs/lab-05-congestion/networks.ts'
import { StudentControllers } from '../../../labs/lab-05-congestion/remote-controller.ts'
import { CRITERIA, type Criterion, type Trial } from '../../../labs/lab-05-congestion/verdict.ts'
import { TunnelController } from '../../../solutions/lab-05-congestion/controller.ts'
import type { CongestionController } from '../../../src/quic/typescript/recovery/congestion/controller.ts'
import { Rtt } from '../../../src/quic/typescript/recovery/rtt.ts'
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

  it('are made in an order that does not tell which of them are alone', async () => {
    const aloneOf = async (seed: string) => {
      let made = 0
      let asked = -1
      const call = async (method: string, told: Float64Array) => {
        if (method === 'add') return made++
        asked = told[0]!
        return Float64Array.of(12_000, 12_000, Number.NaN)
      }
      const flows = await drawFlows(new StudentControllers({ call } as never), new Seeded(seed, 'order'), 12)
      const alone: number[] = []
      for (const one of flows) {
        const { congestion, settle } = one.alone
        const controller = (congestion as (options: unknown) => CongestionController)({ rtt: new Rtt() })
        controller.onCongestion(0, 0, 0)
        await settle!()
        alone.push(asked)
      }
      expect(made).to.equal(24)
      expect(new Set(alone)).to.have.property('size', 12)
      return alone.toSorted((a, b) => a - b)
    }
    expect(await aloneOf('one')).to.deep.equal(await aloneOf('one'))
    expect(await aloneOf('one')).to.not.deep.equal(await aloneOf('other'))
  })

  it('are the same for the same name, and others for another one', () => {
    expect(drawNetworks(new Seeded('test', 'controller'), 2)).to.deep.equal(networks)
    expect(drawNetworks(new Seeded('other', 'controller'), 2)).to.not.deep.equal(networks)
  })
})
