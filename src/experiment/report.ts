/** report.md: question, set-up, tables, figures, and how to repeat it. */

import { formatNumber } from './charts/axis.ts'
import type { Figure } from './charts/figure.ts'
import { CONDITIONS, CONDITIONS_TITLE } from './conditions.ts'
import { describeMeasure, type ExperimentDefinition } from './definition.ts'
import { variedParameters } from './figures.ts'
import type { Measure } from './measure.ts'
import { describeValue, parameterSpec } from './parameters.ts'
import { probe } from './probes.ts'
import type { RunLine } from './results-file.ts'
import { BOOTSTRAP_RUNS, type CellSummary, type CellValue, CONFIDENCE } from './summary.ts'

/** The emulator promises 1 ms on an idle machine. */
const LATE_MS = 5

export interface ReportInput {
  definition: ExperimentDefinition
  summaries: readonly CellSummary[]
  /** The lines that count: one a run. */
  runs: readonly RunLine[]
  planned: number
  figures: readonly { figure: Figure; file: string }[]
  /** The experiment file and the options as they stand on the command line. */
  command: string
}

/** Markdown; every number in it comes from the results file. */
export function reportOf(input: ReportInput): string {
  const { definition, summaries, figures } = input
  return [
    `# ${definition.title}`,
    `> ${definition.question.trim().replaceAll('\n', '\n> ')}`,
    definition.about.trim(),
    ...warnings(input),
    '## Set-up',
    setUp(input),
    '## Results',
    tableNote(summaries),
    ...definition.probes.map(({ name }) => {
      const { title, measures } = probe(name)
      return resultTable(definition, summaries, title, columnsOf(name, measures))
    }),
    resultTable(definition, summaries, CONDITIONS_TITLE, columnsOf('conditions', CONDITIONS)),
    figures.length > 0 ? '## Figures' : '',
    ...figures.map(({ figure, file }) => `![${figure.title}. ${figure.note}](${file})`),
    ...failures(input.runs),
    '## How to repeat it',
    [
      'The same command does only what is missing, and writes this report again:',
      '',
      '```sh',
      input.command,
      '```',
      '',
      'Every run is a line of `results.jsonl`; `results.csv` has the same as a table. The seed of a run fixes what the ' +
        "link decides for each packet, not when the packets arrive: a repetition gives other numbers within the experiment's scatter.",
    ].join('\n'),
  ]
    .filter(part => part !== '')
    .join('\n\n')
    .concat('\n')
}

function warnings({ runs, planned, summaries }: ReportInput): string[] {
  const failed = runs.filter(run => run.status === 'failed').length
  const missing = planned - runs.length
  const found: string[] = []
  if (missing > 0)
    found.push(`**Not finished**: ${missing} of ${planned} runs are missing. The command below does them.`)
  if (failed > 0)
    found.push(`**${failed} of ${planned} runs failed**; see below. What is shown is about the others only.`)
  if (summaries.some(summary => summary.ok > 0 && summary.ok < BOOTSTRAP_RUNS)) {
    found.push(
      `**Few runs**: with fewer than ${BOOTSTRAP_RUNS} in a cell, the intervals are only the smallest and the largest value, ` +
        'and differences may be chance.',
    )
  }
  const machines = distinct(runs.map(run => `${run.machine.cpu}, ${run.machine.system}`))
  const programs = distinct(runs.map(run => `${run.versions.masqueLab} on Node ${run.versions.node}`))
  if (machines.length > 1) found.push(`**${machines.length} different machines** measured; compare only within one.`)
  if (programs.length > 1) found.push(`**Different versions** measured: ${programs.join('; ')}.`)
  const busiest = Math.max(0, ...runs.map(run => run.machine.load / run.machine.cores))
  if (busiest > 1) {
    found.push(
      `**The machine was busy**: up to ${formatNumber(busiest)} processes waited for each core when a run began. Delays and rates suffer from that.`,
    )
  }
  const late = Math.max(0, ...runs.map(run => run.measurements['conditions.timing_p99_ms'] ?? 0))
  if (late > LATE_MS) {
    found.push(
      `**The link was late**: in the worst run, one datagram in a hundred left ${formatNumber(late)} ms or more after it was due. ` +
        'That is this machine, not the profile: repeat the experiment when it has nothing else to do.',
    )
  }
  return found
}

