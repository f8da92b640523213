/** The live demonstration: phases that tick, the lab's own picture, then what was seen. */
import { Box } from 'ink'
import { columns, padEnd } from '../../../src/text/columns.ts'
import { liveLines } from '../check/measurements.ts'
import { type Line, wrap } from '../lab/text.ts'
import type { Demonstration, LiveState, Panel, PanelProps, Phase } from '../lab/types.ts'
import { formatMs } from '../plain/pages.ts'
import type { DemonstrationOutcome } from '../run/demonstrate.ts'
import { Lines, useTheme, useTicks } from './frame.tsx'
import { bodyColumns, type Size } from './geometry.ts'
import { PanelView } from './panel.tsx'
import { phaseMark } from './theme.ts'

export interface DemonstrationBodyProps {
  demonstration: Demonstration
  phases: readonly Phase[]
  outcome: DemonstrationOutcome | undefined
  live: LiveState
  panel: Panel | undefined
  size: Size
}

export function DemonstrationBody({ demonstration, phases, outcome, live, panel, size }: DemonstrationBodyProps) {
  const theme = useTheme()
  const frame = useTicks(outcome === undefined)
  const width = Math.min(100, bodyColumns(size))
  const roomy = size.rows >= 30
  const titleColumns = Math.max(...demonstration.phases.map(phase => columns(phase.title)))

  const lines: Line[] = phases.map(phase => {
    const mark = phaseMark(theme, phase.state, frame)
    return [
      { text: `${mark.text} `, style: mark.style },
      { text: padEnd(phase.title, titleColumns + 2), style: phase.state === 'waiting' ? 'muted' : undefined },
      { text: (phase.ms === undefined ? '' : formatMs(phase.ms)).padStart(8), style: 'strong' },
      { text: `  ${phase.detail ?? ''}` },
    ]
  })
  const panelProps: PanelProps = {
    task: undefined,
    phases,
    live,
    running: outcome === undefined,
    passed: undefined,
    step: 0,
    width,
    rows: 12,
    marks: theme.marks,
  }
  const picture = panel && panel.lines(panelProps).length > 0 ? panel : undefined
  const closing: Line[] = outcome ? closingLines(outcome, width) : []
  return (
    <Box flexDirection="column" flexShrink={0}>
      <Lines lines={wrap([{ text: demonstration.about, style: 'muted' }], width)} />
      <Lines lines={[[]]} />
      {picture ? <PanelView panel={picture} {...panelProps} /> : null}
      {picture ? <Lines lines={[[]]} /> : null}
      <Lines lines={lines} />
      <Lines lines={liveLines(live, width, theme.marks)} />
      {roomy || !picture ? <Lines lines={[[]]} /> : null}
      <Lines lines={closing} />
    </Box>
  )
}

function closingLines(outcome: DemonstrationOutcome, width: number): Line[] {
  if (outcome.failure !== undefined) {
    return wrap([{ text: 'The demonstration failed: ', style: 'bad' }, { text: outcome.failure }], width)
  }
  return outcome.summary.flatMap(sentence => wrap([{ text: sentence }], width))
}
