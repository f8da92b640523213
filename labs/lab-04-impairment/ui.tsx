/**
 * The panel of lab 4: the link with what it does now, the predictions beside what was measured, and the delay in the queue with and
 * without CoDel. Each part appears when a check has shown something for it. And the windows of its tunnels, in a view of their own.
 */
import { formatNumber } from '../kit/check/measurements.ts'
import { type Line, type Span, wrap } from '../kit/lab/text.ts'
import type { PanelProps } from '../kit/lab/types.ts'
import { bars, resample } from '../kit/ui/bars.ts'
import { linesPanel } from '../kit/ui/lines-panel.tsx'
import { withWindow } from '../kit/ui/with-window.tsx'
import {
  DELAYS_KEY,
  type Delays,
  LINK_KEY,
  type LinkPicture,
  PREDICTIONS_KEY,
  type PredictionRow,
  TITLES_KEY,
} from './panel-data.ts'

/** A panel with more rows than this would leave no room for the brief. */
const MOST_ROWS = 16
const CHART_ROWS = 4
const NUMBER_COLUMNS = 11

function lines(props: PanelProps): Line[] {
  const { shown } = props.live
  const link = shown[LINK_KEY] as LinkPicture | undefined
  const rows = shown[PREDICTIONS_KEY] as PredictionRow[] | undefined
  const titles = (shown[TITLES_KEY] ?? []) as string[]
  const delays = shown[DELAYS_KEY] as Delays | undefined
  const all = [
    ...(link ? linkLines(link, props) : []),
    ...(rows ? predictionLines(rows, titles, props) : []),
    ...(delays ? delayLines(delays, props) : []),
  ]
  return all.slice(0, Math.min(props.rows, MOST_ROWS)).map(line => cut(line, props.width))
}

/** No wider than `width`: what is too much at the end is left out. */
function cut(line: Line, width: number): Line {
  let room = width
  return line.map(span => {
    const text = [...span.text].slice(0, Math.max(0, room)).join('')
    room -= [...span.text].length
    return { ...span, text }
  })
}

/**
 *     client ---[ 25 ms, loses 5 % ]---> proxy       outage-3s: outage
 *            <--[ 25 ms ]---------------             queue [######....] 60 packets ...
 */
function linkLines(link: LinkPicture, { width, marks }: PanelProps): Line[] {
  const { profile, state = '' } = link
  const out = state === 'outage'
  // Before a wire come 7 columns, behind it 8; then, in the first row the profile, in the second one the state.
  const way = Math.max(24, Math.min(44, width - 15 - Math.max(profile.length + 2, state.length)))
  const isBeside = 15 + way + state.length <= width
  const fact = (direction: 'up' | 'down'): string => {
    const loss = link.loss[direction]
    const rate = link.rate?.[direction]
    return [
      out ? 'nothing passes' : `${formatNumber(link.delayMs[direction])} ms`,
      ...(loss > 0 && !out ? [`loses ${formatNumber(loss * 100)} %`] : []),
      ...(rate !== undefined && !out ? [`${formatNumber(rate / 1e6)} Mbit/s`] : []),
    ].join(', ')
  }
  const wire = (text: string): string => {
    const label = `[ ${text} ]`
    const left = Math.max(1, Math.floor((way - label.length) / 2))
    const line = out ? 'x' : '-'
    return `${line.repeat(left)}${label}${line.repeat(Math.max(1, way - label.length - left))}`
  }
  const style = out ? ('bad' as const) : ('accent' as const)
  return [
    [
      { text: 'client ', style: 'strong' },
      { text: `${wire(fact('up'))}>`, style },
      { text: ' proxy', style: 'strong' },
      { text: `  ${profile}`, style: 'muted' },
    ],
    [
      { text: ' '.repeat(6) },
      { text: `<${wire(fact('down'))}`, style },
      { text: ' '.repeat(7) },
      ...(state !== '' && isBeside ? [{ text: ` ${state}`, style } as Span] : []),
    ],
    ...(isBeside ? [] : wrap([{ text: state, style }], width, [{ text: ' '.repeat(7) }])),
    ...(link.queue ? [queueLine(link.queue, marks)] : []),
  ]
}

