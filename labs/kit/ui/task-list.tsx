/** The list of tasks with their states, and below it what the lab is for. */
import { Box } from 'ink'
import { columns, padEnd } from '../../../src/text/columns.ts'
import { type Line, type Style, wrap } from '../lab/text.ts'
import type { Lab } from '../lab/types.ts'
import { STATE_WORDS, stateOf, worth } from '../plain/pages.ts'
import type { LabProgress } from '../run/progress.ts'
import { Lines, useTheme } from './frame.tsx'
import { bodyColumns, bodyRows, type Size } from './geometry.ts'

export interface TaskListBodyProps {
  lab: Lab
  progress: Readonly<LabProgress>
  selected: number
  size: Size
}

const STATE_STYLES: Record<keyof typeof STATE_WORDS, Style> = { open: 'muted', attempted: 'bad', solved: 'good' }

export function TaskListBody({ lab, progress, selected, size }: TaskListBodyProps) {
  const theme = useTheme()
  const width = Math.min(100, bodyColumns(size))
  const titleColumns = Math.max(...lab.tasks.map(task => columns(task.title)))
  const numberColumns = String(lab.tasks.length).length
  const lines: Line[] = lab.tasks.map((task, index) => {
    const state = stateOf(progress, task)
    const here = index === selected
    return [
      { text: here ? `${theme.marks.pointer} ` : '  ', style: 'accent' },
      { text: `${theme.marks[state]} `, style: STATE_STYLES[state] },
      {
        text: `${String(index + 1).padStart(numberColumns)}  ${padEnd(task.title, titleColumns + 2)}`,
        style: here ? 'strong' : undefined,
      },
      { text: STATE_WORDS[state].padEnd(8), style: STATE_STYLES[state] },
      { text: worth(task).padEnd(12), style: 'muted' },
      { text: task.kind, style: 'muted' },
    ]
  })
  // The selected task is in sight, however low the window is.
  const rows = bodyRows(size)
  const offset = Math.max(0, Math.min(selected - Math.floor(rows / 2), lines.length - rows))
  const about: Line[] = [
    ...wrap([{ text: lab.summary }], width),
    [],
    [{ text: 'You will be able to', style: 'muted' }],
    ...lab.objectives.flatMap(objective => wrap([{ text: objective }], width, [{ text: '- ' }], [{ text: '  ' }])),
  ]
  return (
    <Box flexDirection="column" flexShrink={0}>
      <Lines lines={lines.slice(offset)} />
      <Lines lines={[[]]} />
      <Lines lines={about} />
    </Box>
  )
}
