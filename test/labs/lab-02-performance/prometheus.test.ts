import { expect } from 'chai'
import { quantile } from '../../../labs/lab-02-performance/checks/histogram.ts'
import { numberText, parseNumber, serveMetrics } from '../../../labs/lab-02-performance/prometheus.ts'

describe('labs/lab-02-performance: Prometheus', () => {
  it('reads and writes numbers as Prometheus does', () => {
    for (const text of ['+Inf', '-Inf', 'NaN', '0.00001', '12'])
      expect(numberText(parseNumber(text))).to.match(/Inf|NaN|\d/)
    expect([parseNumber('+Inf'), parseNumber('-Inf'), parseNumber('1e-05')]).to.deep.equal([Infinity, -Infinity, 1e-5])
    expect([numberText(Infinity), numberText(-Infinity), numberText(0.25)]).to.deep.equal(['+Inf', '-Inf', '0.25'])
  })

  it('serves a page of metrics, and is gone when the check ends', async () => {
    const undo: (() => unknown)[] = []
    const address = await serveMetrics({ defer: action => void undo.push(action) }, () => 'lab 1\n')
    const response = await fetch(`http://${address}/metrics`, { headers: { connection: 'close' } })
    expect(await response.text()).to.equal('lab 1\n')
    for (const action of undo) await action()
    const gone = await fetch(`http://${address}/metrics`).catch(error => error as Error)
    expect(gone).to.be.instanceOf(Error)
  })

  it('the reference has the values that Prometheus 2.42 gave', () => {
    const buckets = (...counts: number[]) => [1, 2, 4, Infinity].map((le, index) => ({ le, count: counts[index] }))
    for (const [q, counts, expected] of [
      [0.2, [5, 3, 9, 10], 0.4],
      [0.5, [5, 7, 9, 8], 0.9],
      [0.9, [5, 7, 9, 8], 3.1],
      [0.9, [5, 3, 9, 10], 4],
      [1, [5, 7, 9, 8], 4],
      [0.5, [0, 0, 0, 7], 4],
    ] as const) {
      expect(quantile(q, buckets(...counts))).to.be.closeTo(expected, 1e-12)
    }
  })
})
