import { expect } from 'chai'
import { benchMoving } from '../../bench/moving.ts'
import { testCertificates } from '../support/certificates.ts'

describe('bench moving', () => {
  it('measures what it is asked for, says where the time of a restart goes, and keeps what it has when it is stopped', async () => {
    const progress: string[] = []
    const { restart, restartSteps, sameAddresses, ...others } = await benchMoving({
      certificates: await testCertificates(),
      runs: 100,
      only: ['restart', 'blocked'],
      stopped: () => progress.length > 0,
      onProgress: text => progress.push(text),
    })
    expect(others).to.deep.equal({ move: [], rebind: [], blocked: [] })
    expect(progress).to.deep.equal([`restart 1 of 100: ${restart[0].toFixed(1)} ms`])
    expect([restart.length, restartSteps.length, sameAddresses]).to.deep.equal([1, 1, 1])
    const [{ knock, handshake, settings, request, mtu }] = restartSteps
    expect(knock + handshake + settings + request + mtu).to.be.closeTo(restart[0], 0.001)
  })
})
