import { existsSync } from 'node:fs'
import { dirname, join } from 'node:path'
import { expect } from 'chai'
import { parse } from 'yaml'
import { ROOT, read } from '../docs/repository.ts'
import { ALERTS, DASHBOARDS, type Panel } from './queries.ts'

interface RuleTests {
  tests: {
    alert_rule_test?: { alertname: string; exp_alerts: unknown[] }[]
    promql_expr_test?: { expr: string; exp_samples: { labels: string }[] }[]
  }[]
}

/** The anchors of a page's headings, as GitHub makes them. */
function anchorsOf(page: string): string[] {
  return [...read(page).matchAll(/^#+ (.*)$/gm)].map(([, heading]) =>
    heading
      .toLowerCase()
      .replace(/[^\w\- ]/g, '')
      .replaceAll(' ', '-'),
  )
}

describe('monitoring/prometheus.yml', () => {
  it('names rule files that exist', () => {
    const { rule_files: files } = parse(read('monitoring/prometheus.yml')) as { rule_files: string[] }
    expect(files).to.have.length(2)
    expect(files.filter(file => !existsSync(join(ROOT, 'monitoring', file)))).to.deep.equal([])
  })

  it('asks where the example configuration serves', () => {
    const port = /\[api\][\s\S]*?^port = (\d+)/m.exec(read('config/server.local.toml'))?.[1]
    expect(read('monitoring/prometheus.yml')).to.include(`['127.0.0.1:${port}']`)
  })
})

describe('monitoring/rules/alerts.yml', () => {
  const { tests } = parse(read('monitoring/rules/tests/alerts.test.yml')) as RuleTests

  for (const { alert = '', labels, annotations } of ALERTS) {
    it(`${alert} says how bad it is, what is the matter, what to do, and where there is more`, () => {
      expect(labels?.severity).to.be.oneOf(['critical', 'warning', 'info'])
      expect(annotations).to.have.all.keys('summary', 'action', 'runbook')
      const [page, anchor] = (annotations?.runbook ?? '').split('#')
      expect(anchorsOf(page)).to.include(anchor)
    })

    it(`${alert} is tried when it should fire, and when it should not`, () => {
      const asked = tests.flatMap(({ alert_rule_test: cases = [] }) => cases).filter(each => each.alertname === alert)
      const firing = tests
        .flatMap(({ promql_expr_test: cases = [] }) => cases)
        .filter(({ expr }) => expr === 'ALERTS{alertstate="firing"}')
        .flatMap(({ exp_samples: samples }) => samples)
      expect(asked.some(each => each.exp_alerts.length === 0)).to.equal(true)
      expect(
        asked.some(each => each.exp_alerts.length > 0) ||
          firing.some(({ labels }) => labels.includes(`alertname="${alert}"`)),
      ).to.equal(true)
    })
  }
})

describe('monitoring/grafana', () => {
  for (const [path, { uid, panels }] of DASHBOARDS) {
    const drawn = panels.filter(({ type }) => type !== 'row')

    it(`${path} has panels with a title, a word about it, a unit and a query`, () => {
      expect(drawn).to.have.length.greaterThan(10)
      for (const { title, description, fieldConfig, targets } of drawn) {
        expect(description, title).to.be.a('string').with.length.greaterThan(5)
        expect(fieldConfig.defaults.unit, title).to.match(/^\w+$/)
        expect(targets.map(({ refId }) => refId).join(''), title).to.equal('ABCDEFGH'.slice(0, targets.length))
        expect(targets, title).to.have.length.greaterThan(0)
      }
      expect(new Set(drawn.map(({ title }) => title)).size).to.equal(drawn.length)
      expect(new Set(panels.map(({ id }) => id)).size).to.equal(panels.length)
    })

    it(`${path} asks about the chosen job and proxy only`, () => {
      for (const { title, targets } of drawn) {
        for (const { expr } of targets) {
          const selectors = expr.match(/\b[\w:]+\{[^}]*\}/g) ?? []
          expect(selectors, title).to.have.length.greaterThan(0)
          for (const selector of selectors) expect(selector).to.include('job=~"$job", instance=~"$instance"')
        }
      }
    })

    it(`${path} has no panel upon another one, or beyond the edge`, () => {
      const overlap = ({ gridPos: a }: Panel, { gridPos: b }: Panel) =>
        a.x < b.x + b.w && b.x < a.x + a.w && a.y < b.y + b.h && b.y < a.y + a.h
      for (const [index, panel] of panels.entries()) {
        expect(panel.gridPos.x + panel.gridPos.w, panel.title).to.be.at.most(24)
        expect(
          panels
            .slice(0, index)
            .filter(other => overlap(panel, other))
            .map(({ title }) => title),
        ).to.deep.equal([])
      }
    })

    it(`${path} can be told from the others`, () => {
      expect([...DASHBOARDS].filter(([, other]) => other.uid === uid).map(([file]) => file)).to.deep.equal([path])
    })
  }

  it('finds the dashboards where the compose file puts them', () => {
    const { services } = parse(read('monitoring/compose.yaml')) as {
      services: Record<string, { image: string; volumes: string[] }>
    }
    const mounted = Object.values(services).flatMap(({ volumes }) => volumes.map(volume => volume.split(':')))
    for (const [from] of mounted.filter(([from]) => from.startsWith('./'))) {
      expect(existsSync(join(ROOT, 'monitoring', from)), from).to.equal(true)
    }
    const { providers } = parse(read('monitoring/grafana/provisioning/dashboards/masque-lab.yml')) as {
      providers: { options: { path: string } }[]
    }
    const dashboards = mounted.find(([, to]) => to === providers[0].options.path)?.[0]
    expect(join('monitoring', dashboards ?? '')).to.equal(dirname([...DASHBOARDS.keys()][0]))
    for (const { image } of Object.values(services)) expect(image).to.match(/:v?\d+\.\d+\.\d+$/)
    const [, grafana] = /'@grafana\/schema': '([^']+)'/.exec(read('test/monitoring/grafana-schema.monitoring.ts')) ?? []
    expect(services.grafana.image).to.equal(`grafana/grafana:${grafana}`)
  })
})
