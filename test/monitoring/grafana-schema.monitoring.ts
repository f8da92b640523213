import { spawnSync } from 'node:child_process'
import { existsSync, mkdirSync, mkdtempSync, renameSync, rmSync, symlinkSync, writeFileSync } from 'node:fs'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { expect } from 'chai'
import { firstWritable, userCache } from '../../src/process/cache-folder.ts'
import { ROOT, read } from '../docs/repository.ts'
import { PATIENCE_MS } from '../support/patience.ts'
import { DASHBOARDS } from './queries.ts'

/** Grafana's own types, as it publishes them: 14 MB that nothing else here needs, so that they are fetched when they are asked for. */
const PACKAGES = { '@grafana/schema': '13.2.3', '@grafana/grafana-foundation-sdk': '0.0.21' }

/** What a dashboard is by these types, with the options of each kind of panel, which the type of a panel leaves open. */
const TYPES = `
import type * as grafana from '@grafana/schema'
import type * as Heatmap from '@grafana/schema/dist/esm/raw/composable/heatmap/panelcfg/x/HeatmapPanelCfg_types.gen'
import type * as Stat from '@grafana/schema/dist/esm/raw/composable/stat/panelcfg/x/StatPanelCfg_types.gen'
import type * as TimeSeries from '@grafana/schema/dist/esm/raw/composable/timeseries/panelcfg/x/TimeSeriesPanelCfg_types.gen'
import type { Dataquery } from '@grafana/grafana-foundation-sdk/prometheus'

/** As JSON has it: a member of an enum is its value. */
type Json<T> = unknown extends T ? T
  : T extends string ? \`\${T}\`
  : T extends number ? (\`\${T}\` extends \`\${infer N extends number}\` ? N : never)
  : T extends object ? { [K in keyof T]: Json<T[K]> }
  : T

type Of<Type, Options, Custom> = Omit<grafana.Panel, 'type' | 'options' | 'fieldConfig' | 'targets'> & {
  type: Type
  options: Options
  fieldConfig: Omit<grafana.FieldConfigSource, 'defaults'> & { defaults: Omit<grafana.FieldConfig, 'custom'> & { custom?: Custom } }
  targets: Omit<Dataquery, '_implementsDataqueryVariant'>[]
}

type Known =
  | Of<'timeseries', TimeSeries.Options, TimeSeries.FieldConfig>
  | Of<'stat', Stat.Options, never>
  | Of<'heatmap', Heatmap.Options, Heatmap.FieldConfig>
  | grafana.RowPanel

export type Dashboard = Json<Omit<grafana.Dashboard, 'panels'> & { panels: Known[] }>
`

/** What somebody may do to a dashboard without noticing. */
const FAULTS: [what: string, from: RegExp, to: string][] = [
  ['an option that panels do not have', /"graphMode":/, '"graphStyle":'],
  ['a word that the option does not know', /"displayMode": "list"/, '"displayMode": "lst"'],
  ['one option too many', /"tooltip": \{/, '"tooltips": 2, "tooltip": {'],
  ['a unit that is no text', /"unit": "bps"/, '"unit": 8'],
  ['a query without an expression', /"expr":/, '"query":'],
  ['a place without a width', /"w": 12,/, ''],
]

/** The folder with the packages in node_modules; a text: why there is none. */
function packages(): { folder: string } | string {
  const versions = Object.entries(PACKAGES).map(([name, version]) => `${name}@${version}`)
  const folder = join(firstWritable([userCache(), tmpdir()]), `grafana-${Object.values(PACKAGES).join('-')}`)
  if (existsSync(folder)) return { folder }
  // It gets its name when it is whole: somebody may stop the download, and two may begin it.
  const unfinished = `${folder}.${process.pid}`
  mkdirSync(unfinished, { recursive: true })
  try {
    const options = ['--no-save', '--no-fund', '--no-audit', '--ignore-scripts', '--prefix', unfinished]
    const { status, stdout, stderr } = spawnSync('npm', ['install', ...options, ...versions], {
      encoding: 'utf8',
      timeout: PATIENCE_MS,
      shell: process.platform === 'win32',
    })
    if (status !== 0) return `${stdout ?? ''}${stderr ?? ''}`.trim().split('\n').at(-1) || `npm ended with ${status}`
    if (!existsSync(folder)) renameSync(unfinished, folder)
    return { folder }
  } finally {
    rmSync(unfinished, { recursive: true, force: true })
  }
}

describe("Grafana's published types", () => {
  let project: string
  /** By file: what is wrong. */
  let faults: Map<string, string[]>

  before(function () {
    const found = packages()
    if (typeof found === 'string') {
      console.log(`skipped: Grafana's types cannot be downloaded: ${found}`)
      this.skip()
    }
    project = mkdtempSync(join(tmpdir(), 'masque-grafana-'))
    symlinkSync(join(found.folder, 'node_modules'), join(project, 'node_modules'), 'junction')
    const dashboard = (name: string, json: string) =>
      writeFileSync(
        join(project, name),
        `import type { Dashboard } from './types.ts'\nexport const dashboard: Dashboard = ${json}\n`,
      )
    writeFileSync(join(project, 'types.ts'), TYPES)
    for (const [index, path] of [...DASHBOARDS.keys()].entries()) dashboard(`dashboard-${index}.ts`, read(path))
    const first = read([...DASHBOARDS.keys()][0])
    for (const [index, [, from, to]] of FAULTS.entries()) {
      expect(first).to.match(from)
      dashboard(`fault-${index}.ts`, first.replace(from, to))
    }
    const compilerOptions = {
      target: 'es2023',
      module: 'esnext',
      // Their declarations name files without an extension.
      moduleResolution: 'bundler',
      strict: true,
      noEmit: true,
      skipLibCheck: true,
      allowImportingTsExtensions: true,
      types: [],
    }
    writeFileSync(join(project, 'package.json'), '{ "type": "module" }')
    writeFileSync(join(project, 'tsconfig.json'), JSON.stringify({ compilerOptions, include: ['*.ts'] }))
    const { stdout, error } = spawnSync(
      process.execPath,
      [join(ROOT, 'node_modules/typescript/bin/tsc'), '-p', project, '--pretty', 'false'],
      { cwd: project, encoding: 'utf8', timeout: PATIENCE_MS, maxBuffer: 64 * 1024 * 1024 },
    )
    if (error !== undefined) throw error
    faults = new Map()
    for (const [line, file] of stdout.matchAll(/^([\w.-]+)\(\d+,\d+\): error .*$/gm)) {
      faults.set(file, [...(faults.get(file) ?? []), line])
    }
  })

  after(() => {
    if (project !== undefined) rmSync(project, { recursive: true, force: true })
  })

  it('can be read', () => {
    expect(faults.get('types.ts') ?? []).to.deep.equal([])
  })

  for (const [index, path] of [...DASHBOARDS.keys()].entries()) {
    it(`take ${path} for a dashboard`, () => {
      expect((faults.get(`dashboard-${index}.ts`) ?? []).join('\n')).to.equal('')
    })
  }

  for (const [index, [what]] of FAULTS.entries()) {
    it(`do not take one with ${what}`, () => {
      expect(faults.get(`fault-${index}.ts`))
        .to.be.an('array')
        .with.length.greaterThan(0)
    })
  }
})
