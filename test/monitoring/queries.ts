/** All that monitoring/ and docs/monitoring.md ask Prometheus. */
import { parse } from 'yaml'
import { filesBelow, read } from '../docs/repository.ts'

export interface Query {
  /** Where it stands, for people. */
  where: string
  expression: string
  /** Labels that the legend shows. */
  legend: string[]
}

export interface Rule {
  record?: string
  alert?: string
  expr: string
  for?: string
  labels?: Record<string, string>
  annotations?: Record<string, string>
}

export interface Panel {
  id: number
  type: string
  title: string
  description?: string
  gridPos: { x: number; y: number; w: number; h: number }
  fieldConfig: { defaults: { unit?: string } }
  targets: { refId: string; expr: string; legendFormat: string }[]
}

export interface Dashboard {
  uid: string
  title: string
  panels: Panel[]
  templating: { list: { name: string; type: string; query: string }[] }
}

export const DASHBOARDS = new Map(
  filesBelow('monitoring/grafana/dashboards', ['.json']).map(path => [path, JSON.parse(read(path)) as Dashboard]),
)

const rulesOf = (path: string): Rule[] =>
  (parse(read(path)) as { groups: { rules: Rule[] }[] }).groups.flatMap(({ rules }) => rules)

export const RECORDING_RULES = rulesOf('monitoring/rules/recording.yml')
export const ALERTS = rulesOf('monitoring/rules/alerts.yml')

/** As Grafana asks: its variables are filled in, with all proxies chosen. */
export const PANEL_QUERIES: Query[] = [...DASHBOARDS].flatMap(([path, { panels }]) =>
  panels.flatMap(({ title, targets = [] }) =>
    targets.map(({ refId, expr, legendFormat }) => ({
      where: `${path}: ${title} ${refId}`,
      expression: expr.replaceAll('$__rate_interval', '15s').replaceAll(/\$(?:job|instance)\b/g, '.*'),
      legend: [...legendFormat.matchAll(/\{\{\s*(\w+)\s*\}\}/g)].map(match => match[1]),
    })),
  ),
)

/** The blocks of docs/monitoring.md that are marked as PromQL. */
export const DOCUMENTED_QUERIES: Query[] = [...read('docs/monitoring.md').matchAll(/^```promql\n([\s\S]*?)^```/gm)].map(
  ([, expression]) => ({ where: 'docs/monitoring.md', expression: expression.trim(), legend: [] }),
)

export const RULE_QUERIES: Query[] = [...RECORDING_RULES, ...ALERTS].map(({ record, alert, expr }) => ({
  where: `monitoring/rules: ${record ?? alert}`,
  expression: expr,
  legend: [],
}))

/** What fills the variables of the dashboards: `label_values(SELECTOR, LABEL)`. */
export const VARIABLE_QUERIES = [...DASHBOARDS].flatMap(([path, { templating }]) =>
  templating.list
    .filter(({ type }) => type === 'query')
    .map(({ name, query }) => {
      const [, selector, label] = /^label_values\((.*), (\w+)\)$/.exec(query) ?? []
      return { where: `${path}: $${name}`, selector: (selector ?? '').replaceAll('$job', '.*'), label }
    }),
)
