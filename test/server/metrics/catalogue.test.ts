import { expect } from 'chai'
import { CATALOGUE, type Definition, OTHER } from '../../../src/server/metrics/catalogue.ts'
import { read } from '../../docs/repository.ts'

const METRICS = Object.entries<Definition>(CATALOGUE)

/** By the article on masque-vpn, against the rules. */
const NOT_A_COUNTER = 'masque_vpn_ip_pool_total'

/** How many time series a metric can have at most. */
function mostSeries({ labels = {}, buckets }: Definition): number {
  const combinations = Object.values(labels).reduce((product, values) => product * (values.length + 1), 1)
  // The buckets, the one without a bound, the sum and the count.
  return buckets === undefined ? combinations : combinations * (buckets.length + 3)
}

describe('the catalogue of metrics', () => {
  it("names metrics by Prometheus' rules", () => {
    for (const [name, { type, help, labels = {} }] of METRICS) {
      expect(name).to.match(/^masque_vpn_[a-z]+(_[a-z0-9]+)*$/)
      if (name !== NOT_A_COUNTER) expect(name.endsWith('_total'), name).to.equal(type === 'counter')
      // The unit is the last word: a base unit, and not in the middle of a name.
      expect(name, name).to.not.match(/_(ms|milliseconds|microseconds|minutes|kilobytes|kib|bits|percent)(_|$)/)
      expect(name.replace(/_total$/, ''), name).to.not.match(/_(seconds|bytes)_(?!total)/)
      if (type === 'histogram') expect(name).to.match(/_seconds$/)
      expect(help, name).to.match(/^["A-Z0-9].*\.$/)
      for (const label of Object.keys(labels)) {
        expect(label).to.match(/^[a-z]+$/)
        expect(label).to.not.be.oneOf(['le', 'job', 'instance', 'quantile'])
      }
    }
  })

  it('lists each value of a label once, and leaves the word for the rest alone', () => {
    for (const [name, { labels = {} }] of METRICS) {
      for (const [label, values] of Object.entries(labels)) {
        expect(new Set(values).size, `${name} ${label}`).to.equal(values.length)
        expect(values, `${name} ${label}`).to.not.include(OTHER)
        for (const value of values) expect(value).to.match(/^[a-z0-9_-]+$/)
      }
    }
  })

  it('has ascending buckets', () => {
    for (const [name, { type, buckets = [] }] of METRICS) {
      expect(buckets.length > 0, name).to.equal(type === 'histogram')
      expect(
        [...buckets].sort((a, b) => a - b),
        name,
      ).to.deep.equal([...buckets])
    }
  })

  it('makes no more time series than docs/security.md says', () => {
    const bound = Number(/time series in the metrics.*?entries; (\d+) \|/.exec(read('docs/security.md'))?.[1])
    expect(METRICS.reduce((sum, [, definition]) => sum + mostSeries(definition), 0)).to.be.at.most(bound)
  })

  it('has a row for each metric in docs/monitoring.md, with its labels, and there is no other row', () => {
    const rows = [...read('docs/monitoring.md').matchAll(/^\| (`masque_vpn_[^|]+) \| ([^|]*)\|/gm)]
    const documented = rows.flatMap(([, names, labels]) =>
      [...names.matchAll(/`(\w+)`/g)].map(([, name]) => [name, labels] as const),
    )
    expect(documented.map(([name]) => name).sort()).to.deep.equal(Object.keys(CATALOGUE).sort())
    for (const [name, text] of documented) {
      const { labels = {}, buckets }: Definition = CATALOGUE[name as keyof typeof CATALOGUE]
      const expected = [...Object.keys(labels), ...(buckets === undefined ? [] : ['le'])]
      expect([...text.matchAll(/`(\w+)`/g)].map(([, label]) => label).sort(), name).to.deep.equal(expected.sort())
    }
  })
})
