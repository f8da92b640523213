/**
 * Figures as SVG files, by hand: a few lines and texts need no library.
 *
 * Made to be read: title and description for screen readers, series told apart by marker, dash and hatching as well as by
 * colour (Okabe and Ito's, which colour-blind people can tell apart), so a black and white print loses nothing.
 */

import { percentile } from '../../stats/statistics.ts'
import { type Axis, formatNumber, linearAxis, logAxis } from './axis.ts'
import { type BarFigure, type CdfFigure, cdfSteps, type Figure, type LineFigure } from './figure.ts'

const WIDTH = 760
const HEIGHT = 460
const MARGIN = { right: 24, bottom: 74, left: 76 }
const FONT = 'system-ui, -apple-system, "Segoe UI", "DejaVu Sans", Arial, sans-serif'
/** Average width of a character of 12 px, for deciding what fits. */
const CHARACTER = 6.6

const COLOURS = ['#0072b2', '#d55e00', '#009e73', '#000000', '#cc79a7', '#e69f00', '#56b4e9', '#666666']
const DASHES = ['', '7 4', '2 3', '9 3 2 3', '12 4', '4 2', '1 2', '9 3 2 3 2 3']
const MARKERS = ['circle', 'square', 'triangle', 'diamond', 'cross', 'plus', 'ring', 'box'] as const

interface Area {
  left: number
  right: number
  top: number
  bottom: number
}

/** The whole file. Throws nothing: a figure without data says so. */
export function svgFigure(figure: Figure): string {
  const legend = legendRows(figure)
  const area: Area = {
    left: MARGIN.left,
    right: WIDTH - MARGIN.right,
    top: 66 + legend.length * 20,
    bottom: HEIGHT - MARGIN.bottom,
  }
  const parts = [
    `<title>${escapeXml(figure.title)}</title>`,
    `<desc>${escapeXml(describe(figure))}</desc>`,
    `<rect width="${WIDTH}" height="${HEIGHT}" fill="#ffffff"/>`,
    figure.kind === 'bars' ? hatchings(figure.series.length) : '',
    text(MARGIN.left - 52, 26, figure.title, { size: 16, weight: 600 }),
    text(MARGIN.left - 52, 45, figure.note, { colour: '#555555' }),
    ...legend.flatMap((row, i) => row.map(entry => legendEntry(figure, entry, 66 + i * 20))),
    ...draw(figure, area),
  ]
  return `<svg xmlns="http://www.w3.org/2000/svg" viewBox="0 0 ${WIDTH} ${HEIGHT}" width="${WIDTH}" height="${HEIGHT}" role="img" font-family='${FONT}' font-size="12" fill="#222222">
${parts.filter(part => part !== '').join('\n')}
</svg>
`
}

function draw(figure: Figure, area: Area): string[] {
  if (figure.kind === 'bars') return drawBars(figure, area)
  if (figure.kind === 'line') return drawLines(figure, area)
  return drawCdf(figure, area)
}

// -- lines ---------------------------------------------------------------------------------------------------------------

function drawLines(figure: LineFigure, area: Area): string[] {
  const points = figure.series.flatMap(series => series.points)
  const xs = [...new Set(points.map(point => point.x))].toSorted((a, b) => a - b)
  const x = linearAxis(xs, 8, xs.length > 0 && xs[0] <= (xs[xs.length - 1] - xs[0]) * 0.5)
  const y = measureAxis(
    points.flatMap(point => [point.low, point.y, point.high]),
    figure.log,
  )
  const inset = 14
  const atX = (value: number): number => area.left + inset + x.position(value) * (area.right - area.left - 2 * inset)
  const atY = (value: number): number => area.bottom - y.position(value) * (area.bottom - area.top)
  // Few different values: a tick at each says more than round numbers between them.
  const apart = (area.right - area.left) / 16
  const ticks = xs.length <= 8 && xs.every((value, i) => i === 0 || atX(value) - atX(xs[i - 1]) > apart) ? xs : x.ticks
  // Series stand a little apart, so that whiskers at one x do not hide each other; but never so far as to look like another x.
  const gaps = xs.slice(1).map((value, i) => atX(value) - atX(xs[i]))
  const between = Math.min(5, Math.min(2 * inset, ...gaps.map(gap => gap / 3)) / figure.series.length)
  return [
    ...frame(figure, area, y, atY),
    ...ticks.map(value => xTick(atX(value), area, formatNumber(value))),
    ...figure.series.flatMap((series, i) => {
      const shift = (i - (figure.series.length - 1) / 2) * between
      const place = series.points.map(point => ({ ...point, px: atX(point.x) + shift }))
      const line = place.map(point => `${round(point.px)},${round(atY(point.y))}`).join(' ')
      return [
        `<polyline points="${line}" fill="none" stroke="${colour(i)}" stroke-width="2"${dash(i)}/>`,
        ...place.map(point => whisker(point.px, atY(point.low), atY(point.high), colour(i))),
        ...place.map(point => marker(i, point.px, atY(point.y))),
      ]
    }),
  ]
}

