/**
 * One task: brief, questions and answers, hints, and what the check found. In a narrow terminal below each other, in a
 * wide one side by side.
 */
import { ConfirmInput } from '@inkjs/ui'
import { Box, Text } from 'ink'
import { liveLines } from '../check/measurements.ts'
import { type Line, wrap } from '../lab/text.ts'
import type { Lab, LiveState, Panel, PanelProps, Question, Task } from '../lab/types.ts'
import { briefLines, feedbackLines, hintLines, questionLines, questionText, stepLines } from '../plain/pages.ts'
import type { Step, TaskResult } from '../run/engine.ts'
import { AnswerInput, type Draft } from './answer-input.tsx'
import { bodyColumns, bodyRows, Lines, maxScroll, type Size, useTheme } from './frame.tsx'
import { PanelView } from './panel.tsx'
import { busyBar, type Theme } from './theme.ts'

export interface TaskContent {
  lab: Lab
  task: Task
  answers: Readonly<Record<string, string>>
  hintsShown: number
  /** Steps of the check that is running. */
  running: readonly Step[] | undefined
  /** For how long it has been running, in ms. */
  runningMs: number
  /** Of the check that is running, or else of the one that ran last. */
  live: LiveState
  result: TaskResult | undefined
  /** The reference solution, when it has been asked for. */
  solution: readonly Line[]
  /** Which of them is the newest, and so brought into view. */
  latest: 'answer' | 'hint' | 'check' | 'solution'
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
        { lines: cachedBrief(content.lab, content.task, left), width: left },
        { lines: side.lines, width: right },
      ],
      newest: side.newest,
    }
  }
  const brief = cachedBrief(content.lab, content.task, width)
  const side = asideLines(content, theme, width, frame)
  const rule: Line[] = side.lines.length > 0 ? [[]] : []
  return {
    columns: [{ lines: [...brief, ...rule, ...side.lines], width }],
    newest: brief.length + rule.length + side.newest,
  }
}

const briefs = new WeakMap<Task, { width: number; lines: Line[] }>()

/** A brief does not change; the screen around it is drawn ten times a second while a check runs. */
function cachedBrief(lab: Lab, task: Task, width: number): Line[] {
  const cached = briefs.get(task)
  if (cached?.width === width) return cached.lines
  const lines = briefLines(lab, task, width)
  briefs.set(task, { width, lines })
  return lines
}

/** Anything that takes longer than this shows how far it has come, or at least for how long it has been at it. */
const SHOW_PROGRESS_AFTER_MS = 1000

/** Questions, hints, solution, check. */
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
  add([...content.solution], content.latest === 'solution')
  const { marks } = theme
  const measured = liveLines(content.live, width, marks)
  if (running) {
    const spinner = marks.spinner[frame % marks.spinner.length]!
    const shown = { done: `${marks.good} `, failed: `${marks.bad} `, running: `${spinner} ` }
    const seconds = `${(content.runningMs / 1000).toFixed(0)} s`
    const slow = content.runningMs >= SHOW_PROGRESS_AFTER_MS
    add(
      [
        [{ text: 'Checking', style: 'accent' }, ...(slow ? [{ text: `  ${seconds}`, style: 'muted' as const }] : [])],
        ...(slow && !content.live.progress ? [busyBar(theme, content.runningMs, Math.min(40, width))] : []),
        ...stepLines(running, width, shown),
        ...measured,
      ],
      content.latest === 'check',
    )
  } else if (result) {
    const shown = { done: `${marks.good} `, failed: `${marks.bad} `, running: `${marks.waiting} ` }
    add(
      [
        ...feedbackLines(result, width, { good: `${marks.good} `, bad: `${marks.bad} ` }),
        [],
        ...(measured.length > 0 ? [...measured, []] : []),
        ...stepLines(result.steps, width, shown),
      ],
      content.latest === 'check',
    )
  }
  if (notice) add(wrap([{ text: notice, style: 'bad' }], width), true)
  return { lines, newest }
}

/** Rows that are left for the text when a question is being answered below it. */
export function taskRows(size: Size, asked: Question | undefined, panelRows: number): number {
  const others = (asked ? questionRows(asked, bodyColumns(size)) : 0) + (panelRows > 0 ? panelRows + 1 : 0)
  return Math.max(0, bodyRows(size) - others)
}

function questionRows(question: Question, width: number): number {
  return questionText(question, width).length + 2
}

export interface TaskBodyProps {
  layout: TaskLayout
  size: Size
  /** The lab's picture above the text, when there is one to be shown. */
  panel: { panel: Panel; props: PanelProps; rows: number } | undefined
  /** First line shown, for each column. */
  offsets: readonly number[]
  /** The question that is being answered. */
  asked: Question | undefined
  draft: Draft
  /** Whether to put the starting files back. */
  confirm: { files: readonly string[]; onConfirm: () => void; onCancel: () => void } | undefined
}

export function TaskBody({ layout, size, panel, offsets, asked, draft, confirm }: TaskBodyProps) {
  const theme = useTheme()
  const rows = taskRows(size, asked, panel?.rows ?? 0) - (confirm ? 1 : 0)
  return (
    <Box flexDirection="column">
      {panel ? (
        <Box flexDirection="column" marginBottom={1} flexShrink={0}>
          <PanelView panel={panel.panel} {...panel.props} />
        </Box>
      ) : null}
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
          <AnswerInput draft={draft} placeholder={asked.placeholder ?? ''} />
        </Box>
      ) : null}
      {confirm ? (
        <Box>
          <Text>Put back {confirm.files.join(', ')} as handed out? Yours will be kept. </Text>
          <ConfirmInput defaultChoice="cancel" onConfirm={confirm.onConfirm} onCancel={confirm.onCancel} />
        </Box>
      ) : null}
    </Box>
  )
}
