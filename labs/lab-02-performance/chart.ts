/**
 * Prediction beside measurement, as rows of characters:
 *
 *     QUIC handshake, ms                                              2 of 3
 *                     = measured, | predicted      predicted  measured
 *     RTT 20 ms       ====|------------------          20.0      21.3  +
 *     RTT 120 ms      ======================|          120       122   +
 *
 * The mark at the end says what a colour would.
 */
import { formatNumber } from '../kit/check/measurements.ts'
import type { Marks } from '../kit/lab/marks.ts'
import type { Line, Span, Style } from '../kit/lab/text.ts'
import type { Live } from '../kit/lab/types.ts'
import type { Picture } from './picture.ts'

export interface ChartRow {
  label: string
  /** Undefined: nothing was predicted for this row. */
  predicted?: number
  /** Undefined: not measured yet. */
  measured?: number
  /** Whether the two fit together; undefined: that is not judged. */
  good?: boolean
}

export interface Chart {
  title: string
  /** What is predicted and measured is in this unit; '' for numbers of something that the title names. */
  unit: string
  rows: readonly ChartRow[]
  /** Heads of the two columns of numbers; default predicted and measured. */
  columns?: readonly [predicted: string, measured: string]
  /** The rows are of different units: each bar has a scale of its own. */
  ownScales?: boolean
}

/** Under this key of `context.show` the panel finds the charts of the check that runs. */
export const CHARTS_KEY = 'charts'
const MOST_CHARTS = 12

const shown = new WeakMap<object, (Chart | Picture)[]>()

/** Adds a chart or picture to those that the panel can show, or replaces the one with this title. */
export function showChart(live: Pick<Live, 'show'>, chart: Chart | Picture): void {
  const before = shown.get(live) ?? []
  const place = before.findIndex(({ title }) => title === chart.title)
  const charts = (place < 0 ? [...before, chart] : before.with(place, chart)).slice(-MOST_CHARTS)
  shown.set(live, charts)
  live.show(CHARTS_KEY, charts)
}

export interface ChartOptions {
  width: number
  rows: number
  marks: Marks
  /** "2 of 5", at the right of the title. */
  position?: string
}

const NUMBER_COLUMNS = 11
const MARK_COLUMNS = 3
const LABEL_COLUMNS = 26
const LEAST_BAR = 8
/** What was predicted, on the bar of what was measured. In every character set, and unlike every bar. */
const PREDICTED = '|'

export function chartLines(chart: Chart, { width, rows, marks, position = '' }: ChartOptions): Line[] {
  if (rows < 3) return []
  const unit = chart.unit === '' ? '' : `, ${chart.unit}`
  const title = cut(`${chart.title}${unit}`, Math.max(4, width - position.length - 1))
  const longest = Math.max(...chart.rows.map(row => [...row.label].length), 4)
  const most = Math.max(4, Math.min(LABEL_COLUMNS, width - 2 * NUMBER_COLUMNS - MARK_COLUMNS - LEAST_BAR - 1))
  const label = Math.min(longest, most)
  const bar = Math.max(0, width - label - 1 - 2 * NUMBER_COLUMNS - MARK_COLUMNS)
  const [predicted, measured] = chart.columns ?? ['predicted', 'measured']
  const legend = ` ${marks.barFull} ${measured}, ${PREDICTED} ${predicted}`
  const top = largest(...chart.rows.flatMap(row => [row.predicted, row.measured]))
  return [
    [
      { text: title.padEnd(width - position.length), style: 'strong' },
      { text: position, style: 'muted' },
    ],
    [
      { text: cut(' '.repeat(label) + legend, label + 1 + bar).padEnd(label + 1 + bar), style: 'muted' },
      { text: predicted.padStart(NUMBER_COLUMNS) + measured.padStart(NUMBER_COLUMNS), style: 'muted' },
    ],
    ...shownRows(chart.rows, rows - 2).map((row): Line => {
      if (typeof row === 'string') return [{ text: cut(row, width), style: 'muted' }]
      const style: Style = row.good === undefined ? 'accent' : row.good ? 'good' : 'bad'
      return [
        { text: `${cut(row.label, label).padEnd(label)} ` },
        ...barSpans(row, bar, chart.ownScales ? largest(row.predicted, row.measured) : top, style, marks),
        { text: numberText(row.predicted).padStart(NUMBER_COLUMNS) },
        { text: numberText(row.measured).padStart(NUMBER_COLUMNS), style: 'strong' },
        ...(row.good === undefined ? [] : [{ text: `  ${row.good ? marks.good : marks.bad}`, style }]),
      ]
    }),
  ]
}

/** All rows where they have room; else those around the first that does not fit, which is what one looks for. */
function shownRows(rows: readonly ChartRow[], room: number): (ChartRow | string)[] {
  if (rows.length <= room) return [...rows]
  const kept = Math.max(1, room - 1)
  const wrong = rows.findIndex(row => row.good === false)
  const from = wrong < 0 ? 0 : Math.max(0, Math.min(rows.length - kept, wrong - Math.floor(kept / 2)))
  return [...rows.slice(from, from + kept), `  … ${rows.length - kept} more rows`]
}

function barSpans(row: ChartRow, columns: number, top: number, style: Style, marks: Marks): Span[] {
  // The last column is free, so that a prediction above everything measured has a place.
  const column = (value: number) => Math.round((Math.max(0, value) / (top > 0 ? top : 1)) * Math.max(0, columns - 1))
  const filled = isNumber(row.measured) ? Math.min(columns, column(row.measured)) : 0
  const cells = Array.from({ length: columns }, (_, i) => (i < filled ? marks.barFull : marks.barEmpty))
  const at = isNumber(row.predicted) && columns > 0 ? Math.min(columns - 1, column(row.predicted)) : -1
  const part = (from: number, to: number): Span[] => {
    const middle = Math.max(from, Math.min(filled, to))
    return [
      { text: cells.slice(from, middle).join(''), style },
      { text: cells.slice(middle, to).join(''), style: 'muted' },
    ]
  }
  const spans =
    at < 0
      ? part(0, columns)
      : [...part(0, at), { text: PREDICTED, style: 'strong' as const }, ...part(at + 1, columns)]
  return spans.filter(span => span.text !== '')
}

function largest(...values: (number | undefined)[]): number {
  return Math.max(...values.filter(isNumber), 0)
}

function numberText(value: number | undefined): string {
  return value === undefined ? '' : formatNumber(value)
}

function isNumber(value: number | undefined): value is number {
  return value !== undefined && Number.isFinite(value)
}

function cut(text: string, columns: number): string {
  const characters = [...text]
  return characters.length <= columns ? text : `${characters.slice(0, Math.max(0, columns - 1)).join('')}…`
}
