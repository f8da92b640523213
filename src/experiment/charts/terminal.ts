/** The same figures in the terminal, for a first look: block characters, or plain ASCII where those are not to be had. */

import { columns, cutAt, padEnd } from '../../text/columns.ts'
import { type Axis, formatNumber, linearAxis, logAxis } from './axis.ts'
import { type BarFigure, type CdfFigure, cdfSteps, type Figure, isEmpty, type LineFigure } from './figure.ts'

export interface TerminalOptions {
  /** Columns; 60 at least. */
  width: number
  unicode: boolean
}

const PLOT_ROWS = 14
const MARKERS = { unicode: ['●', '■', '▲', '◆', '×', '+', '○', '□'], ascii: ['o', '#', '^', 'd', 'x', '+', '@', '%'] }

/** Lines of at most `width` columns, without a line break at the end. */
export function terminalFigure(figure: Figure, options: TerminalOptions): string {
  const width = Math.max(60, options.width)
  const text = [figure.title, `  ${clip(figure.note, width - 2)}`, ...body(figure, width, options.unicode)].join('\n')
  // The narrow space in numbers, the ellipsis of long names.
  return options.unicode ? text : text.replaceAll('\u202f', ' ').replaceAll('…', '~').replaceAll('–', '-')
}

function body(figure: Figure, width: number, unicode: boolean): string[] {
  if (isEmpty(figure)) return ['  (no values)']
  return figure.kind === 'bars' ? bars(figure, width, unicode) : plot(figure, width, unicode)
}

function bars(figure: BarFigure, width: number, unicode: boolean): string[] {
  const values = figure.series.flatMap(series => series.values.filter(value => value !== undefined))
  const axis = axisOf(
    values.map(value => value.y),
    figure.log,
  )
  const several = figure.series.length > 1
  const nameWidth = Math.min(24, Math.max(...figure.series.map(series => (several ? columns(series.name) : 0))))
  const categoryWidth = Math.min(20, Math.max(...figure.categories.map(columns)))
  const label = categoryWidth + (several ? nameWidth + 2 : 0)
  const room = Math.max(10, width - label - 32)
  const lines = figure.categories.flatMap((category, i) =>
    figure.series.map((series, s) => {
      const value = series.values[i]
      const left = s === 0 ? padEnd(clip(category, categoryWidth), categoryWidth) : ' '.repeat(categoryWidth)
      const name = several ? `  ${padEnd(clip(series.name, nameWidth), nameWidth)}` : ''
      if (value === undefined) return `  ${left}${name}  no value`
      const interval = value.low === value.high ? '' : ` [${formatNumber(value.low)}, ${formatNumber(value.high)}]`
      return `  ${left}${name}  ${bar(axis.position(value.y) * room, unicode)} ${formatNumber(value.y)}${interval}`
    }),
  )
  return [...lines, `  (${figure.yLabel}${axis.log ? ', logarithmic' : ''})`]
}

/** In eighths of a column where the font has them. */
function bar(length: number, unicode: boolean): string {
  if (!unicode) return '#'.repeat(Math.round(length))
  const whole = Math.floor(length)
  return '█'.repeat(whole) + ['', '▏', '▎', '▍', '▌', '▋', '▊', '▉'][Math.floor((length - whole) * 8)]
}

function plot(figure: LineFigure | CdfFigure, width: number, unicode: boolean): string[] {
  const series = figure.series.map(each =>
    'points' in each ? { name: each.name, points: each.points } : { name: each.name, points: cdfSteps(each.values) },
  )
  const xs = series.flatMap(each => each.points.map(point => point.x))
  const ys = series.flatMap(each => each.points.map(point => point.y))
  const x = figure.kind === 'cdf' ? axisOf(xs, figure.log) : linearAxis(xs, 6, false)
  const y = figure.kind === 'cdf' ? linearAxis([0, 1]) : axisOf(ys, figure.log)
  const tickLabels = y.ticks.map(formatNumber)
  const gutter = Math.max(...tickLabels.map(label => label.length)) + 1
  const columns = width - gutter - 4
  const grid = Array.from({ length: PLOT_ROWS }, () => Array<string>(columns).fill(' '))
  const column = (value: number): number => Math.round(x.position(value) * (columns - 1))
  const row = (value: number): number => PLOT_ROWS - 1 - Math.round(y.position(value) * (PLOT_ROWS - 1))
  const markers = unicode ? MARKERS.unicode : MARKERS.ascii
  const dot = unicode ? '·' : '.'
  for (const { points } of series) {
    for (let i = 1; i < points.length; i++) {
      const [x0, y0] = [column(points[i - 1].x), row(points[i - 1].y)]
      const [x1, y1] = [column(points[i].x), row(points[i].y)]
      const steps = Math.max(1, Math.abs(x1 - x0), Math.abs(y1 - y0))
      for (let step = 0; step <= steps; step++) {
        grid[Math.round(y0 + ((y1 - y0) * step) / steps)][Math.round(x0 + ((x1 - x0) * step) / steps)] = dot
      }
    }
  }
  // Markers after all lines, so that none is hidden by one.
  series.forEach(({ points }, i) => {
    const marked = figure.kind === 'cdf' ? marksOf(points, i) : points
    for (const point of marked) grid[row(point.y)][column(point.x)] = markers[i % markers.length]
  })
  const labels = new Map(y.ticks.map((tick, i) => [row(tick), tickLabels[i]]))
  const upright = unicode ? '│' : '|'
  const lines = grid.map((cells, i) =>
    `  ${(labels.get(i) ?? '').padStart(gutter)}${upright}${cells.join('')}`.trimEnd(),
  )
  const base = `  ${' '.repeat(gutter)}${unicode ? '└' : '+'}${(unicode ? '─' : '-').repeat(columns)}`
  const xTicks = Array<string>(columns + gutter + 3).fill(' ')
  let free = 0
  for (const tick of x.ticks) {
    const label = formatNumber(tick)
    const at = Math.max(0, Math.min(xTicks.length - label.length, gutter + 3 + column(tick) - (label.length >> 1)))
    if (at < free) continue
    for (let i = 0; i < label.length; i++) xTicks[at + i] = label[i]
    free = at + label.length + 1
  }
  const legend =
    series.length > 1 ? series.map(({ name }, i) => `${markers[i % markers.length]} ${name}`).join('   ') : ''
  return [
    `  ${figure.yLabel}${y.log ? ' (logarithmic)' : ''}`,
    ...lines,
    base,
    xTicks.join('').trimEnd(),
    `  ${' '.repeat(gutter)}${figure.xLabel}`,
    ...(legend === '' ? [] : [`  ${legend}`]),
  ]
}

/** Some points along the curve of the i-th series, other ones than the others'. */
function marksOf(points: readonly { x: number; y: number }[], i: number): { x: number; y: number }[] {
  return [0.2, 0.5, 0.8].flatMap(share => points.find(point => point.y >= share + (i % 3) * 0.05) ?? [])
}

function axisOf(values: readonly number[], log: boolean): Axis {
  return log ? logAxis(values) : linearAxis(values)
}

function clip(text: string, width: number): string {
  return columns(text) <= width ? text : `${cutAt(text, width - 1)[0]}…`
}