function drawCdf(figure: CdfFigure, area: Area): string[] {
  const values = figure.series.flatMap(series => series.values)
  const x = measureAxis(values, figure.log)
  const y = linearAxis([0, 1])
  const atX = (value: number): number => area.left + x.position(value) * (area.right - area.left)
  const atY = (value: number): number => area.bottom - value * (area.bottom - area.top)
  return [
    ...frame(figure, area, y, atY),
    ...x.ticks.map(value => xTick(atX(value), area, formatNumber(value))),
    ...figure.series.flatMap((series, i) => {
      const steps = cdfSteps(series.values)
      if (steps.length === 0) return []
      const line = steps.map(step => `${round(atX(step.x))},${round(atY(step.y))}`).join(' ')
      // Markers at a few heights, not on every step, and not at the same ones for every series.
      const marks = [0.15, 0.35, 0.55, 0.75, 0.95].map(share => share + ((i % 4) - 1.5) * 0.03)
      return [
        `<polyline points="${line}" fill="none" stroke="${colour(i)}" stroke-width="2"${dash(i)}/>`,
        ...marks.map(share => {
          const at = steps.find(step => step.y >= share) ?? steps[steps.length - 1]
          return marker(i, atX(at.x), atY(share))
        }),
      ]
    }),
  ]
}

// -- bars ----------------------------------------------------------------------------------------------------------------

function drawBars(figure: BarFigure, area: Area): string[] {
  const values = figure.series.flatMap(series => series.values.filter(value => value !== undefined))
  const y = measureAxis(
    values.flatMap(value => [value.low, value.y, value.high]),
    figure.log,
  )
  const atY = (value: number): number => area.bottom - y.position(value) * (area.bottom - area.top)
  const slot = (area.right - area.left) / Math.max(1, figure.categories.length)
  const bar = Math.min(48, (slot * 0.8) / Math.max(1, figure.series.length))
  const tilted = figure.categories.some(category => category.length * CHARACTER > slot - 6)
  return [
    ...frame(figure, area, y, atY),
    ...figure.categories.map((category, i) => xTick(area.left + (i + 0.5) * slot, area, category, tilted)),
    ...figure.series.flatMap((series, s) =>
      series.values.flatMap((value, i) => {
        const left = area.left + (i + 0.5) * slot + (s - figure.series.length / 2) * bar
        const middle = left + bar / 2
        if (value === undefined) return [text(middle, area.bottom - 4, '–', { anchor: 'middle', colour: '#555555' })]
        const top = atY(value.y)
        const height = Math.max(0.5, area.bottom - top)
        return [
          `<rect x="${round(left + 1)}" y="${round(top)}" width="${round(bar - 2)}" height="${round(height)}" fill="${fill(s)}" stroke="${colour(s)}" stroke-width="1.5"/>`,
          whisker(middle, atY(value.low), atY(value.high), '#222222'),
        ]
      }),
    ),
  ]
}

