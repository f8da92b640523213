/** Which figures an experiment has, and their data. */

import type { Figure, Point } from './charts/figure.ts'
import { describeMeasure, type ExperimentDefinition, type FigureRequest } from './definition.ts'
import { describeValue, type Parameters, type ParameterValue, parameterSpec } from './parameters.ts'
import { probe } from './probes.ts'
import { BOOTSTRAP_RUNS, type CellSummary, type CellValue, CONFIDENCE } from './summary.ts'

/** A matrix of many dimensions makes many figures; nobody looks at a hundred. */
const LARGEST_NUMBER = 24

/** The parameters with more than one value: what the experiment varies. */
export function variedParameters(definition: Pick<ExperimentDefinition, 'parameters'>): string[] {
  return Object.entries(definition.parameters)
    .filter(([, values]) => values.length > 1)
    .map(([name]) => name)
}

/**
 * The figures that the definition asks for, else one for each important measure. A figure shows two of the varied
 * parameters (x axis and series); of each combination of the others there is a figure of its own.
 */
export function figuresOf(definition: ExperimentDefinition, summaries: readonly CellSummary[]): Figure[] {
  const requests = definition.figures.length > 0 ? definition.figures : defaultRequests(definition)
  return requests.flatMap(request => figuresFor(request, definition, summaries)).slice(0, LARGEST_NUMBER)
}

function defaultRequests(definition: ExperimentDefinition): FigureRequest[] {
  return definition.probes.flatMap(({ name }) => [
    ...probe(name)
      .measures.filter(measure => measure.headline === true)
      .map(measure => ({ kind: 'line' as const, measure: `${name}.${measure.name}`, log: false })),
    ...probe(name)
      .samples.slice(0, 1)
      .map(sample => ({ kind: 'cdf' as const, measure: `${name}.${sample.name}`, log: true })),
  ])
}

function figuresFor(
  request: FigureRequest,
  definition: ExperimentDefinition,
  summaries: readonly CellSummary[],
): Figure[] {
  const varied = variedParameters(definition)
  const free = varied.filter(name => name !== request.x && name !== request.series)
  const isCdf = request.kind === 'cdf'
  // Numbers along the axis where there are some; otherwise what was named first.
  const x = isCdf ? undefined : (request.x ?? take(free, name => numbersOf(definition.parameters[name]) !== undefined))
  const series = request.series ?? (isCdf ? take(free, name => name === 'encapsulation') : take(free, () => true))
  const facets = free.filter(name => name !== x && name !== series)
  const groups = groupBy(summaries, summary =>
    facets.map(name => describeValue(name, summary.cell.parameters[name])).join(', '),
  )
  return [...groups].map(([facet, group], i) => {
    const { title, unit } = describeMeasure(request.measure)
    const over = x === undefined ? '' : ` over ${parameterSpec(x).title}`
    const base = {
      id: `${request.measure.replace(/[^a-z0-9]+/gi, '-')}-${request.kind}${groups.size > 1 ? `-${i + 1}` : ''}`,
      title: (request.title ?? capital(`${title}${over}`)) + (facet === '' ? '' : ` (${facet})`),
      log: request.log,
    }
    const label = labelled(title, unit)
    if (isCdf) {
      const curves = seriesOf(group, series).map(([name, members]) => ({
        name,
        values: members.flatMap(member => [...(member.samples[request.measure] ?? [])]),
      }))
      const note = 'Share of the values of all runs that are at most x.'
      return { ...base, kind: 'cdf', note, xLabel: label, yLabel: 'Share of the values', series: curves }
    }
    const lists = x === undefined ? [] : definition.parameters[x]
    const numbers = numbersOf(lists)
    const note = noteOf(group.map(summary => summary.values[request.measure]))
    const xLabel = x === undefined ? '' : labelled(parameterSpec(x).title, parameterSpec(x).unit, numbers?.prefix)
    if (request.kind === 'line' && x !== undefined && numbers !== undefined) {
      const lines = seriesOf(group, series).map(([name, members]) => ({
        name,
        points: members
          .flatMap((member): Point[] => {
            const value = member.values[request.measure]
            const at = numbers.of(member.cell.parameters[x])
            return value === undefined ? [] : [{ x: at, ...pointOf(value) }]
          })
          .toSorted((a, b) => a.x - b.x),
      }))
      return { ...base, kind: 'line', note, xLabel, yLabel: label, series: lines }
    }
    const categories = x === undefined ? [''] : lists.map(String)
    const bars = seriesOf(group, series).map(([name, members]) => ({
      name,
      values: categories.map(category => {
        const member = x === undefined ? members[0] : members.find(each => String(each.cell.parameters[x]) === category)
        const value = member?.values[request.measure]
        return value === undefined ? undefined : pointOf(value)
      }),
    }))
    return { ...base, kind: 'bars', note, xLabel, yLabel: label, categories, series: bars }
  })
}

/** Takes the first name that fits, else the first of all, out of the list. */
function take(names: string[], fits: (name: string) => boolean): string | undefined {
  const at = Math.max(0, names.findIndex(fits))
  return names.splice(at, 1)[0]
}

/** Numbers as they are, and names that differ in a number only (`loss-1`, `loss-2`) by that number. */
export function numbersOf(
  values: readonly ParameterValue[],
): { prefix: string; of: (value: ParameterValue) => number } | undefined {
  if (values.every(value => typeof value === 'number')) return { prefix: '', of: Number }
  const matches = values.map(value => /^(.*?)(\d+(?:\.\d+)?)$/.exec(String(value)))
  const prefix = matches[0]?.[1]
  if (prefix === undefined || matches.some(match => match?.[1] !== prefix)) return undefined
  return { prefix, of: value => Number(String(value).slice(prefix.length)) }
}

function seriesOf(group: readonly CellSummary[], parameter: string | undefined): [string, CellSummary[]][] {
  if (parameter === undefined) return [['', [...group]]]
  return [...groupBy(group, summary => valueName(parameter, summary.cell.parameters))]
}

function valueName(parameter: string, parameters: Parameters): string {
  const value = describeValue(parameter, parameters[parameter])
  return typeof parameters[parameter] === 'number' ? `${parameterSpec(parameter).title} ${value}` : value
}

function pointOf({ median, low, high }: CellValue): Omit<Point, 'x'> {
  return { y: median, low, high }
}

function noteOf(values: readonly (CellValue | undefined)[]): string {
  const runs = values.map(value => value?.runs ?? 0)
  const [least, most] = [Math.min(...runs), Math.max(...runs)]
  const count = least === most ? `${most}` : `${least} to ${most}`
  if (most <= 1) return 'One run: no interval.'
  const interval = least < BOOTSTRAP_RUNS ? 'smallest to largest' : `${CONFIDENCE * 100} % bootstrap interval`
  return `Median of ${count} runs; whiskers: ${interval}.`
}

function labelled(title: string, unit: string, prefix = ''): string {
  const name = prefix === '' ? capital(title) : `${capital(title)} ${prefix}N`
  return unit === '' ? name : `${name} in ${unit}`
}

function capital(text: string): string {
  return text.charAt(0).toUpperCase() + text.slice(1)
}

function groupBy<T>(items: readonly T[], key: (item: T) => string): Map<string, T[]> {
  const groups = new Map<string, T[]>()
  for (const item of items) {
    const name = key(item)
    groups.set(name, [...(groups.get(name) ?? []), item])
  }
  return groups
}
