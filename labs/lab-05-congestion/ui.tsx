/**
 * The panel of lab 5: charts over time (a window, delays), and how a line was shared on one network after the other. Each part appears when a check
 * has shown something for it.
 */
import { formatNumber } from '../kit/check/measurements.ts'
import type { Line } from '../kit/lab/text.ts'
import type { PanelProps } from '../kit/lab/types.ts'
import { bars, resample } from '../kit/ui/bars.ts'
import { linesPanel } from '../kit/ui/lines-panel.tsx'
import { CHARTS_KEY, type Chart, SHARES_KEY, type Shares } from './panel-data.ts'

/** A panel with more rows than this would leave no room for the brief. */
const MOST_ROWS = 14
const CHART_ROWS = 4
const LEAST_CHART_ROWS = 2
const LABEL_COLUMNS = 8

function lines(props: PanelProps): Line[] {
  const charts = (props.live.shown[CHARTS_KEY] ?? []) as readonly Chart[]
  const shares = (props.live.shown[SHARES_KEY] ?? []) as Shares
  const rows = Math.min(props.rows, MOST_ROWS)
  const shared = shares.length === 0 ? [] : shareLines(shares, props)
  const fixed = charts.reduce((sum, { events }) => sum + (events === undefined ? 1 : 2), 0)
  const room = Math.floor((rows - shared.length - fixed) / Math.max(1, charts.length))
  const height = Math.max(LEAST_CHART_ROWS, Math.min(CHART_ROWS, room))
  const top = Math.max(1, ...charts.flatMap(({ values }) => values))
  return [...charts.flatMap(chart => chartLines(chart, top, height, props)), ...shared].slice(0, rows)
}

/**
 *     your window in bytes
 *      96000|     ▃█   ▂▃▄▅▆▇
 *          0|▁▂▃▅███▄▅▆██████
 *            a  b  c d          e
 */
function chartLines({ caption, values, style, events }: Chart, top: number, height: number, props: PanelProps): Line[] {
  const columns = Math.max(10, Math.min(values.length, props.width - LABEL_COLUMNS - 1))
  const label = (row: number): string => {
    if (row === 0) return formatNumber(Math.ceil(top))
    return row === height - 1 ? '0' : ''
  }
  const drawn = bars(resample(values, columns), top, height, props.marks.sparkline)
  return [
    [{ text: caption.slice(0, props.width), style }],
    ...drawn.map(
      (text, row): Line => [
        { text: label(row).padStart(LABEL_COLUMNS - 1), style: 'muted' },
        { text: '|', style: 'muted' },
        { text, style },
      ],
    ),
    ...(events === undefined ? [] : [eventLine(events, columns)]),
  ]
}

function eventLine(events: readonly { letter: string; at: number }[], columns: number): Line {
  const places = Array.from({ length: columns }, () => ' ')
  for (const { letter, at } of events) places[Math.min(columns - 1, Math.floor(at * columns))] = letter
  return [{ text: ' '.repeat(LABEL_COLUMNS) + places.join('').trimEnd(), style: 'strong' }]
}

/**
 *     network 12: yours 47 % ###########------------- 53 % CUBIC, Jain 1.00
 */
function shareLines(shares: Shares, { width, marks }: PanelProps): Line[] {
  const last = shares.at(-1)!
  const percent = (share: number) => `${Math.round(share * 100)} %`
  const before = `network ${shares.length}: yours ${percent(last.own)} `
  const behind = ` ${percent(last.cubic)} CUBIC, Jain ${last.jain.toFixed(2)}`
  const columns = Math.max(0, Math.min(24, width - before.length - behind.length))
  const own = Math.round(last.own * columns)
  return [
    [
      { text: before },
      { text: marks.barFull.repeat(own), style: 'accent' },
      { text: marks.barEmpty.repeat(columns - own), style: 'muted' },
      { text: behind },
    ],
  ]
}

export const CongestionPanel = linesPanel(lines)
