import { mkdirSync, mkdtempSync, rmSync, writeFileSync } from 'node:fs'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { expect } from 'chai'
import { parse, stringify } from 'yaml'
import { Prometheus, type Sample } from '../../src/testbed/prometheus.ts'
import { ROOT, read } from '../docs/repository.ts'
import { PATIENCE_MS } from '../support/patience.ts'
import { Class } from './class.ts'
import { withoutThreshold } from './promql.ts'
import { ALERTS, DOCUMENTED_QUERIES, PANEL_QUERIES, type Query, RECORDING_RULES, VARIABLE_QUERIES } from './queries.ts'

/** Panels that show what is more than 0 only, of what a class on loopback cannot make happen: with the reason. The numbers must be there all the same. */
const ALL_ZERO: { panel: string; why: string }[] = [
  { panel: 'Which packets does the system not take?', why: 'loopback takes all packets' },
]

interface Configuration {
  global: { scrape_interval: string; evaluation_interval: string }
  rule_files: string[]
  scrape_configs: { static_configs: { targets: string[] }[] }[]
}

/** monitoring/prometheus.yml, but for the proxy's address, and faster. */
function configuration(target: string): string {
  const config = parse(read('monitoring/prometheus.yml')) as Configuration
  config.global = { ...config.global, scrape_interval: '1s', evaluation_interval: '1s' }
  config.rule_files = config.rule_files.map(file => join(ROOT, 'monitoring', file))
  config.scrape_configs[0].static_configs[0].targets = [target]
  return stringify(config)
}

describe('a Prometheus that scrapes a proxy at work', () => {
  let lesson: Class
  let prometheus: Prometheus
  let folder: string

  before(async () => {
    folder = mkdtempSync(join(tmpdir(), 'masque-monitoring-'))
    lesson = await Class.start()
    mkdirSync(join(folder, 'prometheus'))
    const config = join(folder, 'prometheus.yml')
    writeFileSync(config, configuration(new URL(lesson.server.apiUrl ?? '').host))
    prometheus = await Prometheus.start({ config, folder: join(folder, 'prometheus'), patienceMs: PATIENCE_MS })
    await prometheus.scraped(['up{job="masque-lab"} == 1', 'instance_direction:masque_vpn_packets:rate1m > 0'])
    answers = questions.map(question => question())
    for (const answer of answers) answer.catch(() => {})
  })

  after(async () => {
    await prometheus?.close()
    await lesson?.close()
    rmSync(folder, { recursive: true, force: true })
  })

  /** All are asked at once, as one after the other takes its time on a busy machine. */
  const questions: (() => Promise<void>)[] = []
  let answers: Promise<void>[] = []
  const itAtOnce = (title: string, question: () => Promise<void>) => {
    const index = questions.push(question) - 1
    it(title, () => answers[index])
  }

  /** Asks until there is a number; returns the result. Rejects at once when Prometheus does not understand it. */
  const answered = async ({ where, expression }: Pick<Query, 'where' | 'expression'>): Promise<Sample[]> => {
    const deadline = performance.now() + PATIENCE_MS
    for (;;) {
      const result = await prometheus.query(expression)
      if (result.some(({ value }) => Number.isFinite(value))) return result
      if (performance.now() > deadline) throw new Error(`${where}: no data for ${expression}`)
      await new Promise(resolve => setTimeout(resolve, 200))
    }
  }

  it('finds the proxy, and its rules are right', async () => {
    const { groups } = await prometheus.get<{
      groups: { rules: { name: string; health: string; lastError?: string }[] }[]
    }>('rules')
    const rules = groups.flatMap(({ rules }) => rules)
    expect(rules.map(({ name }) => name)).to.have.members(
      [...RECORDING_RULES, ...ALERTS].map(({ record, alert }) => record ?? alert),
    )
    expect(rules.filter(({ health }) => health !== 'ok')).to.deep.equal([])
  })

  it('has what the proxy says of itself', async () => {
    const value = async (expression: string) => (await answered({ where: 'test', expression }))[0].value
    const { pools } = lesson.server.status()
    expect(await value('masque_vpn_ip_pool_total{family="ipv4"}')).to.equal(pools[0].total)
    expect(await value('masque_vpn_active_connections')).to.be.at.least(6)
    expect(await value('masque_vpn_ip_pool_used{family="ipv6"}')).to.be.at.least(6)
    expect(await value('sum(rate(masque_vpn_packet_processing_duration_seconds_count[15s]))')).to.be.greaterThan(0)
    expect(await value('max_over_time(masque_vpn_client_moves_total[15s])')).to.be.greaterThan(0)
  })

  for (const { record, expr } of RECORDING_RULES) {
    itAtOnce(`has data for the rule ${record}`, async () => {
      await answered({ where: 'monitoring/rules/recording.yml', expression: expr })
      await answered({ where: 'monitoring/rules/recording.yml', expression: record ?? '' })
    })
  }

  for (const { alert, expr } of ALERTS) {
    itAtOnce(`has data for what the alert ${alert} looks at`, async () => {
      await prometheus.query(expr)
      await answered({ where: `monitoring/rules/alerts.yml: ${alert}`, expression: withoutThreshold(expr) })
    })
  }

  for (const panelQuery of PANEL_QUERIES) {
    itAtOnce(`has data for ${panelQuery.where}`, async () => {
      const zero = ALL_ZERO.some(({ panel }) => panelQuery.where.includes(panel))
      const query = zero ? { ...panelQuery, expression: withoutThreshold(panelQuery.expression) } : panelQuery
      await prometheus.query(panelQuery.expression)
      const result = await answered(query)
      // As Grafana asks: a value each second of a stretch of time.
      const end = Date.now() / 1000
      const range = { query: query.expression, start: String(end - 10), end: String(end), step: '1' }
      const { result: series } = await prometheus.get<{ result: { metric: Record<string, string> }[] }>(
        'query_range',
        range,
      )
      expect(series.length > 0).to.equal(result.length > 0)
      const unknown = series.flatMap(({ metric }) => query.legend.filter(label => metric[label] === undefined))
      expect(unknown, 'labels that the legend shows, and no series has').to.deep.equal([])
    })
  }

  for (const { where, selector, label } of VARIABLE_QUERIES) {
    itAtOnce(`has values for ${where}`, async () => {
      expect(await prometheus.get<string[]>(`label/${label}/values`, { 'match[]': selector })).to.have.length(1)
    })
  }

  for (const [index, query] of DOCUMENTED_QUERIES.entries()) {
    itAtOnce(`has data for query ${index + 1} of docs/monitoring.md: ${query.expression.split('\n')[0]}`, async () => {
      await prometheus.query(query.expression)
      await answered({ ...query, expression: withoutThreshold(query.expression) })
    })
  }
})
