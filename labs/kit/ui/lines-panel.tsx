import { Box } from 'ink'
import type { Panel, PanelProps } from '../lab/types.ts'
import { Lines } from './frame.tsx'

/** A panel that draws its lines, and nothing else. */
export function linesPanel(lines: Panel['lines'], steps?: NonNullable<Panel['steps']>): Panel {
  return Object.assign(
    (props: PanelProps) => (
      <Box flexDirection="column" flexShrink={0}>
        <Lines lines={lines(props)} />
      </Box>
    ),
    { lines, ...(steps && { steps }) },
  )
}
