import { expect } from 'chai'
import { comparisonsOf, groupingsOf, selectorsOf, withoutThreshold } from './promql.ts'

describe('PromQL, as far as the tests of monitoring/ read it', () => {
  it('finds the metrics of an expression, and the labels that are asked for', () => {
    expect(
      selectorsOf(
        'histogram_quantile(0.99, sum by (job, le) (rate(a_bucket{job=~"$job", x="b{c}"}[$__rate_interval]))) / ignoring(y) (b:c:d unless d{z!="1"} offset 5m) > 1e-9',
      ),
    ).to.deep.equal([
      { metric: 'a_bucket', labels: ['job', 'x'] },
      { metric: 'b:c:d', labels: [] },
      { metric: 'd', labels: ['z'] },
    ])
  })

  it('takes no word of the language and no function for a metric', () => {
    expect(selectorsOf('sum(up) by (job) or vector(0) and on () group_left () time()')).to.deep.equal([
      { metric: 'up', labels: [] },
    ])
  })

  it('finds what labels are compared with', () => {
    expect(comparisonsOf('rate(a_total{b=~"x|y-z", c!="1", d=~"$job"}[5m]) / e')).to.deep.equal([
      { metric: 'a_total', label: 'b', value: 'x' },
      { metric: 'a_total', label: 'b', value: 'y-z' },
      { metric: 'a_total', label: 'c', value: '1' },
    ])
  })

  it('finds the labels by which results are grouped', () => {
    expect(groupingsOf('sum by (job, le) (a) / ignoring(x) b')).to.deep.equal(['job', 'le', 'x'])
  })

  it('takes the threshold off a condition', () => {
    expect(withoutThreshold('sum by (x) (rate(a[5m])) > 0.05')).to.equal('sum by (x) (rate(a[5m]))')
    expect(withoutThreshold('up{job="a"} == 0')).to.equal('up{job="a"}')
  })
})