/** One hatching a series: full, strokes one way, empty, strokes the other way, dots, across. */
function hatchings(count: number): string {
  const shapes = [
    (stroke: string) => `<rect width="8" height="8" fill="${stroke}"/>`,
    (stroke: string) => `<path d="M-2 10L10 -2M-2 2L2 -2M6 10L10 6" stroke="${stroke}" stroke-width="2"/>`,
    () => '',
    (stroke: string) => `<path d="M-2 -2L10 10M6 -2L10 2M-2 6L2 10" stroke="${stroke}" stroke-width="1.5"/>`,
    (stroke: string) => `<circle cx="4" cy="4" r="1.7" fill="${stroke}"/>`,
    (stroke: string) => `<path d="M0 4H8" stroke="${stroke}" stroke-width="2"/>`,
    (stroke: string) => `<path d="M0 4H8M4 0V8" stroke="${stroke}" stroke-width="1"/>`,
    (stroke: string) => `<rect width="8" height="8" fill="${stroke}" fill-opacity="0.35"/>`,
  ]
  const patterns = Array.from({ length: Math.min(count, shapes.length) }, (_, i) => {
    return `<pattern id="hatch${i}" width="8" height="8" patternUnits="userSpaceOnUse"><rect width="8" height="8" fill="#ffffff"/>${shapes[i](colour(i))}</pattern>`
  })
  return `<defs>${patterns.join('')}</defs>`
}

// -- what all have -------------------------------------------------------------------------------------------------------

function measureAxis(values: readonly number[], log: boolean): Axis {
  return log ? logAxis(values) : linearAxis(values)
}

/** Axes, horizontal lines at the ticks, and the labels of both axes. */
function frame(figure: Figure, area: Area, y: Axis, atY: (value: number) => number): string[] {
  const middle = (area.top + area.bottom) / 2
  return [
    ...y.ticks.flatMap(tick => [
      `<path d="M${area.left} ${round(atY(tick))}H${area.right}" stroke="#dddddd"/>`,
      text(area.left - 8, atY(tick) + 4, formatNumber(tick), { anchor: 'end' }),
    ]),
    `<path d="M${area.left} ${area.top}V${area.bottom}H${area.right}" fill="none" stroke="#222222"/>`,
    text((area.left + area.right) / 2, HEIGHT - 14, figure.xLabel, { anchor: 'middle', weight: 600 }),
    `<g transform="rotate(-90 18 ${middle})">${text(18, middle, figure.yLabel, { anchor: 'middle', weight: 600 })}</g>`,
  ]
}

function xTick(x: number, area: Area, label: string, tilted = false): string {
  const line = `<path d="M${round(x)} ${area.bottom}v5" stroke="#222222"/>`
  if (!tilted) return line + text(x, area.bottom + 19, label, { anchor: 'middle' })
  const short = label.length > 16 ? `${label.slice(0, 15)}…` : label
  const at = `${round(x + 4)} ${area.bottom + 15}`
  return `${line}<g transform="rotate(-28 ${at})">${text(x + 4, area.bottom + 15, short, { anchor: 'end' })}</g>`
}

function whisker(x: number, low: number, high: number, stroke: string): string {
  if (Math.abs(low - high) < 0.5) return ''
  const cap = 4
  return `<path d="M${round(x)} ${round(low)}V${round(high)}M${round(x - cap)} ${round(low)}h${2 * cap}M${round(x - cap)} ${round(high)}h${2 * cap}" stroke="${stroke}" stroke-width="1.2"/>`
}

function marker(index: number, x: number, y: number): string {
  const [px, py] = [round(x), round(y)]
  const ink = colour(index)
  const edge = `stroke="${ink}" stroke-width="1.6"`
  switch (MARKERS[index % MARKERS.length]) {
    case 'circle':
      return `<circle cx="${px}" cy="${py}" r="4" fill="${ink}"/>`
    case 'square':
      return `<rect x="${round(x - 4)}" y="${round(y - 4)}" width="8" height="8" fill="${ink}"/>`
    case 'triangle':
      return `<path d="M${px} ${round(y - 5)}l5 9h-10z" fill="#ffffff" ${edge}/>`
    case 'diamond':
      return `<path d="M${px} ${round(y - 5.5)}l5 5.5l-5 5.5l-5 -5.5z" fill="${ink}"/>`
    case 'cross':
      return `<path d="M${round(x - 4)} ${round(y - 4)}l8 8m0 -8l-8 8" fill="none" ${edge}/>`
    case 'plus':
      return `<path d="M${round(x - 5)} ${py}h10m-5 -5v10" fill="none" ${edge}/>`
    case 'ring':
      return `<circle cx="${px}" cy="${py}" r="4" fill="#ffffff" ${edge}/>`
    case 'box':
      return `<rect x="${round(x - 4)}" y="${round(y - 4)}" width="8" height="8" fill="#ffffff" ${edge}/>`
  }
}

