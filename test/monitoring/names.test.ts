import { expect } from 'chai'
import type { Registry } from 'prom-client'
import { CATALOGUE, type Definition } from '../../src/server/metrics/catalogue.ts'
import { ServerMetrics } from '../../src/server/metrics.ts'
import { FakeApiSource } from '../server/fake-api-source.ts'
import { comparisonsOf, groupingsOf, selectorsOf } from './promql.ts'
import { DOCUMENTED_QUERIES, PANEL_QUERIES, RECORDING_RULES, RULE_QUERIES, VARIABLE_QUERIES } from './queries.ts'

/** What Prometheus adds to what it scrapes. */
const OF_PROMETHEUS: [metric: string, labels: string[]][] = [
  ['up', []],
  ['scrape_duration_seconds', []],
  ['ALERTS', ['alertname', 'alertstate']],
]

/** By metric as PromQL knows it: its labels. */
async function served(): Promise<Map<string, string[]>> {
  const { registry, process } = new ServerMetrics(new FakeApiSource(), { process: true })
  const registries = [registry, process as Registry]
  const labels = new Map(
    registries
      .flatMap(one => one.getMetricsAsArray())
      .map(metric => [metric.name, [...((metric as { labelNames?: string[] }).labelNames ?? [])]]),
  )
  const metrics = (await Promise.all(registries.map(one => one.getMetricsAsJSON()))).flat()
  for (const one of registries) one.clear()
  const all = metrics.flatMap(({ name, type }): [string, string[]][] => {
    const own = labels.get(name) ?? []
    if (String(type) !== 'histogram') return [[name, own]]
    return [
      [`${name}_bucket`, [...own, 'le']],
      [`${name}_sum`, own],
      [`${name}_count`, own],
    ]
  })
  return new Map([...OF_PROMETHEUS, ...all])
}

describe('monitoring/', () => {
  const queries = [
    ...PANEL_QUERIES,
    ...RULE_QUERIES,
    ...DOCUMENTED_QUERIES,
    ...VARIABLE_QUERIES.map(({ where, selector }) => ({ where, expression: selector, legend: [] })),
  ]
  const recorded = new Set(RECORDING_RULES.map(({ record }) => record))

  it('asks for metrics that /metrics has or a rule records, by labels that they have', async () => {
    const known = await served()
    const faults = queries.flatMap(({ where, expression }) =>
      selectorsOf(expression).flatMap(({ metric, labels }) => {
        if (recorded.has(metric)) return []
        const own = known.get(metric)
        if (own === undefined) return [`${where}: there is no ${metric}`]
        return labels
          .filter(label => !['job', 'instance', ...own].includes(label))
          .map(label => `${where}: ${metric} has no label ${label}`)
      }),
    )
    expect(queries).to.have.length.greaterThan(50)
    expect(faults).to.deep.equal([])
  })

  it('groups by labels that the metrics have', async () => {
    const known = await served()
    const faults = queries.flatMap(({ where, expression }) => {
      const selectors = selectorsOf(expression)
      if (selectors.some(({ metric }) => recorded.has(metric))) return []
      const own = new Set(['job', 'instance', ...selectors.flatMap(({ metric }) => known.get(metric) ?? [])])
      return groupingsOf(expression)
        .filter(label => !own.has(label))
        .map(label => `${where}: nothing in it has the label ${label}`)
    })
    expect(faults).to.deep.equal([])
  })

  it('compares labels with values that they can have', () => {
    const compared = queries.flatMap(({ where, expression }) =>
      comparisonsOf(expression).flatMap(({ metric, label, value }) => {
        const values = (CATALOGUE as Record<string, Definition>)[metric]?.labels?.[label]
        return values === undefined ? [] : [{ where, metric, label, value, known: values.includes(value) }]
      }),
    )
    expect(compared).to.have.length.greaterThan(5)
    expect(compared.filter(({ known }) => !known)).to.deep.equal([])
  })

  it('records what somebody asks for', () => {
    const asked = new Set(queries.flatMap(({ expression }) => selectorsOf(expression).map(({ metric }) => metric)))
    expect([...recorded].filter(name => !asked.has(name ?? ''))).to.deep.equal([])
  })
})
