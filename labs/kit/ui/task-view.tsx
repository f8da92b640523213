/** Draws one task as task-layout.ts has it: the lab's picture, the text, and below it the question that is being answered. */
import { Box, Text } from 'ink'
import type { Task } from '../lab/types.ts'
import { questionText } from '../plain/pages.ts'
import { AnswerInput } from './answer-input.tsx'
import type { Draft } from './draft.ts'
import { Lines, SpanText, useTheme } from './frame.tsx'
import { bodyColumns, type Size } from './geometry.ts'
import { PanelView } from './panel.tsx'
import { resettable } from './reduce.ts'
import { GAP, type TaskLayout } from './task-layout.ts'

export interface TaskBodyProps {
  task: Task
  layout: TaskLayout
  size: Size
  draft: Draft
  /** Asks whether to put the starting files back. */
  confirming: boolean
}

export function TaskBody({ task, layout, size, draft, confirming }: TaskBodyProps) {
  const theme = useTheme()
  const { asked, picture, view } = layout
  const rows = layout.rows - (confirming ? 1 : 0)
  return (
    <Box flexDirection="column">
      {picture ? (
        <Box flexDirection="column" marginBottom={1} flexShrink={0}>
          <PanelView panel={picture.panel} {...picture.props} />
        </Box>
      ) : null}
      <Box height={rows} overflow="hidden" columnGap={GAP}>
        {layout.columns.map(({ lines, width }, index) => (
          // biome-ignore lint/suspicious/noArrayIndexKey: there are a left and a right column, always in this order
          <Box key={index} flexDirection="column" width={width} flexShrink={0}>
            <Lines lines={lines.slice(view.offsets[index], view.offsets[index] + rows)} />
          </Box>
        ))}
      </Box>
      {asked ? (
        <Box flexDirection="column">
          <Text dimColor>{theme.marks.rule.repeat(bodyColumns(size))}</Text>
          <Lines lines={questionText(asked, bodyColumns(size))} />
          <AnswerInput draft={draft} placeholder={asked.placeholder ?? ''} />
        </Box>
      ) : null}
      {confirming ? (
        <SpanText
          spans={[
            { text: `Put back ${resettable(task).join(', ')} as handed out? Yours will be kept. ` },
            { text: 'y/N', style: 'accent' },
          ]}
        />
      ) : null}
    </Box>
  )
}