interface LegendEntry {
  index: number
  name: string
  x: number
}

/** One series alone needs no legend: the title says what it is. Rows break where they would leave the figure. */
function legendRows(figure: Figure): LegendEntry[][] {
  if (figure.series.length < 2) return []
  const rows: LegendEntry[][] = [[]]
  let x = MARGIN.left - 52
  figure.series.forEach(({ name }, index) => {
    const width = 40 + name.length * CHARACTER + 18
    if (x + width > WIDTH - MARGIN.right && rows[rows.length - 1].length > 0) {
      rows.push([])
      x = MARGIN.left - 52
    }
    rows[rows.length - 1].push({ index, name, x })
    x += width
  })
  return rows
}

function legendEntry(figure: Figure, { index, name, x }: LegendEntry, y: number): string {
  const sign =
    figure.kind === 'bars'
      ? `<rect x="${x + 8}" y="${y - 10}" width="20" height="12" fill="${fill(index)}" stroke="${colour(index)}" stroke-width="1.5"/>`
      : `<path d="M${x} ${y - 4}h32" stroke="${colour(index)}" stroke-width="2"${dash(index)}/>${marker(index, x + 16, y - 4)}`
  return sign + text(x + 38, y, name)
}

/** The numbers, for who cannot see the picture. */
function describe(figure: Figure): string {
  const head = `${figure.yLabel} against ${figure.xLabel}. ${figure.note}`
  const series = figure.series.map(each => {
    if ('points' in each) {
      return `${each.name}: ${each.points.map(point => `${formatNumber(point.x)}: ${formatNumber(point.y)}`).join(', ')}`
    }
    if (figure.kind === 'bars') {
      const values = each.values as BarFigure['series'][number]['values']
      const cells = values.map((value, i) => `${figure.categories[i]}: ${value ? formatNumber(value.y) : 'no value'}`)
      return `${each.name}: ${cells.join(', ')}`
    }
    const values = (each.values as readonly number[]).toSorted((a, b) => a - b)
    if (values.length === 0) return `${each.name}: no values`
    const median = percentile(values, 0.5)
    return `${each.name}: ${values.length} values, median ${formatNumber(median)}, largest ${formatNumber(values[values.length - 1])}`
  })
  return [head, ...series].join(' | ')
}

function colour(index: number): string {
  return COLOURS[index % COLOURS.length]
}

function fill(index: number): string {
  return `url(#hatch${index % COLOURS.length})`
}

function dash(index: number): string {
  const pattern = DASHES[index % DASHES.length]
  return pattern === '' ? '' : ` stroke-dasharray="${pattern}"`
}

function text(
  x: number,
  y: number,
  content: string,
  style: { size?: number; weight?: number; colour?: string; anchor?: 'middle' | 'end' } = {},
): string {
  const attributes = [
    `x="${round(x)}" y="${round(y)}"`,
    style.size === undefined ? '' : `font-size="${style.size}"`,
    style.weight === undefined ? '' : `font-weight="${style.weight}"`,
    style.colour === undefined ? '' : `fill="${style.colour}"`,
    style.anchor === undefined ? '' : `text-anchor="${style.anchor}"`,
  ]
  return `<text ${attributes.filter(each => each !== '').join(' ')}>${escapeXml(content)}</text>`
}

function round(value: number): number {
  return Math.round(value * 10) / 10
}

function escapeXml(content: string): string {
  return content.replaceAll('&', '&amp;').replaceAll('<', '&lt;').replaceAll('>', '&gt;').replaceAll('"', '&quot;')
}
