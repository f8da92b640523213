/**
 * Congestion window, bytes in flight and round-trip time of a connection over time, as rows of characters:
 *
 *     in datagrams   engine typescript, a sample each 0.1 s                connection 1 of 2
 *     cwnd          15 |▇▇▇▇▇▇▇▇▅▅▅▅▅▃▃▃▃▃▃▂▂▂▂                              2.82 kB now
 *       kB           0 |███████████████████████                              2.70 to 13.5
 *     in flight     15 |
 *       kB           0 |▂▂▂▂▂▂▂▁▂▂▂▂▂▂▂▂▂▁▂▂▂▂▂                              0.62 kB now
 *     est. RTT      60 |▆▆▆▆▆▆▆▆▆▆▆▆▆▆▆▆▆▆▆▆▆▆▆
 *       ms           0 |███████████████████████
 *                      0 s                          5                 10 s
 *
 * A column is one sample, never a mean; where there was none for a while it is empty. Window and bytes in flight have one scale: how near they come to each
 * other is what one looks for.
 */
import { columns, cutAt } from '../../../src/text/columns.ts'
import { formatNumber } from '../check/measurements.ts'
import type { WindowCourse } from '../check/window-recorder.ts'
import { type Line, wrap } from '../lab/text.ts'
import type { PanelProps } from '../lab/types.ts'
import { bars } from './bars.ts'

type Options = Pick<PanelProps, 'width' | 'rows' | 'marks' | 'running' | 'step' | 'inWords'>
type Values = readonly (number | undefined)[]

interface Series {
  name: string
  /** In sentences. */
  longName: string
  unit: string
  values: Values
  /** Instead of it, where nothing is known of it. */
  untold: string
}

/** A sample is as good as new for this many times the time between two. */
const FRESH = 1.5
const LABEL_COLUMNS = 11
const NUMBER_COLUMNS = 6
const LEFT_COLUMNS = LABEL_COLUMNS + NUMBER_COLUMNS + 1
const RIGHT_COLUMNS = 17
const LEAST_PLOT = 20
const LEAST_TITLE = 16
const LEAST_HEIGHT = 2
const MOST_HEIGHT = 6
const MOST_GAPS_NAMED = 5
/** Under a column: from here on it is another path. */
const MOVED = '^'

export function windowLines(courses: readonly WindowCourse[], options: Options): Line[] {
  if (options.inWords) return courses.flatMap(course => inWords(course, options.width))
  const course = courses[options.step]
  if (course === undefined) return []
  const position = courses.length > 1 ? `connection ${options.step + 1} of ${courses.length}` : ''
  const title = titleLine(course, position, options.width)
  const nothing: Line[] = [[{ text: cutAt(nothingYet(course), options.width)[0], style: 'muted' }]]
  const body = course.atMs.length === 0 ? nothing : (drawing(course, options) ?? figures(course, options))
  return [title, ...body].slice(0, options.rows)
}

function seriesOf({ engine, cwnd, inFlight, rttMs }: WindowCourse): [cwnd: Series, inFlight: Series, rtt: Series] {
  const inKB = (values: Values): Values => values.map(bytes => bytes && bytes / 1000)
  const untold = 'not measured yet'
  return [
    { name: 'cwnd', longName: 'congestion window', unit: 'kB', values: inKB(cwnd), untold },
    {
      name: 'in flight',
      longName: 'bytes in flight',
      unit: 'kB',
      values: inKB(inFlight),
      untold: `not told by ${engine}`,
    },
    // What the engine believes: quiche's estimate runs away where packets are lost (docs/decisions.md).
    { name: 'est. RTT', longName: `round-trip time, as ${engine} estimates it`, unit: 'ms', values: rttMs, untold },
  ]
}

const known = (values: Values): number[] => values.filter(value => value !== undefined)

function nothingYet({ engine }: WindowCourse): string {
  return engine === undefined ? 'there is no QUIC connection yet' : 'no sample yet'
}

const seconds = (ms: number): string => `${ms / 1000} s`