function queueLine({ packets, limit }: { packets: number; limit: number }, marks: PanelProps['marks']): Line {
  const columns = 24
  const filled = Math.min(columns, Math.round((packets / Math.max(1, limit)) * columns))
  return [
    { text: '  queue ', style: 'muted' },
    { text: marks.barFull.repeat(filled), style: filled > columns / 2 ? 'bad' : 'accent' },
    { text: marks.barEmpty.repeat(columns - filled), style: 'muted' },
    { text: ` ${packets} packets, about ${limit} fit` },
  ]
}

/**
 *                                         predicted   measured
 *     5 % loss, datagrams: arrive            95 %       94.5 %   91.8 to 96.5
 */
function predictionLines(
  rows: readonly PredictionRow[],
  titles: readonly string[],
  { width, rows: most }: PanelProps,
): Line[] {
  const longest = Math.max(...rows.map(({ name }) => name.length))
  const name = Math.max(12, Math.min(longest, width - 2 * NUMBER_COLUMNS - 2))
  const room = width - name - 2 * NUMBER_COLUMNS
  // Of a long sweep, what is being measured now and what was last.
  const shownRows = Math.max(1, Math.min(most, MOST_ROWS) - 4)
  const measured = rows.findLastIndex(row => row.measured !== undefined)
  const from = Math.max(0, Math.min(rows.length - shownRows, measured + 3 - shownRows))
  return [
    [
      {
        text: ' '.repeat(name) + titles.map(title => title.padStart(NUMBER_COLUMNS)).join(''),
        style: 'muted',
      },
    ],
    ...rows.slice(from, from + shownRows).map((row): Line => {
      const interval =
        row.low === undefined || row.high === undefined ? '' : `  ${formatNumber(row.low)} to ${formatNumber(row.high)}`
      return [
        { text: row.name.slice(0, name).padEnd(name) },
        { text: `${formatNumber(row.predicted)} ${row.unit}`.padStart(NUMBER_COLUMNS), style: 'muted' },
        {
          text: (row.measured === undefined ? '...' : `${formatNumber(row.measured)} ${row.unit}`).padStart(
            NUMBER_COLUMNS,
          ),
          style: row.measured === undefined ? 'muted' : 'strong',
        },
        { text: interval.length <= room ? interval : '', style: 'muted' },
      ]
    }),
  ]
}

/**
 *     delay in the queue, ms
 *     600 |    ▂▃▅▆▇█          a plain queue
 *       0 |▃▂▁▁▁▁▁▁▁▁          your CoDel
 *         0 s              12 s
 */
function delayLines({ plain, codel }: Delays, { width, rows: most, marks }: PanelProps): Line[] {
  // Two captions and two charts, as high as there is room for.
  const height = Math.max(2, Math.min(CHART_ROWS, Math.floor((Math.min(most, MOST_ROWS) - 2) / 2)))
  const label = Math.max(6, String(Math.ceil(Math.max(...plain))).length + 1)
  const columns = Math.max(10, Math.min(plain.length, width - label - 2))
  const top = Math.max(1, ...plain, ...(codel ?? []))
  const before = resample(plain, columns)
  const after = codel && resample(codel, columns)
  const chart = (values: readonly number[], style: Span['style'], rows: number): Line[] =>
    bars(values, top, rows, marks.sparkline).map((text, row) => [
      {
        text: (row === 0 ? formatNumber(Math.ceil(top)) : row === rows - 1 ? '0' : '').padStart(label - 1),
        style: 'muted',
      },
      { text: '|', style: 'muted' },
      { text, style },
    ])
  const caption = (text: string, values: readonly number[], style: Span['style']): Line => [
    { text: `${text}, delay in the queue in ms; at the end ${formatNumber(values.at(-1) ?? 0)}`, style },
  ]
  return [
    caption('a plain queue', before, 'bad'),
    ...chart(before, 'bad', height),
    ...(after ? [caption('your CoDel', after, 'good'), ...chart(after, 'good', height)] : []),
  ]
}

export const LinkPanel = withWindow(linesPanel(lines))
