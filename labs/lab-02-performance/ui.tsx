/**
 * The panel of lab 2: what was predicted beside what was measured. The keys `[` and `]` go through the charts of the check;
 * the last one is where the check stopped, and is shown first. `g` switches to the windows of its tunnels.
 */
import type { Line } from '../kit/lab/text.ts'
import type { PanelProps } from '../kit/lab/types.ts'
import { linesPanel } from '../kit/ui/lines-panel.tsx'
import { withWindow } from '../kit/ui/with-window.tsx'
import { CHARTS_KEY, type Chart, chartLines } from './chart.ts'
import { type Picture, pictureLines } from './picture.ts'

/** A panel with more rows than this would leave no room for the brief. */
const MOST_ROWS = 14

function charts(props: PanelProps): readonly (Chart | Picture)[] {
  const shown = props.live.shown[CHARTS_KEY]
  return Array.isArray(shown) ? (shown as (Chart | Picture)[]) : []
}

function lines(props: PanelProps): Line[] {
  const all = charts(props)
  const { step } = props
  const chart = all[step]
  if (chart === undefined) return []
  const position = all.length > 1 ? `picture ${step + 1} of ${all.length}` : ''
  const { width, marks } = props
  const rows = Math.min(props.rows, MOST_ROWS)
  if ('lines' in chart) return pictureLines(chart, { width, rows, position })
  return chartLines(chart, { width, marks, position, rows })
}

export const Charts = withWindow(linesPanel(lines, props => Math.max(1, charts(props).length)))