function titleLine(course: WindowCourse, wanted: string, width: number): Line {
  const { title, engine, everyMs } = course
  const position = width - columns(wanted) - 2 >= LEAST_TITLE ? wanted : ''
  const room = width - (position === '' ? 0 : columns(position) + 2)
  const [name] = cutAt(title, room)
  // Whole or not at all: a part of a number would be another number.
  const parts = engine === undefined ? [] : [`   engine ${engine}`, `, a sample each ${seconds(everyMs)}`]
  let about = ''
  for (const part of parts) {
    if (columns(name + about + part) > room) break
    about += part
  }
  const blank = Math.max(0, width - columns(name) - columns(about) - columns(position))
  return [
    { text: name, style: 'strong' },
    { text: about + ' '.repeat(blank), style: 'muted' },
    { text: position, style: 'muted' },
  ]
}

// Drawn ---------------------------------------------------------------------------------------------------------------

/** undefined: there is no room for it. */
function drawing(course: WindowCourse, { width, rows, marks, running }: Options): Line[] | undefined {
  const all = seriesOf(course)
  const [cwnd, inFlight] = all
  const charts = all.filter(({ values }) => known(values).length > 0)
  // Title, axis, and a row for what is not known. Rows between them where that leaves enough.
  const free = rows - 2 - (all.length - charts.length)
  const between = all.length - 1
  const isWide = free - between >= charts.length * (LEAST_HEIGHT + 1)
  const height = Math.min(MOST_HEIGHT, Math.floor((free - (isWide ? between : 0)) / charts.length))
  const right = width - LEFT_COLUMNS - RIGHT_COLUMNS >= LEAST_PLOT ? RIGHT_COLUMNS : 0
  const plot = width - LEFT_COLUMNS - right
  if (height < LEAST_HEIGHT || plot < LEAST_PLOT) return undefined
  const spanMs = niceSpan(course.untilMs)
  const topOfBytes = niceTop([...known(cwnd.values), ...known(inFlight.values)])
  const isFresh = running && course.untilMs - (course.atMs.at(-1) ?? 0) <= FRESH * course.everyMs
  const lines = all.flatMap(({ name, unit, values, untold }, i): Line[] => {
    const here = known(values)
    const above: Line[] = isWide && i > 0 ? [[]] : []
    if (here.length === 0) {
      return [...above, [{ text: name.padEnd(LEFT_COLUMNS) }, { text: untold, style: 'muted' }]]
    }
    const top = unit === 'ms' ? niceTop(here) : topOfBytes
    const drawn = bars(atColumns(course, values, plot, spanMs), top, height, marks.sparkline)
    const last = values.at(-1)
    const beside = [
      last === undefined ? '' : `${short(last)} ${unit} ${isFresh ? 'now' : 'last'}`,
      rangeText(here, short),
    ]
    const chart = drawn.map((text, row): Line => {
      const label = row === 0 ? name : row === 1 ? `  ${unit}` : ''
      const number = row === 0 ? short(top) : row === height - 1 ? '0' : ''
      return [
        { text: label.padEnd(LABEL_COLUMNS), ...(row > 0 && { style: 'muted' as const }) },
        { text: `${number.padStart(NUMBER_COLUMNS - 1)} |`, style: 'muted' },
        { text, style: 'accent' },
        ...(right > 0 ? [{ text: `  ${beside[row] ?? ''}`, ...(row > 0 && { style: 'muted' as const }) }] : []),
      ]
    })
    return [...above, ...chart]
  })
  return [...lines, axisLine(course, plot, spanMs, right)]
}

/** What is in the middle of the time of each column; undefined: no sample is near enough. */
function atColumns({ atMs, everyMs, untilMs }: WindowCourse, values: Values, plot: number, spanMs: number): Values {
  let i = -1
  return Array.from({ length: plot }, (_, column) => {
    const end = ((column + 1) * spanMs) / plot
    if ((column * spanMs) / plot > untilMs) return undefined
    while (i + 1 < atMs.length && atMs[i + 1]! <= Math.min(end, untilMs)) i++
    const at = atMs[i]
    return at === undefined || Math.min(end, untilMs) - at > FRESH * everyMs ? undefined : values[i]
  })
}