function setUp({ definition, runs, planned }: ReportInput): string {
  const varied = variedParameters(definition)
  const fixed = Object.entries(definition.parameters).filter(([name]) => !varied.includes(name))
  const list = (name: string) => definition.parameters[name].map(value => describeValue(name, value)).join(', ')
  const rows: [string, string][] = [
    ...varied.map((name): [string, string] => [`${parameterSpec(name).title} (varied)`, list(name)]),
    ...fixed.map(([name]): [string, string] => [parameterSpec(name).title, list(name)]),
    ['runs', `${planned}: ${definition.cells.length} cells, ${definition.seeds.length} seeds each, in random order`],
    [
      'measurement',
      `${definition.durationMs / 1000} s a probe after ${definition.warmUpMs / 1000} s of warm-up${definition.together ? ', all probes at once' : ''}`,
    ],
    ...definition.probes.map(({ name, options }): [string, string] => [
      `probe \`${name}\``,
      `${probe(name).title} (${Object.entries(options)
        .map(([key, value]) => `${key} = ${value}`)
        .join(', ')})`,
    ]),
  ]
  const machine = runs[runs.length - 1]?.machine
  if (machine !== undefined) {
    rows.push(['machine', `${machine.cpu}, ${machine.cores} cores, ${machine.memoryGb} GB, ${machine.system}`])
  }
  const program = runs[runs.length - 1]?.versions
  if (program !== undefined) rows.push(['program', `masque-lab ${program.masqueLab}, Node ${program.node}`])
  const started = runs.map(run => run.startedAt).toSorted()
  if (started.length > 0)
    rows.push(['measured', `${started[0].slice(0, 16)}Z to ${started[started.length - 1].slice(0, 16)}Z`])
  return table(['', ''], rows)
}

function tableNote(summaries: readonly CellSummary[]): string {
  const enough = summaries.every(summary => summary.ok >= BOOTSTRAP_RUNS)
  const interval = enough
    ? `the ${CONFIDENCE * 100} % bootstrap interval of the median`
    : 'the smallest and the largest value (where there are runs enough: the bootstrap interval of the median)'
  return `Median over the runs of a cell, and in brackets ${interval}.`
}

function resultTable(
  definition: ExperimentDefinition,
  summaries: readonly CellSummary[],
  title: string,
  columns: readonly string[],
): string {
  const varied = variedParameters(definition)
  const header = [
    ...varied.map(parameter => parameterSpec(parameter).title),
    'runs',
    ...columns.map(column => {
      const { title, unit } = describeMeasure(column)
      return unit === '' ? title : `${title} (${unit})`
    }),
  ]
  const rows = summaries.map(({ cell, ok, failed, values }) => [
    ...varied.map(parameter => describeValue(parameter, cell.parameters[parameter])),
    failed === 0 ? String(ok) : `${ok} (${failed} failed)`,
    ...columns.map(column => valueText(values[column])),
  ])
  return `### ${title.replace(/^./, first => first.toUpperCase())}\n\n${table(header, rows)}`
}

function columnsOf(name: string, measures: readonly Measure[]): string[] {
  return measures.map(measure => `${name}.${measure.name}`)
}

function valueText(value: CellValue | undefined): string {
  if (value === undefined) return '–'
  if (value.low === value.high) return formatNumber(value.median)
  return `${formatNumber(value.median)} [${formatNumber(value.low)}, ${formatNumber(value.high)}]`
}

function failures(runs: readonly RunLine[]): string[] {
  const failed = runs.filter(run => run.status === 'failed')
  if (failed.length === 0) return []
  const errors = groups(failed)
  const lines = [...errors].map(
    ([error, keys]) =>
      `- ${keys.length} ×: ${error.split('\n', 1)[0]}\n  (${keys[0]}${keys.length > 1 ? ' and others' : ''})`,
  )
  return ['## Runs that failed', lines.join('\n')]
}

function groups(failed: readonly RunLine[]): Map<string, string[]> {
  const byError = new Map<string, string[]>()
  for (const run of failed) {
    const error = run.error ?? 'no reason was recorded'
    byError.set(error, [...(byError.get(error) ?? []), run.key])
  }
  return byError
}

function table(header: readonly string[], rows: readonly (readonly string[])[]): string {
  const line = (cells: readonly string[]) => `| ${cells.map(cell => cell.replaceAll('|', '\\|')).join(' | ')} |`
  return [line(header), line(header.map(() => '---')), ...rows.map(line)].join('\n')
}

function distinct(texts: readonly string[]): string[] {
  return [...new Set(texts)]
}
