/** The live demonstration: phases that tick, the lab's own picture, then what was seen. */
import { Box } from 'ink'
import { type ComponentType, useEffect, useState } from 'react'
import type { DemonstrationOutcome } from '../demonstrate.ts'
import { formatMs } from '../pages.ts'
import { columns, type Line, wrap } from '../text.ts'
import type { Demonstration, PanelProps, Phase } from '../types.ts'
import { bodyColumns, Lines, type Size, useTheme, useTicks } from './frame.tsx'
import { phaseMark } from './theme.ts'

export interface DemonstrationBodyProps {
  demonstration: Demonstration
  phases: readonly Phase[]
  outcome: DemonstrationOutcome | undefined
  size: Size
}

export function DemonstrationBody({ demonstration, phases, outcome, size }: DemonstrationBodyProps) {
  const theme = useTheme()
  const frame = useTicks(outcome === undefined)
  const Panel = usePanel(demonstration)
  const width = Math.min(100, bodyColumns(size))
  const roomy = size.rows >= 30
  const titleColumns = Math.max(...demonstration.phases.map(phase => columns(phase.title)))

  const lines: Line[] = phases.map(phase => {
    const mark = phaseMark(theme, phase.state, frame)
    return [
      { text: `${mark.text} `, style: mark.style },
      { text: phase.title.padEnd(titleColumns + 2), style: phase.state === 'waiting' ? 'muted' : undefined },
      { text: (phase.ms === undefined ? '' : formatMs(phase.ms)).padStart(8), style: 'strong' },
      { text: `  ${phase.detail ?? ''}` },
    ]
  })
  const closing: Line[] = outcome ? closingLines(outcome, width) : []
  return (
    <Box flexDirection="column" flexShrink={0}>
      <Lines lines={wrap([{ text: demonstration.about, style: 'muted' }], width)} />
      <Lines lines={[[]]} />
      {Panel ? <Panel phases={phases} width={width} /> : null}
      {Panel ? <Lines lines={[[]]} /> : null}
      <Lines lines={lines} />
      {roomy || !Panel ? <Lines lines={[[]]} /> : null}
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

function usePanel(demonstration: Demonstration): ComponentType<PanelProps> | undefined {
  const [panel, setPanel] = useState<{ component: ComponentType<PanelProps> }>()
  useEffect(() => {
    let here = true
    demonstration.panel?.().then(component => {
      if (here) setPanel({ component })
    })
    return () => {
      here = false
    }
  }, [demonstration])
  return panel?.component
}
