import { expect } from 'chai'
import { numberText, Prometheus, parseNumber, prometheusVersion } from '../../src/testbed/prometheus.ts'
import { failure } from '../support/loopback.ts'

describe('testbed: Prometheus', () => {
  it('reads and writes numbers as Prometheus does', () => {
    for (const text of ['+Inf', '-Inf', 'NaN', '0.00001', '12'])
      expect(numberText(parseNumber(text))).to.match(/Inf|NaN|\d/)
    expect([parseNumber('+Inf'), parseNumber('-Inf'), parseNumber('1e-05')]).to.deep.equal([Infinity, -Infinity, 1e-5])
    expect([numberText(Infinity), numberText(-Infinity), numberText(0.25)]).to.deep.equal(['+Inf', '-Inf', '0.25'])
  })

  it('says why it does not start', async function () {
    if (prometheusVersion() === undefined) this.skip()
    const error = await failure(Prometheus.start({ config: 'no/such/file.yml', folder: 'no/such' }), Error)
    expect(error.message).to.match(/^Prometheus ended with status \d+: [\s\S]*no such file/)
  })
})
