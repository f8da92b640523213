/**
 * One task: brief, questions and answers, hints, and what the check found. In a narrow terminal below each other, in a
 * wide one side by side.
 */
import { TextInput } from '@inkjs/ui'
import { Box, Text } from 'ink'
import type { Step, TaskResult } from '../engine.ts'
import { briefLines, feedbackLines, hintLines, questionLines, questionText, stepLines } from '../pages.ts'
import { type Line, wrap } from '../text.ts'
import type { Lab, Question, Task } from '../types.ts'
import { bodyColumns, bodyRows, Lines, maxScroll, type Size, useTheme } from './frame.tsx'
import type { Theme } from './theme.ts'

export interface TaskContent {
  lab: Lab
  task: Task
  answers: Readonly<Record<string, string>>
  hintsShown: number
  /** Steps of the check that is running. */
  running: readonly Step[] | undefined
  result: TaskResult | undefined
  /** Which of them is the newest, and so brought into view. */
  latest: 'answer' | 'hint' | 'check'
  /** Something to say that is not a check's result, such as an answers file that cannot be read. */
  notice: string | undefined
}

export interface TaskLayout {
  /** One column, or two side by side. */
  columns: { lines: Line[]; width: number }[]
  /** Where the newest part begins in the last column: a hint, or the feedback. */
  newest: number
}

/** From this width on there are two columns; the left one then has room for any command in a brief. */
const WIDE = 116
const LEFT_MIN = 71
const GAP = 3

/** All lines of the task, for a terminal of this size. */
export function layoutTask(content: TaskContent, theme: Theme, size: Size, frame: number): TaskLayout {
  const width = bodyColumns(size)
  if (width >= WIDE) {
    const left = Math.max(LEFT_MIN, Math.floor((Math.min(width, 160) - GAP) * 0.54))
    const right = Math.min(width, 160) - GAP - left
    const side = asideLines(content, theme, right, frame)
    return {
      columns: [
        { lines: briefLines(content.lab, content.task, left), width: left },
        { lines: side.lines, width: right },
      ],
      newest: side.newest,
    }
  }
  const brief = briefLines(content.lab, content.task, width)
  const side = asideLines(content, theme, width, frame)
  const rule: Line[] = side.lines.length > 0 ? [[]] : []
  return {
    columns: [{ lines: [...brief, ...rule, ...side.lines], width }],
    newest: brief.length + rule.length + side.newest,
  }
}

/** Questions, hints, check. */
function asideLines(
  content: TaskContent,
  theme: Theme,
  width: number,
  frame: number,
): { lines: Line[]; newest: number } {
  const { task, running, result, notice } = content
  const lines: Line[] = []
  let newest = 0
  const add = (part: Line[], isNewest: boolean) => {
    if (part.length === 0) return
    if (lines.length > 0) lines.push([])
    if (isNewest) newest = lines.length
    lines.push(...part)
  }
  add(questionLines(task, content.answers, width), content.latest === 'answer')
  // All hints stay in sight; the newest of them is the last.
  for (let hint = 1; hint <= content.hintsShown; hint++) {
    add(hintLines(task, hint, width), content.latest === 'hint')
  }
  const { marks } = theme
  if (running) {
    const spinner = marks.spinner[frame % marks.spinner.length]!
    const shown = { done: `${marks.good} `, failed: `${marks.bad} `, running: `${spinner} ` }
    add([[{ text: 'Checking', style: 'accent' }], ...stepLines(running, width, shown)], content.latest === 'check')
  } else if (result) {
    const shown = { done: `${marks.good} `, failed: `${marks.bad} `, running: `${marks.waiting} ` }
    add(
      [
        ...feedbackLines(result, width, { good: `${marks.good} `, bad: `${marks.bad} ` }),
        [],
        ...stepLines(result.steps, width, shown),
      ],
      content.latest === 'check',
    )
  }
  if (notice) add(wrap([{ text: notice, style: 'bad' }], width), true)
  return { lines, newest }
}

/** Rows that are left for the text when a question is being answered below it. */
export function taskRows(size: Size, asked: Question | undefined): number {
  return bodyRows(size) - (asked ? questionRows(asked, bodyColumns(size)) : 0)
}

function questionRows(question: Question, width: number): number {
  return questionText(question, width).length + 2
}

export interface TaskBodyProps {
  layout: TaskLayout
  size: Size
  /** First line shown, for each column. */
  offsets: readonly number[]
  /** The question that is being answered. */
  asked: Question | undefined
  answer: string
  onAnswer: (answer: string) => void
}

export function TaskBody({ layout, size, offsets, asked, answer, onAnswer }: TaskBodyProps) {
  const theme = useTheme()
  const rows = taskRows(size, asked)
  return (
    <Box flexDirection="column">
      <Box height={rows} overflow="hidden" columnGap={GAP}>
        {layout.columns.map(({ lines, width }, index) => {
          const offset = Math.min(offsets[index] ?? 0, maxScroll(lines.length, rows))
          return (
            // biome-ignore lint/suspicious/noArrayIndexKey: there are a left and a right column, always in this order
            <Box key={index} flexDirection="column" width={width} flexShrink={0}>
              <Lines lines={lines.slice(offset, offset + rows)} />
            </Box>
          )
        })}
      </Box>
      {asked ? (
        <Box flexDirection="column">
          <Text dimColor>{theme.marks.rule.repeat(bodyColumns(size))}</Text>
          <Lines lines={questionText(asked, bodyColumns(size))} />
          <Box>
            <Text {...theme.style('accent')}>{theme.marks.pointer} </Text>
            <TextInput key={asked.id} defaultValue={answer} placeholder={asked.placeholder ?? ''} onSubmit={onAnswer} />
          </Box>
        </Box>
      ) : null}
    </Box>
  )
}