function axisLine({ movedAtMs }: WindowCourse, plot: number, spanMs: number, right: number): Line {
  const cells = Array.from({ length: plot }, () => ' ')
  const write = (text: string, at: number) => {
    for (const [i, character] of [...text].entries()) cells[at + i] = character
  }
  write('0', 0)
  const middle = `${spanMs / 2000}`
  write(middle, Math.round((plot - middle.length) / 2))
  const end = `${spanMs / 1000} s`
  write(end, plot - end.length)
  for (const ms of movedAtMs) write(MOVED, Math.min(plot - 1, Math.floor((ms * plot) / spanMs)))
  const legend = movedAtMs.length > 0 && right > 0 ? `  ${MOVED} another path` : ''
  return [{ text: ' '.repeat(LEFT_COLUMNS) }, { text: cells.join('') + legend, style: 'muted' }]
}

/** The next larger number with few digits, so that a scale seldom changes. */
function niceTop(values: readonly number[]): number {
  const most = Math.max(...values, 0)
  if (most <= 0) return 1
  const power = 10 ** Math.floor(Math.log10(most))
  const factor = [1, 1.5, 2, 3, 4, 5, 6, 8, 10].find(step => step * power >= most) ?? 10
  return factor * power
}

const LEAST_SPAN_MS = 4000

function niceSpan(ms: number): number {
  let span = LEAST_SPAN_MS
  for (let step = 0; span < ms; step++) span *= step % 2 === 0 ? 1.5 : 4 / 3
  return span
}

// In figures ----------------------------------------------------------------------------------------------------------

/** In as many columns as a scale has: what is cut off a number makes another one of it. */
function short(value: number): string {
  const text = formatNumber(value)
  return text.length < NUMBER_COLUMNS ? text : value.toExponential(0)
}

function rangeText(values: readonly number[], inText = formatNumber): string {
  const [least, most] = [Math.min(...values), Math.max(...values)].map(inText)
  return least === most ? `always ${least}` : `${least} to ${most}`
}

function figures(course: WindowCourse, { width }: Options): Line[] {
  return seriesOf(course).map(({ name, unit, values, untold }) => {
    const here = known(values)
    const last = here.at(-1)
    const text = last === undefined ? untold : `${formatNumber(last)} ${unit}, ${rangeText(here)}`
    return [{ text: name.padEnd(LABEL_COLUMNS) }, { text: cutAt(text, Math.max(0, width - LABEL_COLUMNS))[0] }]
  })
}

function inWords(course: WindowCourse, width: number): Line[] {
  const { title, engine, everyMs, atMs, movedAtMs, untilMs } = course
  const paragraph = (text: string, indent = '  ') => wrap([{ text }], width, [{ text: indent }])
  const from = atMs[0]
  if (from === undefined) return paragraph(`${title}: ${nothingYet(course)}.`, '')
  const at = (ms: number) => formatNumber(ms / 1000)
  const gaps = gapsOf(course).map(([a, b]) => `${at(a)} to ${at(b)} s`)
  const more = gaps.length - MOST_GAPS_NAMED
  return [
    ...paragraph(
      `${title}, QUIC by the engine ${engine}: ${atMs.length} samples in ${at(untilMs)} s, one each ${seconds(everyMs)}.`,
      '',
    ),
    ...seriesOf(course).flatMap(({ longName, unit, values, untold }) => {
      const here = known(values)
      if (here.length === 0) return paragraph(`${longName}: ${untold}`)
      const quarters = [0.25, 0.5, 0.75].map(share => formatNumber(here[Math.floor(share * (here.length - 1))]!))
      return paragraph(
        `${longName}, ${unit}: ${formatNumber(here[0]!)}, then ${quarters.join(', ')}, at last ${formatNumber(here.at(-1)!)}; ${rangeText(here)}`,
      )
    }),
    ...(movedAtMs.length > 0 ? paragraph(`another path from ${movedAtMs.map(at).join(', ')} s on`) : []),
    ...(gaps.length > 0
      ? paragraph(
          `no sample from ${gaps.slice(0, MOST_GAPS_NAMED).join(', ')}${more > 0 ? `, and ${more} times more` : ''}`,
        )
      : []),
  ]
}

/** Where there was none for longer than is usual. */
function gapsOf({ atMs, everyMs, untilMs }: WindowCourse): [fromMs: number, toMs: number][] {
  return [...atMs, untilMs].flatMap((to, i): [number, number][] => {
    const from = i === 0 ? 0 : atMs[i - 1]!
    return to - from > FRESH * everyMs ? [[from, to]] : []
  })
}
