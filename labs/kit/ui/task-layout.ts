/** Where everything of one task is on the screen: in a narrow terminal below each other, in a wide one side by side. */
import { liveLines, progressLine } from '../check/measurements.ts'
import { codeColumns, layoutCode } from '../lab/markdown.ts'
import { type Line, wrap } from '../lab/text.ts'
import type { Lab, Panel, PanelProps, Question, Task } from '../lab/types.ts'
import {
  briefLines,
  feedbackLines,
  hintLines,
  questionLines,
  questionText,
  stateOf,
  stepLines,
} from '../plain/pages.ts'
import { NOTHING_YET } from '../run/live.ts'
import { bodyColumns, bodyRows, maxScroll, type Size, scrollNote } from './geometry.ts'
import { type State, taskOf, type View } from './state.ts'
import { busyBar, type Theme } from './theme.ts'

/** Everything that the screen of a task is drawn from. */
export interface Scene {
  state: State
  theme: Theme
  size: Size
  panel: Panel | undefined
  /** For how long the check has been running, in ms. */
  runningMs: number
  /** Counts up, for the spinner. */
  frame: number
}

export interface TaskLayout {
  columns: { lines: Line[]; width: number }[]
  view: View
  asked: Question | undefined
  /** Rows that the text has. */
  rows: number
  /** The lab's picture above the text, when there is one to be shown. */
  picture: { panel: Panel; props: PanelProps; rows: number } | undefined
  /** What part of the text is seen. */
  note: string | undefined
}

export function layoutTask(scene: Scene): TaskLayout {
  const { state, theme, size, panel } = scene
  const { columns, newest } = layoutText(scene)
  const asked = state.task.question === undefined ? undefined : taskOf(state).questions[state.task.question]
  const free = bodyRows(size) - (asked ? questionText(asked, bodyColumns(size)).length + 2 : 0)
  const picture = panel && pictureOf(scene, panel, Math.max(0, free))
  const rows = Math.max(0, free - (picture?.rows ? picture.rows + 1 : 0))
  const limits = columns.map(({ lines }) => maxScroll(lines.length, rows))
  const { follow, scrolled } = state.task
  const offsets = limits.map((limit, column) =>
    Math.min(limit, follow && column === limits.length - 1 ? newest : (scrolled[column] ?? 0)),
  )
  const longest = limits.indexOf(Math.max(...limits))
  return {
    columns,
    view: {
      offsets,
      limits,
      hasPicture: picture?.isThere ?? false,
      steps: picture?.steps ?? 1,
      views: picture?.views ?? [],
      shown: picture?.props.view,
    },
    asked,
    rows,
    picture: picture?.rows ? picture : undefined,
    note: scrollNote(theme, offsets[longest], columns[longest].lines.length, rows),
  }
}

/** Of the screen, the picture takes at most this part, unless it is to have all of it. */
const PICTURE_PART = 0.45

function pictureOf({ state, theme, size }: Scene, panel: Panel, free: number) {
  const task = taskOf(state)
  const { running } = state.task
  const result = state.results[task.id]
  const most = { auto: Math.floor(free * PICTURE_PART), full: free, off: 0 }[state.picture]
  const props: PanelProps = {
    task,
    phases: [],
    live: running?.live ?? result?.live ?? NOTHING_YET,
    running: running !== undefined,
    passed: result?.passed,
    step: 0,
    width: bodyColumns(size),
    rows: most,
    marks: theme.marks,
  }
  const views = panel.views?.(props) ?? []
  props.view = views.find(name => name === state.pictureView)
  const steps = panel.steps?.(props) ?? 1
  props.step = Math.min(state.task.step ?? steps - 1, steps - 1)
  const isThere = panel.lines({ ...props, rows: free }).length > 0
  return { panel, props, steps, views, isThere, rows: most === 0 ? 0 : Math.min(most, panel.lines(props).length) }
}

/** From this width on there are two columns. */
const WIDE = 116
/** The left one has room for any command in a brief, and for any figure that leaves as much as this to the right one. */
const LEFT_MIN = 71
const RIGHT_MIN = 36
export const GAP = 3

/** `newest`: where the newest part, a hint or the feedback, begins in the last column. */
function layoutText(scene: Scene): { columns: TaskLayout['columns']; newest: number } {
  const { lab } = scene.state
  const task = taskOf(scene.state)
  const width = bodyColumns(scene.size)
  if (width >= WIDE) {
    const both = Math.min(width, 160) - GAP
    const figure = Math.min(codeColumns(task.brief), both - RIGHT_MIN)
    const left = Math.max(LEFT_MIN, Math.floor(both * 0.54), figure)
    const side = asideLines(scene, both - left)
    return {
      columns: [
        { lines: cachedBrief(lab, task, left), width: left },
        { lines: side.lines, width: both - left },
      ],
      newest: side.newest,
    }
  }
  const brief = cachedBrief(lab, task, width)
  const side = asideLines(scene, width)
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
function asideLines({ state, theme, runningMs, frame }: Scene, width: number): { lines: Line[]; newest: number } {
  const task = taskOf(state)
  const { answers, latest, notice = state.problem, running, solution } = state.task
  const result = state.results[task.id]
  const lines: Line[] = []
  let newest = 0
  const add = (part: Line[], isNewest: boolean) => {
    if (part.length === 0) return
    if (lines.length > 0) lines.push([])
    if (isNewest) newest = lines.length
    lines.push(...part)
  }
  add(questionLines(task, answers, width, state.progress[task.id]?.predictions), latest === 'answer')
  // All hints stay in sight; the newest of them is the last.
  for (let hint = 1; hint <= (state.progress[task.id]?.hints ?? 0); hint++) {
    add(hintLines(task, hint, width), latest === 'hint')
  }
  add(
    solution.flatMap(line => (line[0]?.style === 'code' ? layoutCode(line[0].text, width, 2) : wrap(line, width))),
    latest === 'solution',
  )
  const { marks } = theme
  const measured = liveLines(result?.live ?? NOTHING_YET, width, marks)
  const good = { done: `${marks.good} `, failed: `${marks.bad} ` }
  if (running) {
    const spinner = marks.spinner[frame % marks.spinner.length]
    const seconds = `${(runningMs / 1000).toFixed(0)} s`
    const slow = runningMs >= SHOW_PROGRESS_AFTER_MS
    const { progress, ...rest } = running.live
    // Above the steps, of which there may be more than the screen has rows.
    const bar = progress
      ? [progressLine(progress, width, marks)]
      : slow
        ? [busyBar(theme, runningMs, Math.min(40, width))]
        : []
    add(
      [
        [
          { text: running.waiting === undefined ? 'Checking' : 'Waiting', style: 'accent' },
          ...(slow ? [{ text: `  ${seconds}`, style: 'muted' as const }] : []),
        ],
        ...(running.waiting === undefined ? [] : wrap([{ text: running.waiting }], width)),
        ...bar,
        ...stepLines(running.steps, width, { ...good, running: `${spinner} ` }),
        ...liveLines(rest, width, marks),
      ],
      latest === 'check',
    )
  } else if (result) {
    const verdict = {
      good: `${marks.good} `,
      bad: `${marks.bad} `,
      solvedBefore: stateOf(state.progress, task) === 'solved',
    }
    add(
      [
        ...feedbackLines(result, width, verdict),
        [],
        ...(measured.length > 0 ? [...measured, []] : []),
        ...stepLines(result.steps, width, { ...good, running: `${marks.waiting} ` }),
      ],
      latest === 'check',
    )
  }
  if (notice) add(wrap([{ text: notice, style: 'bad' }], width), true)
  return { lines, newest }
}
