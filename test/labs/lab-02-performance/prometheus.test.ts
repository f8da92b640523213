import { expect } from 'chai'
import { quantile } from '../../../labs/lab-02-performance/checks/histogram.ts'
import { serveMetrics } from '../../../labs/lab-02-performance/prometheus.ts'

describe('labs/lab-02-performance: Prometheus', () => {
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
